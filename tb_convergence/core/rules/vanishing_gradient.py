"""Gradients shrink toward the input until the early layers no longer learn.

The rule compares the mean |g| of the kernels in the first and last third of the depth, as a median
over the records. Layers with a gradient of exactly zero are a separate finding (`zero-gradient`).
"""

from __future__ import annotations

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import layers_of, median_over_time
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import title_with_layers

RATIO = 1e-3
AT_LEAST_LAYERS = 3


def depth_ratio(table: Table, name: str, rows: list[int]) -> Values:
    """First third over last third of the K kernels `rows`, per record: `[S]`.

    This is the upper bound of the numerator over the lower bound of the denominator, so a value
    below a threshold is proven. NaN if either is zero, infinite or undefined.
    """
    first, last = _thirds(table, name, rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        # Use float64: the ratio of two float32 values may underflow to zero.
        quotient = first.astype(np.float64) / last
    known = (first > 0) & (last > 0) & np.isfinite(quotient) & np.isfinite(last)
    return np.where(known, quotient, np.nan)


def _thirds(table: Table, name: str, rows: list[int]) -> tuple[Values, Values]:
    """Numerator and denominator per record: medians over the rows of the first and last third."""
    third = _third(rows)
    with np.errstate(invalid="ignore"):
        first = np.median(table.column(name, "high")[:, rows[:third]], axis=1)
        last = np.median(table.column(name, "low")[:, rows[-third:]], axis=1)
    return first, last


def _third(rows: list[int]) -> int:
    return max(1, len(rows) // 3)


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    name = "gradient_mean_abs"
    if table is None or not table.has(name):
        return None
    rows = table.rows_of("kernel")
    if len(rows) < AT_LEAST_LAYERS:
        return None
    ratio = depth_ratio(table, name, rows)
    known = np.isfinite(ratio)
    if known.sum() < 5:
        return None
    typical = float(np.median(ratio[known]))
    if not typical < RATIO:
        return None
    onset = int(np.flatnonzero(known)[mostly_since(ratio[known] < RATIO) or 0])
    means = median_over_time(table.column(name, "high")[:, rows])
    largest = float(np.nanmax(means))
    vanished = [row for row, mean in zip(rows, means, strict=True) if mean < largest * RATIO]
    # Number of layers from the middle of the first third to the middle of the last.
    shrink = typical ** (1 / (len(rows) - _third(rows)))
    early, late = (_span(table, part) for part in (rows[: _third(rows)], rows[-_third(rows) :]))
    severity: Severity = "critical" if typical < RATIO / 10 else "warning"
    return Match(
        # In a run that learns, gradients vanish because nothing is left to learn.
        severity="info" if learns(history) else severity,
        confidence=min(0.95, 0.6 + 0.1 * float(np.log10(RATIO / max(typical, 1e-12)))),
        summary=(
            f"Mean |g| in {early} is {number(typical, 2)} times that in {late}, or about a factor "
            f"of {number(1 / shrink, 2)} per layer."
        ),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=layers_of(table, vanished or rows[:1]),
        evidence=_evidence(table, rows, ratio, typical),
        title=title_with_layers("Gradients vanish", layers_of(table, vanished)) if vanished else "",
        benign=learns(history),
    )


def _evidence(
    table: Table, rows: list[int], ratio: Values, typical: float
) -> tuple[Evidence, ...]:
    """The typical ratio, with its numerator and denominator in the record nearest to it."""
    first, last = _thirds(table, "gradient_mean_abs", rows)
    at = int(np.nanargmin(np.abs(ratio - typical)))
    step, third = int(table.steps[at]), _third(rows)
    return (
        Evidence("gradient_depth_ratio",
                 typical, RATIO, detail="(median over the records)"),
        *(
            Evidence("gradient_of_third",
                     float(value[at]), None, step,
                     detail=f"{which} third, median of {_span(table, part)}")
            for which, part, value in (
                ("first", rows[:third], first), ("last", rows[-third:], last)
            )
        ),
    )


def _span(table: Table, rows: list[int]) -> str:
    """First and last layer of `rows`; one name if they are the same."""
    names = layers_of(table, rows)
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"


RULE = Rule(
    id="vanishing-gradient",
    kind="symptom",
    title="Gradients vanish in the early layers",
    needs=("gradient_mean_abs",),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "gradient_depth_ratio", low=RATIO,
            source="Glorot & Bengio 2010 show that healthy stacks stay within a factor of ten.",
        ),
        Threshold(
            "layers", high=AT_LEAST_LAYERS, detail="with kernels",
            source="Fewer layers have no distinct first and last third.",
        ),
    ),
    measures=(
        Measure(
            "gradient_of_third", "mean |g| of the {detail}", ("gradient_mean_abs",), reading=True,
        ),
    ),
    shows=("gradient_mean_abs", "gradient_norm"),
    of_sound=True,
    advice=(
        "In hidden layers, replace sigmoid or tanh by ReLU with He initialization.",
        "In deep stacks, add skip connections or normalization layers.",
    ),
    falsified_by=("The weights of the early layers move as far, relative to their size, as those "
                  "of the last layers.",),
    false_alarms=("Adaptive optimizers still move layers whose gradients are small.",),
    references=(
        "Hochreiter 1991",
        "Glorot & Bengio 2010",
        "He et al. 2015, arXiv:1502.01852",
    ),
)
