"""Optimizers bent to a purpose: gradients centered in apply_gradients, an update_step of one's own,
sharpness-aware minimization, reversed gradients, one optimizer called twice in a step."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Centered(keras.optimizers.Adam):
    def apply_gradients(self, grads_and_vars):
        return super().apply_gradients([
            (g - ops.mean(g, 0, keepdims=True) if len(g.shape) > 1 else g, v)
            for g, v in grads_and_vars
        ])

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient * 1.5, variable, learning_rate)


class SharpnessAware(keras.Sequential):
    def train_step(self, data):
        x, y = data
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, variables)
        norm = tf.linalg.global_norm(gradients)
        steps = [0.05 * g / (norm + 1e-12) for g in gradients]
        for variable, step in zip(variables, steps, strict=True):
            variable.assign_add(step)
        with tf.GradientTape() as tape:
            there = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(there, variables)
        for variable, step in zip(variables, steps, strict=True):
            variable.assign_sub(step)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"loss": loss, "perturbed_loss": there}


@tf.custom_gradient
def reversed_gradient(x):
    return tf.identity(x), lambda upstream: -0.3 * upstream


class Adversarial(keras.Model):
    def __init__(self):
        super().__init__()
        self.features, self.head = layers.Dense(8, "relu"), layers.Dense(1)
        self.domain = layers.Dense(1)
        self.count = tf.Variable(0, trainable=False, dtype=tf.int64)

    def call(self, x):
        h = self.features(x)
        return self.head(h), self.domain(reversed_gradient(h))

    def train_step(self, data):
        x, (y, domain) = data
        self.count.assign_add(1)
        for part in (self.features, self.head):
            with tf.GradientTape() as tape:
                predicted, guessed = self(x, training=True)
                loss = ops.mean((predicted - y) ** 2) + tf.cond(
                    self.count % 2 == 0, lambda g=guessed: ops.mean((g - domain) ** 2), lambda: 0.0
                )
            gradients = tape.gradient(loss, part.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, part.trainable_variables, strict=True))
        return {"loss": loss}


rng = np.random.default_rng(0)
x = rng.normal(size=(48, 6)).astype("float32")
y = x[:, :1]
for optimizer in (Centered(0.01), "ftrl", "lion", "adafactor"):
    model = keras.Sequential([layers.Dense(8, "relu"), layers.Dense(1)])
    model.compile(optimizer, "mse")
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
aware = SharpnessAware([keras.Input((6,)), layers.Dense(8, "relu"), layers.Dense(1)])
aware.compile("sgd", "mse")
aware.fit(x, y, batch_size=8, epochs=2, verbose=0)
adversarial = Adversarial()
adversarial(x[:1])
adversarial.compile("sgd")
adversarial.optimizer.build(adversarial.trainable_variables)
adversarial.fit(x, (y, (y > 0).astype("float32")), batch_size=8, epochs=2, verbose=0)
