"""Records that stand alone: what is said of the steps between them."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row


def unwatched_run(loss: np.ndarray, steps: np.ndarray, **more: np.ndarray) -> RunHistory:
    """Records at `steps`, each of its own step alone; what lies between was not observed."""
    gaps = np.diff(steps, prepend=-1) - 1.0
    run = draw.run_table(loss, window_unwatched_steps=gaps, **more)
    return RunHistory("r", {"run": replace(run, steps=steps)})


SPARSE = np.r_[np.arange(10), np.arange(19, 400, 20)]


def test_nan_between_unwatched_records_is_told_as_an_interval() -> None:
    loss = np.where(SPARSE < 200, 1.0, np.nan)
    age = np.where(SPARSE < 200, np.nan, 0.0)
    history = unwatched_run(loss, SPARSE, first_nonfinite_age_steps=age)
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 219
    assert finding.summary == (
        "NaN appeared after step 199 and no later than step 219; the 19 steps between were not "
        "observed. At step 219 it appears first in the loss."
    )


def test_nan_between_records_is_dated_by_the_losses() -> None:
    """Beside the training every loss is known; gradients are those of the records alone."""
    loss = np.where(SPARSE < 200, 1.0, np.nan)
    age = np.where(SPARSE < 200, np.nan, 0.0)
    age[SPARSE == 219] = 12.0
    known = np.diff(SPARSE, prepend=-1).astype(np.float64)
    history = unwatched_run(
        loss, SPARSE, first_nonfinite_age_steps=age, window_loss_steps=known
    )
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 207
    assert finding.summary == (
        "The loss became NaN at step 207; every loss before it was finite. Neither gradients "
        "nor outputs of that step were recorded."
    )


def test_the_loss_of_a_run_that_is_not_watched_has_the_length_of_the_run() -> None:
    """Its records stand for all its steps, but its noise is that of single batches."""
    trajectory = loss_trajectory(unwatched_run(draw.falling(len(SPARSE)), SPARSE))
    assert trajectory is not None
    assert trajectory.observed == 400
    assert trajectory.samples.sum() == len(SPARSE)
    assert trajectory.weights[-1] == 20
    noisy = 1.0 + 0.2 * np.random.default_rng(3).standard_normal(len(SPARSE))
    noisy[-2:] -= 0.1
    trajectory = loss_trajectory(unwatched_run(noisy, SPARSE))
    assert trajectory is not None
    assert not trajectory.fell, "two batches that were lucky"


def test_an_epochs_mean_is_of_all_its_steps_also_of_those_nobody_watched() -> None:
    """Records of single batches at 0 to 9 and then at the ends of epochs of 50 steps."""
    steps = np.r_[np.arange(10), np.arange(99, 400, 100)]
    history = unwatched_run(np.full(len(steps), 3.0), steps)
    means = np.full((8, 1, 1), 1.0)
    ends = np.arange(49, 400, 50)
    epoch = Table("epoch", (Row("run", "", "run"),), ("epoch_loss",), ends, ends.astype(float),
                  means, means)
    trajectory = loss_trajectory(replace(history, tables={**history.tables, "epoch": epoch}))
    assert trajectory is not None
    assert trajectory.observed == 400
    assert trajectory.level[10] == pytest.approx((50 * 1.0 - 10 * 3.0) / 40)
    assert trajectory.samples[10:].tolist() == [40.0] + [50.0] * 7
