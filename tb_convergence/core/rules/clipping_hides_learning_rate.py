"""Most steps are clipped, so the rate that seems to work is not the one in force."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.dating import mostly_since
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.tables import largest_per_record, weights_column
from tb_convergence.core.diagnosis.wording import figure, percent
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure

CLIPPED: Final = 0.5
EXCESS: Final = 3.0
RECORDS: Final = 20


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    model, table = configuration(history), history.table("variables")
    if table is None or len(table.steps) < RECORDS:
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
        if share <= CLIPPED:
            continue
        excess = float(np.median(finite[clipped])) / limit
        if excess < EXCESS:
            continue
        return Match(
            "warning", min(0.9, 0.5 + 0.3 * share),
            f"{percent(share)} of the steps are clipped by {name}={limit:g}, typically "
            f"{figure(excess)}-fold: the rate in force is that much smaller than the one set.",
            int(steps[known[mostly_since(clipped) or 0]]), int(table.steps[-1]), (),
            (
                Evidence("clipped_share", share, CLIPPED),
                Evidence("gradient_over_clip_limit", excess, EXCESS, side="at least", detail=name),
            ),
        )
    return None


RULE = Rule(
    id="clipping-hides-learning-rate",
    kind="cause",
    title="Gradient clipping shrinks most steps",
    needs=("gradient_norm", "config"),
    at_least=RECORDS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "clipped_share", high=CLIPPED,
            source="Share of steps that are clipped: clipping is for outliers.",
        ),
        Threshold(
            "gradient_over_clip_limit", high=EXCESS, detail="its limit",
            source=(
                "Norm before over after clipping, median of the clipped steps; less changes the "
                "rate little."
            ),
        ),
        Threshold(
            "records", high=RECORDS,
            source=(
                "Records from which a share of steps means something: 20 tell half from a "
                "quarter."
            ),
        ),
    ),
    measures=(
        Measure("clipped_share", "share of clipped records", ("gradient_norm",), "fraction"),
        Measure("gradient_over_clip_limit", "gradient over {detail}", ("gradient_norm",)),
    ),
    shows=("gradient_norm", "gradient_global_norm"),
    explains=("loss-not-decreasing", "learning-rate-too-low", "update-ratio-out-of-range"),
    advice=(
        "Switch clipping off, find the highest stable rate, go a little below it, and clip again "
        "only against outliers.",
    ),
    experiment="LR range test without clipping",
    falsified_by=("Without clipping the same rate trains as well.",),
    false_alarms=("With Adam the scale of all gradients together does not matter.",),
    references=("Wang 2020, When the Loss Won't Converge", "Pascanu et al. 2013"),
)
