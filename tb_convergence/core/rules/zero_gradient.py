"""Most of a kernel's gradient is exactly zero, record after record.

Kernels that read the data directly are judged by a stricter bound: an input that is constantly zero
(the corner of an image) has a zero gradient in every healthy run.
"""

from __future__ import annotations

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import layers_of
from tb_convergence.core.history import RunHistory, first_true

FRACTION = 0.7
"""Share of zeros (DeepDiagnosis, AutoTrainer: dead neurons above 70 % zero gradients)."""
ALL = 0.999
RECORDS = 5


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None or not table.has("gradient_zero_fraction"):
        return None
    rows = table.rows_of("kernel", "recurrent_kernel")
    if not rows or len(table.steps) < RECORDS:
        return None
    zero = table.column("gradient_zero_fraction", "low")[:, rows]
    limit = np.full(len(rows), FRACTION)
    limit[0] = ALL
    bad = np.nan_to_num(zero) >= limit
    # Judged on how the run ends: zeros that were left behind do not hold it back now.
    lasting = np.flatnonzero(bad[-RECORDS:].all(axis=0))
    if not len(lasting):
        return None
    affected = [rows[int(index)] for index in lasting]
    onset = min(_onset(bad[:, int(index)]) for index in lasting)
    recent = np.median(zero[-RECORDS:][:, lasting], axis=0)
    complete = int((recent >= ALL).sum())
    worst = int(np.argmax(recent))
    name = table.rows[affected[worst]].layer
    return Match(
        severity="critical" if complete else "warning",
        confidence=0.9 if complete else 0.7,
        summary=(
            f"{recent[worst]:.0%} of the gradient of {name} is exactly zero"
            + (f", and so for {len(affected) - 1} more layers." if len(affected) > 1 else ".")
        ),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=layers_of(table, affected),
        evidence=tuple(
            Evidence("zero-gradient fraction", float(value), float(limit[int(index)]),
                     int(table.steps[-1]), table.rows[rows[int(index)]].layer)
            for index, value in zip(lasting, recent, strict=True)
        ),
    )


def _onset(bad: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Start of the stretch of bad records that lasts until the end."""
    return len(bad) - (first_true(~bad[::-1]) or len(bad)) if not bad.all() else 0


RULE = Rule(
    id="zero-gradient",
    kind="symptom",
    title="Gradients are exactly zero",
    needs=("gradient_zero_fraction",),
    at_least=RECORDS,
    evaluate=_evaluate,
    advice=(
        "Find the operation that cuts the gradient: dead ReLU units, a saturated output, "
        "stop_gradient, argmax or a cast to integer.",
    ),
    disproof=("The layer's weights change between records.",),
    false_alarms=("Embeddings and inputs that are mostly zero have sparse gradients by nature.",),
    references=("Wardat et al. 2022, DeepDiagnosis, ICSE",),
)
