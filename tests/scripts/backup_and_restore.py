"""BackupAndRestore: a training that is interrupted in its second epoch and resumed."""

import os
import tempfile

import keras
import numpy as np


class Interrupting(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise RuntimeError("interrupted")


rng = np.random.default_rng(0)
x, y = rng.normal(size=(40, 5)).astype("float32"), rng.normal(size=(40, 1)).astype("float32")
error = None
with tempfile.TemporaryDirectory() as folder:
    for attempt in range(2):
        backup = keras.callbacks.BackupAndRestore(
            backup_dir=os.path.join(folder, "backup"), save_freq=3
        )
        model = keras.Sequential([
            keras.Input((5,)), keras.layers.Dense(6, "relu", name="hidden"),
            keras.layers.Dense(1, name="out"),
        ])
        model.compile(keras.optimizers.Adam(0.01), "mse")
        extra = [Interrupting()] if attempt == 0 else []
        try:
            history = model.fit(x, y, batch_size=8, epochs=4, callbacks=[backup, *extra], verbose=0)
        except RuntimeError as raised:
            error = str(raised)
epochs = list(history.epoch)
