"""The loss ends where it began: nothing was learned.

The level over the last tenth of the run is compared with the mean of the first three steps. A
difference within the noise of single batches is no fall.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.progress import unfinished
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.wording import fall_of_loss, length_of, percent
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure

UNEVEN: Final = 0.3
FIRST: Final = 10
CALM: Final = 4.0
CHANCE: Final = 0.97
ABOVE: Final = 1.1
CHANCE_STEPS: Final = 60
EPOCHS: Final = 4
NEAR: Final = 0.005
CLASSES: Final = (*range(2, 11), 20, 50, 100, 1000)
MINIMUM_STEPS = 30


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    trajectory = loss_trajectory(history)
    if trajectory is None:
        return None
    if trajectory.axis == "epoch" and trajectory.observed == EPOCHS:
        return _at_chance(history, trajectory)  # too few for anything but a level that is known
    if trajectory.observed < (MINIMUM_STEPS if trajectory.axis != "epoch" else EPOCHS):
        return None
    if trajectory.fell or (trajectory.axis == "epoch" and _unknown_start(trajectory.fall)):
        return _at_chance(history, trajectory)
    if trajectory.end > trajectory.diverging_above or trajectory.end > 2 * abs(trajectory.start):
        return None  # that is more than standing still: see loss-divergence
    if _lucky_start(trajectory):
        return None
    return Match(
        severity="warning",
        confidence=0.8 if trajectory.fall < 0.02 else 0.6,
        summary=(
            f"After {length_of(trajectory)} the loss is {trajectory.end:.4g}; it began at "
            f"{trajectory.start:.4g}."
        ),
        # It stood still from the first step on; that it does, a tenth of the run shows.
        first_step=int(trajectory.steps[0]),
        judged_step=trajectory.settled_step,
        last_step=int(trajectory.steps[-1]),
        evidence=(
            fall_of_loss(trajectory, trajectory.standstill),
            Evidence("loss_start", trajectory.start, None, int(trajectory.steps[0])),
            Evidence("loss_end", trajectory.end, None, int(trajectory.steps[-1])),
            Evidence("loss_noise", trajectory.noise),
        ),
    )


def _lucky_start(trajectory: LossTrajectory) -> bool:
    """Whether single batches differ so much that the first one says little of where it began.

    Then the loss fell if it ends below the mean of the first ten, thrown-up ones left out.
    """
    if trajectory.chance < UNEVEN:
        return False
    early = trajectory.level[:FIRST]
    calm = early[np.abs(early) <= CALM * abs(trajectory.start)]
    return len(calm) >= 3 and trajectory.end < float(np.mean(calm)) * (1 - trajectory.standstill)


def _at_chance(history: RunHistory, trajectory: LossTrajectory) -> Match | None:
    """A loss that came down only to where a model is that ignores its input, and rests there.

    Known from the targets where these were recorded. Of the means of epochs alone, a loss that
    stays within a few thousandths of ln C is that of a classifier that knows nothing.
    """
    if unfinished(history) or not trajectory.settled:
        return None
    baseline, confidence = baseline_loss(history), 0.75
    if baseline is None and trajectory.axis == "epoch":
        baseline, confidence = _logarithm(trajectory), 0.6
    if baseline is None or baseline <= 0 or trajectory.observed < EPOCHS:
        return None
    if trajectory.axis == "step" and trajectory.observed < CHANCE_STEPS:
        return None
    over = trajectory.end / baseline
    if not CHANCE <= over <= ABOVE:
        return None
    return Match(
        "warning", confidence,
        f"After {length_of(trajectory)} the loss rests at {trajectory.end:.4g}, "
        f"{percent(over)} of what a model gets that ignores its input ({baseline:.4g}).",
        int(trajectory.steps[0]), int(trajectory.steps[-1]), (),
        (
            Evidence("loss_over_baseline", over, CHANCE,
                     int(trajectory.steps[-1]), side="at least"),
        ),
        title="The loss stays at chance",
        judged_step=trajectory.settled_step,
    )


def _logarithm(trajectory: LossTrajectory) -> float | None:
    """ln C where every epoch's mean lies at it, for a small or round number of classes."""
    for classes in CLASSES:
        chance = math.log(classes)
        if bool((np.abs(trajectory.level / chance - 1) < NEAR).all()):
            return chance
    return None


def _unknown_start(fall: float) -> bool:
    """Epoch means alone do not show the first steps: a small fall may follow a large unseen one."""
    return fall > -0.02


RULE = Rule(
    id="loss-not-decreasing",
    kind="symptom",
    title="The loss does not decrease",
    needs=("loss|epoch_loss",),
    at_least=4,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "batch_scatter", low=UNEVEN,
            source=(
                "Part of the start by which three standard deviations of one batch differ, from "
                "which the first batch alone is no start."
            ),
        ),
        Threshold("records", high=FIRST, detail="at the start"),
        Threshold(
            "early_loss_over_start", low=CALM,
            source=(
                "Times its start above which an early loss was thrown up, and is no level of "
                "the start."
            ),
        ),
        Threshold(
            "loss_over_baseline", high=CHANCE,
            source=(
                "Loss over that of ignoring the input, from which nothing was learned: the "
                "shares of single batches scatter by a few per cent."
            ),
        ),
        Threshold(
            "loss_over_baseline", low=ABOVE, detail="(else it is not chance)",
            source="The same above which it is not chance that holds the loss there.",
        ),
        Threshold(
            "steps", high=CHANCE_STEPS, detail="at chance",
            source="Steps from which a loss at rest at chance is no slow start.",
        ),
        Threshold("epochs", high=EPOCHS),
        Threshold(
            "distance_from_uniform", low=NEAR,
            source="Distance from ln C, relative, within which every mean of an epoch lies.",
        ),
        Threshold(
            "steps", high=MINIMUM_STEPS,
            source="Fewer steps than this and a loss that stands still says nothing.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "batch_scatter", "three standard deviations of one batch, over the start",
            ("loss",), "fraction",
        ),
        Measure("early_loss_over_start", "early loss over its start", ("loss",)),
        Measure(
            "distance_from_uniform", "distance of the loss from ln C, relative",
            ("epoch_loss",), "fraction",
        ),
        Measure("loss_noise", "std of one batch's loss", ("loss",)),
    ),
    shows=("loss",),
    of_sound=True,
    advice=(
        "Fit ten samples until the loss is nearly zero: if that fails, model, loss or labels are "
        "wrong; if it works, look at learning rate, data and regularization.",
    ),
    falsified_by=("The loss falls clearly when training goes on with the same settings.",),
    false_alarms=("A model that starts from trained weights may have little left to learn.",),
    references=("Rauschmayr et al. 2021, SageMaker Debugger: LossNotDecreasing",),
)
