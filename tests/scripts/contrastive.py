"""Contrastive pre-training with a linear probe: augmentation layers, a projection head, two
optimizers, two data sets zipped, a temperature; then fine-tuning of the encoder."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

rng = np.random.default_rng(0)
unlabeled = rng.random((64, 8, 8, 3)).astype("float32")
labeled, labels = rng.random((32, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 32)


def get_augmenter(min_area, brightness):
    zoom = 1.0 - np.sqrt(min_area)
    return keras.Sequential([
        layers.RandomFlip("horizontal"),
        layers.RandomTranslation(zoom / 2, zoom / 2),
        layers.RandomZoom((-zoom, 0.0), (-zoom, 0.0)),
        layers.RandomBrightness(brightness, value_range=(0, 1)),
    ])


def get_encoder():
    return keras.Sequential([
        layers.Conv2D(4, 3, strides=2, activation="relu"), layers.Flatten(),
        layers.Dense(8, activation="relu"),
    ], name="encoder")


class ContrastiveModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.temperature = 0.1
        self.contrastive_augmenter = get_augmenter(0.25, 0.6)
        self.classification_augmenter = get_augmenter(0.75, 0.3)
        self.encoder = get_encoder()
        self.projection_head = keras.Sequential(
            [keras.Input((8,)), layers.Dense(8, "relu"), layers.Dense(8)], name="projection_head"
        )
        self.linear_probe = keras.Sequential(
            [keras.Input((8,)), layers.Dense(3)], name="linear_probe"
        )

    def compile(self, contrastive_optimizer, probe_optimizer, **kwargs):
        super().compile(**kwargs)
        self.contrastive_optimizer = contrastive_optimizer
        self.probe_optimizer = probe_optimizer
        self.probe_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.contrastive_loss_tracker = keras.metrics.Mean(name="c_loss")
        self.contrastive_accuracy = keras.metrics.SparseCategoricalAccuracy(name="c_acc")
        self.probe_loss_tracker = keras.metrics.Mean(name="p_loss")

    @property
    def metrics(self):
        return [self.contrastive_loss_tracker, self.contrastive_accuracy, self.probe_loss_tracker]

    def contrastive_loss(self, first, second):
        first, second = ops.normalize(first, axis=1), ops.normalize(second, axis=1)
        similarities = ops.matmul(first, ops.transpose(second)) / self.temperature
        targets = ops.arange(ops.shape(first)[0])
        self.contrastive_accuracy.update_state(targets, similarities)
        self.contrastive_accuracy.update_state(targets, ops.transpose(similarities))
        loss_12 = keras.losses.sparse_categorical_crossentropy(
            targets, similarities, from_logits=True
        )
        loss_21 = keras.losses.sparse_categorical_crossentropy(
            targets, ops.transpose(similarities), from_logits=True
        )
        return (loss_12 + loss_21) / 2

    def train_step(self, data):
        (unlabeled_images, _), (labeled_images, labels) = data
        images = ops.concatenate((unlabeled_images, labeled_images), axis=0)
        augmented_1 = self.contrastive_augmenter(images, training=True)
        augmented_2 = self.contrastive_augmenter(images, training=True)
        with tf.GradientTape() as tape:
            first = self.projection_head(self.encoder(augmented_1, training=True), training=True)
            second = self.projection_head(self.encoder(augmented_2, training=True), training=True)
            loss = self.contrastive_loss(first, second)
        weights = self.encoder.trainable_weights + self.projection_head.trainable_weights
        gradients = tape.gradient(loss, weights)
        self.contrastive_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        self.contrastive_loss_tracker.update_state(loss)
        preprocessed = self.classification_augmenter(labeled_images, training=True)
        with tf.GradientTape() as tape:
            features = self.encoder(preprocessed, training=False)
            logits = self.linear_probe(features, training=True)
            probe_loss = self.probe_loss(labels, logits)
        gradients = tape.gradient(probe_loss, self.linear_probe.trainable_weights)
        self.probe_optimizer.apply_gradients(
            zip(gradients, self.linear_probe.trainable_weights, strict=True)
        )
        self.probe_loss_tracker.update_state(probe_loss)
        return {m.name: m.result() for m in self.metrics}


first = tf.data.Dataset.from_tensor_slices((unlabeled, np.zeros(64))).shuffle(64).batch(16)
second = tf.data.Dataset.from_tensor_slices((labeled, labels)).shuffle(32).batch(8)
train = tf.data.Dataset.zip((first, second)).prefetch(tf.data.AUTOTUNE)
pretraining = ContrastiveModel()
pretraining.compile(keras.optimizers.Adam(), keras.optimizers.Adam())
pretraining.fit(train, epochs=2, verbose=0)

finetuning = keras.Sequential([
    get_augmenter(0.75, 0.3), pretraining.encoder, layers.Dense(3),
])
finetuning.compile(
    keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=[keras.metrics.SparseCategoricalAccuracy(name="acc")],
)
finetuning.fit(second, epochs=2, verbose=0)
