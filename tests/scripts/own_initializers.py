"""A model that its first batch builds, with initializers of its own: a class that counts its calls,
a function, a generator of seeds that several layers share, weights by hand in build."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

calls = []
seeds = keras.random.SeedGenerator(11)


class Counted(keras.initializers.Initializer):
    def __call__(self, shape, dtype=None):
        calls.append(tuple(shape))
        return keras.random.normal(shape, stddev=0.3, dtype=dtype, seed=3)


def constant_rows(shape, dtype=None):
    return tf.ones(shape, dtype) * tf.reshape(tf.range(shape[0], dtype=dtype), (-1, 1)) / 10


class WeightNormalized(layers.Wrapper):
    def build(self, shape):
        super().build(shape)
        units = self.layer.kernel.shape[-1]
        self.length = self.add_weight(shape=(units,), initializer="ones", name="length")
        self.temperature = tf.Variable(0.5, trainable=False)

    def call(self, x):
        kernel = self.length * self.layer.kernel / ops.norm(self.layer.kernel, axis=0)
        return ops.matmul(x, kernel) * self.temperature + self.layer.bias


def fitted(*initializers):
    model = keras.Sequential(
        [layers.Dense(6, "tanh", kernel_initializer=item) for item in initializers]
    )
    model.add(WeightNormalized(layers.Dense(4)))
    model.add(layers.Dense(1, bias_initializer=keras.initializers.Constant(0.1)))
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    return model


rng = np.random.default_rng(0)
x = rng.normal(size=(64, 6)).astype("float32")
y = x.sum(1, keepdims=True)
fitted(Counted(), constant_rows, "orthogonal")
drawn = keras.initializers.RandomNormal(seed=seeds)
fitted(drawn, keras.initializers.RandomUniform(-0.1, 0.1, seed=seeds))
state, fresh = seeds.state.numpy(), keras.random.normal((3,), seed=seeds).numpy()
