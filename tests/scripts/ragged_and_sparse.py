"""Inputs that are no plain tensors: sparse bags of words, ragged sequences in a dict."""

import keras
import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
dense = (rng.random((48, 20)) < 0.1).astype("float32")
y = rng.integers(0, 2, (48, 1)).astype("float32")
sparse = tf.sparse.from_dense(dense)
model = keras.Sequential([
    keras.Input((20,), sparse=True), keras.layers.Dense(6, "relu"), keras.layers.Dense(1),
])
model.compile("adam", keras.losses.BinaryCrossentropy(from_logits=True))
data = tf.data.Dataset.from_tensor_slices((sparse, y)).batch(8)
model.fit(data, epochs=2, verbose=0)


class OnRagged(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = keras.layers.Dense(1)

    def train_step(self, data):
        tokens, target = data["tokens"], data["target"]
        with tf.GradientTape() as tape:
            pooled = tf.reduce_mean(tf.cast(tokens, tf.float32), axis=1, keepdims=True)
            loss = tf.reduce_mean((self.out(pooled) - target) ** 2)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss}


ragged = tf.ragged.constant([list(map(int, rng.integers(0, 9, 1 + i % 5))) for i in range(48)])
second = OnRagged()
second.out.build((None, 1))
second.compile("sgd")
data = tf.data.Dataset.from_tensor_slices({"tokens": ragged, "target": y}).batch(8)
second.fit(data, epochs=2, verbose=0)
