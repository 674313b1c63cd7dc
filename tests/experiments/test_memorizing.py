"""The ladder convicts what cannot memorize 32 samples, and acquits what can."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import pytest
from keras import layers

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import overfit_small_sample


def network(optimizer: Any, *, activation: str = "relu", last: str | None = "softmax",
            units: int = models.CLASSES, loss: Any = "sparse_categorical_crossentropy",
            drop: float = 0.0, **options: Any) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((models.FEATURES,)), layers.Dense(64, activation=activation, **options),
        layers.Dropout(drop), layers.Dense(units, activation=last),
    ])
    model.compile(optimizer, loss)
    return model


def dead() -> Any:
    return network("adam", bias_initializer=keras.initializers.Constant(-20.0))


CASES: dict[str, tuple[Any, str]] = {
    "healthy": (lambda: network(keras.optimizers.Adam(3e-3)), ""),
    "dropout is no fault here": (lambda: network(keras.optimizers.Adam(3e-3), drop=0.4), ""),
    "rate too low": (lambda: network(keras.optimizers.SGD(1e-5)), "training"),
    "rate too high": (lambda: network(keras.optimizers.SGD(100.0)), "training"),
    "dead units": (dead, "model"),
    "ReLU on the logits, all off": (
        lambda: network("adam", last="relu", units=1, loss="mse", kernel_initializer="zeros"),
        "model"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_broken_is_told(name: str) -> None:
    build, broken = CASES[name]
    x, y = models.data()
    model = build()
    targets = -1.0 - np.abs(x[:, :1]) if model.output_shape[-1] == 1 else y
    before = model.get_weights()
    found = overfit_small_sample(model, x, targets, sizes=(32,))
    assert found.broken == broken, str(found)
    assert found.memorized == (0 if broken else 32)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    read = decode(encode(found.record))
    assert read.verdicts == found.verdicts
    outcomes = {verdict.finding: verdict.outcome for verdict in found.verdicts}
    assert outcomes["insufficient-capacity"] != "confirmed"


def test_values_are_judged_by_explained_variance_and_the_ladder_is_climbed() -> None:
    x, _ = models.data()
    model = network(keras.optimizers.Adam(3e-3), last=None, units=1, loss="mse")
    found = overfit_small_sample(model, x, (5 + x[:, 0] - x[:, 1])[:, None], sizes=(16, 64))
    assert found.measure == "R2"
    assert [rung.memorized for rung in found.rungs] == [True, True]


def test_an_unknown_task_is_refused_with_the_reason() -> None:
    x, _ = models.data()
    model = network("adam", last=None, units=3, loss=lambda y, p: keras.ops.mean(p, axis=-1))
    with pytest.raises(ValueError, match="the task cannot be inferred"):
        overfit_small_sample(model, x, np.full((len(x), 7), 0.5))
