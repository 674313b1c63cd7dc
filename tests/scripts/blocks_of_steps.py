"""steps_per_execution with an endless data set, and with one whose last block is short."""

import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
x, y = rng.normal(size=(70, 5)).astype("float32"), rng.normal(size=(70, 1)).astype("float32")
model = keras.Sequential([
    keras.Input((5,)), keras.layers.Dense(8, "elu"), keras.layers.GaussianNoise(0.1),
    keras.layers.Dense(1),
])
model.compile("adagrad", "mae", steps_per_execution=4)
# Shuffled alike each time: validation takes its order from the same generator as the training,
# which draws ahead in a thread, so that the order differs from run to run.
endless = tf.data.Dataset.from_tensor_slices((x, y))
endless = endless.shuffle(70, seed=1, reshuffle_each_iteration=False).repeat().batch(10)
model.fit(endless, steps_per_epoch=10, epochs=3, validation_data=endless, validation_steps=3,
          verbose=0)
model.fit(x, y, batch_size=10, epochs=2, verbose=0)
model.compile("adagrad", "mae", steps_per_execution=50)
model.fit(x, y, batch_size=10, epochs=2, verbose=0)
