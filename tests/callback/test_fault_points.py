"""Whatever fails of ours, at any point and any time: the training is the one without us.

A fault point is a function of the recorder; it raises at its n-th call, before or after it has done
its work. The property: weights, optimizer, history and what each batch trained on are the same.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import programs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tb_convergence.keras import ConvergenceCallback
from tb_convergence.training.host import cadence, step_losses, writer
from tb_convergence.training.instep import measurement
from tb_convergence.training.keras import (
    beside,
    compat,
    handback,
    measuring,
    numbering,
    rehearsal,
    rolled_back,
    sites,
)

tf = pytest.importorskip("tensorflow")

POINTS: dict[str, tuple[Any, str]] = {
    "beginning": (beside.Beside, "begin"),
    "an epoch": (beside.Beside, "begin_epoch"),
    "reading losses": (beside.Beside, "_read_losses"),
    "is it due": (beside.Beside, "_is_due"),
    "getting ready": (measuring.Measuring, "ready"),
    "place in the block": (beside.Beside, "_place_in_block"),
    "is it wanted": (beside.Beside, "_wanted"),
    "values before": (measuring.Measuring, "before"),
    "recording": (beside.Beside, "_record"),
    "measuring and writing": (measuring.Measuring, "record"),
    "noting losses": (beside.Beside, "_note"),
    "scheduling": (beside.Beside, "_calls_to_pass"),
    "granting": (beside.Beside, "_grant"),
    "taking apart": (handback.HandBack, "__init__"),
    "pulling": (handback.HandBack, "pull"),
    "handing back": (handback.HandBack, "give"),
    "by the queue": (handback.HandBack, "_queued"),
    "an iterator for it": (compat, "iterator_over"),
    "tracing": (rehearsal.Rehearsal, "__init__"),
    "measuring": (rehearsal.RehearsedObserver, "_measure"),
    "rehearsing": (rehearsal.Rehearsal, "run"),
    "reading variables": (rolled_back.Variables, "read"),
    "all in one call": (rolled_back.Variables, "_values"),
    "tables": (measurement.Measurement, "after"),
    "comparing": (step_losses.StepLosses, "compare"),
    "adding losses": (step_losses.StepLosses, "add"),
    "cadence": (cadence.Cadence, "next_step"),
    "writing": (writer.RunWriter, "table"),
    "configuration": (writer.RunWriter, "config"),
    "numbering": (numbering.Numbering, "first_step"),
    "optimizers": (sites.Site, "__init__"),
}

ERRORS: dict[str, Callable[[], Exception]] = {
    "fault": lambda: RuntimeError("planted fault"),
    "memory": lambda: tf.errors.ResourceExhaustedError(None, None, "planted: out of memory"),
    "numerics": lambda: tf.errors.InvalidArgumentError(None, None, "planted: CheckNumerics"),
    "python memory": lambda: MemoryError("planted"),
}
OWN_DATA = {"memory", "numerics"}
"""Raised while a batch is pulled, such an error is the data's own, and is passed on."""

SETTINGS: dict[str, dict[str, Any]] = {
    "dense": {},
    "convolutional": {},
    "subclassed": {"compile_with": {"steps_per_execution": 3}},
    "recurrent": {},
}


def trained(keras: Any, model: str, callbacks: list[Any]) -> list[np.ndarray]:
    return programs.weights(programs.train(keras, model, callbacks, **SETTINGS[model]))


@pytest.fixture(scope="module")
def plain(keras: Any) -> Callable[[str], list[np.ndarray]]:
    """Weights of a training without us."""
    return functools.cache(lambda model: trained(keras, model, []))


@pytest.mark.parametrize("model", sorted(SETTINGS))
@settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    point=st.sampled_from(sorted(POINTS)),
    call=st.integers(1, 8),
    error=st.sampled_from(sorted(ERRORS)),
    late=st.booleans(),
)
def test_any_fault_at_any_point_changes_nothing(
    keras: Any, plain: Any, tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture, model: str, point: str, call: int, error: str, late: bool,
) -> None:
    if point == "pulling" and (late or error in OWN_DATA):
        return  # a batch that was pulled is returned: there is nothing between the two
    target, name = POINTS[point]
    original = getattr(target, name)
    calls = 0

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not late:
            raise ERRORS[error]()
        found = original(*args, **kwargs)
        if calls == call:
            raise ERRORS[error]()
        return found

    caplog.clear()
    with pytest.MonkeyPatch.context() as patch, caplog.at_level(
        logging.WARNING, logger="tb_convergence"
    ):
        patch.setattr(target, name, failing)
        callback = ConvergenceCallback(tmp_path_factory.mktemp("run"), every_n_steps=2)
        found = trained(keras, model, [callback])
    for expected, got in zip(plain(model), found, strict=True):
        np.testing.assert_array_equal(got, expected)
    lines = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert len(lines) <= 1
    assert callback.disabled_reason is None or lines
    if lines and callback.disabled_reason is None:  # the copy of the step could not be made
        assert "no gradients" in lines[0]


def test_a_roll_back_that_fails_is_made_one_by_one(
    keras: Any, plain: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = rolled_back.Variables.write

    def write(self: Any, values: Any) -> None:
        original(self, values)

        def broken(_: Any) -> None:
            raise RuntimeError("planted fault")

        self._write = broken

    monkeypatch.setattr(rolled_back.Variables, "write", write)
    callback = ConvergenceCallback(tmp_path)
    for expected, got in zip(
        plain("dense"), trained(keras, "dense", [callback]), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    assert callback.disabled_reason is None
