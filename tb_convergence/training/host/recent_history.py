"""The records of a training as a `RunHistory`, while it runs, in bounded memory.

What goes into the event file is kept here as well, in the same shape a reader would give it. Beyond
a limit every second record of the older ones is forgotten; the first steps and the latest stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Layout, decode_layout
from tb_convergence.core.statistics import CHECK_COLUMN

MOST_RECORDS: Final = 400
FEWEST_RECORDS: Final = 60
MOST_BYTES: Final = 2**24
"""Kept of one table: so many records, fewer where they are large, but never less than the rules
need to tell a trend."""

FIRST: Final = 10
"""Records at the start that are never forgotten: many failures are over by then."""


@dataclass(slots=True)
class _Kept:
    """Records of one table."""

    layout: Layout
    columns: tuple[str, ...]
    steps: list[int] = field(default_factory=list)
    wall_times: list[float] = field(default_factory=list)
    values: list[NDArray[np.float32]] = field(default_factory=list)
    written: int = 0

    def add(self, step: int, wall_time: float, values: NDArray[np.float32]) -> None:
        while self.steps and self.steps[-1] >= step:  # resumed from an earlier step
            for items in (self.steps, self.wall_times, self.values):
                items.pop()
        self.steps.append(step)
        self.wall_times.append(wall_time)
        self.values.append(np.array(values, np.float32))
        self.written += 1
        most = MOST_BYTES // max(1, values.nbytes)
        if len(self.steps) > min(MOST_RECORDS, max(FEWEST_RECORDS, most)):
            self._thin()

    def _thin(self) -> None:
        middle = range(FIRST, len(self.steps) - FIRST)
        kept = [*range(FIRST), *middle[1::2], *range(len(self.steps) - FIRST, len(self.steps))]
        self.steps = [self.steps[index] for index in kept]
        self.wall_times = [self.wall_times[index] for index in kept]
        self.values = [self.values[index] for index in kept]

    def widen(self, layout: Layout, columns: tuple[str, ...]) -> None:
        """More columns, as when a metric comes up later: what was before has none of them."""
        wide = np.full((len(self.steps), len(layout.rows), len(columns)), np.nan, np.float32)
        for place, name in enumerate(self.columns):
            if name in columns:
                wide[:, :, columns.index(name)] = [values[:, place] for values in self.values]
        self.values = list(wide)
        self.layout, self.columns = layout, columns

    def table(self) -> Table:
        values = np.stack(self.values)
        total = self.written if self.written > len(self.steps) else None
        return Table(
            self.layout.group, self.layout.rows, self.columns,
            np.array(self.steps, np.int64), np.array(self.wall_times), values, values, total=total,
        )


class KeptHistory:
    """Keeps the records of one run. Several models of a run are kept apart."""

    def __init__(self, run: str) -> None:
        self.config: Mapping[str, Any] = {}
        self.records = 0
        self._run = run
        self._layouts: dict[bytes, Layout] = {}
        self._kept: dict[tuple[str, str], _Kept] = {}

    def add(
        self, content: bytes, values: NDArray[np.float32], step: int, wall_time: float
    ) -> Layout:
        """One record `[R, C]` of the layout that is encoded as `content`, which is returned."""
        layout = self._layouts.get(content)
        if layout is None:
            layout = self._layouts[content] = decode_layout(content)
        columns = tuple(name for name in layout.columns if name != CHECK_COLUMN)
        key = (layout.model, layout.group)
        kept = self._kept.get(key)
        if kept is not None and kept.layout != layout:
            if kept.layout.rows == layout.rows:
                kept.widen(layout, columns)
            else:
                kept = None
        if kept is None:
            kept = self._kept[key] = _Kept(layout, columns)
        kept.add(step, wall_time, values)
        self.records += layout.group == "run"
        return layout

    def histories(self, growing: bool = False) -> dict[str, RunHistory]:
        """The run as it is now, by model; what belongs to the run as a whole is in each.

        `growing` says that more is to come.
        """
        models = sorted({model for model, group in self._kept if group != "epoch"})
        found = {}
        for model in models or [""]:
            tables = {
                group: kept.table()
                for (owner, group), kept in self._kept.items()
                if owner == model or (group == "epoch" and owner == "")
            }
            found[model] = RunHistory(
                self._run, tables=tables, config=self.config, growing=growing
            )
        return found
