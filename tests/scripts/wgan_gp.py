"""A WGAN-GP: several critic updates in one step, a gradient penalty from a tape in a tape."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

critic = keras.Sequential([
    keras.Input((8, 8, 1)), layers.Conv2D(4, 5, strides=2, padding="same"),
    layers.LeakyReLU(negative_slope=0.2), layers.Flatten(), layers.Dense(1),
])
generator = keras.Sequential([
    keras.Input((5,)), layers.Dense(16, use_bias=False), layers.BatchNormalization(),
    layers.LeakyReLU(negative_slope=0.2), layers.Reshape((4, 4, 1)), layers.UpSampling2D(2),
    layers.Conv2D(1, 3, padding="same", activation="tanh"),
])


class WGAN(keras.Model):
    def __init__(self, discriminator, generator, discriminator_extra_steps=2, gp_weight=10.0):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.d_steps, self.gp_weight = discriminator_extra_steps, gp_weight

    def compile(self, d_optimizer, g_optimizer):
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

    def gradient_penalty(self, batch_size, real, fake):
        alpha = tf.random.uniform([batch_size, 1, 1, 1], 0.0, 1.0)
        interpolated = real + alpha * (fake - real)
        with tf.GradientTape() as tape:
            tape.watch(interpolated)
            pred = self.discriminator(interpolated, training=True)
        grads = tape.gradient(pred, [interpolated])[0]
        norm = tf.sqrt(tf.reduce_sum(tf.square(grads), axis=[1, 2, 3]))
        return tf.reduce_mean((norm - 1.0) ** 2)

    def train_step(self, real):
        if isinstance(real, tuple):
            real = real[0]
        batch_size = tf.shape(real)[0]
        for _ in range(self.d_steps):
            noise = tf.random.normal(shape=(batch_size, 5))
            with tf.GradientTape() as tape:
                fake = self.generator(noise, training=True)
                fake_logits = self.discriminator(fake, training=True)
                real_logits = self.discriminator(real, training=True)
                cost = tf.reduce_mean(fake_logits) - tf.reduce_mean(real_logits)
                gp = self.gradient_penalty(batch_size, real, fake)
                d_loss = cost + gp * self.gp_weight
            d_gradient = tape.gradient(d_loss, self.discriminator.trainable_variables)
            self.d_optimizer.apply_gradients(
                zip(d_gradient, self.discriminator.trainable_variables, strict=True)
            )
        noise = tf.random.normal(shape=(batch_size, 5))
        with tf.GradientTape() as tape:
            logits = self.discriminator(self.generator(noise, training=True), training=True)
            g_loss = -tf.reduce_mean(logits)
        gen_gradient = tape.gradient(g_loss, self.generator.trainable_variables)
        self.g_optimizer.apply_gradients(
            zip(gen_gradient, self.generator.trainable_variables, strict=True)
        )
        return {"d_loss": d_loss, "g_loss": g_loss}


images = np.random.default_rng(0).random((48, 8, 8, 1)).astype("float32") * 2 - 1
wgan = WGAN(critic, generator)
wgan.compile(
    keras.optimizers.Adam(0.0002, beta_1=0.5, beta_2=0.9),
    keras.optimizers.Adam(0.0002, beta_1=0.5, beta_2=0.9),
)
wgan.fit(images, batch_size=16, epochs=3, verbose=0)
