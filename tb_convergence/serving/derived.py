"""Metrics of the heat map that nobody wrote: they follow from a recorded column over time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tb_convergence.core.history import Table
from tb_convergence.core.statistics import DERIVED, Statistic
from tb_convergence.core.trend import LEAST, trend
from tb_convergence.serving.pooling import corruption_columns, displayed, is_known


def derivable(table: Table) -> list[Statistic]:
    """Statistics that can be derived of `table`."""
    return [
        statistic
        for of, statistic in _trends(table)
        if len(table.steps) >= 2 * LEAST and is_known(table, of)
    ]


def derived(table: Table, name: str) -> Table | None:
    """A table of statistic `name`, with what says where its tensor was corrupt.

    None where it cannot be derived of `table`.
    """
    of = {statistic.name: column for column, statistic in _trends(table)}.get(name)
    if of is None:
        return None
    kept = [column for column in corruption_columns(name) if table.has(column)]
    # The lower end, as everywhere: only what the data prove is called corrupt.
    parts = [trend(displayed(table, of)), *(table.column(column, "low") for column in kept)]
    values = np.stack([part.astype(np.float32) for part in parts], axis=2)
    return replace(table, columns=(name, *kept), low=values, high=values)


def _trends(table: Table) -> list[tuple[str, Statistic]]:
    """Metrics of the heat map that follow from a column of `table`, with that column."""
    return [
        (column, statistic)
        for column, statistic in DERIVED.get(table.group, ())  # type: ignore[call-overload]
        if statistic.heat and table.has(column)
    ]
