"""Metrics of the heat map that are computed from recorded columns.

A trend follows from one column over time, the size of a feature from its mean and its spread.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Table
from tb_convergence.core.statistics import DERIVED, Statistic
from tb_convergence.core.trend import LEAST, trend
from tb_convergence.serving.pooling import corruption_columns, displayed, is_known

_RMS: Final = "feature_rms"
_STD: Final = "feature_std"


def derivable(table: Table) -> list[Statistic]:
    """Statistics that can be derived of `table`."""
    return [
        statistic
        for of, statistic in _sources(table)
        if is_known(table, of) and (statistic.name == _RMS or len(table.steps) >= 2 * LEAST)
    ]


def derived(table: Table, name: str) -> Table | None:
    """A table of statistic `name`, with what says where its tensor was corrupt.

    None if it cannot be derived of `table`.
    """
    of = {statistic.name: column for column, statistic in _sources(table)}.get(name)
    if of is None:
        return None
    kept = [column for column in corruption_columns(name) if table.has(column)]
    # The lower end, as everywhere: only what the data prove is called corrupt.
    found = _size(table, of) if name == _RMS else trend(displayed(table, of))
    parts = [found, *(table.column(column, "low") for column in kept)]
    values = np.stack([part.astype(np.float32) for part in parts], axis=2)
    return replace(table, columns=(name, *kept), low=values, high=values)


def _size(table: Table, mean: str) -> NDArray[np.floating[Any]]:
    """Root mean square `[S, R]`; NaN where mean or standard deviation are not known."""
    parts = (displayed(table, column).astype(np.float32) for column in (mean, _STD))
    # Of two of the largest float32 it is infinite.
    with np.errstate(over="ignore"):
        return np.hypot(*parts)


def _sources(table: Table) -> list[tuple[str, Statistic]]:
    """Metrics of the heat map that follow from a column of `table`, with that column."""
    return [
        (column, statistic)
        for column, statistic in DERIVED.get(table.group, ())  # type: ignore[call-overload]
        if statistic.heat and table.has(column)
        and (statistic.name != _RMS or table.has(_STD))
    ]
