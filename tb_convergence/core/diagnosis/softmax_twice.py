"""Whether a cross-entropy is that of a softmax of a softmax, judged by its floor.

A softmax of probabilities cannot be sure: the largest one is e / (e + C - 1) for C classes. The
cross-entropy of a perfect model is then ln(1 + (C - 1) / e), which is 1.46 for ten classes. Each
wrong answer costs about 1 more. With a single softmax, few answers are right at such a loss, so a
loss that rests there beside a high accuracy shows the second one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.metric_evidence import ACCURACY, finite_values, shares
from tb_convergence.core.history import RunHistory, Series

ACCURATE: Final = 0.8
"""Accuracy from which a model is right in spite of the loss."""
FEWEST: Final = 4
"""Classes from which the floor (0.74) is no loss that augmented training data have as well."""
MOST: Final = 20_000
BELOW: Final = 0.02
ABOVE: Final = 0.12
"""Loss of the judged data below and above floor + 1 - accuracy, in nats. Answers that are not quite
sure add the latter."""
UNSURE: Final = 0.35
"""Nats that the training loss lies above the floor at most: a fifth of wrong answers, and more."""
ROUNDING: Final = 1e-3
"""Nats below the floor that no batch can reach. Smoothed labels have a floor of their own."""
STARTS: Final = 0.05
"""Part of ln C by which the first loss is above it at most: two softmaxes make every start nearly
uniform, and the mean of a first epoch is lower."""
RECORDS: Final = 20
GAIN: Final = 0.1
"""Gain of accuracy that shows what a wrong answer costs."""
STEEP: Final = 2.0
"""Fall of the loss over the gain of accuracy. Two softmaxes bound the loss to less than 1 above its
floor, so each answer that turns right takes about 1 off it, or 2 if the others grow surer. With one
softmax it takes 2.5 and more: 1.6 at 40% and 0.3 at 90% of ten classes, for example. A constant
term, such as a penalty, then holds the loss up."""


@dataclass(frozen=True, slots=True)
class Twice:
    """A loss at the floor of two softmaxes: `loss` of the data on which `accuracy` was measured."""

    classes: int
    floor: float
    loss: float
    accuracy: float
    source: str


def floor_of(classes: int) -> float:
    """Smallest cross-entropy of a softmax of a softmax over `classes`.

    >>> round(floor_of(10), 4)
    1.4612
    """
    return math.log(1 + (classes - 1) / math.e)


def softmax_twice(history: RunHistory) -> Twice | None:
    """The floor at which the loss stays; None if there is none, or if the log cannot show it."""
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.observed < RECORDS or not trajectory.settled:
        return None
    for name in ("validation_metric", "metric"):
        series = history.scalars.get(name)
        if series is None or not ACCURACY.search(series.source):
            continue
        accuracies = shares(series)[-3:]
        loss = trajectory.end
        if name == "validation_metric":
            validation = history.series("validation_loss")
            if validation is None:
                continue  # the loss of augmented training data goes with no accuracy but its own
            if _too_steep(validation, series):
                continue
            loss = _late(validation)
        if len(accuracies) and float(accuracies.mean()) >= ACCURATE:
            return _at_floor(trajectory, loss, float(accuracies.mean()), series.source)
    return None


def _at_floor(
    trajectory: LossTrajectory, loss: float, accuracy: float, source: str
) -> Twice | None:
    first, lowest = float(trajectory.level[0]), float(trajectory.level.min())
    # Means of an epoch begin below ln C, and single losses at it.
    guess = math.exp(min(first, math.log(MOST)))
    expected = loss - (1 - accuracy)
    if not 0 < expected < floor_of(2 * MOST):
        return None
    nearest = 1 + math.e * math.expm1(expected)
    for classes in sorted(
        range(max(FEWEST, int(0.85 * nearest)), min(MOST, int(1.15 * nearest) + 2)),
        key=lambda count: abs(count - guess),
    ):
        floor = floor_of(classes)
        if (
            floor - BELOW <= expected <= floor + ABOVE
            and lowest >= floor - ROUNDING
            and trajectory.end <= floor + UNSURE
            and floor + UNSURE < first <= (1 + STARTS) * math.log(classes)
        ):
            return Twice(classes, floor, loss, accuracy, source)
    return None


def _too_steep(losses: Series, accuracies: Series) -> bool:
    """Whether the loss fell by more than the gain of accuracy explains with two softmaxes."""
    if losses.axis != accuracies.axis:
        return False
    _, at, of = np.intersect1d(losses.steps, accuracies.steps, return_indices=True)
    loss = np.asarray(losses.values[at], np.float64)
    accuracy = np.asarray(accuracies.values[of], np.float64)
    known = np.isfinite(loss) & np.isfinite(accuracy)
    if not known.any():
        return False
    loss, accuracy = loss[known], accuracy[known]
    gain = float(accuracy[-1] - accuracy[0]) / (100 if accuracy.max() > 1 else 1)
    return gain >= GAIN and float(loss[0] - loss[-1]) > STEEP * gain


def _late(series: Series) -> float:
    values = finite_values(series)[-3:]
    return float(values.mean()) if len(values) else math.nan
