"""Writes sample runs as event files, the way the recorder and Keras do: for real TensorBoards."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import layout_of
from tests.reading.event_files import EventFile


def write(logdir: Path, history: RunHistory, run: str | None = None, first: int = 0,
          last: int | None = None) -> None:
    """Records `first` to `last` of every table of `history`, as one event file of `run`."""
    folder = logdir / (history.run if run is None else run)
    with EventFile(folder, f"events.out.tfevents.1700000000.test.1.{first}") as file:
        if history.config and first == 0:
            file.config(history.config)
        for table in history.tables.values():
            layout = layout_of(table.group, table.rows, table.columns)
            for index in range(*slice(first, last).indices(len(table.steps))):
                file.record(layout, int(table.steps[index]), table.low[index],
                            float(table.wall_times[index]))
        for series in history.scalars.values():
            for step, value, time in zip(series.steps, series.values, series.wall_times,
                                         strict=True):
                file.scalar(series.source, int(step), float(value), float(np.nan_to_num(time)))
