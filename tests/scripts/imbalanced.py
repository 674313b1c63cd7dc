"""Credit-card fraud: class weights, many stateful metrics, ModelCheckpoint, a held-out set."""

import os
import tempfile

import keras
import numpy as np

rng = np.random.default_rng(0)
features = rng.normal(size=(200, 10)).astype("float32")
targets = (rng.random((200, 1)) < 0.1).astype("uint8")
mean, std = features[:160].mean(0), features[:160].std(0)
features = (features - mean) / std
counts = np.bincount(targets[:160, 0], minlength=2)

model = keras.Sequential([
    keras.Input(shape=(10,)),
    keras.layers.Dense(16, activation="relu"),
    keras.layers.Dense(16, activation="relu"),
    keras.layers.Dropout(0.3),
    keras.layers.Dense(1, activation="sigmoid"),
])
metrics = [
    keras.metrics.FalseNegatives(name="fn"),
    keras.metrics.FalsePositives(name="fp"),
    keras.metrics.Precision(name="precision"),
    keras.metrics.Recall(name="recall"),
    keras.metrics.AUC(name="auc"),
]
model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=metrics)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "fraud_{epoch}.keras")
    model.fit(
        features[:160], targets[:160], batch_size=32, epochs=3, verbose=0,
        callbacks=[keras.callbacks.ModelCheckpoint(path)],
        validation_data=(features[160:], targets[160:]),
        class_weight={0: 1.0 / counts[0], 1: 1.0 / counts[1]},
    )
    saved = keras.models.load_model(os.path.join(folder, "fraud_2.keras"))
reloaded = saved.predict(features[:8], verbose=0)
saved.fit(features[:160], targets[:160], batch_size=32, epochs=1, verbose=0)
