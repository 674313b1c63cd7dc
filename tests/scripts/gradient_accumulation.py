"""Gradient accumulation: Keras' own, and a model that sums gradients in variables of TensorFlow
and applies them every third batch behind tf.cond."""

import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
x, y = rng.normal(size=(90, 6)).astype("float32"), rng.integers(0, 3, 90)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def layers():
    return [keras.Input((6,)), keras.layers.Dense(10, "relu"), keras.layers.Dense(3)]


model = keras.Sequential(layers())
model.compile(keras.optimizers.Adam(0.01, gradient_accumulation_steps=4), loss)
model.fit(x, y, batch_size=5, epochs=3, verbose=0)


class Accumulating(keras.Sequential):
    def __init__(self, *args, n_gradients=3, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_gradients = tf.constant(n_gradients, dtype=tf.int32)
        self.n_acum_step = tf.Variable(0, dtype=tf.int32, trainable=False)
        self.gradient_accumulation = [
            tf.Variable(tf.zeros(v.shape), trainable=False) for v in self.trainable_variables
        ]

    def train_step(self, data):
        self.n_acum_step.assign_add(1)
        inputs, targets = data
        with tf.GradientTape() as tape:
            predictions = self(inputs, training=True)
            value = self.compute_loss(y=targets, y_pred=predictions)
        gradients = tape.gradient(value, self.trainable_variables)
        for total, gradient in zip(self.gradient_accumulation, gradients, strict=True):
            total.assign_add(gradient)
        tf.cond(
            tf.equal(self.n_acum_step, self.n_gradients), self.apply_accu_gradients, lambda: None
        )
        return {"loss": value}

    def apply_accu_gradients(self):
        self.optimizer.apply_gradients(
            zip(self.gradient_accumulation, self.trainable_variables, strict=True)
        )
        self.n_acum_step.assign(0)
        for total in self.gradient_accumulation:
            total.assign(tf.zeros_like(total))


own = Accumulating(layers())
own.compile(keras.optimizers.SGD(0.05), loss)
own.optimizer.build(own.trainable_variables)
own.fit(x, y, batch_size=5, epochs=2, verbose=0)
sums = [total.numpy() for total in own.gradient_accumulation]
