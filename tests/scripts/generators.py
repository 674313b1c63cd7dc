"""Python generators with side effects: NumPy's global randomness, a counter, an end that comes
early, an exception in the middle."""

import keras
import numpy as np

drawn = []


def batches(limit):
    while len(drawn) < limit:
        x = np.random.normal(size=(8, 4)).astype("float32")
        drawn.append(float(x[0, 0]))
        yield x, x.sum(axis=1, keepdims=True)


def broken():
    for number in range(5):
        if number == 4:
            raise RuntimeError("the file is gone")
        x = np.random.normal(size=(8, 4)).astype("float32")
        yield x, x.sum(axis=1, keepdims=True)


model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, "tanh"), keras.layers.Dense(1)])
model.compile("sgd", "mse")
# As many as are trained on: how many more Keras' thread would draw ahead differs from run to run.
model.fit(batches(limit=14), steps_per_epoch=7, epochs=2, verbose=0)
model.fit(batches(limit=14 + 9), epochs=1, verbose=0)
error = None
try:
    model.fit(broken(), epochs=1, verbose=0)
except Exception as raised:
    error = type(raised).__name__
after = np.random.normal(size=2)
