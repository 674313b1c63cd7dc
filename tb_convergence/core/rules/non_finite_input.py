"""NaN or Inf is already in the data, before any computation."""

from __future__ import annotations

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure


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
    advice=(
        "Clean the named columns before training: drop or impute the rows, and guard divisions and "
        "logarithms in the preprocessing.",
    ),
    falsified_by=("The named columns are finite in the data that the model receives.",),
    references=("Braiek & Khomh 2022, TheDeepChecker, TOSEM",),
)
