"""How the loss of a run went, in one sentence: what a run without a finding is told by."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_course import LossCourse, loss_course
from tb_convergence.core.diagnosis.wording import figure, plain_exponents
from tb_convergence.core.history import RunHistory

_TELLING: Final = 10
"""Records of a loss from which something can be said of where it is going."""


def loss_words(history: RunHistory) -> str:
    """From where to where the loss went, and whether it still falls; "" where that is not known.

    Of the training loss it is said what `LossCourse` has measured: the level at the start, the mean
    of the last tenth of the steps, and whether the last quarter fell or rose. Of the validation
    loss, where it was recorded, the last value and the lowest.
    """
    course = loss_course(history)
    if course is None or course.nonfinite_step is not None:
        return ""
    # The square of a huge loss is infinite, and then nothing is beyond chance.
    with np.errstate(over="ignore", invalid="ignore"):
        return plain_exponents(f"{_training(course)}{_validation(history)}.")


def _training(course: LossCourse) -> str:
    start, end = figure(course.start), figure(course.end)
    if course.observed < _TELLING:
        return f"The loss began at {start}" + (f" and ended at {end}" if end != start else "")
    if course.end > max(course.start, course.diverging_above):
        return f"The loss rose from {start} to {end} (mean of the last tenth)"
    if course.end > course.diverging_above:
        lowest = figure(course.lowest)
        return f"The loss fell from {start} to {lowest} and rose to {end} (mean of the last tenth)"
    if not course.fell:
        return f"The loss stands at {end} (mean of the last tenth), about as at the start"
    goes = " and is still falling" if course.still_falling else ""
    # A course that rises is settled for the rules: it no longer falls.
    rests = " and is rising again" if course.rising else " and has come to rest"
    goes = rests if course.settled else goes
    return f"The loss fell from {start} to {end} (mean of the last tenth){goes}"


def _validation(history: RunHistory) -> str:
    series = history.series("validation_loss")
    if series is None:
        return ""
    values = np.asarray(series.values, np.float64)
    if not len(values) or not np.isfinite(values).all():
        return ""
    last, lowest = figure(float(values[-1])), figure(float(values.min()))
    beside = ", its lowest" if last == lowest else f" (lowest: {lowest})"
    return f"; the validation loss ended at {last}{beside}"
