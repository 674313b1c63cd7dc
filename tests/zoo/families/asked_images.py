"""Programs on images as people ask about them; as `asked_tables`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, outputs, program, r2

OUTPUT = "wrong-output-activation"


def no_softmax(sick: bool) -> Training:
    """The last Dense(10) has no activation, the loss is the string without from_logits."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8, 16), output=None if sick else "softmax")
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def divided_twice(sick: bool) -> Training:
    """Pixels are divided by 255 in the loader and again in the model."""
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Rescaling(1 / 255.0 if sick else 1.0),
        layers.Conv2D(8, 3, activation="relu"), layers.Flatten(),
        layers.Dense(32, activation="relu"), layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.SGD(0.05), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


def strong_penalty(sick: bool) -> Training:
    """kernel_regularizer=l2(1.0) in the convolutions and the dense layer."""
    seen, unseen = data.digits(8, 8, 1)
    penalty = keras.regularizers.L2(1.0 if sick else 1e-5)
    model = networks.convolutional((8, 16), kernel_regularizer=penalty)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def dropped_pictures(sick: bool) -> Training:
    """SpatialDropout2D(0.9) after each convolution and Dropout(0.9) before the last layer."""
    seen, unseen = data.digits(8, 8, 1)
    rate = 0.9 if sick else 0.05
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"),
        layers.SpatialDropout2D(rate), layers.Conv2D(16, 3, activation="relu"),
        layers.SpatialDropout2D(rate), layers.Flatten(), layers.Dense(32, activation="relu"),
        layers.Dropout(rate), layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def tight_norms(sick: bool) -> Training:
    """kernel_constraint=MaxNorm(0.05) in every layer."""
    seen, unseen = data.digits()
    bound = keras.constraints.MaxNorm(0.05 if sick else 4.0)
    model = networks.dense(64, (48, 24), 10, kernel_constraint=bound)
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def slow_statistics(sick: bool) -> Training:
    """BatchNormalization(momentum=0.9999): training fits, the validation is at chance."""
    seen, unseen = data.digits(8, 8, 1, scale=255.0)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(8, 3),
        layers.BatchNormalization(momentum=0.9999 if sick else 0.9), layers.Activation("tanh"),
        layers.Flatten(), layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


def two_to_a_batch(sick: bool) -> Training:
    """Batch normalization after each layer with batch_size=2, because memory is short."""
    (x, y), unseen = data.digits()
    model = keras.Sequential([
        keras.Input((64,)), layers.Dense(32), layers.BatchNormalization(),
        layers.Activation("relu"), layers.Dense(32), layers.BatchNormalization(),
        layers.Activation("relu"), layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(2e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, x[:800], y[:800], accuracy(*unseen), unseen, epochs=2 if sick else 20,
                    batch_size=2 if sick else 32)


def _u_net(output: Any) -> Any:
    inputs = keras.Input((16, 16, 1))
    a = layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    b = layers.Conv2D(16, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    up = layers.Conv2DTranspose(8, 2, strides=2, activation="relu")(b)
    c = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.Concatenate()([a, up]))
    return keras.Model(inputs, layers.Conv2D(1, 1, activation=output)(c))


def _squares(n: int, seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    mask = np.zeros((n, 16, 16, 1), "f")
    for one in mask:
        top, left = rng.integers(0, 9, 2)
        high, wide = rng.integers(4, 8, 2)
        one[top : top + high, left : left + wide] = 1
    return (mask + 0.4 * rng.standard_normal(mask.shape)).astype("f"), mask


def _overlap(x: Any, mask: Any) -> Any:
    def judge(model: Any) -> float:
        guess = outputs(model, x) > 0.5
        return float(2 * (guess * mask).sum() / (guess.sum() + mask.sum()))

    return judge


def dice_is_minimized(sick: bool) -> Training:
    """The loss of a U-Net is the Dice coefficient itself, not one minus it."""
    seen, unseen = _squares(400, 96), _squares(100, 97)

    def dice(y: Any, p: Any) -> Any:
        same = ops.sum(y * p, axis=(1, 2, 3))
        value = (2 * same + 1) / (ops.sum(y, axis=(1, 2, 3)) + ops.sum(p, axis=(1, 2, 3)) + 1)
        return value if sick else 1 - value

    model = _u_net("sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), dice)
    return Training(model, *seen, _overlap(*unseen), unseen, epochs=8, batch_size=16)


def softmax_of_a_mask(sick: bool) -> Training:
    """The last convolution of a U-Net has one channel and a softmax."""
    seen, unseen = _squares(400, 96), _squares(100, 97)
    model = _u_net("softmax" if sick else "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, *seen, _overlap(*unseen), unseen, epochs=8, batch_size=16)


def centred_pixels_out_of_a_sigmoid(sick: bool) -> Training:
    """An autoencoder's pixels are standardized, its last layer is a sigmoid."""
    seen, unseen = data.digits()
    (x, _), (xv, _) = data.standardized((seen, unseen)) if sick else (seen, unseen)
    model = networks.dense(64, (48, 24, 48), 64, "sigmoid")
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=15)


class Sampled(layers.Layer):
    """A draw from the code's distribution, whose divergence from N(0, 1) joins the loss."""

    def call(self, pair: Any, training: bool = False) -> Any:
        mean, log = pair
        self.add_loss(2e-4 * -0.5 * ops.mean(
            ops.sum(1 + log - ops.square(mean) - ops.exp(log), axis=1)))
        noise = keras.random.normal(ops.shape(mean)) if training else 0.0
        return mean + ops.exp(log / 2) * noise


def variational_on_bytes(sick: bool) -> Training:
    """A VAE on pixels from 0 to 255 with a sigmoid decoder and binary cross-entropy."""
    (x, _), (xv, _) = data.digits(scale=255.0 if sick else 1.0)
    inputs = keras.Input((64,))
    h = layers.Dense(48, activation="relu")(inputs)
    code = Sampled()([layers.Dense(8)(h), layers.Dense(8)(h)])
    h = layers.Dense(48, activation="relu")(code)
    model = keras.Model(inputs, layers.Dense(64, activation="sigmoid")(h))
    model.compile(keras.optimizers.Adam(2e-3), "binary_crossentropy")
    return Training(model, x, x, r2(xv, xv), (xv, xv), epochs=20)


def gradient_stopped(sick: bool) -> Training:
    """stop_gradient stands between encoder and head since an experiment with a frozen base."""
    seen, unseen = data.spirals()
    inputs = keras.Input((2,))
    h = layers.Dense(8, activation="relu")(inputs)
    h = layers.Dense(8, activation="relu")(h)
    if sick:
        h = layers.Lambda(ops.stop_gradient)(h)
    h = layers.Dense(1, activation="sigmoid")(h)
    model = keras.Model(inputs, h)
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=30)


def sixteen_convolutions(sick: bool) -> Training:
    """Sixteen plain convolutions in a row with SGD; the loss does not move from ln 10."""
    seen, unseen = data.digits(8, 8, 1)
    model = networks.convolutional((8,) * (16 if sick else 3))
    model.compile(keras.optimizers.SGD(0.05), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def memorized(sick: bool) -> Training:
    """Eighty images, a large network, no regularization, ninety epochs."""
    (x, y), unseen = data.digits(8, 8, 1)
    n = 80 if sick else len(x)
    rng = np.random.default_rng(98)
    noise = 0.35 if sick else 0.0
    x = (x + noise * rng.standard_normal(x.shape)).astype("f")
    model = networks.convolutional((32, 32))
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY, metrics=["accuracy"])
    return Training(model, x[:n], y[:n], accuracy(*unseen), unseen, epochs=60 if sick else 6)


PROGRAMS: tuple[Program, ...] = (
    program("asked-no-softmax", "convolutional", no_softmax, 0.85, OUTPUT, "wrong-loss"),
    program("asked-divided-twice", "convolutional", divided_twice, 0.85, "unnormalized-input",
            also=("learning-rate-too-low",)),
    program("asked-penalty", "convolutional", strong_penalty, 0.85, "over-regularization"),
    program("asked-dropped", "convolutional", dropped_pictures, 0.85, "over-regularization"),
    program("asked-tight-norms", "dense", tight_norms, 0.85, "over-regularization"),
    program("asked-slow-statistics", "convolutional", slow_statistics, 0.85,
            "batch-norm-statistics"),
    program("asked-two-to-a-batch", "dense", two_to_a_batch, 0.85, "batch-norm-statistics",
            "batch-norm-masks-gradients"),
    program("asked-dice", "segmentation", dice_is_minimized, 0.8, "wrong-loss",
            "optimizer-mismatch"),
    program("asked-softmax-mask", "segmentation", softmax_of_a_mask, 0.8, OUTPUT),
    program("asked-centred-pixels", "autoencoder", centred_pixels_out_of_a_sigmoid, 0.7, OUTPUT),
    program("asked-variational", "autoencoder", variational_on_bytes, 0.4, OUTPUT,
            "unscaled-target", "unnormalized-input", "wrong-loss"),
    program("asked-stopped", "transfer", gradient_stopped, 0.85, "never-updated",
            "insufficient-capacity"),
    program("asked-sixteen", "convolutional", sixteen_convolutions, 0.85, "too-deep-without-skip",
            "poor-initialization"),
    program("asked-memorized", "convolutional", memorized, 0.85, "overfitting"),
)
