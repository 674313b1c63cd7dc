"""NaN or Inf is already in the data, before any computation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.schema import Row
from tb_convergence.core.text.phrases import listed


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("inputs")
    if table is None:
        return None
    names = [c for c in ("feature_nan_fraction", "feature_inf_fraction") if table.has(c)]
    rows = table.rows_of("input", "target")
    if not names or not rows:
        return None
    bad = np.maximum.reduce([np.nan_to_num(table.column(name)[:, rows]) for name in names])
    records = np.flatnonzero((bad > 0).any(axis=1))
    if not len(records):
        return None
    columns = np.flatnonzero((bad > 0).any(axis=0))
    worst = int(columns[np.argmax(bad[:, columns].max(axis=0))])
    at = int(np.argmax(bad[:, worst]))
    most = max(names, key=lambda name: float(np.nan_to_num(table.column(name)[at, rows[worst]])))
    kind = "NaN" if most == "feature_nan_fraction" else "Inf"
    named = ", ".join(table.rows[rows[int(i)]].name for i in columns[:5])
    more = f" and {len(columns) - 5} more" if len(columns) > 5 else ""
    return Match(
        severity="critical",
        confidence=0.95,
        summary=(
            f"The data contains NaN or Inf in {named}{more}, first at step "
            f"{int(table.steps[records[0]]):,}."
        ),
        first_step=int(table.steps[records[0]]),
        last_step=int(table.steps[records[-1]]),
        layers=tuple(table.rows[rows[int(i)]].name for i in columns),
        evidence=(
            Evidence("feature_nan_fraction" if kind == "NaN" else "feature_inf_fraction",
                     float(bad[at, worst]), 0.0, int(table.steps[at]),
                     table.rows[rows[worst]].name),
            Evidence("nonfinite_batches", float(len(records)), 0.0),
        ),
        advice=_advice([table.rows[rows[int(i)]] for i in columns]),
    )


def _advice(bad: Sequence[Row]) -> tuple[str, ...]:
    """Which samples to leave out, what to fill in instead, and what to look for."""
    of_targets = all(row.kind == "target" for row in bad)
    name = "y" if of_targets else "x"
    if any(row.kind == "target" for row in bad) and not of_targets:
        keep = "np.isfinite(x).all(axis=1) & np.isfinite(y).reshape(len(y), -1).all(axis=1)"
    else:
        keep = f"np.isfinite({name}).reshape(len({name}), -1).all(axis=1)"
    named = listed([row.name for row in bad[:3]])
    fill = (
        "A missing target cannot be filled in, so leave the sample out."
        if of_targets else
        f"Or fill in {named}: use the median of the column in the training split, and add a column "
        "of 0 and 1 that marks the filled values."
    )
    return (
        f"Leave out the samples that contain NaN or Inf: keep = {keep}; x, y = x[keep], y[keep]. "
        "Do the same with the validation data.",
        fill,
        "Look for the origin of the values: a division by 0, log(0), an empty cell, or a failed "
        "conversion.",
    )


RULE = Rule(
    id="non-finite-input",
    kind="cause",
    title="The data contains NaN or Inf",
    needs=("feature_nan_fraction|feature_inf_fraction",),
    evaluate=_evaluate,
    measures=(
        Measure("nonfinite_batches", "recorded batches with such values"),
    ),
    shows=(
        "feature_nan_fraction", "feature_inf_fraction", "activation_nan_fraction",
        "gradient_nan_fraction",
    ),
    explains=("non-finite-values", "loss-not-decreasing", "loss-divergence",
              "learning-rate-too-high", "exploding-gradient", "zero-gradient", "loss-spike",
              "dead-relu", "saturated-activation", "constant-output", "frozen-variable",
              "wrong-loss", "update-ratio-out-of-range"),
    falsified_by=("The named columns are finite in the data that the model receives.",),
    references=("Braiek & Khomh 2022, TheDeepChecker, TOSEM",),
)
