"""jit_compile=True: convolutions, batch norm, dropout, a separate activation layer."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
x, y = rng.random((64, 8, 8, 1)).astype("float32"), keras.utils.to_categorical(
    rng.integers(0, 4, 64), 4
)
model = keras.Sequential([
    keras.Input((8, 8, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(),
    layers.Activation("swish"), layers.MaxPooling2D(2), layers.Flatten(), layers.Dropout(0.5),
    layers.Dense(4), layers.Activation("softmax"),
])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"], jit_compile=True)
model.fit(x, y, batch_size=16, epochs=3, validation_split=0.25, verbose=0)
model.compile("lion", "categorical_crossentropy", jit_compile=True, steps_per_execution=3)
model.fit(x, y, batch_size=12, epochs=2, verbose=0)
