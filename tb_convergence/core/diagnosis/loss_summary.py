"""How the loss of a run went, in one sentence: what a run without a finding is told by."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.objective import Objective, objective
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import number

_TELLING: Final = 10
"""Records of a loss from which something can be said of where it is going."""


def loss_summary(history: RunHistory) -> str:
    """From where to where the loss went, and whether it still falls; "" where that is not known.

    Of the training loss it is said what `LossCourse` has measured: the level at the start, the mean
    of the last tenth of the steps, and whether the last quarter fell or rose. Of the validation
    loss, where it was recorded, the last value and the lowest.
    """
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.nonfinite_step is not None:
        return ""
    # The square of a huge loss is infinite, and then nothing is beyond chance.
    goal = objective(history)
    with np.errstate(over="ignore", invalid="ignore"):
        if not goal.measures_progress:
            return f"{_progress(history, goal)}{_from_to(trajectory)}."
        return f"{_training(trajectory)}{_validation(history)}."


def _from_to(trajectory: LossTrajectory) -> str:
    """Where a loss that measures no progress began and ended."""
    return (
        f"The loss went from {number(float(trajectory.level[0]))} to {number(trajectory.end)} "
        "(mean of the last tenth), which does not measure progress"
    )


def _progress(history: RunHistory, goal: Objective) -> str:
    """How what measures progress went, as a sentence; "" where nothing does."""
    series = None if goal.progress is None else history.scalars.get(goal.progress)
    values = np.zeros(0) if series is None else np.asarray(series.values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    first, last = number(float(values[0])), number(float(values[-1]))
    return f"The {goal.progress} went from {first} to {last} (best: {number(values.max())}). "


def _training(trajectory: LossTrajectory) -> str:
    start, end = number(trajectory.start), number(trajectory.end)
    if trajectory.observed < _TELLING:
        start = number(float(trajectory.level[0]))
        return f"The loss began at {start}" + (f" and ended at {end}" if end != start else "")
    if trajectory.end > max(trajectory.start, trajectory.diverging_above):
        return f"The loss rose from {start} to {end} (mean of the last tenth)"
    if trajectory.end > trajectory.diverging_above:
        lowest = number(trajectory.lowest)
        return f"The loss fell from {start} to {lowest} and rose to {end} (mean of the last tenth)"
    if not trajectory.fell:
        return f"The loss stands at {end} (mean of the last tenth), about as at the start"
    goes = " and is still falling" if trajectory.still_falling else ""
    # A course that rises is settled for the rules: it no longer falls.
    rests = " and is rising again" if trajectory.rising else " and has come to rest"
    goes = rests if trajectory.settled else goes
    return f"The loss fell from {start} to {end} (mean of the last tenth){goes}"


def _validation(history: RunHistory) -> str:
    series = history.series("validation_loss")
    if series is None:
        return ""
    values = np.asarray(series.values, np.float64)
    if not len(values) or not np.isfinite(values).all():
        return ""
    last, lowest = number(float(values[-1])), number(float(values.min()))
    beside = ", its lowest" if last == lowest else f" (lowest: {lowest})"
    return f"; the validation loss ended at {last}{beside}"
