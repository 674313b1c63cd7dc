"""A denoising diffusion model: an EMA network that train_step updates by hand, a normalizer, a
U-shaped net with skip connections, KID-like metric in test_step only."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

SIZE = 8


def sinusoidal(x):
    frequencies = ops.exp(ops.linspace(ops.log(1.0), ops.log(100.0), 4))
    angles = ops.cast(2.0 * np.pi * frequencies, "float32")
    return ops.concatenate([ops.sin(angles * x), ops.cos(angles * x)], axis=3)


def get_network():
    noisy = keras.Input((SIZE, SIZE, 1))
    variances = keras.Input((1, 1, 1))
    e = layers.Lambda(sinusoidal, output_shape=(1, 1, 8))(variances)
    e = layers.UpSampling2D(SIZE, interpolation="nearest")(e)
    x = layers.Concatenate()([layers.Conv2D(4, 1)(noisy), e])
    residual = layers.Conv2D(4, 1)(x)
    x = layers.BatchNormalization(center=False, scale=False)(x)
    x = layers.Conv2D(4, 3, padding="same", activation="swish")(x)
    x = layers.Add()([x, residual])
    down = layers.AveragePooling2D(2)(x)
    down = layers.Conv2D(4, 3, padding="same", activation="swish")(down)
    up = layers.UpSampling2D(2, interpolation="bilinear")(down)
    x = layers.Concatenate()([up, x])
    return keras.Model([noisy, variances], layers.Conv2D(1, 1, kernel_initializer="zeros")(x))


class DiffusionModel(keras.Model):
    def __init__(self):
        super().__init__()
        self.normalizer = layers.Normalization()
        self.network = get_network()
        self.ema_network = get_network()
        self.ema_network.set_weights(self.network.get_weights())

    def compile(self, **kwargs):
        super().compile(**kwargs)
        self.noise_loss_tracker = keras.metrics.Mean(name="n_loss")
        self.image_loss_tracker = keras.metrics.Mean(name="i_loss")

    @property
    def metrics(self):
        return [self.noise_loss_tracker, self.image_loss_tracker]

    def diffuse(self, images):
        n = ops.shape(images)[0]
        noises = keras.random.normal(shape=(n, SIZE, SIZE, 1))
        times = keras.random.uniform(shape=(n, 1, 1, 1), minval=0.0, maxval=1.0)
        angles = 0.2 + times * 1.2
        signal, noise = ops.cos(angles), ops.sin(angles)
        return noises, signal, noise, signal * images + noise * noises

    def train_step(self, images):
        images = self.normalizer(images, training=True)
        noises, signal, noise, noisy = self.diffuse(images)
        with tf.GradientTape() as tape:
            predicted = self.network([noisy, noise**2], training=True)
            predicted_images = (noisy - noise * predicted) / signal
            noise_loss = self.loss(noises, predicted)
            image_loss = self.loss(images, predicted_images)
        gradients = tape.gradient(noise_loss, self.network.trainable_weights)
        self.optimizer.apply_gradients(zip(gradients, self.network.trainable_weights, strict=True))
        self.noise_loss_tracker.update_state(noise_loss)
        self.image_loss_tracker.update_state(image_loss)
        for weight, ema in zip(self.network.weights, self.ema_network.weights, strict=True):
            ema.assign(0.9 * ema + 0.1 * weight)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, images):
        images = self.normalizer(images, training=False)
        noises, _, noise, noisy = self.diffuse(images)
        predicted = self.ema_network([noisy, noise**2], training=False)
        self.noise_loss_tracker.update_state(self.loss(noises, predicted))
        return {"n_loss": self.noise_loss_tracker.result()}


images = np.random.default_rng(0).random((48, SIZE, SIZE, 1)).astype("float32")
model = DiffusionModel()
model.compile(
    optimizer=keras.optimizers.AdamW(1e-3, weight_decay=1e-4), loss=keras.losses.mean_absolute_error
)
model.normalizer.adapt(images)
model.fit(images, epochs=3, batch_size=16, validation_data=images[:16], verbose=0)
