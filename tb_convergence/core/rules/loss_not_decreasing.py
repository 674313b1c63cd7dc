"""The loss ends where it began: the model learned nothing.

The mean of the last tenth of the run is compared with the mean of the first three steps. A
difference within the noise of single batches does not count as a fall.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_evidence import fall_of_loss, length_of
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import NEAR, learns, unfinished, uniform_loss
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

UNEVEN: Final = 0.3
FIRST: Final = 10
CALM: Final = 4.0
CHANCE: Final = 0.97
ABOVE: Final = 1.1
CHANCE_STEPS: Final = 60
EPOCHS: Final = 4
_ALIKE: Final = 0.1
_BETWEEN: Final = 0.8
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
    # Trained weights may well stay where they are when training continues.
    low = learns(history)
    return Match(
        severity="info" if low else "warning",
        confidence=0.8 if trajectory.fall < 0.02 else 0.6,
        summary=(
            f"After {length_of(trajectory)} the loss is {number(trajectory.end, 4)}; "
            f"{_beginning(trajectory)}."
            + (" That is low already, as of weights that were trained before." if low else "")
        ),
        # The loss was constant from the first step on, but only a tenth of the run shows it.
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


def _beginning(trajectory: LossTrajectory) -> str:
    """Where the loss began, and how low it came in between if that is well below."""
    start, first = number(trajectory.start, 4), float(trajectory.level[0])
    alike = abs(first - trajectory.start) <= _ALIKE * abs(first)
    began = f"it began at {start}" if alike else f"the first three records average {start}"
    if 0 < trajectory.lowest < _BETWEEN * trajectory.start:
        return f"{began}, and it had fallen to {number(trajectory.lowest, 4)} in between"
    return began


def _lucky_start(trajectory: LossTrajectory) -> bool:
    """Whether batches differ so much that the first one says little about the initial loss.

    In that case the loss fell if it ends below the mean of the first ten records, outliers
    excluded.
    """
    if trajectory.chance < UNEVEN:
        return False
    early = trajectory.level[:FIRST]
    calm = early[np.abs(early) <= CALM * abs(trajectory.start)]
    return len(calm) >= 3 and trajectory.end < float(np.mean(calm)) * (1 - trajectory.standstill)


def _at_chance(history: RunHistory, trajectory: LossTrajectory) -> Match | None:
    """A loss that fell only to that of a model that ignores its input, and stays there.

    The baseline follows from the recorded targets. If only epoch means exist, a loss that stays
    within a few thousandths of ln C is that of a classifier that knows nothing.
    """
    if unfinished(history) or not trajectory.settled:
        return None
    baseline, confidence = baseline_loss(history), 0.75
    if baseline is None and trajectory.axis == "epoch":
        baseline, confidence = uniform_loss(trajectory.level), 0.6
    if baseline is None or baseline <= 0 or trajectory.observed < EPOCHS:
        return None
    if trajectory.axis == "step" and trajectory.observed < CHANCE_STEPS:
        return None
    over = trajectory.end / baseline
    if not CHANCE <= over <= ABOVE:
        return None
    return Match(
        "warning", confidence,
        f"After {length_of(trajectory)} the loss stays at {number(trajectory.end, 4)}, "
        f"{percent(over)} of the loss of a model that ignores its input ({number(baseline, 4)}).",
        int(trajectory.steps[0]), int(trajectory.steps[-1]), (),
        (
            Evidence("loss_over_baseline", over, CHANCE,
                     int(trajectory.steps[-1]), side="at least"),
        ),
        title="The loss stays at chance level",
        judged_step=trajectory.settled_step,
    )


def _unknown_start(fall: float) -> bool:
    """Whether the loss may have fallen before the first epoch mean: yes, unless it rose since."""
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
                "If batches vary by more than this, the first batch alone does not show the "
                "initial loss."
            ),
        ),
        Threshold(
            "records", high=FIRST, detail="at the start",
            source="If single batches vary too much, the mean of these is the initial loss.",
        ),
        Threshold(
            "early_loss_over_start", low=CALM,
            source="A higher early loss is an outlier and not part of the initial level.",
        ),
        Threshold(
            "loss_over_baseline", high=CHANCE,
            source=(
                "The model has then learned nothing; the losses of single batches vary by a few "
                "per cent."
            ),
        ),
        Threshold(
            "loss_over_baseline", low=ABOVE, detail="(upper bound)",
            source="A higher loss is not at chance level.",
        ),
        Threshold(
            "steps", high=CHANCE_STEPS, detail="at chance level",
            source="A shorter plateau at chance level may be a slow start.",
        ),
        Threshold("epochs", high=EPOCHS, source="A level needs several epochs to be known."),
        Threshold(
            "distance_from_uniform", low=NEAR,
            source="Every epoch mean must lie within this distance.",
        ),
        Threshold(
            "steps", high=MINIMUM_STEPS,
            source="After fewer steps, a constant loss proves nothing.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "batch_scatter", "three standard deviations of one batch over the start",
            ("loss",), "fraction",
        ),
        Measure("early_loss_over_start", "early loss over its start", ("loss",)),
        Measure(
            "distance_from_uniform", "relative distance of the loss from ln C",
            ("epoch_loss",), "fraction",
        ),
        Measure("loss_noise", "std of the loss of one batch", ("loss",)),
    ),
    shows=("loss",),
    of_sound=True,
    advice=(
        "Fit ten samples until the loss is nearly zero. If that fails, the model, the loss or the "
        "labels are wrong. If it works, look at the learning rate, the data and the "
        "regularization.",
    ),
    falsified_by=("The loss falls clearly when training continues with the same settings.",),
    false_alarms=("A model that starts from trained weights may have little left to learn.",),
    references=("Rauschmayr et al. 2021, SageMaker Debugger: LossNotDecreasing",),
)
