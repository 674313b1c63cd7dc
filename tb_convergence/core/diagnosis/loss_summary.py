"""One sentence or two on how the loss of a run went, shown even if nothing was found."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.objective import Objective, objective
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import number

_RESTING: Final = 16
"""Records of which the last eighths are more than one, so that they show whether a loss rests."""
_TELLING: Final = 10
"""Fewer records of a loss do not show a trend."""


def loss_summary(history: RunHistory) -> str:
    """Start and end of the loss, and whether it still falls; "" if that is not known.

    For the training loss, the text gives the level at the start, the mean of the last tenth of the
    steps, and whether the last quarter fell or rose (see `LossTrajectory`). For a recorded
    validation loss, it gives the last and the lowest value.
    """
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.nonfinite_step is not None:
        return ""
    # The square of a huge loss is infinite, so no change exceeds chance.
    goal = objective(history)
    with np.errstate(over="ignore", invalid="ignore"):
        if not goal.measures_progress:
            return f"{_progress(history, goal)}{_from_to(trajectory)}."
        return f"{_training(trajectory)}{_validation(history)}."


def _from_to(trajectory: LossTrajectory) -> str:
    """Start and end of a loss that does not measure progress."""
    return (
        f"The loss went from {number(float(trajectory.level[0]))} to {number(trajectory.end)} "
        "(mean of the last tenth), but it does not measure progress"
    )


def _progress(history: RunHistory, goal: Objective) -> str:
    """How the series that measures progress went, as a sentence; "" if there is none."""
    series = None if goal.progress is None else history.scalars.get(goal.progress)
    values = np.zeros(0) if series is None else np.asarray(series.values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return ""
    first, last = number(float(values[0])), number(float(values[-1]))
    return f"The {goal.progress} went from {first} to {last} (best: {number(values.max())}). "


def _training(trajectory: LossTrajectory) -> str:
    start, end = number(float(trajectory.level[0])), number(trajectory.end)
    if trajectory.observed < _TELLING:
        return f"The loss began at {start}" + (f" and ended at {end}" if end != start else "")
    if trajectory.end > max(trajectory.start, trajectory.diverging_above):
        return f"The loss rose from {start} to {end} (mean of the last tenth)"
    if trajectory.end > trajectory.diverging_above:
        lowest = number(trajectory.lowest)
        return f"The loss fell from {start} to {lowest} and rose to {end} (mean of the last tenth)"
    if not trajectory.fell:
        return f"The loss stays at {end} (mean of the last tenth), about where it began"
    goes = " and is still falling" if trajectory.still_falling else ""
    # For the rules, a rising loss counts as settled, because it no longer falls.
    if trajectory.settled:
        rests = " and has plateaued" if len(trajectory.level) >= _RESTING else ""
        goes = " and is rising again" if trajectory.rising else rests
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
    return f". The validation loss ended at {last}{beside}"
