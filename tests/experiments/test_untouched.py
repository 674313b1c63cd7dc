"""A model that was experimented on trains on bit for bit as one that was not."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tb_convergence.experiments import lr_range_test, untouched
from tb_convergence.experiments.state import UnsupportedModelError, require_model

KINDS = sorted(models.MODELS)
_EXPECTED: dict[tuple[str, str, bool], list[np.ndarray]] = {}


def begun(kind: str, optimizer: str, trained: bool) -> Any:
    model = models.compiled(kind, optimizer)
    x, y = models.data(0)
    if trained:
        model.fit(x, y, batch_size=32, verbose=0)
    elif not model.built:
        model(x[:2])
    return model


def expected(kind: str, optimizer: str, trained: bool) -> list[np.ndarray]:
    key = kind, optimizer, trained
    if key not in _EXPECTED:
        _EXPECTED[key] = models.future(begun(*key))
    return _EXPECTED[key]


def assert_same(model: Any, kind: str, optimizer: str, trained: bool) -> None:
    found = models.future(model)
    for place, (one, other) in enumerate(zip(
            found, expected(kind, optimizer, trained), strict=True)):
        np.testing.assert_array_equal(one, other, err_msg=f"{kind}, {optimizer}: part {place}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_training_inside_leaves_no_trace(kind: str) -> None:
    optimizer = sorted(models.OPTIMIZERS)[KINDS.index(kind) % len(models.OPTIMIZERS)]
    trained = KINDS.index(kind) % 2 == 0
    model = begun(kind, optimizer, trained)
    x, y = models.data(2)
    with untouched(model):
        before = [np.array(v) for v in model.get_weights()]
        model.fit(x, y, batch_size=32, epochs=2, verbose=0)
        np.random.rand(3)
        keras.random.normal((2,))
        keras.layers.Dense(3).build((3, 3))
        model.trainable = False
        model.stop_training = True
        model.compile("sgd", "mse")
        changed = any(not np.array_equal(a, b) for a, b in
                      zip(before, model.get_weights(), strict=True))
    assert changed, "the body must have trained"
    assert_same(model, kind, optimizer, trained)


@settings(max_examples=4)
@example(kind="stateful", optimizer="adam", trained=False)
@given(
    kind=st.sampled_from(KINDS), optimizer=st.sampled_from(sorted(models.OPTIMIZERS)),
    trained=st.booleans(),
)
def test_a_range_test_leaves_no_trace(kind: str, optimizer: str, trained: bool) -> None:
    model = begun(kind, optimizer, trained)
    found = lr_range_test(model, *models.data(2), steps=20, seeds=(0,))
    assert len(found.curves) == 1
    assert_same(model, kind, optimizer, trained)


def test_what_the_body_raises_restores_the_model_too() -> None:
    model = begun("sequential", "adam", True)
    with pytest.raises(KeyboardInterrupt), untouched(model):  # noqa: PT012 - both are needed
        model.fit(*models.data(2), verbose=0)
        raise KeyboardInterrupt
    assert_same(model, "sequential", "adam", True)


def test_an_unbuilt_optimizer_stays_unbuilt() -> None:
    model = begun("functional", "adam", False)
    lr_range_test(model, *models.data(2), steps=16, seeds=(0,))
    assert not model.optimizer.built


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (object(), "expected a compiled keras.Model, not object"),
        (models.sequential, "expected a compiled keras.Model, not function"),
    ],
)
def test_what_is_no_compiled_model_is_refused(model: Any, said: str) -> None:
    with pytest.raises(UnsupportedModelError, match=said):
        require_model(model)
    with pytest.raises(UnsupportedModelError, match=r"call model\.compile"):
        require_model(models.sequential())
