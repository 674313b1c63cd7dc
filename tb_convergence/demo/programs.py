"""Six small training programs: five with one classic fault each, and a healthy one.

Each function is what a person might write: a Keras model, `compile`, and `fit` with our callback
beside Keras' own. They differ from `healthy` in the one thing that is wrong with them. None is
contrived to fail in the first step: the faults are of the size that people really make.

Steps of networks this small take a millisecond or two, so the callback's own budget of 1% would
leave few records; a demo wants many, hence `every_n_steps`. `also` carries the progress bar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from tb_convergence.demo import digits
from tb_convergence.keras import ConvergenceCallback

LOSS = "sparse_categorical_crossentropy"

Train = Callable[[str, int, list[Any]], None]
"""Trains in the given log directory, with the given seed and further callbacks."""


def healthy(log_dir: str, seed: int, also: list[Any]) -> None:
    """Pixels between 0 and 1, ReLU, Adam at its usual rate: about 96% on unseen digits."""
    data = digits.pixels(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(32, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), LOSS, metrics=["accuracy"])
    watch = [
        keras.callbacks.TensorBoard(log_dir),
        ConvergenceCallback(log_dir, every_n_steps=2),
        *also,
    ]
    model.fit(**data.training, epochs=12, verbose=0, callbacks=watch)


def learning_rate_too_high(log_dir: str, seed: int, also: list[Any]) -> None:
    """SGD with momentum at 0.3 learns for some twenty steps, then diverges until all is NaN."""
    data = digits.pixels(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="leaky_relu"),
            layers.Dense(64, activation="leaky_relu"),
            layers.Dense(32, activation="leaky_relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.3, momentum=0.9), LOSS, metrics=["accuracy"])
    watch = [
        keras.callbacks.TensorBoard(log_dir),
        ConvergenceCallback(log_dir, every_n_steps=2),
        *also,
    ]
    model.fit(**data.training, epochs=6, verbose=0, callbacks=watch)


def learning_rate_too_low(log_dir: str, seed: int, also: list[Any]) -> None:
    """The healthy network, with a rate of 1e-6 where 1e-3 was meant."""
    data = digits.pixels(seed)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(32, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-6), LOSS, metrics=["accuracy"])
    watch = [
        keras.callbacks.TensorBoard(log_dir),
        ConvergenceCallback(log_dir, every_n_steps=2),
        *also,
    ]
    model.fit(**data.training, epochs=8, verbose=0, callbacks=watch)


def deep_sigmoid(log_dir: str, seed: int, also: list[Any]) -> None:
    """Eight sigmoid layers: each passes back a fourth of the gradient; the first hardly learn."""
    data = digits.pixels(seed)
    model = keras.Sequential([keras.Input((64,))])
    for _ in range(8):
        model.add(layers.Dense(32, activation="sigmoid"))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSS, metrics=["accuracy"])
    watch = [
        keras.callbacks.TensorBoard(log_dir),
        ConvergenceCallback(log_dir, every_n_steps=2),
        *also,
    ]
    model.fit(**data.training, epochs=6, verbose=0, callbacks=watch)


def dead_relu(log_dir: str, seed: int, also: list[Any]) -> None:
    """Biases start at -2, an idea that belongs to a sigmoid output: no unit is ever active."""
    data = digits.pixels(seed)
    rare = keras.initializers.Constant(-2.0)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(64, activation="relu", bias_initializer=rare),
            layers.Dense(32, activation="relu", bias_initializer=rare),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), LOSS, metrics=["accuracy"])
    watch = [
        keras.callbacks.TensorBoard(log_dir),
        ConvergenceCallback(log_dir, every_n_steps=2),
        *also,
    ]
    model.fit(**data.training, epochs=6, verbose=0, callbacks=watch)


def unnormalized_input(log_dir: str, seed: int, also: list[Any]) -> None:
    """The healthy network on raw measurements: some features are ten thousand times others."""
    data = digits.measurements(seed)
    model = keras.Sequential(
        [
            keras.Input((83,)),
            layers.Dense(64, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(32, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), LOSS, metrics=["accuracy"])
    watch = [
        keras.callbacks.TensorBoard(log_dir),
        ConvergenceCallback(log_dir, every_n_steps=2),
        *also,
    ]
    model.fit(**data.training, epochs=8, verbose=0, callbacks=watch)


@dataclass(frozen=True, slots=True)
class Program:
    """One run of the demo.

    Attributes:
        name: of the run, and of its directory.
        train: the function above.
        causes: ids of the findings of which one should come first; empty for the healthy run.
    """

    name: str
    train: Train
    causes: tuple[str, ...] = ()


PROGRAMS: tuple[Program, ...] = (
    Program("healthy", healthy),
    Program("learning-rate-too-high", learning_rate_too_high, ("learning-rate-too-high",)),
    Program("learning-rate-too-low", learning_rate_too_low, ("learning-rate-too-low",)),
    Program("deep-sigmoid", deep_sigmoid, ("wrong-hidden-activation", "vanishing-gradient")),
    Program("dead-relu", dead_relu, ("dead-relu",)),
    Program("unnormalized-input", unnormalized_input, ("unnormalized-input",)),
)
