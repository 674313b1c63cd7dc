"""Adversarial regularization: gradients for the inputs first, then a loss on clean and perturbed
inputs; and a physics-informed net with a second derivative in its loss."""

import keras
import numpy as np
import tensorflow as tf


class Adversarial(keras.Model):
    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = self.compute_loss(x, y, self(x, training=True))
        perturbed = x + 0.1 * tf.sign(tape.gradient(value, x))
        with tf.GradientTape() as tape:
            clean = self(x, training=True)
            loss = 0.5 * self.compute_loss(x, y, clean)
            loss += 0.5 * self.compute_loss(perturbed, y, self(perturbed, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, clean)
        return {metric.name: metric.result() for metric in self.metrics}


class Physics(keras.Model):
    def __init__(self):
        super().__init__()
        self.net = keras.Sequential([
            keras.Input((1,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(1),
        ])
        self.residual = keras.metrics.Mean(name="residual")

    def call(self, x):
        return self.net(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    u = self.net(x)
                slope = inner.gradient(u, x)
            curvature = outer.gradient(slope, x)
            residual = tf.reduce_mean((curvature + u) ** 2)
            loss = residual + tf.reduce_mean((u[:1] - y[:1]) ** 2)
        gradients = tape.gradient(loss, self.net.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.net.trainable_variables, strict=True))
        self.residual.update_state(residual)
        return {"loss": loss, "residual": self.residual.result()}


rng = np.random.default_rng(0)
x, y = rng.normal(size=(60, 5)).astype("float32"), rng.integers(0, 3, 60)
inputs = keras.Input((5,))
h = keras.layers.Dense(8, "relu")(inputs)
model = Adversarial(inputs, keras.layers.Dense(3)(keras.layers.Dropout(0.3)(h)))
model.compile(
    "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x, y, batch_size=10, epochs=2, verbose=0)

t = np.linspace(0, 3, 40, dtype="float32")[:, None]
physics = Physics()
physics.compile(keras.optimizers.Adam(1e-2))
physics.fit(t, np.cos(t), batch_size=8, epochs=3, verbose=0)
