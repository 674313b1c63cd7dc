"""Mixed precision with a dynamic loss scale that is far too high at first, then a fixed one."""

import keras
import numpy as np
from keras import layers

keras.mixed_precision.set_dtype_policy("mixed_float16")
rng = np.random.default_rng(0)
x, y = rng.normal(size=(96, 20)).astype("float32"), rng.integers(0, 5, 96)


def build():
    inputs = keras.Input((20,))
    h = layers.Dense(32, activation="relu")(inputs)
    h = layers.Dense(32)(h)
    h = layers.Activation("tanh")(h)
    logits = layers.Dense(5)(h)
    return keras.Model(inputs, layers.Activation("softmax", dtype="float32")(logits))


model = build()
optimizer = keras.optimizers.LossScaleOptimizer(
    keras.optimizers.RMSprop(), initial_scale=2.0**30, dynamic_growth_steps=4
)
model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=8, epochs=3, verbose=0)
scale = float(optimizer.dynamic_scale)

keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
other = build()
other.compile("adamw", "sparse_categorical_crossentropy", metrics=["accuracy"])
other.fit(x, y, batch_size=8, epochs=2, verbose=0)
keras.mixed_precision.set_dtype_policy("float32")
