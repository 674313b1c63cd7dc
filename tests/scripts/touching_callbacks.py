"""Callbacks that touch the model between steps: a learning-rate finder that restores the weights, a
target network by Polyak averaging, freezing in the middle, a changed loss weight, a swapped
optimizer slot."""

import keras
import numpy as np


class Finder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_begin(self, logs=None):
        self.start = self.model.get_weights()

    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 1e-4 * 1.5**batch

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(float(logs["loss"]))

    def on_train_end(self, logs=None):
        self.model.set_weights(self.start)
        for variable in self.model.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))


class Target(keras.callbacks.Callback):
    def __init__(self, target):
        super().__init__()
        self.target = target

    def on_train_batch_end(self, batch, logs=None):
        pairs = zip(self.target.get_weights(), self.model.get_weights(), strict=True)
        self.target.set_weights([0.9 * a + 0.1 * b for a, b in pairs])


class Freeze(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.layers[0].trainable = epoch != 1
        self.model.layers[1].rate = 0.1 * epoch
        weight.assign(0.5 * epoch)

    def on_train_batch_end(self, batch, logs=None):
        if batch == 3:
            self.model.layers[2].bias.assign_add([1.0])


weight = keras.Variable(1.0, trainable=False)


def weighted(y_true, y_pred):
    return weight * keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


def build():
    return keras.Sequential([
        keras.Input((5,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.2),
        keras.layers.Dense(1),
    ])


rng = np.random.default_rng(0)
x, y = rng.normal(size=(80, 5)).astype("float32"), rng.normal(size=(80, 1)).astype("float32")
model, target = build(), build()
model.compile(keras.optimizers.SGD(0.01, momentum=0.9), weighted)
finder = Finder()
model.fit(x, y, batch_size=8, epochs=1, callbacks=finder, verbose=0)
model.optimizer.learning_rate = 0.02
model.fit(x, y, batch_size=8, epochs=3, callbacks=[Freeze(), Target(target)], verbose=0)
losses, copied = np.array(finder.losses), target.get_weights()
