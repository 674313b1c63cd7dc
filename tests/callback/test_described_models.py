"""What a real training says of its model: moved statistics, and shapes of outputs and targets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from tb_convergence import diagnose  # noqa: E402 - after the check for Keras
from tb_convergence.keras import ConvergenceCallback  # noqa: E402

layers = keras.layers
ID = "batch-norm-statistics"
pytestmark = pytest.mark.tensorflow


class Called(keras.Model):
    """A dense layer, a normalization layer called in a mode of its own, and an output."""

    def __init__(self, mode: bool | None) -> None:
        super().__init__()
        self.hidden, self.norm = layers.Dense(8), layers.BatchNormalization(name="norm")
        self.last, self.mode = layers.Dense(1), mode

    def call(self, x: Any, training: Any = None) -> Any:
        mode = training if self.mode is None else self.mode
        return self.last(self.norm(self.hidden(x), training=mode))


def stack(**norm: Any) -> Any:
    return keras.Sequential([
        keras.Input((4,)), layers.Dense(8), layers.BatchNormalization(name="norm", **norm),
        layers.Dense(1),
    ])


def with_loaded_statistics() -> Any:
    """A frozen layer of a trained base: its statistics are not those of a new one."""
    model = stack(trainable=False)
    norm = model.get_layer("norm")
    norm.moving_mean.assign(np.full(8, 0.3))
    return model


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (stack, False),
        (lambda: stack(trainable=False), True),
        (with_loaded_statistics, False),
        (lambda: Called(None), False),
        (lambda: Called(False), True),
    ],
    ids=["usual", "frozen when new", "frozen with statistics", "usual call", "training=False"],
)
def test_a_layer_that_never_normalizes_is_named(
    tmp_path: Path, make: Callable[[], Any], found: bool
) -> None:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(96, 4)).astype("f")
    model = make()
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.fit(x, x[:, :1], epochs=2, batch_size=32, verbose=0,
              callbacks=[ConvergenceCallback(tmp_path)])
    (run,) = diagnose(tmp_path)
    named = [finding.layers for finding in run.findings if finding.id == ID]
    assert named == ([("norm",)] if found else [])


@pytest.mark.parametrize("sequences", [False, True])
def test_one_target_against_an_output_at_every_step(tmp_path: Path, sequences: bool) -> None:
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 6, 1)).astype("f"), rng.normal(size=(64, 1)).astype("f")
    model = keras.Sequential([
        keras.Input((6, 1)), layers.LSTM(3, return_sequences=sequences, name="memory"),
        layers.Dense(1),
    ])
    model.compile("sgd", "mse")
    model.fit(x, y, epochs=2, batch_size=32, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    (run,) = diagnose(tmp_path)
    found = [f for f in run.findings if f.title == "Outputs and targets differ in shape"]
    assert [f.advice[0][:40] for f in found] == (
        ["Set return_sequences=False in memory, so"] if sequences else []
    )
