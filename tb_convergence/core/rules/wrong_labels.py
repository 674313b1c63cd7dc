"""Class labels that the loss cannot mean: out of range, or not whole numbers.

A sparse cross-entropy reads its target as the index of a class. Labels that were divided by 255
along with the images all become class 0; labels that start at 1 run out of the last class.
"""

from __future__ import annotations

import numpy as np

from tb_convergence.core.diagnosis.configuration import SPARSE_LOSSES, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table, model = history.table("inputs"), configuration(history)
    if table is None or model.loss not in SPARSE_LOSSES or model.output is None:
        return None
    rows = table.rows_of("target")
    if len(rows) != 1 or not (table.has("feature_min") and table.has("feature_max")):
        return None
    edges = np.concatenate([table.column(c)[:, rows[0]] for c in ("feature_min", "feature_max")])
    edges = edges[np.isfinite(edges)]
    classes = model.output.units
    if not len(edges) or classes is None:
        return None
    low, high = float(edges.min()), float(edges.max())
    fractional = edges[edges != np.round(edges)]
    if len(fractional):
        text = (
            f"Labels such as {float(fractional[-1]):.3g} are not whole numbers, and are cut to "
            f"{int(fractional[-1])}: were they scaled together with the data?"
        )
        return _match(history, text, "fractional label", float(fractional[-1]), None)
    if low < 0 or high >= classes:
        text = (
            f"Labels go from {low:g} to {high:g}; {model.output.name} has {classes} outputs, for "
            f"labels 0 to {classes - 1}."
        )
        return _match(history, text, "largest label" if high >= classes else "smallest label",
                      high if high >= classes else low, float(classes - 1))
    return None


def _match(
    history: RunHistory, text: str, name: str, value: float, threshold: float | None
) -> Match:
    return Match("critical", 0.95, text, 0, max(0, history.last_step), (),
                 (Evidence(name, value, threshold),))


RULE = Rule(
    id="wrong-labels",
    kind="cause",
    title="The labels are wrong",
    needs=("feature_min", "feature_max", "config"),
    evaluate=_evaluate,
    explains=("loss-not-decreasing", "non-finite-values", "overfitting", "loss-divergence"),
    advice=(
        "Print a few pairs of input and label as they reach fit(), and count the labels.",
        "Fit ten samples until the loss is nearly zero.",
    ),
    disproof=("The labels recorded are not what the loss is given.",),
    references=("Humbatova et al. 2020, Taxonomy of Real Faults in Deep Learning Systems, ICSE",),
)
