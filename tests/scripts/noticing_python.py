"""Python code that notices when it runs: a layer counts, lists and prints its calls, a metric and a
train step keep what they see in lists and dicts; trained by fit and batch by batch."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers


class Noticing(layers.Layer):
    def __init__(self):
        super().__init__()
        self.count, self.shapes, self.by_call = 0, [], {"first": []}

    def call(self, x, training=None):
        self.count += 1
        self.shapes.append(len(x.shape))
        self.by_call["first"].append(self.count)
        self.by_call[f"call {self.count}"] = str(training)
        self.latest = f"call {self.count}"
        print("called", self.count, "training", training)
        return 2 * x


class Watched(keras.Model):
    def __init__(self):
        super().__init__()
        self.noticing, self.out = Noticing(), layers.Dense(1)
        self.traced = set()

    def call(self, x, training=None):
        return self.out(self.noticing(x, training=training))

    def train_step(self, data):
        self.traced.add(len(self.traced))
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x, y, self(x, training=True))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


rng = np.random.default_rng(0)
x = rng.normal(size=(32, 3)).astype("float32")
y = x[:, :1]
noticing = Noticing()
model = keras.Sequential([keras.Input((3,)), noticing, layers.Dense(4, "relu"), layers.Dense(1)])
model.compile("adam", "mse", metrics=["mae"])
losses = []
for _ in range(3):
    losses.append([float(value) for value in model.train_on_batch(x[:8], y[:8])])
    model.fit(x, y, batch_size=8, verbose=2)
    losses.append(float(model.test_on_batch(x, y)[0]))
watched = Watched()
watched.compile("sgd", "mse")
watched.fit(x, y, batch_size=8, epochs=2, verbose=2)
noticed = [
    (layer.count, list(layer.shapes), dict(layer.by_call), layer.latest)
    for layer in (noticing, watched.noticing)
]
traced = sorted(watched.traced)
