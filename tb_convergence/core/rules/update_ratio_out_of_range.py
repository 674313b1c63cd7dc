"""Steps are far too large or too small for the weights they change.

The rule judges only runs that do not learn. Good schedules also take large steps at the start and
small ones at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import step_size
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import layers_of, median_over_time, weight_rows
from tb_convergence.core.diagnosis.threshold import Healthy, Range
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import counted, title_with_layers

LOW: Final = step_size.SMALL
HIGH: Final = step_size.LARGE
FAR_LOW: Final = 1e-8
FAR_HIGH: Final = 10.0
RECORDS: Final = 5


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None or len(table.steps) < RECORDS or learns(history):
        return None
    rows = weight_rows(table)
    least = table.column("update_ratio", "low")[:, rows]
    most = table.column("update_ratio", "high")[:, rows]
    low, high = median_over_time(least), median_over_time(most)
    if not np.isfinite(low).any():
        return None
    fast = [i for i in range(len(rows)) if low[i] > HIGH]
    # No update at all is a separate finding: zero-gradient, frozen-variable.
    slow = [i for i in range(len(rows)) if 0 < high[i] < LOW]
    # One slow layer has reasons of its own (vanishing gradients). If all are slow, it is the rate.
    if not fast and len(slow) < int(np.isfinite(high).sum()):
        return None
    chosen = fast or slow
    values = low if fast else high
    # The worst first, because the summary names it.
    order = sorted(chosen, key=lambda i: -float(values[i]) if fast else float(values[i]))
    worst = order[0]
    value = float(values[worst])
    severity: Severity = "critical" if value > FAR_HIGH or value < FAR_LOW else "warning"
    layer = table.rows[rows[worst]].layer
    # The median exceeds the limit if most records do, so the finding begins with those.
    beyond = least > HIGH if fast else most < LOW
    onset = min(mostly_since(beyond[:, i]) or 0 for i in chosen)
    return Match(
        severity, 0.7,
        f"A typical step changes {layer} by {_times(value)} its size; about 0.001 is healthy."
        + (" The same holds for "
           f"{counted(len(chosen) - 1, 'more layer')}." if len(chosen) > 1 else ""),
        int(table.steps[onset]), int(table.steps[-1]),
        layers_of(table, [rows[i] for i in order]),
        tuple(
            Evidence("update_ratio", float(values[i]), HIGH if fast else LOW, None,
                     table.rows[rows[i]].layer, detail="(median)")
            for i in order
        ),
        title=title_with_layers(
            "Updates too large for the weights" if fast else "Updates too small for the weights",
            layers_of(table, [rows[i] for i in order]),
        ),
    )


def _times(ratio: float) -> str:
    return f"{number(ratio)} times" if ratio > HIGH else f"{number(ratio, 2)} of"


def _healthy(_: RunHistory, table: Table) -> Mapping[int, Range]:
    """A bias may change by more than its size, so only weights are judged."""
    return dict.fromkeys(weight_rows(table), (LOW, HIGH))


RULE = Rule(
    id="update-ratio-out-of-range",
    kind="symptom",
    title="Updates too large or too small",
    needs=("update_ratio",),
    at_least=RECORDS,
    evaluate=_evaluate,
    healthy=(Healthy("update_ratio", _healthy),),
    thresholds=(
        Threshold(
            "update_ratio", low=LOW,
            source=(
                "log10 below -4 is too small (TheDeepChecker). About -3 is healthy (Karpathy, "
                "CS231n)."
            ),
        ),
        Threshold("update_ratio", high=HIGH, source=(
            "log10 above -1 is too large (TheDeepChecker)."
        )),
        Threshold(
            "update_ratio", low=FAR_LOW, detail="(critical)",
            source="float32 resolves weights to 6e-8 of their size, so a smaller step is lost.",
        ),
        Threshold(
            "update_ratio", high=FAR_HIGH, detail="(critical)",
            source="A step of ten times the size of the weights is a new random start.",
        ),
        Threshold(
            "records", high=RECORDS,
            source=(
                "A single step must not decide, so the rule takes the median of several records."
            ),
        ),
    ),
    shows=("update_ratio",),
    of_sound=True,
    advice=("Scale the learning rate so that the ratio is about 1e-3.",),
    falsified_by=("The loss falls steadily at this rate.",),
    false_alarms=("Weights that start near zero have large ratios until they have grown.",),
    references=("Karpathy, CS231n: ratio of weights and updates",
                "Braiek & Khomh 2022, TheDeepChecker, TOSEM"),
)
