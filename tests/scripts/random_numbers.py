"""Every kind of random number that TensorFlow and Keras have, inside and outside of the model."""

import random

import keras
import numpy as np
import tensorflow as tf

tf.random.set_seed(7)
generator = tf.random.Generator.from_seed(3)


class Noisy(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(5)
        self.own = tf.random.Generator.from_seed(9)

    def call(self, x, training=False):
        if not training:
            return x
        shape = tf.shape(x)
        x = x + 0.1 * tf.random.normal(shape) + 0.1 * tf.random.uniform(shape, seed=4)
        x = x + 0.1 * generator.normal(shape) + 0.1 * self.own.uniform(shape)
        x = x + 0.1 * tf.random.get_global_generator().normal(shape)
        x = x + 0.1 * keras.random.normal(shape, seed=self.seed)
        x = x + 0.1 * keras.random.normal(shape)
        return tf.nn.dropout(x, 0.2)


class Drawing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        drawn.append(random.random() + float(np.random.random()) + float(tf.random.uniform([])))
        drawn.append(float(generator.normal([])) + float(keras.random.uniform([])))


drawn = []
rng = np.random.default_rng(0)
x, y = rng.normal(size=(64, 6)).astype("float32"), rng.integers(0, 3, 64)
model = keras.Sequential([
    keras.Input((6,)), Noisy(), keras.layers.Dense(8, "relu"), keras.layers.GaussianDropout(0.2),
    keras.layers.AlphaDropout(0.1), keras.layers.Dense(3),
])
model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64).batch(8)
data = data.map(lambda a, b: (a + 0.01 * tf.random.normal(tf.shape(a)), b))
model.fit(data, epochs=3, callbacks=[Drawing()], verbose=0)
fresh = keras.layers.Dense(3)
fresh.build((None, 4))
initial = fresh.get_weights()[0]
last = [random.random(), float(np.random.random()), float(tf.random.normal([]))]
