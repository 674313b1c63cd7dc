"""The healthy range of each statistic, as the rules declare it (`Rule.healthy`).

Views draw these as bands. A statistic that no rule judges by its own size has no band.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tb_convergence.core.diagnosis.threshold import Range
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules import in_force


@dataclass(frozen=True, slots=True)
class Band:
    """Values that no rule objects to.

    Attributes:
        low, high: its ends; None if there is none on that side.
        rule: id of the rule whose thresholds they are.
    """

    low: float | None
    high: float | None
    rule: str


def judged_rows(history: RunHistory, table: Table, name: str) -> list[int]:
    """Rows of `table` in which a rule judges statistic `name` by its own size; [] if none does.

    A bias may change by more than its size, and the output of a sure classifier is saturated.
    """
    return sorted(_ranges(history, table, name)[1])


def band(history: RunHistory, table: Table, name: str, row: int | None = None) -> Band | None:
    """The band of statistic `name` for one row of `table`, or what holds for most of its rows.

    None if no rule judges it, or not in this row.
    """
    rule, ranges = _ranges(history, table, name)
    if row is not None:
        return _band(ranges.get(row), rule)
    if not ranges:
        return None
    # Of equally many the last: a first layer is often judged more strictly.
    (most, _), = Counter(reversed(list(ranges.values()))).most_common(1)
    return _band(most, rule)


def row_bands(history: RunHistory, table: Table, name: str) -> list[Band | None]:
    """`band` of every row of `table`, `[R]`, in one pass: None if no rule judges the row."""
    rule, ranges = _ranges(history, table, name)
    return [_band(ranges.get(row), rule) for row in range(len(table.rows))]


def _band(values: Range | None, rule: str) -> Band | None:
    return None if values is None or values == (None, None) else Band(*values, rule)


def _ranges(history: RunHistory, table: Table, name: str) -> tuple[str, Mapping[int, Range]]:
    """The rule that judges `name` in this table, and the range of each row that it judges."""
    for rule in in_force():
        for healthy in rule.healthy:
            if healthy.statistic == name:
                ranges = healthy.ranges(history, table)
                if ranges:
                    return rule.id, ranges
    return "", {}
