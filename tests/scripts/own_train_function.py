"""A model that makes its own train function, and one whose make_train_function wraps Keras'."""

import keras
import numpy as np
import tensorflow as tf


class Own(keras.Sequential):
    def make_train_function(self, force=False):
        @tf.function
        def step(iterator):
            x, y = next(iterator)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x, training=True) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

        self.train_function = step


calls = []


class Wrapped(keras.Sequential):
    def make_train_function(self, force=False):
        super().make_train_function(force)
        inner = self.train_function
        if getattr(inner, "wrapped", False):
            return

        def step(iterator):
            calls.append(1)
            return inner(iterator)

        step.wrapped = True
        self.train_function = step


rng = np.random.default_rng(0)
x, y = rng.normal(size=(40, 4)).astype("float32"), rng.normal(size=(40, 1)).astype("float32")
for kind in (Own, Wrapped):
    model = kind([keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    model.fit(x, y, batch_size=8, epochs=1, verbose=0)
count = len(calls)
