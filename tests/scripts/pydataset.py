"""A PyDataset with workers that shuffles at the end of each epoch, with batches of varying size
and length."""

import keras
import numpy as np


class Sequences(keras.utils.PyDataset):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rng = np.random.default_rng(0)
        self.data = [self.rng.normal(size=(n, 3)).astype("float32") for n in (4, 6, 6, 5, 4, 6)]
        self.order = np.arange(6)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        sequence = self.data[self.order[index]]
        batch = np.stack([sequence, sequence[::-1]] * (1 + index % 2))
        return batch, batch.mean(axis=(1, 2), keepdims=False)[:, None]

    def on_epoch_end(self):
        self.rng.shuffle(self.order)


model = keras.Sequential([
    keras.Input((None, 3)), keras.layers.Conv1D(4, 2), keras.layers.GlobalMaxPooling1D(),
    keras.layers.Dense(1),
])
model.compile("rmsprop", "mse")
dataset = Sequences(workers=2, use_multiprocessing=False, max_queue_size=4)
model.fit(dataset, epochs=3, verbose=0)
model.fit(Sequences(), epochs=2, shuffle=False, verbose=0)
