"""Between which values a statistic raises no doubt: the thresholds of the rules that judge it.

Views draw these as bands. The numbers stand in the rules and nowhere else; a statistic that no rule
judges by its own size has no band. Nor has a share of which only all is objected to: a band from 0
to 99.9 % would call healthy what merely proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from tb_convergence.core.diagnosis.tables import WEIGHT_KINDS, weight_rows
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules import (
    dead_relu,
    exploding_gradient,
    saturated_activation,
    unnormalized_input,
    update_ratio_out_of_range,
    zero_gradient,
)


@dataclass(frozen=True, slots=True)
class Band:
    """Values that no rule objects to.

    Attributes:
        low, high: its ends; None where there is none on that side.
        rule: id of the rule whose thresholds they are.
    """

    low: float | None
    high: float | None
    rule: str


def judged_rows(history: RunHistory, table: Table, name: str) -> list[int]:
    """Rows of `table` in which a rule judges statistic `name` by its own size; [] where none does.

    A bias may change by more than its size, and the output of a sure classifier is saturated.
    """
    if table.group == "variables":
        if name == "gradient_zero_fraction":
            return table.rows_of(*WEIGHT_KINDS)
        return weight_rows(table) if name in ("update_ratio", "gradient_norm") else []
    if table.group == "activations":
        if name == "activation_dead_fraction":
            return list(range(len(table.rows)))
        if name == "activation_saturated_fraction":
            return list(range(len(table.rows) - 1))
    if table.group == "inputs" and name == "feature_rms":
        return unnormalized_input.judged(history, table)
    return []


def band(history: RunHistory, table: Table, name: str, row: int | None = None) -> Band | None:
    """The band of statistic `name` for one row of `table`, or what holds for most of its rows.

    None where no rule judges it, or not in this row: a bias may change by more than its size, and
    an output may be saturated.
    """
    if table.group == "variables":
        return _of_variables(history, table, name, row)
    if table.group == "activations":
        return _of_activations(table, name, row)
    if table.group == "inputs" and name == "feature_rms":
        rows = judged_rows(history, table, name)
        if rows if row is None else row in rows:
            return Band(None, unnormalized_input.LARGE, unnormalized_input.RULE.id)
    return None


def row_bands(history: RunHistory, table: Table, name: str) -> list[Band | None]:
    """`band` of every row of `table`, `[R]`, in one pass: None where no rule judges the row."""
    found: list[Band | None] = [None] * len(table.rows)
    usual = band(history, table, name)
    if usual is None:
        return found
    for row in _judged(history, table, name):
        found[row] = usual
    if table.group == "variables" and name == "gradient_zero_fraction":
        # The first kernel is judged by a stricter limit than the others.
        kernels = table.rows_of(*WEIGHT_KINDS)
        for row, limit in zip(kernels, zero_gradient.limits(history, len(kernels)), strict=True):
            judged = float(limit) < zero_gradient.ALL
            found[row] = Band(0.0, float(limit), usual.rule) if judged else None
    return found


def _judged(history: RunHistory, table: Table, name: str) -> list[int]:
    """Rows that the rule behind the band of `name` looks at."""
    if table.group == "variables":
        return weight_rows(table)
    if table.group == "inputs":
        return unnormalized_input.judged(history, table)
    count = len(table.rows)
    return list(range(count - 1 if name == "activation_saturated_fraction" else count))


def _of_variables(history: RunHistory, table: Table, name: str, row: int | None) -> Band | None:
    if row is not None and row not in weight_rows(table):
        return None
    if name == "update_ratio":
        rule = update_ratio_out_of_range
        return Band(rule.LOW, rule.HIGH, rule.RULE.id)
    if name == "gradient_norm":
        limit = exploding_gradient.limit(table)
        return None if limit is None else Band(None, limit, exploding_gradient.RULE.id)
    if name == "gradient_zero_fraction":
        kernels = table.rows_of(*WEIGHT_KINDS)
        limits = zero_gradient.limits(history, len(kernels))
        if not kernels or (row is not None and row not in kernels):
            return None
        limit = float(limits[len(kernels) - 1 if row is None else kernels.index(row)])
        return None if limit >= zero_gradient.ALL else Band(0.0, limit, zero_gradient.RULE.id)
    return None


def _of_activations(table: Table, name: str, row: int | None) -> Band | None:
    if name == "activation_dead_fraction":
        return Band(0.0, dead_relu.FRACTION, dead_relu.RULE.id)
    # A sure classifier's output is saturated, and should be.
    if name == "activation_saturated_fraction" and (row or 0) < len(table.rows) - 1:
        return Band(0.0, saturated_activation.FRACTION, saturated_activation.RULE.id)
    return None
