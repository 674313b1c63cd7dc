"""A denoising convolutional autoencoder, fit twice: to its input, then to clean targets."""

import keras
import numpy as np
from keras import layers

rng = np.random.default_rng(0)
clean = rng.random((64, 12, 12, 1)).astype("float32")
noisy = np.clip(clean + 0.4 * rng.normal(size=clean.shape), 0, 1).astype("float32")

inputs = layers.Input(shape=(12, 12, 1))
x = layers.Conv2D(4, 3, activation="relu", padding="same")(inputs)
x = layers.MaxPooling2D(2, padding="same")(x)
x = layers.Conv2D(4, 3, activation="relu", padding="same")(x)
x = layers.Conv2DTranspose(4, 3, strides=2, activation="relu", padding="same")(x)
x = layers.Conv2D(1, 3, activation="sigmoid", padding="same")(x)
autoencoder = keras.Model(inputs, x)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")

autoencoder.fit(clean, clean, epochs=2, batch_size=16, shuffle=True, verbose=0,
                validation_data=(noisy[:16], clean[:16]))
before = autoencoder.predict(noisy, verbose=0)
autoencoder.fit(noisy, clean, epochs=2, batch_size=16, shuffle=True, verbose=0)
after = autoencoder.predict(noisy, verbose=0)
