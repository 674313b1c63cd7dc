"""`fit` in a loop, with train_on_batch, test_on_batch, and evaluate between the calls."""

import keras
import numpy as np

rng = np.random.default_rng(0)
x, y = rng.normal(size=(48, 6)).astype("float32"), rng.integers(0, 3, 48)
model = keras.Sequential([
    keras.Input((6,)), keras.layers.Dense(12, "relu"), keras.layers.Dropout(0.4),
    keras.layers.BatchNormalization(), keras.layers.Dense(3),
])
model.compile(
    keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
)
single = [model.train_on_batch(x[:8], y[:8])]
results = []
for round_ in range(4):
    model.fit(x, y, batch_size=8, epochs=round_ + 1, initial_epoch=round_, verbose=0)
    single.append(model.train_on_batch(x[8:20], y[8:20], return_dict=False))
    single.append(model.test_on_batch(x[:10], y[:10]))
    results.append(model.evaluate(x, y, verbose=0))
    model.optimizer.learning_rate = 0.05 / (round_ + 2)
outputs = model.predict_on_batch(x[:4])
