"""The steps are too small: the gradients are healthy, but the weights hardly change."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import step_size
from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_evidence import fall_of_loss, length_of
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.optimizer_parts import part_of_layer
from tb_convergence.core.diagnosis.rate_schedule import (
    DECAYED,
    Rates,
    decay_text,
    rates,
    stated_rate,
)
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.step_size import (
    BEGUN,
    HEALTHY,
    TYPICAL,
    path_length,
    ratio_from_rate,
)
from tb_convergence.core.diagnosis.table_columns import (
    WEIGHT_KINDS,
    largest_per_record,
    median_over_time,
    weight_rows,
    weights_column,
)
from tb_convergence.core.diagnosis.training_progress import (
    LEARNS,
    LITTLE,
    SOLVED,
    learns,
    solved,
    unfinished,
)
from tb_convergence.core.history import NoStatisticError, RunHistory, Table
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent, rounded
from tb_convergence.core.text.phrases import loss_change

RATIO: Final = step_size.SMALL
MANY: Final = 200
FAR: Final = 0.7
LED_FAR: Final = 1.0
ALIVE: Final = 1e-7
MINUTE: Final = 1e-6
MANY_LOSSES: Final = 15
GONE: Final = 1e-3
LOWERED: Final = (
    "Find what lowers the rate. ReduceLROnPlateau needs mode='min' for a loss, mode='max' for an "
    "accuracy, and a patience of several epochs; LearningRateScheduler gets the epoch, not the "
    "step."
)
_FAR_ENOUGH: Final = 2.0
"""Path length, relative to the size of a layer, that a whole run should allow."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    table, trajectory = history.table("variables"), loss_trajectory(history)
    if table is None or not (table.has("update_ratio") or ratio_from_rate(history)):
        found = _by_rate_alone(history, trajectory, signs)
        if found is None:
            raise NoStatisticError("update_ratio", "variables")
        return found
    if trajectory is None or "loss-divergence" in signs or _died(table, signs):
        return None
    if solved(history):
        return None  # small steps polish a model that was trained before
    bad = signs.get("non-finite-values")
    if bad is not None and bad.ruins:
        return None  # longer steps do not fix NaN
    if not table.has("update_ratio"):
        return _by_rate(history, table, trajectory)
    ratio = median_over_time(weights_column(table, "update_ratio", "high"))
    if not np.isfinite(ratio).any():
        return None
    fastest = float(np.nanmax(ratio))
    if table.has("gradient_mean_abs"):
        gradient = median_over_time(weights_column(table, "gradient_mean_abs", "low"))
        if not np.isfinite(gradient).any() or float(np.nanmax(gradient)) <= ALIVE:
            return None
    found = strongest(
        _tiny(history, table, trajectory, fastest),
        _hardly_begun(history, table, trajectory, fastest),
        _slow(history, table, trajectory, fastest),
        _died_early(history, table, trajectory, fastest),
    )
    known = rates(history)
    if found is None or known is None or not known.died_early:
        return found
    unit = "epoch" if history.axis == "epoch" else "step"
    return replace(
        found, summary=found.summary + decay_text(known, unit),
        title="The learning rate decays too soon",
        evidence=(
            *found.evidence,
            Evidence("learning_rate_left", known.last / float(known.values.max()),
                     DECAYED, int(known.steps[-1])),
        ),
    )


def _died(table: Table, signs: Signs) -> bool:
    """Whether the weights stopped because their gradient became exactly zero, not for a low rate.

    Small updates after the gradient vanished say nothing about the rate. The records before decide:
    if one of them has a healthy update ratio, the rate was not too low.
    """
    zero = signs.get("zero-gradient")
    if zero is None or zero.severity == "info" or zero.first_step <= int(table.steps[0]):
        return False
    alive = weights_column(table, "update_ratio", "high")[table.steps < zero.first_step]
    return bool((np.nan_to_num(alive) >= TYPICAL).any())


def _tiny(
    history: RunHistory, table: Table, trajectory: LossTrajectory, fastest: float
) -> Match | None:
    if trajectory.observed < 30 or not fastest < RATIO or trajectory.fall > LEARNS:
        return None
    layer, what = _fastest(table), _weights(table)
    steps = largest_per_record(weights_column(table, "update_ratio", "high"))
    onset = mostly_since(steps < RATIO) or 0
    return Match(
        severity="critical" if fastest < RATIO / 10 else "warning",
        confidence=min(0.95, 0.6 + 0.2 * float(np.log10(RATIO / max(fastest, 1e-12)))),
        summary=(
            f"Even the fastest {what}, that of {layer}, changes by only {number(fastest, 2)} of "
            f"its size per step (median). In {length_of(trajectory)} the loss "
            f"{loss_change(trajectory.fall, trajectory.chance)}."
            + (" Biases do not count, because they start at 0." if what == "kernel" else "")
        ),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=(layer,),
        evidence=(
            Evidence("fastest_update_ratio", fastest, RATIO, None, layer, detail=what),
            fall_of_loss(trajectory, LEARNS),
        ),
        advice=_advice(history, fastest, 1e-3),
    )


def _by_rate(history: RunHistory, table: Table, trajectory: LossTrajectory) -> Match | None:
    """A rate so low that no common optimizer moves the weights, where updates were not recorded."""
    bounds = ratio_from_rate(history)
    if bounds is None:
        return None
    most = median_over_time(bounds[1])
    gradient = median_over_time(weights_column(table, "gradient_norm", "low"))
    if not np.isfinite(most).any():
        return None
    fastest = float(np.nanmax(most))
    if trajectory.observed < 30 or trajectory.fall > LEARNS or not (gradient > 0).any():
        return None
    path = fastest * trajectory.elapsed if trajectory.elapsed is not None else np.inf
    hardly_begun = (
        path < BEGUN and (trajectory.elapsed or 0) >= MANY and fastest < TYPICAL
    )
    if fastest >= RATIO and not hardly_begun:
        return None
    known = rates(history)
    rate = float("nan") if known is None else float(np.median(known.values))
    layer = table.rows[weight_rows(table)[int(np.nanargmax(most))]].layer
    return Match(
        severity="warning",
        confidence=0.7,
        summary=(
            f"At a learning rate of {number(rate)}, neither SGD with momentum nor Adam changes a "
            f"layer by more than {number(fastest)} of its size per step"
            + (f", or by {percent(path)} in all" if hardly_begun else "")
            + f". In {length_of(trajectory)} the loss "
            f"{loss_change(trajectory.fall, trajectory.chance)}."
        ),
        first_step=int(table.steps[0]),
        last_step=int(table.steps[-1]),
        layers=(layer,),
        evidence=(
            Evidence("fastest_update_ratio", fastest, RATIO if fastest < RATIO else TYPICAL, None,
                     layer, detail=f"{_weights(table)}, at most"),
            *([Evidence("path_length", path, BEGUN)] if hardly_begun else []),
            fall_of_loss(trajectory, LEARNS),
        ),
        advice=_advice(history, fastest, 1e-3),
    )


def _by_rate_alone(
    history: RunHistory, trajectory: LossTrajectory | None, signs: Signs
) -> Match | None:
    """A rate below any that trains a network from its start, in a log of nothing but scalars.

    Adam moves an entry by at most about the rate, so a layer with default weights and up to 10,000
    inputs (a standard deviation of 0.006 or more) by less than 2e-4 of its size. SGD would need a
    gradient of a hundred times the weights to move them by more than that.
    """
    known, stated = rates(history), stated_rate(history)
    if trajectory is None or trajectory.observed < MANY_LOSSES:
        return None
    gone = _gone_before_it_learned(history, trajectory, known)
    if gone is not None:
        return gone
    if known is not None:
        highest, says = float(known.values.max()), "The learning rate is never above"
    elif stated is not None:
        highest, says = stated[1], f"The hyperparameter {stated[0]} is"
    else:
        return None
    # Trained weights are tuned at such rates: only a loss that stands still speaks against one,
    # and one whose noise hides whether it does is no more than a hint.
    stands = "loss-not-decreasing" in signs
    # Loggers store a rate of 1e-6 as the float32 next to it.
    if not 0 < highest <= MINUTE * (1 + 1e-6):
        return None
    if not (stands or trajectory.fall <= trajectory.chance):
        return None
    return Match(
        severity="warning" if stands else "info",
        confidence=0.5 if stands else 0.4,
        summary=(
            f"{says} {number(highest)}. In {length_of(trajectory)} the "
            f"loss {loss_change(trajectory.fall, trajectory.chance)}. Adam moves a weight by at "
            "most about the rate per step, and SGD by the rate times its gradient."
        ),
        first_step=int(trajectory.steps[0]),
        last_step=int(trajectory.steps[-1]),
        layers=(),
        evidence=(
            Evidence("highest_learning_rate", highest, MINUTE, side="at most"),
            fall_of_loss(trajectory, LEARNS),
        ),
        advice=(
            "Raise the learning rate: 1e-3 for Adam, 1e-2 to 1e-1 for SGD. Or find one with the "
            "LR range test: a little below the highest rate at which the loss still falls.",
        ),
    )


def _gone_before_it_learned(
    history: RunHistory, trajectory: LossTrajectory, known: Rates | None
) -> Match | None:
    """A schedule that ends in the first quarter of a run that has not learned, and rests since."""
    if known is None or trajectory.observed < MANY_LOSSES or unfinished(history):
        return None
    left = known.left_for_most
    if left >= GONE or not known.died_at_once or not trajectory.settled:
        return None
    # A loss that never began to fall has another fault, and ReduceLROnPlateau follows it down.
    if trajectory.fall > 1 - LITTLE or not (trajectory.fell or known.falls_from_the_start):
        return None
    unit = "epoch" if history.axis == "epoch" else "step"
    return Match(
        severity="warning",
        confidence=0.7,
        summary=(
            f"The learning rate is almost 0 after the first quarter of the run, and the loss "
            f"{loss_change(trajectory.fall, trajectory.chance)}.{decay_text(known, unit)}"
        ),
        first_step=known.decayed_step or 0,
        last_step=int(trajectory.steps[-1]),
        layers=(),
        evidence=(
            Evidence("learning_rate_left", left, GONE),
            fall_of_loss(trajectory, 1 - LITTLE),
        ),
        advice=(
            "Let the schedule end with the run, not before it. With one that counts steps, check "
            "that its unit is a step and not an epoch (scheduler.step() once per epoch or batch).",
            "Train with a constant rate first. If the loss then falls, the schedule was the cause.",
        ),
        title="The learning rate decays too soon",
    )


def _fastest(table: Table) -> str:
    """Layer whose weights have the largest typical update ratio."""
    ratio = median_over_time(weights_column(table, "update_ratio", "high"))
    return table.rows[weight_rows(table)[int(np.nanargmax(ratio))]].layer


def _weights(table: Table) -> str:
    """The kind of variable that is compared: "kernel", or "variable" if no row names its kind."""
    return "kernel" if table.rows_of(*WEIGHT_KINDS) else "variable"


def _hardly_begun(
    history: RunHistory, table: Table, trajectory: LossTrajectory, fastest: float
) -> Match | None:
    """All steps together cannot have moved any layer far: each is too short, or they are too few.
    """
    path = path_length(history)
    if path is None or path >= BEGUN or trajectory.observed < 15 or learns(history):
        return None
    if unfinished(history) or trajectory.fall > LEARNS or fastest >= HEALTHY:
        return None
    many = (trajectory.elapsed or 0) >= MANY and fastest < TYPICAL
    return Match(
        severity="warning" if many else "info",
        confidence=0.65 if many else 0.45,
        summary=(
            f"Each step changes the fastest layer by about {number(fastest, 2)} of its size, so in "
            f"{length_of(trajectory)} it can have moved by at most {percent(path)}. The loss "
            f"{loss_change(trajectory.fall, trajectory.chance)}: training has hardly begun."
        ),
        first_step=int(table.steps[0]),
        last_step=int(table.steps[-1]),
        evidence=(
            Evidence("path_length", path, BEGUN),
            Evidence("fastest_update_ratio", fastest,
                     TYPICAL if fastest < TYPICAL else None, detail=_weights(table)),
            fall_of_loss(trajectory, LEARNS),
        ),
        advice=_advice(history, fastest, 3e-3),
    )


def _died_early(
    history: RunHistory, table: Table, trajectory: LossTrajectory, fastest: float
) -> Match | None:
    """A rate that was gone in the first tenth of a run that has not learned, or in its first half
    if the loss has rested since.

    The first steps are recorded densely, so what is typical of the records is not of the run.
    """
    known = rates(history)
    if known is None or not known.died_early or trajectory.observed < 30 or learns(history):
        return None
    if unfinished(history) or trajectory.fall > LEARNS:
        return None
    if not known.died_at_once and not trajectory.settled:
        return None
    path = path_length(history)
    return Match(
        severity="warning",
        confidence=0.8 if known.died_at_once else 0.7,
        summary=(
            f"The learning rate is nearly gone for most of the run, and the loss "
            f"{loss_change(trajectory.fall, trajectory.chance)}."
        ),
        first_step=known.decayed_step or 0,
        last_step=int(table.steps[-1]),
        layers=(),
        evidence=(
            fall_of_loss(trajectory, LEARNS),
            *((Evidence("path_length", path),) if path is not None else ()),
        ),
        advice=_advice(history, fastest, 3e-3),
    )


def _slow(
    history: RunHistory, table: Table, trajectory: LossTrajectory, fastest: float
) -> Match | None:
    """A fall so smooth and slow that larger steps would probably work: never more than a hint.

    The steps are below the middle of the healthy range and have not led far. The loss falls almost
    every time and has far to go. Recorded data cannot tell whether a higher rate would be stable.
    """
    if trajectory.observed < 15 or fastest >= HEALTHY or unfinished(history):
        return None
    path = path_length(history)
    if path is not None and path >= LED_FAR:
        return None  # the weights have been far and wide: the last of a fall is slow at any rate
    if trajectory.fall > FAR or not trajectory.steady_fall:
        return None
    return Match(
        severity="info",
        confidence=0.4,
        summary=(
            f"The loss falls smoothly but slowly, by {percent(trajectory.fall)} in "
            f"{length_of(trajectory)}. The fastest layer changes by {number(fastest, 2)} of its "
            "size per step. A higher learning rate may be faster; the LR range test decides."
        ),
        first_step=int(table.steps[0]),
        last_step=int(table.steps[-1]),
        evidence=(
            Evidence("fastest_update_ratio", fastest, HEALTHY, detail=_weights(table)),
            fall_of_loss(trajectory, FAR),
        ),
        advice=_advice(history, fastest, 3e-3),
    )


def _advice(history: RunHistory, fastest: float, wanted: float) -> tuple[str, ...]:
    table = history.table("variables")
    if table is not None and len(table.steps) and table.has("update_ratio"):
        ratio = median_over_time(weights_column(table, "update_ratio", "high"))
        if np.isfinite(ratio).any():
            history = part_of_layer(history, _fastest(table))
    known, model = rates(history), configuration(history)
    name = model.optimizer
    test = "the LR range test: a little below the highest rate at which the loss still falls."
    if known is not None and known.died_early:
        return _slower_decay(known, model, test)
    advice = f"Find a higher learning rate with {test}"
    if known is not None and known.last > 0:
        rate = float(np.median(known.values))
        factor = _factor(history, model, rate, fastest, wanted)
        now, new = (
            model.with_rate(value, 1) or number(value, 1) for value in (rate, rate * factor)
        )
        advice = (
            f"Raise the learning rate about {number(factor, 2)}-fold: {new} instead of {now}. Or "
            f"find a rate with {test}"
        )
    return (advice,) if name.startswith("Adam") else (
        advice, "Or use an adaptive optimizer: Adam(1e-3)."
    )


def _factor(
    history: RunHistory, model: Configuration, rate: float, fastest: float, wanted: float
) -> float:
    """Factor by which to raise `rate`, at which the fastest layer changes by `fastest` per step.

    Updates are proportional to the rate. They should be at least `wanted`, and long enough that a
    run of as many steps can move a layer by its own size, but remain healthy. If Adam's default
    rate meets this, it is taken, because most networks train with it.
    """
    trajectory = loss_trajectory(history)
    steps = trajectory.observed if trajectory is not None else 0
    aim = min(HEALTHY, max(wanted, _FAR_ENOUGH / max(steps, 1)))
    factor = aim / max(fastest, 1e-12)
    default = step_size.ADAM / rate
    near = default > 3 and fastest * default <= HEALTHY
    if model.optimizer.startswith("Adam") and near:
        return default
    # Rates are given as 1, 3, 10: the next lower one, as a step too long costs more than one short.
    return max(3.0, rounded(10 ** (math.floor(2 * math.log10(factor) + 0.2) / 2), 1))


def _slower_decay(known: Rates, model: Configuration, test: str) -> tuple[str, ...]:
    """Advice for a schedule that decayed long before training ended."""
    highest = float(known.values.max())
    return (
        f"Let {known.schedule} decay over the whole training: it counts steps, not epochs "
        "(decay_steps = steps_per_epoch * epochs)." if known.schedule else
        LOWERED,
        f"Or train at the initial rate, {model.with_rate(highest, 3) or number(highest)}, until "
        "the loss plateaus, and decay from there.",
        f"If the initial rate was too low as well, find a better one with {test}",
    )


RULE = Rule(
    id="learning-rate-too-low",
    kind="cause",
    title="The learning rate is too low",
    needs=("loss", "update_ratio|learning_rate|hparams"),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_over_baseline", high=SOLVED, detail="(or the validation loss above twice that)",
            source=(
                "If both are lower, little is left to improve, and small updates do no harm."
            ),
        ),
        Threshold(
            "fastest_update_ratio", low=RATIO, detail="layer",
            source="About 1e-3 is healthy for the fastest layer (Karpathy, CS231n).",
        ),
        Threshold(
            "fastest_update_ratio", low=TYPICAL, detail="layer (for a warning)",
            source="The ratio is about 1e-3 in a healthy run (Karpathy, CS231n).",
        ),
        Threshold(
            "steps", high=MANY, detail="(for a warning)",
            source="In a shorter run, the number of steps may be the problem rather than the rate.",
        ),
        Threshold(
            "fastest_update_ratio", low=HEALTHY, detail="layer (if the loss falls smoothly)",
            source=(
                "A tenth of the ratio at which steps become too large leaves room for a higher "
                "rate."
            ),
        ),
        Threshold(
            "loss_fall", low=FAR,
            source="A loss that fell further has made real progress.",
        ),
        Threshold(
            "path_length", low=LED_FAR,
            source=(
                "Learning changes a layer by about its own size. Once the fastest layer has moved "
                "that far, the rate did not hold it back."
            ),
        ),
        Threshold(
            "highest_learning_rate", low=MINUTE, detail="(if only scalars were recorded)",
            source=(
                "Published recipes train from scratch at 1e-4 to 1e-2 with Adam and at 1e-3 to 1 "
                "with SGD, and mostly fine-tune above 1e-6."
            ),
        ),
        Threshold(
            "records", high=MANY_LOSSES, detail="(if only scalars were recorded)",
            source="Fewer losses do not show that the loss stands still.",
        ),
        Threshold(
            "learning_rate_left", low=GONE, detail="(after the first quarter)",
            source=(
                "Schedules end near a thousandth of the peak, and reach it only with the last "
                "steps. A lower rate during three quarters of the run trains nothing."
            ),
        ),
        Threshold(
            "gradient_mean_abs", high=ALIVE,
            source="Smaller gradients count as vanished (DeepDiagnosis, DeepFD).",
        ),
    ),
    measures=(
        Measure("learning_rate_left", "last learning rate over the highest", ("learning_rate",)),
    ),
    shows=("update_ratio",),
    explains=("loss-not-decreasing", "update-ratio-out-of-range", "underfitting"),
    restates=("update-ratio-out-of-range",),
    excluded_by=("non-finite-values", "learning-rate-too-high"),
    experiment="LR range test",
    falsified_by=(
        "A ten times higher learning rate does not make the loss fall faster.",
        "The model starts from trained weights and should move little.",
    ),
    false_alarms=("Fine-tuning and the end of a decaying schedule use small updates on purpose.",),
    references=("Karpathy, CS231n: ratio of weights and updates", "Smith 2017, arXiv:1506.01186"),
)
