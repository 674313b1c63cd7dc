"""ReLU units that are never active: they pass nothing on and get no gradient, so they stay dead."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import FALLS, Floats, learns
from tb_convergence.core.diagnosis.wording import counted, percent
from tb_convergence.core.history import RunHistory, Table

FRACTION: Final = 0.5
"""Dead units of one layer (TheDeepChecker and AutoTrainer flag more than half)."""
NEARLY_ALL: Final = 0.9
"""Above it hardly any unit is left to carry the signal: critical."""
RECORDS: Final = 5
"""Records at the end of the run that must agree: a state that lasts, not a passing batch."""


def _lasting(dead: Floats) -> dict[int, int]:
    """Rows dead in all of the last records, with the index of the record where that began."""
    bad = np.nan_to_num(dead) > FRACTION
    result: dict[int, int] = {}
    for row in np.flatnonzero(bad[-RECORDS:].all(axis=0)).tolist():
        alive = np.flatnonzero(~bad[:, row])
        result[row] = int(alive[-1]) + 1 if len(alive) else 0
    return result


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("activations")
    if table is None or len(table.steps) < RECORDS:
        return None
    dead = table.column("activation_dead_fraction", "low")
    onsets = _lasting(dead)
    if not onsets:
        return None
    worst = max(onsets, key=lambda row: float(dead[-1, row]))
    share = float(dead[-1, worst])
    harmless = learns(history)
    severity: Severity = "critical" if share > NEARLY_ALL else "warning"
    onset = min(onsets.values())
    layer = table.rows[worst].layer
    return Match(
        severity="info" if harmless else severity,
        confidence=0.5 if harmless else 0.75 + 0.2 * share,
        summary=_summary(table, worst, share, onsets) + (FALLS if harmless else ""),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=tuple(table.rows[row].layer for row in onsets),
        evidence=tuple(
            Evidence("dead units", float(dead[-1, row]), FRACTION, int(table.steps[first]),
                     table.rows[row].layer)
            for row, first in onsets.items()
        ),
        advice=(
            f"Start the biases of {layer} at 0 with he_normal kernels, and lower the learning "
            "rate if the units died during training rather than before it.",
            "If they still die, use LeakyReLU or ELU there.",
        ),
    )


def _summary(table: Table, worst: int, share: float, onsets: dict[int, int]) -> str:
    more = f" (and most of {counted(len(onsets) - 1, 'more layer')})" if len(onsets) > 1 else ""
    onset = min(onsets.values())
    when = "from the first step on" if onset == 0 else f"since step {int(table.steps[onset]):,}"
    return f"{percent(share)} of the units of {table.rows[worst].layer}{more} are dead {when}."


RULE = Rule(
    id="dead-relu",
    kind="cause",
    title="ReLU units are dead",
    needs=("activation_dead_fraction",),
    at_least=RECORDS,
    evaluate=_evaluate,
    explains=("zero-gradient", "loss-not-decreasing", "vanishing-gradient", "constant-output",
              "underfitting", "update-ratio-out-of-range", "frozen-variable",
              "learning-rate-too-low"),
    experiment="ablation: with LeakyReLU",
    disproof=(
        "The layer's units are active on other inputs: the recorded batches are not typical.",
    ),
    false_alarms=("Very wide layers may keep many rarely active units and learn well.",),
    references=(
        "Lu et al. 2019, Dying ReLU and Initialization, arXiv:1903.06733",
        "He et al. 2015, arXiv:1502.01852",
    ),
)
