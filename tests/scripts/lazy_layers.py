"""A subclassed model that builds weights late, uses one layer twice, and counts its steps; its loss
holds a variable that it changes itself, and another stands in a global variable."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

annealed = keras.Variable(1.0, trainable=False)


class Lazy(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks = [
            keras.Sequential([layers.Dense(6, "relu"), layers.LayerNormalization()])
            for _ in range(2)
        ]
        self.shared = layers.Dense(6)

    def build(self, shape):
        self.gate = self.add_weight(shape=(6,), initializer="ones", name="gate")
        self.steps = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="steps", dtype="int32"
        )
        super().build(shape)

    def call(self, x, training=False):
        h = self.shared(x)
        for block in self.blocks:
            h = block(h) * self.gate
        if training:
            self.steps.assign_add(1)
        return ops.sum(self.shared(h), -1, keepdims=True)


class Fading(keras.losses.Loss):
    def __init__(self):
        super().__init__()
        self.weight = keras.Variable(1.0, trainable=False, name="weight")
        self.calls = tf.Variable(0, trainable=False)

    def call(self, y_true, y_pred):
        self.weight.assign(self.weight * 0.99)
        self.calls.assign_add(1)
        annealed.assign(annealed * 0.98)
        return annealed * self.weight * ops.mean(ops.square(y_true - y_pred), -1)


rng = np.random.default_rng(0)
x = rng.normal(size=(48, 6)).astype("float32")
loss, model = Fading(), Lazy()
model.compile("adam", loss, metrics=["mse", "cosine_similarity"])
model.fit(x, x[:, :1], batch_size=8, epochs=2, verbose=0)
left = [float(loss.weight), float(annealed), int(loss.calls), int(model.steps)]
