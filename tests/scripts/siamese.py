"""A siamese network with a triplet loss: one embedding used three times, a distance layer."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

embedding = keras.Sequential([
    keras.Input((8, 8, 1)), layers.Conv2D(4, 3, activation="relu"), layers.Flatten(),
    layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dense(4),
], name="embedding")


class DistanceLayer(layers.Layer):
    def call(self, anchor, positive, negative):
        return (
            ops.sum(ops.square(anchor - positive), -1), ops.sum(ops.square(anchor - negative), -1)
        )


images = [layers.Input(name=name, shape=(8, 8, 1)) for name in ("anchor", "positive", "negative")]
network = keras.Model(images, DistanceLayer()(*[embedding(image) for image in images]))


class Siamese(keras.Model):
    def __init__(self, network, margin=0.5):
        super().__init__()
        self.network, self.margin = network, margin
        self.loss_tracker = keras.metrics.Mean(name="loss")

    def call(self, inputs):
        return self.network(inputs)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            loss = self.triplet_loss(data)
        gradients = tape.gradient(loss, self.network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_weights, strict=True))
        self.loss_tracker.update_state(loss)
        return {"loss": self.loss_tracker.result()}

    def test_step(self, data):
        self.loss_tracker.update_state(self.triplet_loss(data))
        return {"loss": self.loss_tracker.result()}

    def triplet_loss(self, data):
        near, far = self.network(data)
        return ops.maximum(near - far + self.margin, 0.0)

    @property
    def metrics(self):
        return [self.loss_tracker]


rng = np.random.default_rng(0)
triplets = tuple(rng.random((40, 8, 8, 1)).astype("float32") for _ in range(3))
dataset = tf.data.Dataset.zip(tuple(map(tf.data.Dataset.from_tensor_slices, triplets)))
dataset = dataset.shuffle(40).batch(8, drop_remainder=False).prefetch(8)
siamese = Siamese(network)
siamese.compile(optimizer=keras.optimizers.Adam(0.0001), weighted_metrics=[])
siamese.fit(dataset, epochs=3, validation_data=dataset, verbose=0)
