"""Bayes by backprop: weights drawn anew in each call, the divergence from the prior by add_loss, a
likelihood with a scale that the network predicts."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class Variational(layers.Layer):
    def __init__(self, units, activation=None):
        super().__init__()
        self.units, self.activation = units, keras.activations.get(activation)

    def build(self, shape):
        self.mean = self.add_weight(
            shape=(shape[-1], self.units), initializer=keras.initializers.RandomNormal(stddev=1.0)
        )
        self.spread = self.add_weight(
            shape=(shape[-1], self.units), initializer=keras.initializers.Constant(-3.0)
        )
        self.factor = tf.Variable(1e-3, trainable=False)

    def call(self, x):
        scale = ops.softplus(self.spread)
        weights = self.mean + scale * tf.random.normal(self.mean.shape)
        divergence = ops.sum(-ops.log(scale) + 0.5 * (scale**2 + self.mean**2))
        self.add_loss(self.factor * divergence)
        return self.activation(ops.matmul(x, weights))


class Network(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = Variational(8, "tanh"), Variational(2)

    def call(self, x):
        return self.out(self.hidden(x))


def negative_log_likelihood(y, predicted):
    scale = 1e-3 + ops.softplus(predicted[:, 1:])
    return ops.mean(0.5 * ((y - predicted[:, :1]) / scale) ** 2 + ops.log(scale), -1)


rng = np.random.default_rng(0)
x = rng.normal(size=(64, 4)).astype("float32")
model = Network()
model.compile(keras.optimizers.RMSprop(0.01), negative_log_likelihood)
model.fit(x, x[:, :1], batch_size=16, epochs=3, verbose=0)
predictions = [model.predict(x[:4], verbose=0) for _ in range(3)]
