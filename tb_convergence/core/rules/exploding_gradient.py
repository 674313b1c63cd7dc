"""Gradients grow out of control, over time or from layer to layer.

There are three signs: huge entries (mean |g| above 1e6), a norm that grew a hundredfold and stayed
there, or gradients that grow toward the input, so that the first layers get far more than the
last.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.onsets import lasting_since, mostly_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import (
    largest_per_record,
    last_segment,
    layers_of,
    median_over_time,
    weight_rows,
)
from tb_convergence.core.diagnosis.threshold import Healthy, Range
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import title_with_layers

HUGE = 1e6
GROWTH = 100.0
FLOOR = 10.0
DEPTH_RATIO = 70.0
AT_LEAST_LAYERS = 4


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None:
        return None
    return _over_time(history, table) or _over_depth(history, table)


def _over_time(history: RunHistory, table: Table) -> Match | None:
    rows = weight_rows(table)
    norm = largest_per_record(table.column("gradient_norm", "low")[:, rows])
    known = np.isfinite(norm)
    known[: last_segment(table)] = False
    if known.sum() < 5:
        return None
    steps, norm = table.steps[known], norm[known]
    start = _start(norm)
    grown = norm > GROWTH * start if start > 0 else np.zeros(len(norm), bool)
    huge = np.zeros(len(norm), bool)
    if table.has("gradient_mean_abs"):
        mean = largest_per_record(table.column("gradient_mean_abs", "low")[:, rows])[known]
        huge = mean > HUGE
    bad = (grown & (norm > FLOOR)) | huge
    # It must last until the end of the values: a spike that recovers is not an explosion.
    if not bad[-min(3, len(bad)) :].all():
        return None
    onset = lasting_since(bad)
    peak = int(np.argmax(norm))
    at_peak = table.column("gradient_norm", "low")[np.flatnonzero(known)[peak]][rows]
    loudest = rows[int(np.nanargmax(np.where(np.isfinite(at_peak), at_peak, -1.0)))]
    return Match(
        severity="critical",
        confidence=0.9,
        summary=(
            f"The largest gradient norm of any layer grew from {number(start, 2)} to "
            f"{number(norm[peak], 2)} (step {int(steps[peak]):,}, {table.rows[loudest].layer})."
        ),
        first_step=int(steps[onset]),
        last_step=history.last_step,
        layers=layers_of(table, [loudest]),
        evidence=(
            Evidence("gradient_growth", float(norm[peak]) / max(start, 1e-300),
                     GROWTH, int(steps[peak]), table.rows[loudest].layer),
        ),
        title=title_with_layers(RULE.title, layers_of(table, [loudest])),
    )


def _start(norm: Values) -> float:
    """The initial norm of a run, from its known largest norm per record, `[S]`, S >= 1."""
    start = float(np.median(norm[: min(10, max(1, len(norm) // 2))]))
    return min(start, float(norm[0])) if norm[0] > 0 else start


def limit(table: Table) -> float | None:
    """The gradient norm above which the gradients of this run count as exploding; None if unknown.
    """
    if not table.has("gradient_norm"):
        return None
    norm = largest_per_record(table.column("gradient_norm", "low")[:, weight_rows(table)])
    norm = norm[last_segment(table):]
    norm = norm[np.isfinite(norm)]
    return max(FLOOR, GROWTH * _start(norm)) if len(norm) >= 5 else None


def _over_depth(history: RunHistory, table: Table) -> Match | None:
    rows = table.rows_of("kernel")
    if len(rows) < AT_LEAST_LAYERS or not table.has("gradient_mean_abs"):
        return None
    low = median_over_time(table.column("gradient_mean_abs", "low")[:, rows])
    high = median_over_time(table.column("gradient_mean_abs", "high")[:, rows])
    third = max(1, len(rows) // 3)
    first, last = float(np.median(low[:third])), float(np.median(high[-third:]))
    if not (last > 0 and first / last > DEPTH_RATIO):
        return None
    with np.errstate(invalid="ignore"):
        early = np.median(table.column("gradient_mean_abs", "low")[:, rows[:third]], axis=1)
        late = np.median(table.column("gradient_mean_abs", "high")[:, rows[-third:]], axis=1)
        grows = (early > DEPTH_RATIO * late) & (late > 0)
    known = np.flatnonzero(np.isfinite(early) & np.isfinite(late))
    onset = int(known[mostly_since(grows[known]) or 0]) if len(known) else 0
    return Match(
        severity="info" if learns(history) else "warning",
        confidence=0.6,
        summary=(
            f"Gradients grow toward the input: mean |g| of {table.rows[rows[0]].layer} is "
            f"{number(first / last)} times that of {table.rows[rows[-1]].layer}."
        ),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=layers_of(table, rows[:third]),
        evidence=(Evidence("gradient_depth_ratio", first / last, DEPTH_RATIO),),
    )


def _healthy(_: RunHistory, table: Table) -> Mapping[int, Range]:
    """Gradient norms of weights are healthy up to the limit of this run."""
    highest = limit(table)
    return {} if highest is None else dict.fromkeys(weight_rows(table), (None, highest))


RULE = Rule(
    id="exploding-gradient",
    kind="symptom",
    title="Gradients explode",
    needs=("gradient_norm",),
    at_least=5,
    evaluate=_evaluate,
    healthy=(Healthy("gradient_norm", _healthy),),
    thresholds=(
        Threshold(
            "gradient_mean_abs", high=HUGE,
            source="DeepFD and DeepDiagnosis use this order of magnitude (Cao et al. 2022).",
        ),
        Threshold(
            "gradient_growth", high=GROWTH,
            source=(
                "The norm at the end of the run, compared with the median of the first ten records."
            ),
        ),
        Threshold(
            "gradient_norm", high=FLOOR,
            source=(
                "A smaller norm is harmless, whatever it grew from: clipping is usually set to 1 "
                "to 10."
            ),
        ),
        Threshold(
            "gradient_depth_ratio", high=DEPTH_RATIO,
            source="Schoop et al. 2021 and AutoTrainer use the same factor.",
        ),
        Threshold(
            "layers", high=AT_LEAST_LAYERS, detail="with kernels",
            source="Fewer layers have no distinct first and last third.",
        ),
    ),
    measures=(
        Measure(
            "gradient_growth", "gradient norm over its start", ("gradient_norm",), limit="start",
        ),
    ),
    shows=("gradient_norm",),
    advice=(
        "Lower the learning rate or warm it up. Clip by global norm only against rare outliers.",
        "In recurrent layers, keep tanh and orthogonal recurrent kernels.",
    ),
    falsified_by=("The norm returns to its early level although no setting changed.",),
    false_alarms=("Large-scale inputs make the gradients of the first layer large.",),
    references=("Pascanu et al. 2013, arXiv:1211.5063", "Zhang et al. 2021, AutoTrainer, ICSE"),
)
