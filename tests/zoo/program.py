"""What a program of the zoo is: a builder, what is wrong with it, and how good it must get."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Training:
    """One training, ready to start.

    Attributes:
        model: compiled.
        x, y: training data.
        judge: score of the trained model on data it has not seen, higher is better.
        validation: what `fit` is given as validation data.
        epochs, batch_size, shuffle: as in `fit`.
        class_weight, callbacks: as in `fit`.
    """

    model: Any
    x: Any
    y: Any
    judge: Callable[[Any], float]
    validation: tuple[Any, Any] | None = None
    epochs: int = 8
    batch_size: int = 32
    shuffle: bool = True
    class_weight: dict[int, float] | None = None
    callbacks: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """A sick program and its healthy twin.

    Attributes:
        name: of the program.
        architecture: kind of network or task; one of `ARCHITECTURES`.
        expected: ids of which one is the cause; naming any of them counts.
        build: makes the training; the argument is whether it is the sick one.
        good: score that the healthy twin reaches at least.
        margin: by how much the sick program stays below its twin.
        also: causes that are true of the sick program as well: naming them first is no hit, and no
            false alarm either.
        only_healthy: whether there is no sick one: any warning on it is a false alarm.
    """

    name: str
    architecture: str
    expected: tuple[str, ...]
    build: Callable[[bool], Training]
    good: float
    margin: float = 0.05
    also: tuple[str, ...] = ()
    family: str = field(default="")
    only_healthy: bool = False

    @property
    def why(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.build) or "").split("\n", 1)[0]

    def content(self) -> str:
        """Digest of the program's own source."""
        return hashlib.sha256(inspect.getsource(self.build).encode()).hexdigest()


ARCHITECTURES = (
    "dense", "convolutional", "recurrent", "transformer", "table", "sequence", "segmentation",
    "detection", "autoencoder", "transfer", "contrastive", "several networks",
)


def program(
    name: str, architecture: str, build: Callable[[bool], Training], good: float, *expected: str,
    also: tuple[str, ...] = (),
) -> Program:
    """A `Program` with its labels in the order of reading."""
    return Program(name, architecture, expected, build, good, also=also)


def healthy(
    name: str, architecture: str, build: Callable[[bool], Training], good: float
) -> Program:
    """A `Program` without a fault."""
    return Program(name, architecture, (), build, good, only_healthy=True)


def outputs(model: Any, x: Any) -> np.ndarray:
    """The model's output for `x` in inference mode, as float64."""
    return np.asarray(model(x, training=False), np.float64)


def accuracy(x: Any, y: Any) -> Callable[[Any], float]:
    """Judge: share of samples whose class is the largest of several outputs, or output > 0.5."""

    def judge(model: Any) -> float:
        out = outputs(model, x)
        guess = out.argmax(axis=1) if out.shape[1] > 1 else (out[:, 0] > 0.5).astype(int)
        return float(np.mean(guess == np.asarray(y).ravel())) if np.isfinite(out).all() else 0.0

    return judge


def balanced_accuracy(x: Any, y: Any) -> Callable[[Any], float]:
    """Judge: mean over the two classes of the share that is recognized; 0.5 is ignorance."""

    def judge(model: Any) -> float:
        guess = outputs(model, x)[:, 0] > 0.5
        truth = np.asarray(y).ravel() > 0.5
        return float((guess[truth].mean() + (~guess[~truth]).mean()) / 2)

    return judge


def r2(x: Any, y: Any, scale: float = 1.0, shift: float = 0.0) -> Callable[[Any], float]:
    """Judge: part of the variance of `y` that output * scale + shift explains; at least -1."""

    def judge(model: Any) -> float:
        out = outputs(model, x)
        truth = np.asarray(y, np.float64).reshape(len(out), -1)
        if not np.isfinite(out).all():
            return -1.0
        error = np.mean((truth - out * scale - shift) ** 2)
        return max(-1.0, 1 - float(error / truth.var()))

    return judge
