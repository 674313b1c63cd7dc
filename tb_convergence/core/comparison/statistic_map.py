"""One statistic of all rows of two runs, record by record: what a map of their difference shows.

Only what the data prove differs: where a value is known as an interval, the gap between the two
intervals counts, and overlapping ones are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.comparison.differences import orders_apart
from tb_convergence.core.comparison.pairing import Indices, RowPairs, pair_rows, pair_steps
from tb_convergence.core.history import Table, Values
from tb_convergence.core.statistics import find


@dataclass(frozen=True, slots=True)
class StatisticMap:
    """The difference of one statistic: P paired records, K paired rows.

    Attributes:
        rows: which rows are paired.
        at_first, at_second: `[P]`, indices of the paired records of either table.
        steps: int64 `[P]`, strictly increasing: the step by which both runs have the record.
        values: float64 `[P, K]`, second against first: log10(second / first) on the scale
            "log10" (infinite where exactly one of them is zero, 0 where both are), second - first
            on "linear"; NaN where either is not known, negative on "log10", or not finite.
        scale: that of the statistic.
    """

    rows: RowPairs
    at_first: Indices
    at_second: Indices
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    scale: Literal["log10", "linear"]


def statistic_map(first: Table, second: Table, statistic: str) -> StatisticMap:
    """How `statistic` differs between two tables of one group.

    Raises:
        KeyError: either table has no such column.
        ValueError: the tables count different things, as steps and epochs.
    """
    if first.axis != second.axis:
        raise ValueError(f"one run counts {first.axis}s, the other {second.axis}s")
    at_first, at_second = pair_steps(first.steps, second.steps)
    rows = pair_rows(first, second, range(len(first.rows)), range(len(second.rows)))
    places = np.array(rows.pairs, dtype=np.intp).reshape(-1, 2)
    (low_1, high_1), (low_2, high_2) = (
        [table.column(statistic, bound)[np.ix_(at, chosen)].astype(np.float64)
         for bound in ("low", "high")]
        for table, at, chosen in ((first, at_first, places[:, 0]), (second, at_second,
                                                                    places[:, 1]))
    )
    known = find(first.group, statistic)
    scale: Literal["log10", "linear"] = known.scale if known else "linear"
    values = (
        orders_apart((low_1, high_1), (low_2, high_2)) if scale == "log10"
        else _gap(low_1, high_1, low_2, high_2)
    )
    return StatisticMap(
        rows, at_first, at_second, np.maximum(first.steps[at_first], second.steps[at_second]),
        values.astype(np.float64), scale,
    )


def _gap(low_1: Values, high_1: Values, low_2: Values, high_2: Values) -> Values:
    """second - first that two intervals prove; 0 where they overlap, NaN where one is not finite.

    >>> one = np.array([1.0])
    >>> float(_gap(one, one + 1, one + 4, one + 9)[0]), float(_gap(one, one, one, one)[0])
    (3.0, 0.0)
    """
    with np.errstate(invalid="ignore", over="ignore"):
        above, below = low_2 - high_1, low_1 - high_2
        gap = np.where(above > 0, above, np.where(below > 0, -below, 0.0))
    finite = np.isfinite(low_1) & np.isfinite(high_1) & np.isfinite(low_2) & np.isfinite(high_2)
    return np.where(finite, gap, np.nan)
