"""Low-rank adaptation, enabled mid-way by a callback and again before a second fit; then merged by
saving and loading."""

import keras
import numpy as np

rng = np.random.default_rng(0)
x, y = rng.integers(0, 20, (64, 7)), rng.integers(0, 20, (64, 7))
inputs = keras.Input((7,), dtype="int32")
h = keras.layers.Embedding(20, 8, name="embedding")(inputs)
h = keras.layers.Dense(12, "relu", name="hidden")(h)
model = keras.Model(inputs, keras.layers.Dense(20, name="head")(h))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile("adam", loss, weighted_metrics=["accuracy"])


class EnableLora(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.get_layer("hidden").enable_lora(rank=2)
        self.model.get_layer("head").trainable = False


model.fit(x, y, batch_size=16, epochs=2, verbose=0, callbacks=[EnableLora()])
model.get_layer("embedding").enable_lora(4)
model.compile(keras.optimizers.AdamW(1e-2, weight_decay=0.01), loss)
model.optimizer.exclude_from_weight_decay(var_names=["bias"])
model.fit(x, y, batch_size=16, epochs=2, verbose=0)
trained = model.predict(x[:4], verbose=0)
