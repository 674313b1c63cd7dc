"""The steps are so large that they leave the region where the gradient is a valid guide.

The finding needs two signs: updates that are large relative to the weights (or growing gradients,
if updates were not recorded), *and* a loss that suffers: it diverges, becomes non-finite, or does
not fall. Many healthy runs begin with large updates, so these alone prove nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import step_size
from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.first_steps import FirstSteps, first_steps
from tb_convergence.core.diagnosis.loss_evidence import loss_over_start
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.optimizer_parts import part_of_layer
from tb_convergence.core.diagnosis.rate_schedule import Raise, rates, stated_rate
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.table_columns import (
    gradient_growth,
    largest_per_record,
    layers_of,
    weight_rows,
    weights_column,
)
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import NoStatisticError, RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.rules.non_finite_values import finite_loss_text, onset_unknown
from tb_convergence.core.rules.zero_gradient import momentum_text
from tb_convergence.core.text.numbers import number, percent, rounded
from tb_convergence.core.text.phrases import listed

RATIO: Final = step_size.LARGE
GROWTH: Final = 2.0
LASTING: Final = 0.25


EARLY: Final = 20
DESTROYING: Final = 3 * RATIO
DIED: Final = 0.3
SPIKED: Final = 3.0
RECORDS: Final = 5
EXTREME: Final = 1.0
HEAVY: Final = 0.99
_USUAL: Final = 0.9
"""The momentum of most published recipes (Goodfellow et al. 2016, 8.3.2)."""


@dataclass(frozen=True, slots=True)
class _Harm:
    """How the loss suffered, and from which step."""

    text: str
    step: int
    confidence: float
    note: str = ""
    worse: bool = True
    """Whether the loss became worse or ceased to be a number, rather than stood still."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    trajectory, table = loss_trajectory(history), history.table("variables")
    if table is None or not len(table.steps):
        found = _by_rate_alone(history, _harm(history, trajectory, signs))
        if found is None:
            raise NoStatisticError("update_ratio", "variables")
        return found
    harm = _harm(history, trajectory, signs) or _early_loss_spike(history, trajectory)
    if harm is None:
        return _destroyed_start(history)
    if table.has("update_ratio"):
        return strongest(
            _by_momentum(history, harm), _by_updates(history, table, trajectory, harm),
            _destroyed_start(history),
        )
    return _by_momentum(history, harm) or (
        _by_rate(history, table, harm) or _by_growth(history, table, harm)
        or _by_gradients(history, table, harm)
    )


def _harm(history: RunHistory, trajectory: LossTrajectory | None, signs: Signs) -> _Harm | None:
    bad = signs.get("non-finite-values")
    divergence = signs.get("loss-divergence")
    if bad is not None:
        at = "by" if onset_unknown(history) else "at"
        text = f"NaN or Inf appeared {at} step {bad.first_step:,}"
        return _Harm(text, bad.first_step, 0.9, finite_loss_text(history))
    dead = signs.get("zero-gradient")
    if dead is not None and dead.severity == "critical" and dead.first_step > 0:
        first = "the earliest " if len({item.step for item in dead.evidence}) > 1 else ""
        text = (
            f"most of the gradient of {listed(dead.layers)} is exactly zero, {first}since step "
            f"{dead.first_step:,}"
        )
        return _Harm(text, dead.first_step, 0.85, momentum_text(history))
    if divergence is not None:
        text = f"the loss diverged from step {divergence.first_step:,}"
        return _Harm(text, divergence.first_step, 0.85)
    standing = signs.get("loss-not-decreasing")
    if trajectory is not None and standing is not None:
        # A loss at chance level may have fallen from an explosion.
        text = "the loss stays at chance level" if standing.title else "the loss does not fall"
        return _Harm(text, int(trajectory.steps[-1]), 0.7, worse=False)
    if trajectory is not None and "loss-oscillation" in signs:
        return _Harm("the loss oscillates from epoch to epoch", int(trajectory.steps[-1]), 0.7)
    return None


def _early_loss_spike(history: RunHistory, trajectory: LossTrajectory | None) -> _Harm | None:
    """A loss that the first steps pushed far above its start, in a run that has not learned since.
    """
    run = history.table("run")
    if trajectory is None or run is None or learns(history):
        return None
    name = "window_loss_max" if run.has("window_loss_max") else "loss"
    if not run.has(name):
        return None
    peaks = run.column(name)[:, 0].astype(np.float64)
    first = float(trajectory.level[0])
    bound = max(GROWTH * abs(first), first + 10 * trajectory.noise)
    high = np.flatnonzero(np.isfinite(peaks) & (peaks > bound))
    if not len(high) or first <= 0:
        return None
    step, times = int(run.steps[high[0]]), float(np.nanmax(peaks[high])) / first
    return _Harm(f"the loss shot up {number(times)}-fold by step {step:,}", step, 0.7)


def _by_updates(
    history: RunHistory, table: Table, trajectory: LossTrajectory | None, harm: _Harm
) -> Match | None:
    ratios = np.fmax(weights_column(table, "update_ratio", "low"), step_size.implied_ratio(table))
    if not harm.worse:
        ratios = ratios * _left_of_start(table)
    ratio = largest_per_record(ratios)
    known = np.isfinite(ratio)
    # The effect of an update shows in the next step; harm at a step precedes its update.
    before = known & (table.steps < harm.step)
    # A fault at the first step precedes every update.
    if not (before & (ratio > RATIO)).any() and harm.step > int(table.steps[0]):
        before = known & (table.steps <= harm.step)
    large = before & (ratio > RATIO)
    raised = _mid_run_raise(history, harm.step)
    if raised is not None and (large & (table.steps >= raised.step)).any():
        # Before the rate was raised, it did no harm, including single large steps.
        before &= table.steps >= raised.step
        large &= before
    # Large steps must last or directly precede the harm: one large step long ago is no cause.
    share = float(large.sum()) / max(1, int(before.sum()))
    recent = np.flatnonzero(before)[-3:]
    if not large.any() or (share < LASTING and not large[recent].any()):
        return None
    begun = int(np.flatnonzero(large)[0])
    onset = _onset(table, begun)
    peak = int(np.flatnonzero(large)[np.argmax(ratio[large])])
    rows = weight_rows(table)
    fastest, first = (_fastest_layer(table, ratios[record]) for record in (peak, begun))
    order = np.argsort(-np.nan_to_num(ratios[peak]), kind="stable").tolist()
    too_fast = [rows[i] for i in order if ratios[peak][i] > RATIO]
    evidence = [
        Evidence("fastest_update_ratio", float(ratio[peak]), RATIO,
                 int(table.steps[peak]), fastest, detail="layer"),
    ]
    since = ""
    if begun != peak:
        recorded = _update_recorded(table, begun)
        implied = "" if recorded else "(inferred from the growth of the weights)"
        evidence.append(Evidence("first_large_update_ratio", float(ratio[begun]), RATIO, onset,
                                 first, detail=implied))
        since = f"; first above {number(RATIO, 6)} times at step {onset:,}, in {first}"
    if share >= LASTING:
        evidence.append(Evidence("large_update_share", share, LASTING, side="at least",
                                 detail=f"until step {harm.step:,}"))
    # After an early spike, a loss that ends below its start is no evidence against the rate.
    if trajectory is not None and trajectory.end > trajectory.start:
        evidence.append(loss_over_start(trajectory))
        highest = float(trajectory.level.max())
        if trajectory.start > 0 and highest > GROWTH * trajectory.end:
            at = int(trajectory.steps[int(np.argmax(trajectory.level))])
            evidence.append(
                Evidence("highest_loss_over_start", highest / trajectory.start, GROWTH, at)
            )
    growth = gradient_growth(table, harm.step)
    if growth is not None and growth > GROWTH:
        evidence.append(
            Evidence("gradient_growth_before_harm", growth, GROWTH,
                     detail=f"until step {harm.step:,}")
        )
    return Match(
        severity="critical",
        confidence=min(0.97, harm.confidence + (0.05 if (growth or 0) > GROWTH else 0.0)),
        summary=(
            f"A single step changes a layer by up to {_times(float(ratio[peak]))} its own size "
            f"(step {int(table.steps[peak]):,}{since}), and {harm.text}.{harm.note}"
            f"{_raise_text(history, onset)}"
        ),
        first_step=onset,
        last_step=history.last_step,
        # The layers in the summary come first.
        layers=tuple(dict.fromkeys((fastest, first, *layers_of(table, too_fast)))),
        evidence=tuple(evidence),
        advice=_advice(
            part_of_layer(history, fastest), float(np.median(ratio[before])), onset
        ),
    )


def _left_of_start(table: Table) -> Values:
    """Norm of the weights over its start, at most 1, `[S, K]`; 1 where it is unknown.

    Where a loss stands still, the best weights may be zero. Steps that are long only beside what is
    left of the weights do no harm then.
    """
    if not table.has("variable_norm"):
        return np.ones((1, 1))
    norm = weights_column(table, "variable_norm").astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = np.where(norm[0] > 0, norm / norm[0], 1.0)
    return np.asarray(np.where(np.isfinite(left), np.minimum(left, 1.0), 1.0))


def _destroyed_start(history: RunHistory) -> Match | None:
    """First steps so large that they destroyed the initialization.

    The weights are a multiple of their start, and units died or the loss shot up. A run may recover
    from that and learn, though less well than it could. The finding is then only informational.
    """
    begun = first_steps(history, EARLY, RECORDS)
    if begun is None or (begun.dead_since < DIED and begun.peak < SPIKED):
        return None
    if begun.update_ratio <= DESTROYING or begun.growth < GROWTH:
        return None
    since = f"the loss shot up {number(begun.peak)}-fold"
    if begun.dead_since >= DIED:
        since = f"{percent(begun.dead_since)} of the units of {begun.layer} have died since"
        if begun.dead_before > 0:
            since += f" ({percent(begun.dead)} including those that were dead before)"
    benign = learns(history)
    return Match(
        severity="info" if benign else "warning",
        confidence=0.55 if benign else 0.7,
        summary=(
            f"The first steps changed a layer by up to {_times(begun.update_ratio)} its own size. "
            f"By step {begun.last:,} its weights were {number(begun.growth)} times as large, and "
            f"{since}."
            + (FALLS if benign else "")
        ),
        first_step=0,
        last_step=history.last_step,
        layers=(begun.layer,),
        evidence=_destroyed_start_evidence(begun),
        advice=_advice(part_of_layer(history, begun.layer), begun.update_ratio, 0),
    )


def _destroyed_start_evidence(begun: FirstSteps) -> tuple[Evidence, ...]:
    evidence = [
        Evidence("first_steps_update_ratio", begun.update_ratio, DESTROYING),
        Evidence("weight_growth", begun.growth, GROWTH, begun.last, side="at least"),
    ]
    if begun.dead_since >= DIED:
        evidence += [
            Evidence("died_fraction", begun.dead_since, DIED,
                     None, begun.layer, side="at least"),
            Evidence("activation_dead_fraction", begun.dead, None, begun.dead_at,
                     begun.layer, detail="at the end"),
        ]
    if begun.peak >= SPIKED:
        evidence.append(
            Evidence("early_loss_over_first", begun.peak, SPIKED, side="at least")
        )
    return tuple(evidence)


def _onset(table: Table, record: int) -> int:
    """Step of the first large update; the earliest possible step if only weight growth proves it.
    """
    if record == 0 or _update_recorded(table, record):
        return int(table.steps[record])
    return int(table.steps[record - 1]) + 1


def _update_recorded(table: Table, record: int) -> bool:
    """Whether the update of this record itself was large, rather than implied by weight growth."""
    direct = largest_per_record(weights_column(table, "update_ratio", "low"))[record]
    return bool(direct > RATIO)


def _fastest_layer(table: Table, ratios: Values) -> str:
    """Layer with the largest of the ratios `[K]` of the weight rows."""
    return table.rows[weight_rows(table)[int(np.nanargmax(ratios))]].layer


def _by_rate(history: RunHistory, table: Table, harm: _Harm) -> Match | None:
    """A rate at which a step of any common optimizer is too large, where none was recorded."""
    bounds = step_size.ratio_from_rate(history)
    if bounds is None:
        return None
    least = largest_per_record(bounds[0])
    before = np.isfinite(least) & (table.steps < harm.step)
    if not before.any():
        return None
    last = int(np.flatnonzero(before)[-1])
    if not least[last] > RATIO:
        return None
    step, known = int(table.steps[last]), rates(history)
    rate = float("nan") if known is None else known.at(step)
    layer = _fastest_layer(table, bounds[0][last])
    return Match(
        severity="critical",
        confidence=harm.confidence - 0.2,
        summary=(
            f"At a learning rate of {number(rate)}, a step of SGD or Adam changes {layer} by at "
            f"least {_times(float(least[last]))} its own size at step {step:,}, unless gradients "
            f"are clipped, and {harm.text}.{harm.note}"
        ),
        first_step=int(table.steps[np.flatnonzero(before & (least > RATIO))[0]]),
        last_step=history.last_step,
        layers=(layer,),
        evidence=(
            Evidence("fastest_update_ratio", float(least[last]), RATIO, step, layer,
                     detail="layer, at least"),
        ),
        advice=_advice(part_of_layer(history, layer), float(least[last]), harm.step),
    )


def _by_momentum(history: RunHistory, harm: _Harm) -> Match | None:
    """A momentum that adds up so many steps that they carry the weights past any minimum.

    In a constant gradient, each step becomes 1 / (1 - momentum) times as large.
    """
    model = configuration(history)
    momentum = model.momentum
    if momentum is None or not HEAVY < momentum < 1 or not harm.worse:
        return None
    factor = 1 / (1 - momentum)
    if history.last_step < factor / 10:
        return None  # hardly any steps have been added up
    acts = ""
    if model.learning_rate:
        acts = f" and acts like a learning rate of {number(model.learning_rate * factor, 2)}"
    return Match(
        severity="critical",
        confidence=min(0.9, harm.confidence),
        summary=(
            f"Momentum {number(momentum, 6)} adds up about {number(factor, 2)} steps{acts}, and "
            f"{harm.text}.{harm.note}"
        ),
        first_step=0,
        last_step=history.last_step,
        layers=(),
        evidence=(Evidence("momentum", momentum, HEAVY),),
        advice=_advice(history, None, 0),
        title="The momentum is too high",
    )


def _momentum_advice(model: Configuration) -> str | None:
    """The usual momentum instead of a very high one; None if it is not."""
    if model.momentum is None or not HEAVY < model.momentum < 1:
        return None
    usual = replace(model, momentum=_USUAL)
    if model.learning_rate is None:
        return f"Lower the momentum: momentum={_USUAL} instead of {number(model.momentum, 6)}."
    return f"Lower the momentum: {usual.optimizer_text} instead of {model.optimizer_text}."


def _by_growth(history: RunHistory, table: Table, harm: _Harm) -> Match | None:
    """Weights that grew between two records by more than small steps could make them grow."""
    if not table.has("variable_norm"):
        return None
    least, most = (
        weights_column(table, "variable_norm", "low"),
        weights_column(table, "variable_norm", "high"),
    )
    # What had shrunk may grow fast and is still small.
    ratios = np.where(least > most[0], step_size.implied_ratio(table), np.nan)
    # The steps between two records precede the later one.
    ratio = largest_per_record(ratios)
    large = np.isfinite(ratio) & (table.steps <= harm.step) & (ratio > RATIO)
    if not large.any():
        return None
    peak = int(np.flatnonzero(large)[np.argmax(ratio[large])])
    layer, begun = _fastest_layer(table, ratios[peak]), int(np.flatnonzero(large)[0])
    since, until = int(table.steps[peak - 1]), int(table.steps[peak])
    grown = (1 + float(ratio[peak])) ** (until - since)
    return Match(
        severity="critical",
        confidence=harm.confidence - 0.1,
        summary=(
            f"From step {since:,} to {until:,} the weights of {layer} grew {number(grown)}-fold: "
            f"at least one step changed them by {_times(float(ratio[peak]))} their own size or "
            f"more, and {harm.text}.{harm.note}{_raise_text(history, harm.step)}"
        ),
        first_step=int(table.steps[begun - 1]) + 1,
        last_step=history.last_step,
        layers=(layer,),
        evidence=(
            Evidence("fastest_update_ratio", float(ratio[peak]), RATIO, until, layer,
                     detail="layer, at least"),
        ),
        advice=_advice(part_of_layer(history, layer), float(ratio[peak]), since),
    )


def _by_gradients(history: RunHistory, table: Table, harm: _Harm) -> Match | None:
    growth = gradient_growth(table, harm.step)
    if growth is None or growth < 10 * GROWTH or not harm.worse:
        return None  # gradients of a constant loss may grow from almost zero
    return Match(
        severity="critical",
        confidence=harm.confidence - 0.25,
        summary=(
            f"The gradient norm grew {number(growth)}-fold, and {harm.text}.{harm.note}"
            f"{_raise_text(history, harm.step)}"
        ),
        first_step=int(table.steps[0]),
        last_step=history.last_step,
        layers=(),
        evidence=(Evidence("gradient_growth_before_harm", growth,
                           10 * GROWTH, side="at least", detail=f"until step {harm.step:,}"),),
        advice=_advice(history, None, harm.step),
    )


def _by_rate_alone(history: RunHistory, harm: _Harm | None) -> Match | None:
    """A rate above those that train networks, in a log of nothing but scalars."""
    known, stated = rates(history), stated_rate(history)
    if harm is None:
        return None
    if known is not None:
        before = known.values[known.steps <= harm.step]
        highest, says = float(before.max()) if len(before) else 0.0, "The learning rate reached"
        first = int(known.steps[int(np.argmax(known.values > EXTREME))])
    elif stated is not None:
        highest, says, first = stated[1], f"The hyperparameter {stated[0]} is", 0
    else:
        return None
    # 1 itself is the usual rate of Adadelta, Prodigy and L-BFGS.
    if highest <= EXTREME:
        return None
    return Match(
        severity="critical" if harm.worse else "warning",
        confidence=0.6 if harm.worse else 0.5,
        summary=(
            f"{says} {number(highest)}, and {harm.text}.{harm.note}"
            f"{_raise_text(history, harm.step)} Adam needs 1e-2 or less, and SGD rarely more than "
            "0.1."
        ),
        first_step=first,
        last_step=history.last_step,
        layers=(),
        evidence=(
            Evidence("highest_learning_rate", highest, EXTREME),
        ),
        advice=_advice(history, None, harm.step),
    )


def _times(ratio: float) -> str:
    return f"{number(ratio)} times"


def _mid_run_raise(history: RunHistory, step: int) -> Raise | None:
    """The mid-run increase of the learning rate that preceded the large updates, if any."""
    found = rates(history)
    return None if found is None else found.raised_before(step + 1)


def _raise_text(history: RunHistory, step: int) -> str:
    """A sentence on a learning rate that was raised before the harm; "" if it was not."""
    found = _mid_run_raise(history, step)
    if found is None:
        return ""
    unit = "epoch" if history.axis == "epoch" else "step"
    return (
        f" The learning rate was raised from {number(found.before)} to {number(found.after)} at "
        f"{unit} {found.step:,}."
    )


def _factor(model: Configuration, rate: float, ratio: float | None) -> float:
    """Factor by which to lower `rate`, at which a step typically changes a layer by `ratio`.

    The new rate gives the upper end of the healthy range. The factor is 10 to 1,000, in half
    decades. If Adam's default rate gives a similar ratio, it is taken instead, because most
    networks train with it.
    """
    if ratio is None or not math.isfinite(ratio) or ratio <= 0:
        return 10.0
    exact = min(1000.0, max(10.0, ratio / step_size.HEALTHY))
    default = rate / step_size.ADAM
    near = default >= 10 and ratio / default <= 3 * step_size.HEALTHY
    if model.optimizer.startswith("Adam") and near:
        return default
    return rounded(10 ** (round(2 * math.log10(exact)) / 2), 1)


def _advice(history: RunHistory, ratio: float | None, step: int) -> tuple[str, ...]:
    """Name one rate to try first, then how to search for a better one by its loss.

    `step` is where the large updates began. The rate in use at that step is the one to change.
    """
    known, model = rates(history), configuration(history)
    rate = None if known is None else known.at(step)
    raised = _mid_run_raise(history, step)
    first = "Lower the learning rate by a factor of 3 to 10."
    heavy = _momentum_advice(model)
    if heavy is not None:
        first = heavy
    elif raised is not None:
        back = model.with_rate(raised.before, 3) or number(raised.before)
        unit = "epoch" if history.axis == "epoch" else "step"
        first = (
            f"Go back to the learning rate that worked until {unit} {raised.step:,}: {back}. To "
            "train faster, raise it by a factor of at most 2 and watch the loss."
        )
    elif rate:
        factor = _factor(model, rate, ratio)
        lower = model.with_rate(rounded(rate / factor, 1)) or number(rate / factor, 1)
        now = model.with_rate(rate, 3) or number(rate)
        first = f"Lower the learning rate: {lower} instead of {now}."
    advice = (
        first,
        "If training is then slow, search for a better rate with the LR range test: a little below "
        "the highest rate at which the loss still falls.",
        "If only the first steps are too large, warm up the learning rate over a few hundred "
        "steps.",
    )
    if configuration(history).optimizer != "SGD":
        return advice
    return (
        *advice,
        "Or use an adaptive optimizer: Adam(1e-3). Its learning rates are not comparable to those "
        "of SGD.",
    )


RULE = Rule(
    id="learning-rate-too-high",
    kind="cause",
    title="The learning rate is too high",
    needs=("update_ratio|gradient_norm|learning_rate|hparams", "loss|epoch_loss"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "fastest_update_ratio", high=RATIO, detail="layer",
            source="A step then moves a layer by a tenth of its size; 1e-3 is healthy.",
        ),
        Threshold(
            "gradient_growth_before_harm", high=GROWTH,
            source="Peak over start. Doubling is more than noise.",
        ),
        Threshold(
            "large_update_share", high=LASTING,
            source=(
                "Counted in the records before the loss suffers. If large updates are rarer, one "
                "must come right before the loss begins to suffer."
            ),
        ),
        Threshold(
            "highest_learning_rate", high=EXTREME, detail="(if only scalars were recorded)",
            source=(
                "Published recipes use at most 1e-2 with Adam and 0.1 with SGD; 1 to 3 only at the "
                "peak of one cycle (Smith & Topin 2018)."
            ),
        ),
        Threshold(
            "momentum", high=HEAVY,
            source=(
                "0.9 to 0.99 is usual (Sutskever et al. 2013). At 0.99, the steps of a constant "
                "gradient become a hundred times as large."
            ),
        ),
        Threshold(
            "steps", low=EARLY, detail="at the start",
            source="The first steps decide whether the initialization survives.",
        ),
        Threshold(
            "first_steps_update_ratio", high=DESTROYING,
            source="Such a step leaves little of the initialization; three of them undo it.",
        ),
        Threshold(
            "died_fraction", high=DIED,
            source=(
                "Part of the units of a layer that were alive in the first record and are dead in "
                "the last."
            ),
        ),
        Threshold(
            "early_loss_over_first", high=SPIKED,
            source="A loss this far above its start is worse than that of an untrained model.",
        ),
        Threshold(
            "records", high=RECORDS,
            source="Fewer records cannot compare the units at the end with those at the start.",
        ),
    ),
    measures=(
        Measure(
            "first_large_update_ratio", "update ratio where it first exceeded its limit",
            ("update_ratio",), reading=True,
        ),
        Measure(
            "large_update_share", f"share of records with an update ratio above {number(RATIO, 6)}",
            ("update_ratio",), "fraction",
        ),
        Measure(
            "first_steps_update_ratio", "largest update ratio of the first steps",
            ("update_ratio",), reading=True,
        ),
        Measure("momentum", "momentum of the optimizer"),
        Measure("weight_growth", "norm of the weights over its start", ("variable_norm",)),
        Measure("gradient_growth_before_harm", "growth of the gradient norm", ("gradient_norm",)),
        Measure(
            "died_fraction", "part of the units that died since the first step",
            ("activation_dead_fraction",), "fraction",
        ),
        Measure(
            "early_loss_over_first", "early loss over the first loss", ("loss",), limit="start",
        ),
        Measure("highest_loss_over_start", "highest loss over its start", ("loss",), limit="start"),
    ),
    shows=("update_ratio", "gradient_norm"),
    explains=(
        "non-finite-values", "loss-divergence", "loss-not-decreasing", "exploding-gradient",
        "dead-relu", "zero-gradient", "saturated-activation", "vanishing-gradient",
        "constant-output", "update-ratio-out-of-range", "loss-spike", "loss-oscillation",
        "underfitting",
    ),
    restates=("update-ratio-out-of-range",),
    excluded_by=("non-finite-input",),
    delay_steps=1,
    experiment="LR range test",
    falsified_by=(
        "The same run fails in the same way at a ten times lower rate.",
        "The first abnormal value precedes the first large update.",
    ),
    false_alarms=(
        "A few large steps at the very start are normal. They are reported only if the loss "
        "suffers.",
    ),
    references=(
        "Smith 2017, Cyclical Learning Rates, arXiv:1506.01186",
        "Sutskever et al. 2013, On the Importance of Initialization and Momentum, ICML",
        "Bengio 2012, Practical Recommendations, arXiv:1206.5533",
    ),
)
