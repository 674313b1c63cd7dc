"""The loss was still falling steadily when the recording ended.

The rule looks at the last quarter of the run, or at the last half of a run of fewer than 200 steps.
It fits a straight line if there are enough windows, and compares the last epochs if there are only
a few.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_evidence import length_of
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.paired_losses import paired_losses
from tb_convergence.core.diagnosis.rate_schedule import ANNEALED, rates
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.step_size import BEGUN, path_length
from tb_convergence.core.diagnosis.training_progress import learns, unfinished
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

SHORTEST: Final = 15
FALL: Final = 0.1
FEW: Final = 200
STEADY: Final = 4.0
WINDOWS: Final = 4
VALIDATIONS: Final = 3
PAST: Final = 0.1
SOLVED: Final = 0.02
SLOWER: Final = 0.5
LONGER: Final = 3
_MOST_TIMES_LONGER: Final = 20
"""Longer trainings are no useful advice: something else holds the run back."""
_ENOUGH: Final = 2.0
"""After this path length of the fastest layer, a fresh layer has usually learned."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.end <= 0:
        return None
    # A run that made all the steps it was asked for is judged by how far they can have led.
    tiny = trajectory.observed < SHORTEST
    if tiny and (configuration(history).planned_steps is None or trajectory.axis != "step"):
        return None
    if {"loss-divergence", "non-finite-values"} & set(signs):
        return None  # more of it would be more of the same
    zero = signs.get("zero-gradient")
    if zero is not None and zero.ruins:
        return None  # no kernel gets a gradient any more: however many steps, none moves it
    if trajectory.axis == "step" and unfinished(history):
        return None
    if trajectory.end < SOLVED * abs(trajectory.start):
        return None
    path = path_length(history)
    if tiny:
        begun = path is not None and 0 < path < BEGUN
        return _hardly_begun(history, trajectory, path) if path is not None and begun else None
    slope = _slope(trajectory)
    found = slope or _few_windows(trajectory)
    if found is None and trajectory.observed < FEW and path is not None and 0 < path < 1:
        under_way = _falls_by_halves(history, trajectory, path)
        if under_way is not None:
            return under_way
    # If steps have length 0, more of them would not help.
    if found is None and path is not None and 0 < path < BEGUN and (trajectory.elapsed or 0) < FEW:
        return _hardly_begun(history, trajectory, path)
    if found is None or _plateaued(trajectory) or _best_is_over(history) or _bulge(trajectory):
        return None
    fall, first = found
    unit = "epoch" if history.axis == "epoch" else "step"
    # The part begins there only for the judgment. The finding is about the end of the run.
    alike = (trajectory.axis == "epoch") == (history.axis == "epoch")
    since = f", from {unit} {first:,} on," if slope and alike else ""
    return Match(
        "info", 0.6 if trajectory.end > 0.25 * abs(trajectory.start) else 0.45,
        f"In the last {'half' if trajectory.observed < FEW else 'quarter'} of the run{since} the "
        f"loss still fell by {percent(fall)}, to {number(trajectory.end)}. It has not settled by "
        f"{unit} {history.last_step:,}.",
        int(trajectory.steps[-1]), int(trajectory.steps[-1]), (),
        (Evidence("late_loss_fall", fall, FALL, int(trajectory.steps[-1])),),
        _advice(history),
    )


def _plateaued(trajectory: LossTrajectory) -> bool:
    """Whether the loss fell in the first half of the last part of the run and then plateaued.

    An eighth of a short run falls by less than what counts as rest, however steadily (see
    `LossTrajectory.settled`). There, a fall that comes to rest slows down: from one quarter of the
    run to the next it is less than half as large.
    """
    if trajectory.observed >= FEW or not trajectory.settled:
        return trajectory.settled
    (second, _), (third, _), (last, _) = trajectory.parts(4)[-3:]
    return third - last < SLOWER * (second - third)


def _best_is_over(history: RunHistory) -> bool:
    """Whether the validation loss has passed its best level, so that more steps lead away from it.
    """
    paired = paired_losses(history)
    both = None if paired is None else paired.finite
    if both is None or len(both) < VALIDATIONS:
        return False
    since = len(both) - 1 - int(np.argmin(both.validation))
    worse = both.end_validation - float(both.validation.min())
    return since >= max(VALIDATIONS, PAST * len(both)) and worse > 2 * both.noise


def _bulge(trajectory: LossTrajectory) -> bool:
    """Whether the loss is only coming back down from a rise.

    Before the last part it was as low, or higher by less than half the fall that counts as steady.
    """
    reached = np.cumsum(trajectory.weights)
    share = 0.5 if trajectory.observed < FEW else 0.25
    before = trajectory.level[reached <= reached[-1] * (1 - share)]
    weights = trajectory.weights[reached <= reached[-1] * (1 - share)]
    if len(before) < 2 * WINDOWS:
        return False
    # Compare means of stretches, because among many single batches one is always low.
    stretches = np.array_split(np.arange(len(before)), 2 * WINDOWS)
    lowest = min(float(np.average(before[part], weights=weights[part])) for part in stretches)
    return lowest * (1 - FALL / 2) <= trajectory.end


def _hardly_begun(history: RunHistory, trajectory: LossTrajectory, path: float) -> Match | None:
    """So few steps that no layer can have moved far: the loss says little yet, whatever it does."""
    if learns(history):
        return None
    return Match(
        "info", 0.55,
        f"{length_of(trajectory)} are few: even the fastest layer can have moved by at most "
        f"{percent(path)} of its size, so the loss says little yet.",
        int(trajectory.steps[-1]), int(trajectory.steps[-1]), (),
        (
            Evidence("steps", float(trajectory.elapsed or 0), float(FEW)),
            Evidence("path_length", path, BEGUN),
        ),
        _advice(history),
    )


def _falls_by_halves(
    history: RunHistory, trajectory: LossTrajectory, path: float
) -> Match | None:
    """A short run with a loss too noisy for a slope, but with a second half clearly below the
    first.

    Each quarter must be below the one before. This looks at twice as many losses as `_slope`. A
    fall that ended early looks the same, but then the weights have moved as far as their own size.
    """
    if learns(history) or len(trajectory.level) < 4 * WINDOWS:
        return None
    quarters = trajectory.parts(4)
    (first, error), (second, other) = trajectory.parts(2)
    fall = (first - second) / max(abs(first), 1e-30)
    falling = bool((np.diff([mean for mean, _ in quarters]) < 0).all())
    if not falling or fall < FALL or first - second < STEADY * float(np.hypot(error, other)):
        return None
    unit = "epoch" if history.axis == "epoch" else "step"
    return Match(
        "info", 0.55,
        f"The loss in the second half of the run is {percent(fall)} lower than in the first half "
        f"({number(second)} after {number(first)}), and even the fastest layer can have moved by "
        f"at most {percent(path)} of its size. At {unit} {history.last_step:,}, training was still "
        "in progress.",
        int(trajectory.steps[-1]), int(trajectory.steps[-1]), (),
        (
            Evidence("late_loss_fall", fall, FALL, int(trajectory.steps[-1])),
            Evidence("steps", float(trajectory.observed), float(FEW)),
            Evidence("path_length", path),
        ),
        _advice(history),
    )


def _slope(trajectory: LossTrajectory) -> tuple[float, int] | None:
    """Relative fall over the last quarter and its first step; None if the fall is not steady."""
    reached = np.cumsum(trajectory.weights)
    share = 0.5 if trajectory.observed < FEW else 0.25
    quarter = reached > reached[-1] * (1 - share)
    if quarter.sum() < WINDOWS:
        return None
    steps, level = trajectory.steps[quarter].astype(np.float64), trajectory.level[quarter]
    weights = trajectory.weights[quarter]
    center = np.average(steps, weights=weights)
    variance = np.average((steps - center) ** 2, weights=weights)
    if variance <= 0:
        return None
    mean = np.average(level, weights=weights)
    slope = np.average((steps - center) * (level - mean), weights=weights) / variance
    residual = level - mean - slope * (steps - center)
    error = np.sqrt(np.average(residual**2, weights=weights) / variance / max(1, len(level) - 2))
    before = mean + slope * (steps[0] - center)
    fall = min(0.99, -slope * (steps[-1] - steps[0]) / max(float(before), 1e-30))
    if fall < FALL or -slope < STEADY * error:
        return None
    return float(fall), int(steps[0])


def _few_windows(trajectory: LossTrajectory) -> tuple[float, int] | None:
    """The same for a run of a few epochs: each of the last three is lower by more than the noise.
    """
    last, steps, weights = trajectory.level[-3:], trajectory.steps[-3:], trajectory.weights[-3:]
    if len(trajectory.level) < 6 or float(weights.min()) * 20 < trajectory.observed:
        return None
    falls = -np.diff(last)
    seen = trajectory.samples[-3:]
    error = trajectory.noise * np.sqrt(1 / seen[1:] + 1 / seen[:-1])
    if not (falls > 2 * error).all():
        return None
    between = (weights[-1] + weights[-2]) / 2
    fall = float(falls[-1] / max(last[-2], 1e-30)) * trajectory.observed / 4 / max(between, 1.0)
    return (min(fall, 0.99), int(steps[0])) if fall >= FALL else None


def _times_longer(history: RunHistory) -> int:
    """Factor by which to train longer; early stopping ends a run that needs less.

    The factor is at least three: a run that still falls in its last half needs more than the same
    time again. A run whose weights have moved by a part of their size needs enough time to move
    twice their size.
    """
    path = path_length(history)
    if path is None or path <= 0:
        return LONGER
    return int(min(_MOST_TIMES_LONGER, max(LONGER, math.ceil(_ENOUGH / path))))


def _advice(history: RunHistory) -> tuple[str, ...]:
    model, document = configuration(history), history.config
    epochs, each = document.get("epochs"), document.get("steps_per_epoch")
    first = "Train longer, until the validation loss stops falling."
    if isinstance(epochs, int) and epochs > 0:
        first = (
            f"Train longer: epochs={_times_longer(history) * epochs} or more instead of {epochs}, "
            "with EarlyStopping(patience=10, restore_best_weights=True) to stop in time."
        )
    if each == 1 and isinstance(epochs, int):
        size = f" (now {model.batch_size})" if model.batch_size else ""
        return (
            first,
            f"Each epoch is a single step, because one batch is the whole data set{size}: {epochs} "
            f"epochs make only {epochs} updates. Use batch_size=32 for more updates per epoch.",
        )
    found = rates(history)
    if found is not None and 0 < found.last < ANNEALED * float(found.values.max()):
        return (
            first,
            f"The learning rate fell to {number(found.last)} by the end. Stretch its schedule over "
            "the longer run, so that it stays high for longer.",
        )
    return (first, "A higher learning rate needs fewer steps, if it stays stable.")


RULE = Rule(
    id="too-few-steps",
    kind="cause",
    title="Too few training steps",
    needs=("loss|epoch_loss",),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "steps", high=SHORTEST, detail="(to judge the slope of the loss)",
            source="The last half of fewer steps is too short to tell a slope from noise.",
        ),
        Threshold(
            "late_loss_fall", high=FALL,
            source="Relative to the loss at the beginning of the last quarter (or half).",
        ),
        Threshold(
            "steps", low=FEW,
            source="A quarter of such a short run shows no trend in single batches.",
        ),
        Threshold(
            "fall_over_fall_before", high=SLOWER, detail="(in such a short run)",
            source="A loss that approaches its level exponentially falls less from part to part.",
        ),
        Threshold("fall_over_error", high=STEADY, source="A smaller fall may be noise."),
        Threshold(
            "windows", high=WINDOWS,
            source="The slope of fewer windows has no standard error.",
        ),
        Threshold(
            "validations_since_best", low=VALIDATIONS,
            source="After this many, the validation loss no longer improves (Prechelt 1998).",
        ),
        Threshold(
            "validations_since_best", low=PAST, detail="(as a share of all validations)",
            source="Among many validations, a few without progress are noise.",
        ),
        Threshold(
            "last_rate_over_largest", low=ANNEALED,
            source=(
                "If the rate ends below this part of its largest value, the schedule itself has "
                "ended the fall of the loss."
            ),
        ),
        Threshold(
            "loss_end_over_start", high=SOLVED,
            source=(
                "Below this part of the starting loss, more training makes no noticeable "
                "difference."
            ),
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure("last_rate_over_largest", "last learning rate over largest", ("learning_rate",)),
        Measure(
            "fall_over_fall_before", "fall in the last quarter over that in the quarter before",
            ("loss",),
        ),
        Measure("fall_over_error", "fall over its standard error", ("loss",)),
        Measure("windows", "windows of the last quarter"),
        Measure("validations_since_best", "validations since the best one", ("validation_loss",)),
        Measure("late_loss_fall", "relative fall of the loss over the last "
                                  "quarter", ("loss",), "fraction"),
    ),
    shows=("loss",),
    explains=("loss-not-decreasing", "underfitting", "update-ratio-out-of-range"),
    # The finding is dated by the end of the run; the others say how far it had come by then.
    restates=("loss-not-decreasing", "underfitting", "update-ratio-out-of-range"),
    excluded_by=("overfitting",),
    experiment="train twice as long",
    falsified_by=("The run is still in progress.", "The validation loss has stopped falling."),
    false_alarms=("A loss that approaches zero keeps falling forever, relative to itself.",),
    references=("Prechelt 1998, Early Stopping - But When?",),
)
