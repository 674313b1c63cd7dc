"""Programs on images as people post them: the fourth held-out set, as `posted_tables`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from zoo import data, networks
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, program, r2


def bytes_out_of_a_tanh(sick: bool) -> Training:
    """A decoder's tanh is to give pixels from 0 to 255."""
    (x, _), (xv, _) = data.digits()
    scale, shift = (255.0, 0.0) if sick else (2.0, -1.0)
    y, yv = x * scale + shift, xv * scale + shift
    model = networks.dense(64, (48, 24, 48), 64, "tanh")
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    return Training(model, x, y, r2(xv, yv), (xv, yv), epochs=10)


def tested_in_bytes(sick: bool) -> Training:
    """Training images were divided by 255; nobody divided those of the validation."""
    seen, (xv, yv) = data.digits(8, 8, 1)
    xv = xv * 255 if sick else xv
    model = networks.convolutional((8, 16))
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)

    def judge(trained: Any) -> float:
        loss = trained.evaluate(xv, yv, verbose=0)
        return float(np.exp(-loss))

    return Training(model, *seen, judge, (xv, yv), epochs=6)


def augmented_away(sick: bool) -> Training:
    """Random shifts, turns and zooms that leave hardly anything of a digit."""
    seen, unseen = data.digits(8, 8, 1)
    shift, turn = (0.9, 1.0) if sick else (0.06, 0.02)
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.RandomTranslation(shift, shift, fill_mode="constant"),
        layers.RandomRotation(turn, fill_mode="constant"),
        layers.Conv2D(16, 3, activation="relu"), layers.Flatten(),
        layers.Dense(48, activation="relu"), layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def one_image_for_its_statistics(sick: bool) -> Training:
    """Batch normalization with batch_size=1: every feature is its own mean."""
    (x, y), unseen = data.digits()
    n = 400
    model = keras.Sequential([
        keras.Input((64,)), layers.Dense(48), layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"), layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, x[:n], y[:n], accuracy(*unseen), unseen, epochs=2 if sick else 20,
                    batch_size=1 if sick else 16)


def forty_layers(sick: bool) -> Training:
    """Forty dense ReLU layers without one skip connection; six would do."""
    seen, unseen = data.digits()
    model = networks.dense(64, (32,) * (40 if sick else 4), 10)
    model.compile(keras.optimizers.Adam(1e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


def softmax_twice(sick: bool) -> Training:
    """Softmax is the last layer and from_logits=True is in the loss."""
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(8, 3, activation="relu"), layers.Flatten(),
        layers.Dense(10),
    ])
    if sick:
        model.add(layers.Activation("softmax"))
    model.compile(keras.optimizers.SGD(0.1),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=5)


def a_neck_of_one(sick: bool) -> Training:
    """Ten classes have to pass through a hidden layer of one unit."""
    seen, unseen = data.digits()
    model = networks.dense(64, (64, 1 if sick else 16, 64), 10, activation="tanh")
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=12)


PROGRAMS: tuple[Program, ...] = (
    program("posted-tanh-bytes", "autoencoder", bytes_out_of_a_tanh, 0.5,
            "wrong-output-activation", "unscaled-target"),
    program("posted-tested-in-bytes", "convolutional", tested_in_bytes, 0.7, "wrong-labels",
            "unnormalized-input"),
    program("posted-augmented-away", "convolutional", augmented_away, 0.8, "over-regularization",
            "wrong-labels"),
    program("posted-one-image", "dense", one_image_for_its_statistics, 0.8,
            "over-regularization", "batch-norm-masks-gradients"),
    program("posted-forty-layers", "dense", forty_layers, 0.85, "too-deep-without-skip",
            "poor-initialization"),
    program("posted-softmax-twice", "convolutional", softmax_twice, 0.85,
            "wrong-output-activation", "wrong-loss"),
    program("posted-neck", "dense", a_neck_of_one, 0.85, "insufficient-capacity"),
)
