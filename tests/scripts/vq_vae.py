"""A VQ-VAE: straight-through gradients, a codebook that only add_loss trains, a variance in
float64."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops


class VectorQuantizer(layers.Layer):
    def __init__(self, codes, width, beta=0.25, **kwargs):
        super().__init__(**kwargs)
        self.codes, self.width, self.beta = codes, width, beta
        self.embeddings = self.add_weight(
            shape=(width, codes), initializer="random_uniform", name="embeddings"
        )

    def call(self, x):
        flat = ops.reshape(x, (-1, self.width))
        distances = (
            ops.sum(flat**2, axis=1, keepdims=True) + ops.sum(self.embeddings**2, axis=0)
            - 2 * ops.matmul(flat, self.embeddings)
        )
        chosen = ops.one_hot(ops.argmin(distances, axis=1), self.codes)
        quantized = ops.reshape(ops.matmul(chosen, ops.transpose(self.embeddings)), ops.shape(x))
        commitment = ops.mean((ops.stop_gradient(quantized) - x) ** 2)
        codebook = ops.mean((quantized - ops.stop_gradient(x)) ** 2)
        self.add_loss(self.beta * commitment + codebook)
        return x + ops.stop_gradient(quantized - x)


class VQVAETrainer(keras.Model):
    def __init__(self, variance, **kwargs):
        super().__init__(**kwargs)
        self.variance = variance
        self.encoder = keras.Sequential([
            keras.Input((8, 8, 1)), layers.Conv2D(4, 3, 2, "same", activation="relu"),
            layers.Conv2D(4, 1, padding="same"),
        ])
        self.quantizer = VectorQuantizer(8, 4)
        self.decoder = keras.Sequential([
            keras.Input((4, 4, 4)), layers.Conv2DTranspose(4, 3, 2, "same", activation="relu"),
            layers.Conv2DTranspose(1, 3, padding="same"),
        ])
        self.total = keras.metrics.Mean(name="loss")
        self.vq = keras.metrics.Mean(name="vqvae_loss")

    def call(self, x):
        return self.decoder(self.quantizer(self.encoder(x)))

    def train_step(self, x):
        with tf.GradientTape() as tape:
            reconstructions = self(x, training=True)
            error = ops.mean((x - reconstructions) ** 2) / self.variance
            total = error + sum(self.quantizer.losses)
        grads = tape.gradient(total, self.trainable_variables)
        self.optimizer.apply_gradients(zip(grads, self.trainable_variables, strict=True))
        self.total.update_state(total)
        self.vq.update_state(sum(self.quantizer.losses))
        return {"loss": self.total.result(), "vqvae_loss": self.vq.result()}

    @property
    def metrics(self):
        return [self.total, self.vq]


images = np.random.default_rng(0).random((48, 8, 8, 1)).astype("float32")
trainer = VQVAETrainer(float(np.var(images)))
trainer.compile(optimizer=keras.optimizers.Adam(0.01))
trainer.fit(images, epochs=3, batch_size=16, verbose=0)
codes = trainer.encoder.predict(images[:4], verbose=0)
