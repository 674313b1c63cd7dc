"""What a metric such as the accuracy shows about the loss beside it.

A loss that fell from a first explosion may still be that of a model that knows nothing. In logs of
other programs the classes are unknown, but an accuracy tells: a model that guesses among C equally
frequent classes is right in a = 1 / C of the cases, and its cross-entropy is ln C = -ln a. A model
of two classes that always answers the frequent one is right in a share p of the cases, and its
cross-entropy is at least the entropy of p.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Series, Values

ACCURACY: Final = re.compile(r"(?<![a-z])(acc|top[-_ ]?1)(?![a-z])|accuracy", re.IGNORECASE)
VALUES: Final = 5
"""Fewer values of a metric show no level (as for validation losses)."""
WANDERS: Final = 1.6
"""Highest accuracy over the mean of the late ones. Constant answers score the frequency of one
class after another, and frequencies differ little where the loss is near ln C."""
BELOW: Final = 0.95
ABOVE: Final = 1.25
"""Loss at the end over that of guessing. A model that has learned something is right more often
than its mean likelihood: at an accuracy of 0.3, its loss is rarely near 1.2."""
SAME: Final = 1e-6
"""Accuracies of the same constant answer differ by rounding only."""
GUESSES: Final = 0.55
"""Accuracy of a guess among two equally frequent classes, with its error."""
RISE: Final = 2.0
"""Standard errors between the first and the last third of a metric's values."""
GOOD: Final = 0.9
"""A metric this high has little left to gain."""
NOTHING: Final = 0.05
"""A metric this low shows nothing, however the loss fell."""


@dataclass(frozen=True, slots=True)
class Guessing:
    """A classifier that guesses, as its accuracy and its loss agree.

    Attributes:
        accuracy: mean over the last half of the values, between 0 and 1.
        loss: cross-entropy of such guesses.
        source: tag of the accuracy.
        constant: whether every late accuracy is that of one constant answer, or of the other one.
    """

    accuracy: float
    loss: float
    source: str
    constant: bool


@memoized
def guessing(history: RunHistory) -> Guessing | None:
    """The guess to which the run's end corresponds; None if it learned something, or is unknown."""
    series, trajectory = judged_metric(history), loss_trajectory(history)
    if series is None or trajectory is None or not ACCURACY.search(series.source):
        return None
    values = shares(series)
    if len(values) < VALUES:
        return None
    late = values[len(values) // 2 :]
    mean = float(late.mean())
    if not 0 < mean < 1 or _rose(values):
        return None
    losses = [trajectory.end, *_last_validation(history)]
    highest = float(late.max())
    constant = 0.5 <= highest < 1 and bool(
        np.minimum(np.abs(late - highest), np.abs(late - (1 - highest))).max() < SAME
    )
    if constant:
        level = -highest * math.log(highest) - (1 - highest) * math.log(1 - highest)
    elif mean <= GUESSES and float(values.max()) <= WANDERS * mean:
        level = -math.log(min(mean, 0.5))
    else:
        return None
    highest_loss = ABOVE * (level if constant else -math.log(mean))
    if not all(BELOW * level <= loss <= highest_loss for loss in losses):
        return None
    return Guessing(highest if constant else mean, level, series.source, constant)


def judged_metric(history: RunHistory) -> Series | None:
    """The metric of the validation data, else of the training data; None without one."""
    found = (history.scalars.get(name) for name in ("validation_metric", "metric"))
    return next((series for series in found if series is not None and len(series)), None)


def no_gain(history: RunHistory) -> tuple[str, float, float] | None:
    """Tag, first and last value of a metric between 0 and 1 that gained nothing and is not good.

    None if it rose by more than its noise, if it is good, or if there are fewer than five values.
    """
    series = judged_metric(history)
    if series is None:
        return None
    values = shares(series)
    if len(values) < VALUES or _rose(values) or float(values[-1]) >= GOOD:
        return None
    known = finite_values(series)
    return series.source, float(known[0]), float(known[-1])


def finite_values(series: Series) -> Values:
    """The values that are numbers, `[S]`."""
    values = np.asarray(series.values, np.float64)
    return values[np.isfinite(values)]


def finite_validations(history: RunHistory) -> Values:
    """The finite validation losses: an epoch without validation is NaN in its table."""
    series = history.series("validation_loss")
    return np.zeros(0) if series is None else finite_values(series)


def shares(series: Series) -> Values:
    """The finite values as shares, `[S]`; empty if they are neither shares nor percentages."""
    values = finite_values(series)
    if not len(values) or values.min() < 0 or values.max() > 100:
        return np.zeros(0)
    return values / 100 if values.max() > 1 else values


def _rose(values: Values) -> bool:
    """Whether the last third lies above the first by more than chance."""
    third = max(2, len(values) // 3)
    first, last = values[:third], values[-third:]
    noise = float(np.std(np.diff(values)) / math.sqrt(2))
    return float(last.mean() - first.mean()) > RISE * noise * math.sqrt(2 / third)


def _last_validation(history: RunHistory) -> tuple[float, ...]:
    """The level of the last validation losses, if there are any: the lowest of the last three."""
    values = finite_validations(history)
    return (float(values[-3:].min()),) if len(values) else ()
