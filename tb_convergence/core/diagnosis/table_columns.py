"""What rules read from a table: the rows of weights, their layers, values over time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from tb_convergence.core.history import Bound, Table, Values

WEIGHT_KINDS: Final = ("kernel", "recurrent_kernel")
"""Kinds of rows whose scale is meaningful: biases and gains start at 0 or 1 and move freely."""


def weight_rows(table: Table) -> list[int]:
    """Rows of kernels in order of depth; all rows if none names its kind."""
    rows = table.rows_of(*WEIGHT_KINDS)
    return rows or [i for i, row in enumerate(table.rows) if row.kind in ("", "other")]


def median_over_time(values: Values) -> Values:
    """Median over records, `[S, R]` -> `[R]`, ignoring NaN; NaN only if a row has no other value.
    """
    finite = np.isfinite(values)
    result = np.full(values.shape[1], np.nan)
    if not len(values):
        return result
    whole = finite.all(axis=0)  # nearly always, and then one call does for all rows
    result[whole] = _medians(values.T[whole])
    for row in np.flatnonzero(finite.any(axis=0) & ~whole).tolist():
        result[row] = float(np.median(values[finite[:, row], row]))
    return result


def _medians(rows: Values) -> Values:
    """As `np.median(rows, axis=1)` for finite values `[R, S]`, S >= 1; reorders `rows`.

    One partition at the middle, then the largest value below it. NumPy partitions at both places at
    once, which takes several times as long.
    """
    middle = rows.shape[1] // 2
    rows.partition(middle, axis=1)
    upper: Values = rows[:, middle]
    if rows.shape[1] % 2:
        return upper
    lower: Values = rows[:, :middle].max(axis=1)
    return np.asarray(np.stack([lower, upper]).mean(axis=0))


def largest_per_record(values: Values) -> Values:
    """Largest finite value of each record, `[S, R]` -> `[S]`; NaN if none is finite."""
    masked = np.where(np.isfinite(values), values, -np.inf)
    if masked.shape[1] == 0:
        return np.full(len(masked), np.nan)
    top = masked.max(axis=1)
    return np.where(np.isneginf(top), np.nan, top)


def weights_column(table: Table, name: str, bound: Bound = "middle") -> Values:
    """Values `[S, K]` of one statistic for the K weight rows."""
    return table.column(name, bound)[:, weight_rows(table)]


def layers_of(table: Table, rows: Iterable[int]) -> tuple[str, ...]:
    """Names of the layers of `rows`, without repetition, in order of depth."""
    return tuple(dict.fromkeys(table.rows[row].layer for row in rows))


def last_segment(table: Table) -> int:
    """Index of the record since which every weight row has a gradient, if it ever has one.

    A layer that is unfrozen during the run gets its first gradient at that point. Earlier norms of
    the other layers are then no start to compare with. 0 if no row begins later than the others.
    """
    if not table.has("gradient_norm") or not len(table.steps):
        return 0
    known = np.isfinite(weights_column(table, "gradient_norm", "low"))
    begins = np.argmax(known, axis=0)[known.any(axis=0)]
    return int(begins.max(initial=0))


def gradient_growth(table: Table, until: int) -> float | None:
    """Largest gradient norm of a layer up to step `until`, over the first norm above zero.

    Covers the records in which all trained layers are trained (see `last_segment`). None if norms
    were not recorded, or if fewer than two are finite and above zero.
    """
    if not table.has("gradient_norm"):
        return None
    norm = largest_per_record(weights_column(table, "gradient_norm", "low"))
    usable = np.isfinite(norm) & (norm > 0) & (table.steps <= until)
    usable[: last_segment(table)] = False
    if usable.sum() < 2:
        return None
    values = norm[usable].astype(np.float64)
    return float(values.max() / values[0])
