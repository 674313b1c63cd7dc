"""Weight averaging: an optimizer's EMA with SwapEMAWeights, then an SWA callback of one's own that
sets weights at the end of every epoch."""

import keras
import numpy as np

rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 6)).astype("float32"), rng.integers(0, 2, (64, 1))


def build():
    return keras.Sequential([
        keras.Input((6,)), keras.layers.Dense(8, "gelu"), keras.layers.BatchNormalization(),
        keras.layers.Dense(1, "sigmoid"),
    ])


model = build()
model.compile(
    keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=5),
    "binary_crossentropy", metrics=["accuracy"],
)
model.fit(x, y, batch_size=8, epochs=2, validation_split=0.25, verbose=0,
          callbacks=[keras.callbacks.SwapEMAWeights(swap_on_epoch=True)])


class StochasticWeightAveraging(keras.callbacks.Callback):
    def __init__(self, first_epoch):
        super().__init__()
        self.first_epoch, self.average, self.count = first_epoch, None, 0

    def on_epoch_end(self, epoch, logs=None):
        if epoch < self.first_epoch:
            return
        weights = self.model.get_weights()
        self.count += 1
        if self.average is None:
            self.average = weights
        else:
            self.average = [a + (w - a) / self.count
                            for a, w in zip(self.average, weights, strict=True)]

    def on_train_end(self, logs=None):
        self.model.set_weights(self.average)


model = build()
model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy")
model.fit(x, y, batch_size=8, epochs=4, verbose=0, callbacks=[StochasticWeightAveraging(1)])
averaged = model.get_weights()
