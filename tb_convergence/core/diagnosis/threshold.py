"""Thresholds of a rule, and the range of healthy values, as data.

`explain`, docs/diagnoses.md and the healthy bands of the charts follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tb_convergence.core.history import RunHistory, Table

Range = tuple[float | None, float | None]
"""Lowest and highest healthy value; None at an open end."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a rule compares a statistic or a measure with.

    Attributes:
        statistic: id of the statistic or the measure (see `core.measures`).
        low: the rule looks for values below it.
        high: the rule looks for values above it.
        source: where the number comes from: literature, or an argument.
        detail: completes the title of the measure, as in `Evidence`.

    Give `low`, `high`, or both if the rule looks for values outside a range.
    """

    statistic: str
    low: float | None = None
    high: float | None = None
    source: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Healthy:
    """Healthy values of one statistic, row by row.

    Attributes:
        statistic: a column of a table.
        ranges: maps a run and a table with that column to the healthy range of every row that the
            rule judges by its size. Other rows are absent.
    """

    statistic: str
    ranges: Callable[[RunHistory, Table], Mapping[int, Range]]
