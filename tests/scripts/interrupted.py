"""Trainings that somebody stops: Ctrl-C in a callback, an exception between two batches,
stop_training, an error in the model itself; each followed by another fit."""

import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 4)).astype("float32"), rng.normal(size=(64, 1)).astype("float32")


class Stop(keras.callbacks.Callback):
    def __init__(self, batch, how):
        super().__init__()
        self.batch, self.how = batch, how

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.batch and self.how == "before":
            raise ValueError("before")

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch and self.how == "control-c":
            raise KeyboardInterrupt
        if batch == self.batch and self.how == "stop":
            self.model.stop_training = True


class Checked(keras.layers.Layer):
    def call(self, x):
        tf.debugging.assert_less(tf.reduce_max(x), 50.0)
        return x


model = keras.Sequential([keras.Input((4,)), Checked(), keras.layers.Dense(6, "relu"),
                          keras.layers.Dense(1)])
model.compile("adam", "mse", jit_compile=False)
errors = []
for how in ("control-c", "before", "stop", "none"):
    try:
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, callbacks=[Stop(3, how)])
    except BaseException as raised:
        errors.append(type(raised).__name__)
bad = x.copy()
bad[40] = 100.0
for data in (bad, x):
    try:
        model.fit(data, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    except Exception as raised:
        errors.append(type(raised).__name__)
steps = int(model.optimizer.iterations.numpy())
