"""Python code inside of the compiled step: numpy_function in a layer, py_function in a loss,
tf.print, a summary, an assertion. None of them may run a second time unseen."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf

calls = []


def jitter(x):
    calls.append(len(x))
    return (x + 0.1 * np.random.normal(size=x.shape)).astype("float32")


class Jitter(keras.layers.Layer):
    def call(self, x, training=False):
        if not training:
            return x
        noisy = tf.numpy_function(jitter, [x], tf.float32)
        noisy.set_shape(x.shape)
        return x + tf.stop_gradient(noisy - x)


def loss(y_true, y_pred):
    def value(error):
        calls.append(-1)
        return error

    errors = tf.reduce_mean((y_true - y_pred) ** 2, axis=-1)
    return tf.ensure_shape(tf.py_function(value, [errors], tf.float32), errors.shape)


rng = np.random.default_rng(0)
x, y = rng.normal(size=(40, 4)).astype("float32"), rng.normal(size=(40, 1)).astype("float32")
model = keras.Sequential([keras.Input((4,)), Jitter(), keras.layers.Dense(3, "relu"),
                          keras.layers.Dense(1)])
model.compile("adam", "mse", jit_compile=False)
model.fit(x, y, batch_size=8, epochs=2, verbose=0)
model.compile("adam", loss, jit_compile=False)
model.fit(x, y, batch_size=8, epochs=1, verbose=0)


class Summarized(keras.Sequential):
    def train_step(self, data):
        found = super().train_step(data)
        tf.debugging.assert_all_finite(found["loss"], "the loss")
        tf.summary.scalar("loss", found["loss"], step=self.optimizer.iterations)
        return found


with tempfile.TemporaryDirectory() as folder:
    writer = tf.summary.create_file_writer(folder)
    other = Summarized([keras.Input((4,)), keras.layers.Dense(1)])
    other.compile("sgd", "mse", jit_compile=False)
    with writer.as_default():
        other.fit(x, y, batch_size=8, epochs=2, verbose=0)
    writer.close()
    written = [
        event.step
        for name in os.listdir(folder)
        for event in tf.compat.v1.train.summary_iterator(os.path.join(folder, name))
        if event.summary.value
    ]
count = len(calls)
after = np.random.normal(size=2)
