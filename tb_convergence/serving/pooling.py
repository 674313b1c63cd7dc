"""From a table of statistics to the cells of a heat map: worst value first, corruption before all.

A map of 10,000 records is drawn 600 pixels wide. Whatever is pooled away here, nobody sees: one
NaN step must survive, and so must one spike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Table
from tb_convergence.core.statistics import Scale, Worst, find

VALUE: Final = 0
NO_DATA: Final = 1
NAN_SEEN: Final = 2
INFINITY_SEEN: Final = 3
"""Codes of a cell."""

_RANK: Final = np.array([1, 0, 3, 2], dtype=np.uint8)
"""How bad each code is: a cell takes the worst of its records."""
_OF_RANK: Final = np.array([NO_DATA, VALUE, INFINITY_SEEN, NAN_SEEN], dtype=np.uint8)

_CORRUPTION: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "gradient": (("gradient_nan_fraction",), ("gradient_inf_fraction",)),
    "variable": (("variable_nonfinite_fraction",), ()),
    "update": (
        ("gradient_nan_fraction", "variable_nonfinite_fraction"),
        ("gradient_inf_fraction",),
    ),
    "activation": (("activation_nan_fraction",), ("activation_inf_fraction",)),
    "feature": (("feature_nan_fraction",), ("feature_inf_fraction",)),
}
"""Columns that say a tensor held NaN, and infinities, by the first word of a statistic's name.

`variable_nonfinite_fraction` does not tell the two apart, and counts as NaN: the worse one.
"""

_IS_CORRUPTION: Final = ("_nan_fraction", "_inf_fraction", "_nonfinite_fraction")
"""Endings of statistics that measure corruption themselves: a plain value, never a code."""

_REFERENCE_RECORDS: Final = 512
"""Records whose median says what is usual in a row; more would only cost time."""


@dataclass(frozen=True, slots=True)
class Pooled:
    """Cells of a heat map: R rows, W cells of one or more of the S records.

    Attributes:
        values: float32 `[R, W]`; NaN where no finite entry is known.
        codes: uint8 `[R, W]`.
        first, last: int `[W]`, indices of the first and last record of each cell.
    """

    values: NDArray[np.float32]
    codes: NDArray[np.uint8]
    first: NDArray[np.intp]
    last: NDArray[np.intp]

    @property
    def range(self) -> tuple[float, float] | None:
        """Smallest and largest value of the cells of code 0; None without one."""
        plain = self.values[self.codes == VALUE]
        return (float(plain.min()), float(plain.max())) if plain.size else None


def displayed(table: Table, column: str) -> NDArray[np.floating[Any]]:
    """Values `[S, R]` to draw of one statistic: exact, or the middle of the interval.

    An interval without an upper end is drawn at its lower one: an open bound is no infinity seen.
    """
    # A column of `[S, R, C]` is spread over all of the table's memory: gathered once, read often.
    values = np.ascontiguousarray(table.column(column))
    if table.exact:
        return values
    low = table.column(column, "low")
    open_ended = ~np.isfinite(values) & np.isfinite(low) & ~np.isnan(table.column(column, "high"))
    undefined = np.isneginf(low) & np.isposinf(table.column(column, "high"))
    return np.where(undefined, np.nan, np.where(open_ended, low, values))


def is_known(table: Table, column: str) -> bool:
    """Whether anything at all is known of `column`: a value, or that it was corrupt."""
    # Nearly always the last record tells; looking at all of them takes a hundred times as long.
    end = slice(-1, None)
    low = table.low[end]
    last = replace(
        table, steps=table.steps[end], wall_times=table.wall_times[end], low=low,
        high=low if table.exact else table.high[end],
    )
    return any(bool((record_codes(part, column) != NO_DATA).any()) for part in (last, table))


def record_codes(
    table: Table, column: str, values: NDArray[np.floating[Any]] | None = None
) -> NDArray[np.uint8]:
    """Code `[S, R]` of every record: what the statistic itself and its tensor's corruption say.

    Args:
        table: R rows, S records.
        column: the statistic.
        values: what `displayed` gives for it, where that is known already.
    """
    values = displayed(table, column) if values is None else values
    codes = np.full(values.shape, VALUE, dtype=np.uint8)
    codes[np.isnan(values)] = NO_DATA
    codes[np.isinf(values)] = INFINITY_SEEN
    if column.endswith(_IS_CORRUPTION):
        return codes
    of_nan, of_infinity = _corruption(column)
    for names, code in ((of_infinity, INFINITY_SEEN), (of_nan, NAN_SEEN)):
        for name in names:
            if table.has(name):
                # The lower end: only where the data prove it.
                codes[table.column(name, "low") > 0] = code
    return codes


def _corruption(column: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    word = column.removeprefix("window_").split("_", 1)[0]
    return _CORRUPTION.get(word, ((), ()))


def corruption_columns(column: str) -> tuple[str, ...]:
    """Names of the columns that say where the tensor of statistic `column` was corrupt."""
    return tuple(name for names in _corruption(column) for name in names)


def pool(table: Table, column: str, cells: int) -> Pooled:
    """The heat map of `column`, at most `cells` wide.

    Raises:
        KeyError: the table has no such column.
    """
    statistic = find(table.group, column)
    worst: Worst = statistic.worst if statistic else "high"
    scale: Scale = statistic.scale if statistic else "linear"
    values = displayed(table, column)
    codes = record_codes(table, column, values)
    records, rows = values.shape
    width = min(cells, records) if rows else 0
    if width < 1:
        none = np.empty(0, dtype=np.intp)
        return Pooled(
            np.empty((rows, 0), np.float32), np.empty((rows, 0), np.uint8), none, none
        )
    first, last = stretches(records, width)
    pooled = _worst(values, first, worst, scale)
    return Pooled(
        np.ascontiguousarray(pooled.T, dtype="<f4"),
        np.ascontiguousarray(worst_codes(codes, first).T),
        first,
        last,
    )


def stretches(records: int, cells: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and last record `[W]` of each of `cells` cells that share `records` evenly.

    Args:
        records: at least 1.
        cells: from 1 to `records`.
    """
    first = (np.arange(cells, dtype=np.int64) * records // cells).astype(np.intp)
    return first, np.append(first[1:], records) - 1


def worst_codes(codes: NDArray[np.uint8], first: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Worst code of each stretch of records of `codes` `[S, ...]`, `[W, ...]`."""
    return _OF_RANK[np.maximum.reduceat(_RANK[codes], first, axis=0)]


def _worst(
    values: NDArray[np.floating[Any]], first: NDArray[np.intp], worst: Worst, scale: Scale
) -> NDArray[np.float32]:
    """Worst finite value `[W, R]` of each stretch of records of `values` `[S, R]`, else NaN."""
    finite = np.isfinite(values)
    high = np.maximum.reduceat(np.where(finite, values, -np.inf), first, axis=0)
    low = np.minimum.reduceat(np.where(finite, values, np.inf), first, axis=0)
    if worst == "high":
        chosen = high
    elif worst == "low":
        chosen = low
    else:
        chosen = np.where(_further(values, low, high, scale), low, high)
    largest = float(np.finfo(np.float32).max)
    with np.errstate(invalid="ignore"):
        clipped = np.clip(chosen, -largest, largest)
    return np.where(np.isfinite(chosen), clipped, np.nan).astype(np.float32)


def _further(
    values: NDArray[np.floating[Any]],
    low: NDArray[np.floating[Any]],
    high: NDArray[np.floating[Any]],
    scale: Scale,
) -> NDArray[np.bool_]:
    """Where `low` `[W, R]` is further than `high` from what is usual in the row.

    Usual is the row's median. On a logarithmic scale zero lies one decade below the row's smallest
    positive value, so that a zero counts, but does not hide an explosion in the same cell.
    """
    ends: list[NDArray[np.floating[Any]]] = [low, high]
    sample = values[:: max(1, len(values) // _REFERENCE_RECORDS)].astype(np.float64)
    if scale == "log10":
        with np.errstate(divide="ignore", invalid="ignore"):
            floor = np.log10(
                np.where((values > 0) & np.isfinite(values), values, np.inf).min(axis=0)
            ) - 1.0
            ends = [np.where(end > 0, np.log10(end), floor) for end in ends]
            sample = np.where(sample > 0, np.log10(sample), np.nan)
    usual = _median(sample)
    with np.errstate(invalid="ignore"):
        away = [np.abs(end - usual) for end in ends]
        return np.asarray(away[0] > away[1])


def _median(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median `[R]` of the finite values of each column of `sample` `[S, R]`; NaN without one."""
    ordered = np.sort(np.where(np.isfinite(sample), sample, np.nan), axis=0)  # NaN sorts last
    count = np.count_nonzero(~np.isnan(ordered), axis=0)
    columns = np.arange(ordered.shape[1])
    lower = np.maximum(count - 1, 0) // 2
    upper = np.minimum(count // 2, len(ordered) - 1)
    middle: NDArray[np.float64] = (ordered[lower, columns] + ordered[upper, columns]) / 2
    return middle
