"""Most steps are clipped, so the effective learning rate is far below the one that was set."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.rate_schedule import rates
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.step_size import HEALTHY
from tb_convergence.core.diagnosis.table_columns import (
    largest_per_record,
    median_over_time,
    weights_column,
)
from tb_convergence.core.diagnosis.training_progress import learns, unfinished
from tb_convergence.core.history import RunHistory, Steps, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import literal, number, percent, rounded

CLIPPED: Final = 0.5
EXCESS: Final = 3.0
RECORDS: Final = 20
ALL: Final = 5
SAME: Final = 1e-4
ONE_WAY: Final = 0.1
HARDLY: Final = 1e-4
OUTLIER: Final = 3.0
"""Above this multiple of the typical gradient, a gradient is an outlier."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    model, table = configuration(history), history.table("variables")
    if table is None or len(table.steps) < ALL:
        return None
    series = history.series("gradient_global_norm")
    whole, whole_steps = (None, table.steps) if series is None else (series.values, series.steps)
    norms = largest_per_record(weights_column(table, "gradient_norm"))
    entries = (
        largest_per_record(weights_column(table, "gradient_max"))
        if table.has("gradient_max") else None
    )
    for limit, name, values, steps in (
        (model.global_clipnorm, "global_clipnorm", whole, whole_steps),
        (model.clipnorm, "clipnorm", norms, table.steps),
        (model.clipvalue, "clipvalue", entries, table.steps),
    ):
        if limit is None or limit <= 0 or values is None:
            continue
        known = np.flatnonzero(np.isfinite(values))
        finite = values[known]
        clipped = finite > limit
        share = float(clipped.mean()) if len(finite) else 0.0
        # Few records count if all are clipped, but not while they are the first steps of a run:
        # clipping is for those.
        few = len(finite) < RECORDS and (share < 1 or unfinished(history))
        if share <= CLIPPED or few or len(finite) < ALL:
            continue
        excess = float(np.median(finite[clipped])) / limit
        if excess < EXCESS:
            continue
        return Match(
            "warning", min(0.9, 0.5 + 0.3 * share),
            f"{name}={number(limit, 6)} clips {percent(share)} of the steps, typically "
            f"{number(excess)}-fold, so the effective learning rate is that much lower than the "
            "one you set.",
            int(steps[known[mostly_since(clipped) or 0]]), int(table.steps[-1]), (),
            (
                Evidence("clipped_share", share, CLIPPED),
                Evidence("gradient_over_clip_limit", excess, EXCESS, side="at least", detail=name),
            ),
            _advice(history, table, name, limit, excess),
        )
    return _by_hand(history, signs, table, whole, whole_steps)


def _by_hand(
    history: RunHistory, signs: Signs, table: Table, norms: Values | None, steps: Steps
) -> Match | None:
    """A norm of all gradients that is the same at most steps, as only clipping in the train step
    makes it.

    What was cut off is unknown, so it counts only where even the fastest layer hardly moves.
    """
    if norms is None or not table.has("update_ratio") or learns(history):
        return None
    if "zero-gradient" in signs or _same_batch(history):
        return None  # of the same data, the gradient may be the same
    known = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    values = np.asarray(norms[known], np.float64)
    if len(values) < RECORDS:
        return None
    limit = float(np.median(values))
    clipped = np.abs(values / limit - 1) < SAME
    share = float(clipped.mean())
    fastest = median_over_time(weights_column(table, "update_ratio"))
    if share <= CLIPPED or not np.isfinite(fastest).any() or float(np.nanmax(fastest)) >= HARDLY:
        return None
    return Match(
        "warning", min(0.9, 0.5 + 0.4 * share),
        f"The norm of all gradients is {number(limit)} in {percent(share)} of the records. Only "
        "clipping in the train step makes it the same at each step. Even the fastest layer changes "
        f"by only {number(float(np.nanmax(fastest)))} of its size per step.",
        int(steps[known[mostly_since(clipped) or 0]]), int(table.steps[-1]), (),
        (
            Evidence("clipped_share", share, CLIPPED),
            Evidence("fastest_update_ratio", float(np.nanmax(fastest)), HARDLY, side="less than"),
        ),
        (
            f"Raise the limit of the clipping in your train step: 1 instead of {literal(limit)}. "
            "Then print the norm before clipping, and set a limit that only outliers reach.",
            "If the loss then jumps, lower the learning rate instead of the limit.",
        ),
        title="Gradient clipping in the train step shrinks most steps",
    )


def _same_batch(history: RunHistory) -> bool:
    """Whether all losses seem to be of the same data: they stay, or nearly all go one way.

    The gradient of an absolute error, for example, is then constant without any clipping.
    """
    series = history.series("loss")
    if series is None or len(series) < 2:
        return True
    values = np.asarray(series.values, np.float64)
    level, rises = float(np.median(values)), float((np.diff(values) > 0).mean())
    same = np.abs(values - level) < SAME * abs(level)
    return bool(same.mean() > CLIPPED) or min(rises, 1 - rises) < ONE_WAY


def _advice(
    history: RunHistory, table: Table, name: str, limit: float, excess: float
) -> tuple[str, ...]:
    """A limit that only outliers reach, and the rate that then takes healthy steps.

    Steps of plain gradient descent grow with the gradient. Adaptive steps keep their length, so the
    rate stays.
    """
    model, known = configuration(history), rates(history)
    above = rounded(OUTLIER * excess * limit, 1)
    first = (
        f"Set {name}={literal(above)} instead of {literal(limit)}, so that it clips only outliers."
    )
    rate = None if known is None else known.last
    ratio = median_over_time(weights_column(table, "update_ratio")) if (
        table.has("update_ratio")) else np.full(1, np.nan)
    known_ratio = bool(np.isfinite(ratio).any())
    if model.optimizer == "SGD" and rate and known_ratio:
        unclipped = float(np.nanmax(ratio)) * excess
        if unclipped > HEALTHY:
            lower = rate / 10 ** math.ceil(math.log10(unclipped / HEALTHY))
            first += (
                f" Steps are then about {number(excess)} times as long, so lower the learning rate "
                f"as well: {model.with_rate(rounded(lower, 1))} instead of "
                f"{model.with_rate(rate, 3)}."
            )
        else:
            first += f" The learning rate can stay as it is: {model.with_rate(rate, 3)}."
    return (
        first,
        "If training is still slow, find the highest stable learning rate without clipping (LR "
        "range test), and use a slightly lower one.",
    )


RULE = Rule(
    id="clipping-hides-learning-rate",
    kind="cause",
    title="Gradient clipping shrinks most steps",
    needs=("gradient_norm", "config"),
    at_least=ALL,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "clipped_share", high=CLIPPED,
            source="Clipping is meant for outliers, not for most steps.",
        ),
        Threshold(
            "gradient_over_clip_limit", high=EXCESS, detail="the clipping limit",
            source=(
                "Median over the clipped steps. A smaller ratio hardly lowers the effective "
                "learning rate."
            ),
        ),
        Threshold(
            "gradient_norm_deviation", low=SAME,
            source=(
                "Only clipping makes the norms of different batches agree so closely. float32 "
                "resolves 6e-8."
            ),
        ),
        Threshold(
            "rising_losses", high=ONE_WAY, detail="(clipped in the train step)",
            source=(
                "The losses of different batches rise as well as fall. If they only fall or only "
                "rise, all are of the same data, whose gradient may be constant."
            ),
        ),
        Threshold(
            "fastest_update_ratio", low=HARDLY, detail="layer (clipped in the train step)",
            source="About 1e-3 is healthy; a tenth is too slow (see learning-rate-too-low).",
        ),
        Threshold(
            "records", high=RECORDS,
            source="20 records are enough to tell a share of one half from one quarter.",
        ),
        Threshold(
            "records", high=ALL, detail="(if all are clipped)",
            source=(
                "If only half of the steps were clipped, five clipped records in a row would have "
                "a probability of 3%."
            ),
        ),
    ),
    measures=(
        Measure("clipped_share", "share of clipped records", ("gradient_norm",), "fraction"),
        Measure(
            "gradient_norm_deviation",
            "relative deviation of a clipped norm from the median norm",
            ("gradient_global_norm",), "fraction",
        ),
        Measure("rising_losses", "part of the records at which the loss rises", ("loss",),
                "fraction"),
        Measure("gradient_over_clip_limit", "gradient over {detail}", ("gradient_norm",)),
    ),
    shows=("gradient_norm", "gradient_global_norm"),
    explains=("loss-not-decreasing", "learning-rate-too-low", "update-ratio-out-of-range"),
    experiment="LR range test without clipping",
    falsified_by=("Training at the same rate works as well without clipping.",),
    false_alarms=("With Adam, the overall scale of the gradients does not matter.",),
    references=("Wang 2020, When the Loss Won't Converge", "Pascanu et al. 2013"),
)
