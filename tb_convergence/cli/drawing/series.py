"""Pictures of a run's statistics: over steps, by depth, and the loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.cli.drawing.chart import (
    Chart,
    Limit,
    Line,
    Picture,
    Profile,
    Scale,
    finite_range,
    line,
)
from tb_convergence.core.diagnosis.finding import Evidence, Finding
from tb_convergence.core.diagnosis.table_columns import WEIGHT_KINDS, median_over_time, weight_rows
from tb_convergence.core.history import RunHistory, Series, Table, Values
from tb_convergence.core.measures import UNNAMED
from tb_convergence.core.statistics import BY_NAME
from tb_convergence.core.text.numbers import number

MAX_BARS: Final = 40
FEATURES: Final = ("input", "target", "prediction")
"""Kinds of rows that are told apart by their own names, not by a layer's."""
WIDE: Final = 20.0
"""Largest over smallest value from which a positive series is drawn on a logarithmic axis."""


def limit_of(item: Evidence) -> Limit | None:
    """The limit of a piece of evidence as a line to draw; None without one.

    A 0 says nothing ("any at all") unless the measure names it, as the smallest target allowed.
    """
    word = item.measure.limit if item.measure is not None else UNNAMED
    if item.limit is None or not np.isfinite(item.limit) or (item.limit == 0 and word == UNNAMED):
        return None
    return Limit(item.limit, f"{word} {number(item.limit)}")


def scale_of(lines: Sequence[Line]) -> Scale:
    """Logarithmic where all values are positive and span more than twentyfold."""
    found = finite_range([a for item in lines for a in (item.low, item.high)])
    return "log10" if found and found[0] > 0 and found[1] > WIDE * found[0] else "linear"


def series_line(series: Series, label: str) -> Line:
    """A loss or a rate as a line; non-finite values are events."""
    return line(label, series.steps, series.values, broken_is_bad=True)


def loss_picture(history: RunHistory, onset: int | None = None) -> Chart | None:
    """The loss, with validation where it counts the same steps; None without any loss."""
    wanted = (("loss", "loss"), ("epoch_loss", "training loss, by epoch"),
              ("validation_loss", "validation loss"))
    found = [(history.series(name), label) for name, label in wanted]
    known = [(series, label) for series, label in found if series is not None and len(series)]
    if known and known[0][1] == "loss":
        # Beside the loss of batches the epoch's mean says nothing new.
        known = [pair for pair in known if not pair[1].startswith("training")]
    if not known:
        return None
    axis = known[0][0].axis
    lines = tuple(series_line(s, label) for s, label in known if s.axis == axis)
    return Chart("Loss", lines, scale_of(lines), None, onset, axis=axis)


def with_limit(chart: Chart | None, limit: Limit | None) -> Chart | None:
    """`chart` with a threshold."""
    if chart is None:
        return None
    return Chart(chart.title, chart.lines, chart.scale, limit, chart.onset, chart.story, chart.axis)


@dataclass(frozen=True, slots=True)
class Over:
    """One statistic of the layers that a finding names, over steps.

    Attributes:
        statistic: name of a column; the first table that has it is drawn.
        limited: whether the limit of the evidence is a value of this statistic.
        kinds: kinds of rows to draw; kernels where neither these nor the finding say which.
        beside: draw up to two other rows as well, for comparison.
    """

    statistic: str
    limited: bool = True
    kinds: tuple[str, ...] = ()
    beside: bool = False

    def __call__(self, history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
        """The chart; None if the statistic was not recorded."""
        table = table_with(history, self.statistic)
        if table is None:
            return None
        rows = rows_for(table, finding, self.kinds, self.statistic)
        if self.beside:
            rows += [row for row in weight_rows(table) if row not in rows][:2]
        lines = tuple(row_line(table, self.statistic, row) for row in rows)
        known = BY_NAME.get(self.statistic)
        title = known.title if known else self.statistic
        if known and known.group == "inputs":
            title = f"{title} ({known.symbol}) of a batch"
        return Chart(
            title,
            lines,
            known.scale if known else "linear",
            limit_of(item) if self.limited else None,
            finding.first_step,
            axis=table.axis,
        )


@dataclass(frozen=True, slots=True)
class Depth:
    """The median of one statistic over the run, by layer from the input to the output."""

    statistic: str
    kinds: tuple[str, ...] = WEIGHT_KINDS

    def __call__(self, history: RunHistory, finding: Finding) -> Picture | None:
        """The profile; None if the statistic was not recorded."""
        table = table_with(history, self.statistic)
        if table is None:
            return None
        rows = table.rows_of(*self.kinds) or weight_rows(table)
        known = BY_NAME.get(self.statistic)
        return profile(
            f"{known.title if known else self.statistic} by depth", table, rows,
            median_over_time(table.column(self.statistic)[:, rows]), finding,
            scale=known.scale if known else "linear",
        )


def profile(
    title: str,
    table: Table,
    rows: Sequence[int],
    values: Values,
    finding: Finding,
    *,
    scale: Scale = "linear",
    limit: Limit | None = None,
) -> Profile | None:
    """Bars `[R]` of `rows`; those the finding names are marked. Evenly thinned beyond `MAX_BARS`.
    """
    if not len(rows):
        return None
    kept = np.unique(np.linspace(0, len(rows) - 1, min(MAX_BARS, len(rows))).astype(int)).tolist()
    named = set(finding.layers)
    picked = [table.rows[rows[i]] for i in kept]
    return Profile(
        title,
        tuple(row.name if row.kind in FEATURES else row.layer for row in picked),
        tuple(float(values[i]) for i in kept),
        tuple(row.layer in named or row.name in named if named or limit is None
              else bool(values[i] > limit.value) for i, row in zip(kept, picked, strict=True)),
        scale,
        limit,
    )


def table_with(history: RunHistory, statistic: str) -> Table | None:
    """The first table with records of `statistic`."""
    for table in history.tables.values():
        if table.has(statistic) and len(table.steps) and table.rows:
            return table
    return None


def rows_for(
    table: Table, finding: Finding, kinds: Sequence[str], statistic: str, most: int = 3
) -> list[int]:
    """Rows that show `finding`: of its evidence and layers first, else of `kinds`, else kernels."""
    order = [item.layer for item in finding.evidence if item.layer] + list(finding.layers)
    among = table.rows_of(*kinds) if kinds else list(range(len(table.rows)))
    values = table.column(statistic)
    among = [row for row in among if np.isfinite(values[:, row]).any()]
    named: list[int] = []
    for name in dict.fromkeys(order):
        own = [row for row in among if name in (table.rows[row].layer, table.rows[row].name)]
        # Of a layer's variables the kernel speaks for it.
        own.sort(key=lambda row: table.rows[row].kind not in WEIGHT_KINDS)
        named += own[:1]
    if named:
        return named[:most]
    weights = [row for row in weight_rows(table) if row in among] if not kinds else among
    chosen = weights or among
    if len(chosen) <= most:
        return chosen
    return [chosen[0], chosen[len(chosen) // 2], chosen[-1]][:most]


def row_line(table: Table, statistic: str, row: int) -> Line:
    """One row's values, as a band where they are known as intervals."""
    low = np.asarray(table.column(statistic, "low")[:, row], np.float64)
    high = low if table.exact else np.asarray(table.column(statistic, "high")[:, row], np.float64)
    item = table.rows[row]
    label = item.name if item.kind in FEATURES else item.layer
    return Line(label, table.steps, low, high)


def evidence_bars(_: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    """The evidence itself, where several layers were held against one limit."""
    same: list[Evidence] = [
        e for e in finding.evidence
        if e.statistic == item.statistic and e.layer is not None and np.isfinite(e.value)
    ][:MAX_BARS]
    if not same:
        return None
    return Profile(
        item.name[:1].upper() + item.name[1:],
        tuple(str(e.layer) for e in same),
        tuple(float(e.value) for e in same),
        (True,) * len(same),
        "linear",
        limit_of(item),
    )
