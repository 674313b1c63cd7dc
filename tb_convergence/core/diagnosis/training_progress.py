"""How far a training has come: whether it learns, and whether it is still in progress."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import (
    are_probabilities,
    baseline_loss,
    columns_of,
    target_kind,
)
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.diagnosis.metric_evidence import guessing
from tb_convergence.core.history import RunHistory, Values

FALLS: Final = " The loss still falls."
"""Added to a finding about something unusual in a run that learns."""
LEARNS: Final = 0.5
"""A run learns once its loss is this much below its start, and below this part of the baseline."""
LITTLE: Final = 0.8
"""Above this part of the baseline loss (or of the start), little was learned. A plateau below it
may be all that the data allows: with noise in the targets, that is often two thirds.
"""
USELESS: Final = 0.95
"""Above this part of the loss of a model that ignores its input, nothing was learned."""
SOLVED: Final = 0.1
"""Below this part of the loss of a model that ignores its input, little is left to improve."""
LATEST: Final = 3
"""The median of this many validation losses is the level at the end; one alone is noise."""
LAG_STEPS: Final = 500
"""Steps after which the moving averages of batch normalization have caught up."""


NEAR: Final = 0.005
CLASSES: Final = (*range(2, 11), 20, 50, 100, 1000)


def uniform_loss(levels: Values) -> float | None:
    """ln C if every one of `levels` is close to it, for a small or round number C of classes.

    That is the cross-entropy of a classifier that knows nothing. None if no C fits.

    >>> round(uniform_loss(np.array([0.6930, 0.6935])), 4)
    0.6931
    >>> uniform_loss(np.array([0.6930, 0.70])) is None
    True
    """
    for classes in CLASSES:
        chance = math.log(classes)
        if bool((np.abs(levels / chance - 1) < NEAR).all()):
            return chance
    return None


def unfinished(history: RunHistory) -> bool:
    """Whether fit() was asked for more steps than there are: still in progress, or stopped early.
    """
    planned = configuration(history).planned_steps
    return history.growing or (planned is not None and history.last_step + 1 < planned)


def lagging_statistics(history: RunHistory) -> bool:
    """Whether validation may be wrong only because batch normalization has not caught up yet.

    Validation uses moving averages with a momentum of 0.99: after 500 steps, 0.7% of their start
    is left.
    """
    kinds = {layer.kind for layer in configuration(history).layers}
    return "BatchNormalization" in kinds and history.last_step < LAG_STEPS


@memoized
def learns(history: RunHistory) -> bool:
    """Whether the run learns well, so that an unusual value does not hold it back.

    If the baseline is known, the loss must end below half of it. The start is no measure then: a
    fault may have raised it, and the mean of the targets is learned quickly. Otherwise the loss
    must have lost more than half of its value, and a logged accuracy must not show that the model
    guesses. In both cases it must not have come back up.
    """
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.end > trajectory.diverging_above:
        return False
    baseline = baseline_loss(history)
    if baseline is None:
        return trajectory.fall > LEARNS and guessing(history) is None
    return trajectory.end < LEARNS * baseline


def _entropy_of_classes(history: RunHistory) -> float | None:
    """Entropy in nats of one-hot targets that probabilities are compared with; None for others."""
    targets, outputs = columns_of(history, "target"), columns_of(history, "prediction")
    if targets is None or outputs is None or target_kind(history) != "one-hot":
        return None
    if not are_probabilities(outputs):
        return None
    mean = targets.overall[0]
    return float(-np.sum(targets.widths * mean * np.log(np.maximum(mean, 1e-12))))


@memoized
def solved(history: RunHistory) -> bool:
    """Whether the run fits its task, so that no fault of the setup does it much harm.

    The training loss ends below a tenth of the baseline, and the validation loss, if there is one,
    below a fifth. False if the baseline is unknown: a fault may have raised the start.
    """
    trajectory, baseline = loss_trajectory(history), baseline_loss(history)
    if trajectory is None:
        return False
    if baseline is None:
        baseline = _entropy_of_classes(history)
        # A loss of one's own may be on another scale than nats; its start tells.
        if baseline is None or trajectory.start < baseline:
            return False
    if not trajectory.end < SOLVED * baseline:
        return False
    series = history.series("validation_loss")
    if series is None or not len(series):
        return True
    last = np.asarray(series.values[-LATEST:], np.float64)
    return bool(np.isfinite(last).all()) and float(np.median(last)) < 2 * SOLVED * baseline
