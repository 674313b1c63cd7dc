"""Data that raise an error at a step that is recorded: the state is the one without us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.keras import ConvergenceCallback

tf = pytest.importorskip("tensorflow")

SETTINGS: dict[str, dict[str, Any]] = {
    "graph": {}, "several steps": {"steps_per_execution": 3}, "xla": {"jit_compile": True},
    "eager": {"run_eagerly": True},
}


def broken(good: int) -> Iterator[tuple[Any, Any]]:
    rng = np.random.default_rng(0)
    for _ in range(good):
        x = rng.normal(size=(8, 4)).astype("float32")
        yield x, x.sum(axis=1, keepdims=True)
    raise RuntimeError("the file is gone")


def left_by(keras: Any, callbacks: list[Any], settings: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The error that `fit` raised, and what the model and its optimizer hold afterwards."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse", **settings)
    with pytest.raises(Exception, match="the file is gone") as raised:
        model.fit(broken(4), verbose=0, shuffle=False, callbacks=callbacks)
    state = [*model.variables, *model.optimizer.variables]
    return raised.type, [np.asarray(variable) for variable in state]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_state_after_the_error_is_the_one_without_us(
    keras: Any, tmp_path: Path, name: str
) -> None:
    error, expected = left_by(keras, [], SETTINGS[name])
    callback = ConvergenceCallback(tmp_path, every_n_steps=1)
    same_error, found = left_by(keras, [callback], SETTINGS[name])
    assert same_error is error
    assert callback.disabled_reason is None
    for before, after in zip(expected, found, strict=True):
        np.testing.assert_array_equal(after, before)
