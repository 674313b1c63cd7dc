"""NaN and Inf: the first tensor, its step, and what is known where steps went unobserved."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
from histories.faults import N, cause, changed, ids, nan_gradient, with_loss

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.schema import Row


def test_first_tensor_and_step_of_a_nan() -> None:
    (finding,) = [f for f in diagnose_history(nan_gradient(70)).findings
                  if f.id == "non-finite-values"]
    assert finding.first_step == 70
    assert finding.layers == ("hidden_2",)
    assert "gradient of hidden_2/kernel" in finding.summary


def test_nan_between_records_is_reported_with_its_exact_step() -> None:
    base = nan_gradient(100)
    loss = draw.falling()
    age = np.full(N, np.nan)
    age[100] = 13.0
    run = draw.run_table(loss, first_nonfinite_age_steps=age)
    history = replace(base, tables={**base.tables, "run": run})
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 87


def test_routine_infinities_of_loss_scaling_are_not_reported() -> None:
    history = replace(nan_gradient(3), config={"optimizer": {"class": "LossScaleOptimizer"}})
    assert "non-finite-values" not in ids(history)


def test_a_loss_that_went_bad_within_an_epoch_comes_before_what_its_end_shows() -> None:
    """Keras counts batches in one place and epochs in another: numbers tell no order."""
    batches = np.arange(200)
    values = np.where(batches < 55, 1.0, np.nan)
    loss = Series("loss", batches, values, batches.astype(float), "batch_loss", "batch")
    column = np.zeros((4, 1, 1), np.float32)
    column[1:] = 1e-38
    weights = Table(
        "variables", (Row("dense/kernel", "dense", "kernel"),), ("variable_nonfinite_fraction",),
        np.arange(4), 49.5 + 50 * np.arange(4), column, np.ones_like(column), "histograms",
        axis="epoch",
    )
    history = RunHistory("r", {"variables": weights}, {"loss": loss})
    (finding,) = (f for f in diagnose_history(history).findings if f.id == "non-finite-values")
    assert finding.summary == "NaN appeared first in the loss, at step 55."
    assert [(item.step, item.value) for item in finding.evidence] == [(55, 1.0), (99, 1.0)]
    assert "at least" in finding.evidence[1].name


def test_a_loss_that_is_finite_again_does_not_hide_weights_that_are_not() -> None:
    bad = np.zeros((N, 3))
    bad[6:, 0] = 1.0
    loss = draw.flat(N, 2.0, 0.0)
    loss[6] = np.inf
    history = with_loss(loss, changed("variables", variable_nonfinite_fraction=bad))
    layer = history.tables["variables"].rows[0].layer
    summary = cause(history, "non-finite-values").summary
    assert "The loss is finite again from step 7 on and ends at 2" in summary
    assert f"but weights or gradients of {layer} still contain NaN or Inf" in summary
    skipped = with_loss(loss)
    assert "finite again" not in cause(skipped, "non-finite-values").summary
