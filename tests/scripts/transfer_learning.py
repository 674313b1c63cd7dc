"""Transfer learning: a frozen base with batch norm in inference mode, then fine-tuning."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

rng = np.random.default_rng(0)
images = rng.random((64, 16, 16, 3)).astype("float32") * 255
labels = rng.integers(0, 2, 64).astype("float32")


def make_base():
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, strides=2, use_bias=False)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return keras.Model(inputs, layers.Activation("relu")(x), name="base")


base_model = make_base()
base_model.trainable = False
augmentation = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)])
inputs = keras.Input(shape=(16, 16, 3))
x = layers.Rescaling(scale=1 / 127.5, offset=-1)(inputs)
x = base_model(x, training=False)
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.2)(x)
outputs = layers.Dense(1)(x)
model = keras.Model(inputs, outputs)
model.compile(
    optimizer=keras.optimizers.Adam(),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy()],
)
data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(16)
data = data.map(lambda x, y: (augmentation(x, training=True), y)).prefetch(1)
model.fit(data, epochs=2, validation_data=data, verbose=0)

base_model.trainable = True
model.compile(
    optimizer=keras.optimizers.Adam(1e-5),
    loss=keras.losses.BinaryCrossentropy(from_logits=True),
    metrics=[keras.metrics.BinaryAccuracy()],
)
model.fit(data, epochs=2, validation_data=data, verbose=0)
# Forgotten compile: Keras goes on with what it compiled.
base_model.layers[1].trainable = False
model.fit(data, epochs=1, verbose=0)
