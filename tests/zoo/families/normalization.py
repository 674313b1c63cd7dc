"""Batch normalization that does not normalize: frozen when new, or switched off in call."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from zoo import data
from zoo.networks import CROSS_ENTROPY
from zoo.program import Program, Training, accuracy, program

STATISTICS = "batch-norm-statistics"


def frozen_when_new(sick: bool) -> Training:
    """Six convolutions of sigmoids rely on normalization; the layers are frozen as in a tutorial.
    """
    seen, unseen = data.digits(8, 8, 1)
    model = keras.Sequential([keras.Input((8, 8, 1))])
    for _ in range(6):
        model.add(layers.Conv2D(16, 3, padding="same"))
        model.add(layers.BatchNormalization(momentum=0.9, trainable=not sick))
        model.add(layers.Activation("sigmoid"))
    model.add(layers.Flatten())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=6)


class Stack(keras.Model):
    """Dense layers with normalization before each sigmoid, called in the mode that is given."""

    def __init__(self, depth: int, mode: bool | None) -> None:
        super().__init__()
        self.hidden = [layers.Dense(48) for _ in range(depth)]
        self.norms = [layers.BatchNormalization(momentum=0.9) for _ in range(depth)]
        self.last = layers.Dense(10, activation="softmax")
        self.mode = mode

    def call(self, x: Any, training: Any = None) -> Any:
        mode = training if self.mode is None else self.mode
        for dense, norm in zip(self.hidden, self.norms, strict=True):
            x = keras.ops.sigmoid(norm(dense(x), training=mode))
        return self.last(x)


def called_for_inference(sick: bool) -> Training:
    """training=False is written into call(), 'so that it is not forgotten in production'."""
    seen, unseen = data.digits()
    model = Stack(6, False if sick else None)
    model.compile(keras.optimizers.Adam(3e-3), CROSS_ENTROPY)
    return Training(model, *seen, accuracy(*unseen), unseen, epochs=8)


PROGRAMS: tuple[Program, ...] = (
    program("frozen-norm-convolutional", "convolutional", frozen_when_new, 0.85, STATISTICS,
            also=("wrong-hidden-activation", "too-deep-without-skip")),
    program("inference-norm-dense", "dense", called_for_inference, 0.85, STATISTICS,
            also=("wrong-hidden-activation", "too-deep-without-skip")),
)
