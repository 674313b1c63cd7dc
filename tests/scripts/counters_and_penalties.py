"""Layers with counters that are not trained, add_loss, activity regularizers, constraints, a
spectral norm, and variables of TensorFlow that Keras does not list."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Counting(layers.Layer):
    def build(self, shape):
        self.total = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="total"
        )
        self.moving = self.add_weight(
            shape=(shape[-1],), initializer="zeros", trainable=False, name="moving"
        )
        self.hidden = [tf.Variable(0.0, trainable=False)]

    def call(self, x, training=False):
        if training:
            self.total.assign_add(ops.shape(x)[0])
            self.moving.assign(0.9 * self.moving + 0.1 * ops.mean(x, axis=0))
            self.hidden[0].assign_add(tf.reduce_sum(x))
        self.add_loss(1e-3 * ops.mean(ops.square(x)))
        return x - self.moving


counting = Counting()
inputs = keras.Input((6,))
h = layers.Dense(8, activity_regularizer="l2", kernel_constraint="max_norm")(inputs)
h = counting(h)
h = layers.SpectralNormalization(layers.Dense(8, activation="relu"))(h)
h = layers.ActivityRegularization(l1=1e-4)(h)
outputs = layers.Dense(1, kernel_constraint="unit_norm", bias_regularizer="l1")(h)
model = keras.Model(inputs, outputs)
model.compile("ftrl", "mse")
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 6)).astype("float32"), rng.normal(size=(64, 1)).astype("float32")
model.fit(x, y, batch_size=8, epochs=3, validation_split=0.25, verbose=0)
hidden = counting.hidden[0].numpy()
