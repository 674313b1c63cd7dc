"""`tb_convergence.load`: the recorded data of each run, as NumPy arrays with names and units."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core import history as recorded
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory
from tb_convergence.core.statistics import find
from tb_convergence.reading.examining import Loader
from tb_convergence.reading.logdir import examine
from tb_convergence.reading.patterns import TagRule

Array = NDArray[np.floating[Any]]
Steps = NDArray[np.int64]

WHOLE_RUN = ("run", "epoch")
"""Groups of one row: each of their columns is a series."""


@dataclass(frozen=True, slots=True)
class Series:
    """One number of the whole run over steps.

    Attributes:
        name: the statistic, such as "loss".
        title: what it is, in words.
        unit: of the values; "" if it is not known.
        axis: what the steps count: "step", "batch" or "epoch".
        steps: int64 `[S]`, increasing.
        values: float `[S]`; NaN and infinities as they were recorded.
        wall_times: float64 `[S]`, seconds since 1970.
    """

    name: str
    title: str
    unit: str
    axis: str
    steps: Steps
    values: Array
    wall_times: NDArray[np.float64]

    def to_pandas(self) -> Any:
        """A `pandas.Series` over steps.

        Raises:
            ImportError: pandas is not installed.
        """
        index = _pandas().Index(self.steps, name=self.axis)
        return _pandas().Series(self.values, index=index, name=self.name)


@dataclass(frozen=True, slots=True)
class Table:
    """Statistics of each layer, variable or feature over steps.

    Attributes:
        group: "variables", "activations", "inputs", and so on (docs/statistics.md).
        rows: R names, in order of depth.
        layers: R names of the layer that each row belongs to.
        columns: C names of statistics.
        units: C units; "" if one is not known.
        axis: what the steps count.
        steps: int64 `[S]`, increasing.
        wall_times: float64 `[S]`, seconds since 1970.
        low, high: float `[S, R, C]`, bounds of the values; the same array where they are exact, as
            the recorder's are. Histograms give intervals. NaN is undefined.
    """

    group: str
    rows: tuple[str, ...]
    layers: tuple[str, ...]
    columns: tuple[str, ...]
    units: tuple[str, ...]
    axis: str
    steps: Steps
    wall_times: NDArray[np.float64]
    low: Array
    high: Array

    @property
    def exact(self) -> bool:
        """Whether values are known exactly rather than as an interval."""
        return self.low is self.high

    def column(self, name: str) -> Array:
        """Values `[S, R]` of one statistic: exact, or the middle of the interval.

        Raises:
            KeyError: the statistic was not recorded; the message lists those that were.
        """
        if name not in self.columns:
            raise KeyError(f"no {name!r} in {self.group!r}; there are {', '.join(self.columns)}")
        at = self.columns.index(name)
        low: Array = self.low[:, :, at]
        return low if self.exact else (low + self.high[:, :, at]) / 2

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame`: a row for each step and row of the table, a column per statistic.

        Its index has the levels axis ("step", ...) and "row".

        Raises:
            ImportError: pandas is not installed.
        """
        pandas = _pandas()
        index = pandas.MultiIndex.from_product((self.steps, self.rows), names=(self.axis, "row"))
        return pandas.DataFrame(
            {name: self.column(name).ravel() for name in self.columns}, index=index
        )


@dataclass(frozen=True, slots=True)
class Run:
    """The recorded data of one run.

    Attributes:
        name: as TensorBoard shows it.
        series: numbers of the whole run, by name.
        tables: statistics of layers, variables and data, by group.
        config: the recorded configuration of model, optimizer and loss; {} without one.
        skipped: data that could not be read, and why.
    """

    name: str
    series: Mapping[str, Series]
    tables: Mapping[str, Table]
    config: Mapping[str, Any]
    skipped: tuple[Skipped, ...]


def load(
    logdir: str | os.PathLike[str], *, loader: Loader = "auto", patterns: Sequence[TagRule] = ()
) -> dict[str, Run]:
    """Load the recorded data of each run in `logdir`, as a sorted mapping from names to runs.

    All runs are in memory at once.

    Args:
        logdir: directory that TensorBoard would be given; `gs://` and `s3://` too.
        loader: which of TensorBoard's loaders reads the files, as for `diagnose`.
        patterns: what histograms and scalars with ambiguous names are, as for `diagnose`.

    Raises:
        LogdirError: `logdir` is missing, not a directory, or holds no event files.
        DataUnavailableError: TensorBoard's data server does not answer.
    """
    examined = examine(logdir, loader=loader, patterns=patterns)
    return {
        diagnosis.run: _unread(diagnosis.run, diagnosis.skipped) if history is None
        else _run(history)
        for diagnosis, history in examined
    }


def _unread(name: str, skipped: tuple[Skipped, ...]) -> Run:
    return Run(name, {}, {}, {}, skipped)


def _run(history: RunHistory) -> Run:
    series = {one.name: one for one in _columns(history)}
    series |= {
        name: Series(name, *_words("run", name), one.axis, one.steps, one.values, one.wall_times)
        for name, one in history.scalars.items() if name not in series
    }
    tables = {
        group: _table(one) for group, one in history.tables.items() if group not in WHOLE_RUN
    }
    return Run(history.run, series, tables, dict(history.config), history.skipped)


def _columns(history: RunHistory) -> Iterator[Series]:
    for group in WHOLE_RUN:
        table = history.table(group)
        for name in () if table is None or not table.rows else table.columns:
            assert table is not None
            yield Series(name, *_words(group, name), table.axis, table.steps,
                         table.column(name)[:, 0], table.wall_times)


def _table(table: recorded.Table) -> Table:
    return Table(
        table.group,
        tuple(row.name for row in table.rows),
        tuple(row.layer for row in table.rows),
        table.columns,
        tuple(_words(table.group, name)[1] for name in table.columns),
        table.axis, table.steps, table.wall_times, table.low, table.high,
    )


def _words(group: str, name: str) -> tuple[str, str]:
    """Title and unit of a statistic; the name and "" if it is not in the catalog."""
    known = find(group, name) or find("epoch", name)
    return (name, "") if known is None else (known.title, known.unit)


def _pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        raise ImportError("to_pandas needs pandas: pip install pandas") from error
