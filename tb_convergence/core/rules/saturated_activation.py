"""Hidden sigmoid or tanh units sit on the flat ends of their activation, where gradients vanish."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import layers_of
from tb_convergence.core.diagnosis.threshold import Healthy, Range
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.text.numbers import percent
from tb_convergence.core.text.phrases import title_with_layers

FRACTION = 0.5
RECORDS = 5


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("activations")
    if table is None or not table.has("activation_saturated_fraction"):
        return None
    # Skip the last layer: the output of a confident classifier is saturated, as it should be.
    rows = list(range(len(table.rows) - 1))
    if not rows or len(table.steps) < RECORDS:
        return None
    saturated = np.nan_to_num(table.column("activation_saturated_fraction", "low")[:, rows])
    lasting = np.flatnonzero((saturated[-RECORDS:] > FRACTION).all(axis=0))
    if not len(lasting):
        return None
    onset = min(lasting_since(saturated[:, int(i)] > FRACTION) for i in lasting)
    worst = int(lasting[np.argmax(saturated[-1, lasting])])
    benign = learns(history)
    return Match(
        severity="info" if benign else "warning",
        confidence=0.8,
        summary=(
            f"{percent(saturated[-1, worst])} of the outputs of {table.rows[worst].layer} lie on "
            f"the flat ends of its {table.rows[worst].activation or 'activation'}."
            + (FALLS if benign else "")
        ),
        first_step=int(table.steps[onset]),
        last_step=int(table.steps[-1]),
        layers=layers_of(table, [int(i) for i in lasting]),
        evidence=tuple(
            Evidence("activation_saturated_fraction", float(saturated[-1, int(i)]), FRACTION,
                     int(table.steps[-1]), table.rows[int(i)].layer)
            for i in lasting
        ),
        title=title_with_layers(RULE.title, layers_of(table, [int(i) for i in lasting])),
        benign=benign,
    )


def _healthy(_: RunHistory, table: Table) -> Mapping[int, Range]:
    """Outputs of a confident classifier are saturated, as they should be: skip the last row."""
    return dict.fromkeys(range(len(table.rows) - 1), (0.0, FRACTION))


RULE = Rule(
    id="saturated-activation",
    kind="symptom",
    title="Hidden units are saturated",
    needs=("activation_saturated_fraction",),
    at_least=RECORDS,
    evaluate=_evaluate,
    healthy=(Healthy("activation_saturated_fraction", _healthy),),
    thresholds=(
        Threshold(
            "activation_saturated_fraction", high=FRACTION,
            source=(
                "More than half of the outputs are saturated, so this layer stops most of the "
                "gradient."
            ),
        ),
        Threshold(
            "records", high=RECORDS, detail="in a row at the end of the run",
            source="One unusual batch must not trigger the finding.",
        ),
    ),
    shows=("activation_saturated_fraction",),
    of_sound=True,
    advice=(
        "Scale the inputs and use glorot_uniform initialization. In hidden layers, prefer ReLU.",
    ),
    falsified_by=("The layer's gradients are as large as those of its neighbors.",),
    false_alarms=("Gates of recurrent cells should open and close fully.",),
    references=("Glorot & Bengio 2010",),
)
