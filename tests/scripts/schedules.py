"""Learning-rate schedules and callbacks that steer: ReduceLROnPlateau, EarlyStopping that restores
the best weights, LearningRateScheduler, CSVLogger, TerminateOnNaN."""

import os
import tempfile

import keras
import numpy as np

rng = np.random.default_rng(0)
x = rng.normal(size=(120, 8)).astype("float32")
y = (x @ rng.normal(size=(8, 1)) + 0.3 * rng.normal(size=(120, 1))).astype("float32")


def build():
    return keras.Sequential([
        keras.Input((8,)),
        keras.layers.Dense(16, "relu", kernel_regularizer=keras.regularizers.L1L2(1e-4, 1e-3)),
        keras.layers.Dense(1),
    ])


model = build()
schedule = keras.optimizers.schedules.CosineDecayRestarts(0.05, 7)
model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), "mse")
first = model.fit(x, y, batch_size=16, epochs=3, validation_split=0.25, verbose=0).history

model = build()
model.compile(keras.optimizers.Nadam(0.2, global_clipnorm=0.5, weight_decay=1e-3), "huber")
with tempfile.TemporaryDirectory() as folder:
    log = os.path.join(folder, "log.csv")
    callbacks = [
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=1),
        keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True, start_from_epoch=1),
        keras.callbacks.CSVLogger(log),
        keras.callbacks.TerminateOnNaN(),
    ]
    second = model.fit(x, y, batch_size=16, epochs=9, validation_split=0.25, verbose=0,
                       callbacks=callbacks).history
    with open(log) as file:
        csv = file.read()

model.compile(keras.optimizers.SGD(0.1), "mse")
halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
third = model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=halve).history
