"""A subclassed classifier that nobody called before fit, with layers in lists and dicts."""

import keras
import numpy as np
from keras import layers


class Residual(layers.Layer):
    def __init__(self, units):
        super().__init__()
        self.first, self.second = layers.Dense(units, "relu"), layers.Dense(units)
        self.norm = layers.LayerNormalization()

    def call(self, x):
        return self.norm(x + self.second(self.first(x)))


class Classifier(keras.Model):
    def __init__(self, units, classes):
        super().__init__()
        self.stem = layers.Dense(units)
        self.blocks = [Residual(units) for _ in range(2)]
        self.heads = {"main": layers.Dense(classes)}
        self.drop = layers.Dropout(0.2)

    def call(self, x, training=False):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.heads["main"](self.drop(x, training=training))


rng = np.random.default_rng(0)
x, y = rng.normal(size=(60, 7)).astype("float32"), rng.integers(0, 3, 60)
model = Classifier(10, 3)
model.compile(
    "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
)
model.fit(x, y, batch_size=10, epochs=3, verbose=0)
probabilities = model.predict(x[:5], verbose=0)
