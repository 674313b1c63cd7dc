"""Thresholds of a rule, and the range in which it objects to nothing, as data.

`explain`, docs/diagnoses.md and the healthy bands of the charts follow from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tb_convergence.core.history import RunHistory, Table

Range = tuple[float | None, float | None]
"""Lowest and highest value that a rule does not object to; None at an open end."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a rule holds a statistic or a measure against.

    Attributes:
        statistic: id of the statistic or of the measure (see `core.measures`).
        low: the rule looks for values below it.
        high: the rule looks for values above it.
        source: where the number comes from: literature, or an argument.
        detail: what the words of the measure leave open, as in `Evidence`.

    One of `low` and `high` is given, or both, where a rule looks for values outside a range.
    """

    statistic: str
    low: float | None = None
    high: float | None = None
    source: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Healthy:
    """Values of one statistic that a rule does not object to, row by row.

    Attributes:
        statistic: a column of a table.
        ranges: from a run and a table that has the column to the range of every row that the rule
            judges by its own size; rows that it does not judge are absent.
    """

    statistic: str
    ranges: Callable[[RunHistory, Table], Mapping[int, Range]]
