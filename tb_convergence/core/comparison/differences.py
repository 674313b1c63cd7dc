"""How far the statistics of two runs lie apart, in orders of magnitude, and since when.

A statistic differs where its records lie half an order of magnitude apart, on the same side, for
five records in a row and in the median of all that follow: a single odd batch is no difference.
Where a value is known as an interval, only the gap between the intervals counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.comparison.pairing import pair_rows, pair_steps
from tb_convergence.core.diagnosis.table_columns import weight_rows
from tb_convergence.core.history import RunHistory, Table, Values

ORDERS: Final = 0.5
"""Half an order of magnitude, a factor of three. Measured on the demo's healthy network and on its
deep sigmoid one, three seeds each: two seeds of one program lie at most 0.41 apart so long."""
LASTING: Final = 5
"""Records in a row, or all there are."""
LEAST_FRACTION: Final = 0.05
"""Added to fractions: from none to a twentieth is a factor of two, not an infinite one. Of the
units of a healthy layer one in thirty is dead with one seed and none with another."""

MEASURES: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("variables", ("gradient_norm", "update_ratio", "gradient_zero_fraction")),
    ("activations", ("activation_dead_fraction", "activation_saturated_fraction",
                     "activation_std")),
    ("run", ("learning_rate", "gradient_global_norm")),
)
"""Statistics that are compared: what the rules judge by, one of each kind."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One statistic of one row that differs lastingly.

    Attributes:
        statistic: name of the column.
        first_row, second_row: the layer in either run; "run" for the run as a whole.
        first, second: median values from `since_step` on; of intervals, their middle.
        exact: whether both are known exactly, rather than as intervals.
        orders: median of log10(second / first) from `since_step` on; infinite where one is zero.
        since_step: first step of the first stretch of lasting difference.
        compared: number of records compared.
    """

    statistic: str
    first_row: str
    second_row: str
    first: float
    second: float
    exact: bool
    orders: float
    since_step: int
    compared: int


def orders_apart(
    first: tuple[Values, Values], second: tuple[Values, Values], *, fraction: bool = False
) -> Values:
    """log10(second / first) `[P]` that two intervals `(low, high)` prove; 0 where they overlap.

    Infinite where only one is zero; NaN where either is undefined, negative or infinite.

    >>> exact = lambda x: (np.array([x]), np.array([x]))
    >>> float(orders_apart(exact(0.01), exact(10.0))[0])
    3.0
    """
    (low_1, high_1), (low_2, high_2) = (
        [np.asarray(bound, np.float64) + (LEAST_FRACTION if fraction else 0.0) for bound in pair]
        for pair in (first, second)
    )
    known = np.ones(low_1.shape, bool)
    for bound in (low_1, high_1, low_2, high_2):
        known &= np.isfinite(bound) & (bound >= 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        above = np.log10(low_2) - np.log10(high_1)
        below = np.log10(low_1) - np.log10(high_2)
    result = np.where(low_2 > high_1, above, np.where(low_1 > high_2, -below, 0.0))
    return np.where(known, result, np.nan)


def lasting_since(orders: Values) -> int | None:
    """Index of the record where a difference to one side begins that lasts; None without one.

    It lasts where `LASTING` records in a row show it, and so does the median of all that follow.
    """
    length = min(LASTING, len(orders))
    if not length:
        return None
    known = _from_here_on(~np.isnan(orders))
    starts: list[int] = []
    with np.errstate(invalid="ignore"):
        sides = (orders >= ORDERS, orders <= -ORDERS)
    for side in sides:
        # The median shows it where more than half of the records do.
        most = 2 * _from_here_on(side) > known
        starts += [start for start in _stretches(side, length) if most[start]]
    return min(starts, default=None)


def _from_here_on(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How many are True from each place to the end."""
    return np.cumsum(mask[::-1], dtype=np.int64)[::-1]


def _stretches(mask: NDArray[np.bool_], length: int) -> list[int]:
    """Where each stretch of at least `length` True begins."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return [int(start) for start, end in zip(starts, ends, strict=True) if end - start >= length]


def differences(first: RunHistory, second: RunHistory) -> tuple[Difference, ...]:
    """All lasting differences, the largest first."""
    found: list[Difference] = []
    for group, statistics in MEASURES:
        tables = first.table(group), second.table(group)
        if tables[0] is None or tables[1] is None or tables[0].axis != tables[1].axis:
            continue
        for statistic in statistics:
            if tables[0].has(statistic) and tables[1].has(statistic):
                found += _of_tables(tables[0], tables[1], statistic)
    return tuple(sorted(found, key=lambda item: (-abs(item.orders), item.since_step)))


def _of_tables(first: Table, second: Table, statistic: str) -> list[Difference]:
    at_first, at_second = pair_steps(first.steps, second.steps)
    found = []
    for row_1, row_2 in pair_rows(first, second, _rows(first), _rows(second)).pairs:
        bounds = [
            (table.column(statistic, "low")[at, row], table.column(statistic, "high")[at, row])
            for table, at, row in ((first, at_first, row_1), (second, at_second, row_2))
        ]
        orders = orders_apart(bounds[0], bounds[1], fraction=statistic.endswith("_fraction"))
        since = lasting_since(orders)
        if since is None:
            continue
        found.append(Difference(
            statistic,
            first.rows[row_1].layer or first.rows[row_1].name,
            second.rows[row_2].layer or second.rows[row_2].name,
            _median(first.column(statistic)[at_first[since:], row_1]),
            _median(second.column(statistic)[at_second[since:], row_2]),
            first.exact and second.exact,
            _median(orders[since:]),
            # A difference is there once both runs have shown it.
            int(max(first.steps[at_first[since]], second.steps[at_second[since]])),
            int(np.isfinite(orders).sum() + np.isinf(orders).sum()),
        ))
    return found


def _rows(table: Table) -> list[int]:
    return weight_rows(table) if table.group == "variables" else list(range(len(table.rows)))


def _median(values: Values) -> float:
    """Median of what is not NaN, infinities included; NaN of nothing."""
    known = np.sort(np.asarray(values, np.float64)[~np.isnan(values)])
    if not len(known):
        return float("nan")
    low, high = float(known[(len(known) - 1) // 2]), float(known[len(known) // 2])
    # Halfway between two equal infinities is that infinity, not NaN.
    return low if low == high else low / 2 + high / 2
