"""run_eagerly: Python and NumPy inside the train step, counting and printing as it goes."""

import keras
import numpy as np
import tensorflow as tf

calls = []


class Noisy(keras.layers.Layer):
    def call(self, x, training=False):
        calls.append(float(tf.reduce_mean(x)))
        if training:
            return x + 0.1 * np.random.normal(size=x.shape).astype("float32")
        return x


class Eager(keras.Model):
    def __init__(self):
        super().__init__()
        self.noisy, self.hidden, self.out = Noisy(), keras.layers.Dense(6), keras.layers.Dense(1)
        self.seen = 0

    def call(self, x, training=False):
        return self.out(tf.nn.relu(self.hidden(self.noisy(x, training=training))))

    def train_step(self, data):
        self.seen += int(data[0].shape[0])
        return super().train_step(data)


rng = np.random.default_rng(0)
x, y = rng.normal(size=(50, 4)).astype("float32"), rng.normal(size=(50, 1)).astype("float32")
model = Eager()
model.compile("adam", "mse", run_eagerly=True)
model.fit(x, y, batch_size=10, epochs=3, verbose=0)
seen = model.seen
after = np.random.normal(size=3)
