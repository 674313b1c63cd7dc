"""The loss does not depend on the variable, or the updates of the variable are lost."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import layers_of
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.phrases import listed

RECORDS: Final = 5


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None or len(table.steps) < RECORDS:
        return None
    absent = np.zeros((len(table.steps), len(table.rows)), bool)
    if table.has("gradient_missing"):
        absent = table.column("gradient_missing") == 1
    resting = np.zeros_like(absent)
    if table.has("update_norm") and table.has("gradient_norm"):
        update = table.column("update_norm", "high")
        gradient = table.column("gradient_norm", "low")
        # No update despite a gradient: it is rounded away or masked, or the rate is zero.
        resting = (update == 0) & (gradient > 0)
    missing = np.all(absent[-RECORDS:], axis=0, keepdims=True)[0]
    seen = np.where(missing, absent, resting)
    rows = np.flatnonzero(np.all(seen[-RECORDS:], axis=0)).tolist()
    if not rows:
        return None
    onset = min(lasting_since(seen[:, row]) for row in rows)
    names = [table.rows[row].name for row in rows]
    why = "has no gradient" if missing[rows[0]] else "has a gradient but does not change"
    others = f" (also {listed(names[1:], noun='variable')})" if len(names) > 1 else ""
    # A missing gradient is a fault, however well the rest learns.
    settled = not missing.any() and learns(history)
    return Match(
        "info" if settled else "warning", 0.9,
        f"{names[0]} {why}{others}.",
        int(table.steps[onset]), int(table.steps[-1]), layers_of(table, rows),
        tuple(
            Evidence("gradient_missing" if missing[row] else "update_norm",
                     1.0 if missing[row] else 0.0, 0.0, int(table.steps[-1]),
                     table.rows[row].layer)
            for row in rows
        ),
    )


RULE = Rule(
    id="frozen-variable",
    kind="symptom",
    title="A trainable variable does not change",
    needs=("gradient_missing|update_norm",),
    at_least=RECORDS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "records", high=RECORDS, detail="in a row at the end of the run",
            source="One unusual batch must not trigger the finding.",
        ),
    ),
    shows=("update_ratio", "gradient_zero_fraction", "update_norm"),
    of_sound=True,
    advice=(
        "Check that the layer's output reaches the loss and that nothing on the way stops the "
        "gradient (stop_gradient, argmax, a cast to integer, .numpy()).",
        "If the layer is meant to be frozen, set trainable=False.",
    ),
    falsified_by=("The variable's value differs between two checkpoints.",),
    references=("Humbatova et al. 2020, Taxonomy of Real Faults in Deep Learning Systems, ICSE",),
)
