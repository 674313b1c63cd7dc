"""Small models with their data: one per way in which Keras computes differently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

layers = keras.layers


@dataclass
class Training:
    """A compiled model and the arguments of `fit`."""

    model: Any
    x: Any
    y: Any
    fit: dict[str, Any]

    def run(self, *callbacks: Any, **changes: Any) -> Any:
        """Train; returns the history."""
        arguments = {"verbose": 0, **self.fit, **changes}
        return self.model.fit(self.x, self.y, callbacks=list(callbacks), **arguments)


def _normal(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _classes(seed: int, count: int, classes: int = 3) -> Any:
    return np.random.default_rng(seed).integers(0, classes, count)


def dense(**compiled: Any) -> Training:
    """ReLU as a layer of its own, dropout, tanh, softmax; the last batch is smaller."""
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(16),
            layers.ReLU(),
            layers.Dropout(0.3),
            layers.Dense(8, activation="tanh"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    settings = {"optimizer": "adam", "loss": "sparse_categorical_crossentropy", **compiled}
    model.compile(**settings)
    return Training(model, _normal(1, 60, 6), _classes(2, 60), {"batch_size": 16, "epochs": 3})


def convolution(**compiled: Any) -> Training:
    """Convolution, batch normalization, ReLU; metrics; momentum."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="first"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3),
        ]
    )
    settings = {
        "optimizer": keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
        **compiled,
    }
    model.compile(**settings)
    return Training(
        model, _normal(3, 48, 8, 8, 3), _classes(4, 48), {"batch_size": 16, "epochs": 3}
    )


def recurrent(**compiled: Any) -> Training:
    """Embedding (sparse gradients) and LSTM (a loop inside the step)."""
    model = keras.Sequential(
        [
            keras.Input((5,), dtype="int32"),
            layers.Embedding(20, 4),
            layers.LSTM(4, dropout=0.2),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    settings = {"optimizer": "adam", "loss": "binary_crossentropy", **compiled}
    model.compile(**settings)
    words = np.random.default_rng(5).integers(0, 20, (48, 5)).astype(np.int32)
    return Training(model, words, _classes(6, 48, 2)[:, None], {"batch_size": 16, "epochs": 3})


def several_inputs(**compiled: Any) -> Training:
    """Functional model: two named inputs, a shared layer, two outputs, penalties."""
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    shared = layers.Dense(6, activation="relu", kernel_regularizer="l1", name="shared")
    joined = layers.Concatenate()([shared(left), shared(right)])
    first = layers.Dense(1, activity_regularizer="l2", name="first")(joined)
    second = layers.Dense(2, activation="softmax", name="second")(joined)
    model = keras.Model([left, right], [first, second])
    settings = {
        "optimizer": keras.optimizers.SGD(0.05, clipnorm=0.5),
        "loss": ["mse", "sparse_categorical_crossentropy"],
        **compiled,
    }
    model.compile(**settings)
    inputs = [_normal(7, 48, 4), _normal(8, 48, 4)]
    targets = [_normal(9, 48, 1), _classes(10, 48, 2)]
    return Training(model, inputs, targets, {"batch_size": 16, "epochs": 3})


class Subclassed(keras.Model):
    """Built by its first call; one variable never gets a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Dense(8, activation="gelu")
        self.outer = layers.Dense(1)
        self.unused = layers.Dense(2)

    def call(self, inputs: Any, training: bool = False) -> Any:
        self.unused(inputs)
        return self.outer(self.inner(inputs))


def subclassed(**compiled: Any) -> Training:
    """A model of the user's own, whose layers are built while it trains."""
    model = Subclassed()
    settings = {"optimizer": keras.optimizers.Adam(0.01, weight_decay=1e-3), "loss": "mse"}
    model.compile(**{**settings, **compiled})
    return Training(model, _normal(11, 48, 4), _normal(12, 48, 1), {"batch_size": 16, "epochs": 3})


def straight_line(rate: float = 0.1, **compiled: Any) -> Training:
    """One dense layer under plain SGD: every number can be computed by hand."""
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, name="line")])
    model.compile(**{"optimizer": keras.optimizers.SGD(rate), "loss": "mse", **compiled})
    return Training(
        model, _normal(13, 64, 3), _normal(14, 64, 2),
        {"batch_size": 8, "epochs": 1, "shuffle": False},
    )


MODELS: dict[str, Callable[..., Training]] = {
    "dense": dense,
    "convolution": convolution,
    "recurrent": recurrent,
    "several inputs": several_inputs,
    "subclassed": subclassed,
}
