"""RunHistory: everything known of one run, in one shape, whoever wrote it.

The recorder's tables, ordinary histograms and plain scalars all end here; rules and views read
nothing else. Histograms only bound a statistic, so every table carries a lower and an upper bound;
for exact data both are the same array.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.experiments import ExperimentRecord
from tb_convergence.core.gaps import Sampled, Skipped, TagFamily
from tb_convergence.core.scalar_tags import EarlierTraining, Framework, ScalarTag
from tb_convergence.core.schema import Row

Steps = NDArray[np.int64]
Values = NDArray[np.floating[Any]]
Bound = Literal["low", "high", "middle"]
Axis = Literal["step", "epoch", "batch"]

_NO_STEPS: Final[Steps] = np.zeros(0, np.int64)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Series:
    """One number over steps.

    Attributes:
        name: statistic, such as "loss".
        steps: int64 `[S]`, strictly increasing.
        values: float `[S]`; NaN and infinities are data, not gaps.
        wall_times: float64 `[S]`, seconds since the epoch; may be unreliable.
        source: tag it was read from.
        axis: what one step counts: optimizer updates ("step"), epochs, or batches (Keras'
            `batch_*` tags, and its epochs where they could be placed among those). Only series of
            one axis may be compared point by point.
    """

    name: str
    steps: Steps
    values: Values
    wall_times: NDArray[np.float64]
    source: str = ""
    axis: Axis = "step"

    def __len__(self) -> int:
        return len(self.steps)


class NoStatisticError(KeyError):
    """A table lacks a statistic that it was asked for.

    Attributes:
        name: of the statistic.
    """

    def __init__(self, name: str, group: str) -> None:
        super().__init__(f"no statistic {name!r} in table {group!r}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Table:
    """Statistics `[S, R, C]`: S recorded steps, R rows, C columns.

    Attributes:
        group: "variables", "activations", "inputs", "labels", "replicas", "magnitudes", "run" or
            "epoch".
        rows: R descriptions, in order of depth.
        columns: C names of statistics.
        steps: int64 `[S]`, strictly increasing.
        wall_times: float64 `[S]`, seconds since the epoch.
        low, high: float `[S, R, C]` bounds of the value; one and the same array where exact.
        source: "recorder" or "histograms".
        total: number of records written (at least), where TensorBoard provably kept fewer; else
            None.
        axis: what one step counts; "epoch" for histograms of Keras' own callback that could not be
            placed among the steps of its scalars.
    """

    group: str
    rows: tuple[Row, ...]
    columns: tuple[str, ...]
    steps: Steps
    wall_times: NDArray[np.float64]
    low: Values
    high: Values
    source: str = "recorder"
    total: int | None = None
    axis: Axis = "step"

    def __post_init__(self) -> None:
        shape = (len(self.steps), len(self.rows), len(self.columns))
        if self.low.shape != shape or self.high.shape != shape:
            raise ValueError(
                f"table {self.group!r}: bounds {self.low.shape} and {self.high.shape}, not {shape}"
            )

    @property
    def exact(self) -> bool:
        """Whether values are known exactly rather than as an interval."""
        return self.low is self.high

    def has(self, column: str) -> bool:
        """Whether `column` was written at all."""
        return column in self.columns

    def column(self, name: str, bound: Bound = "middle") -> Values:
        """Values `[S, R]` of one statistic.

        `bound` chooses the end of the interval: a rule that fires above a threshold asks for
        "low", one that fires below it for "high", so that it fires only where the data prove it.
        "middle" is the geometric mean of the bounds where both are positive, else their mean.

        Raises:
            NoStatisticError: the statistic was not written.
        """
        if name not in self.columns:
            raise NoStatisticError(name, self.group)
        index = self.columns.index(name)
        low: Values = self.low[:, :, index]
        if bound == "low" or self.exact:
            return low
        high: Values = self.high[:, :, index]
        if bound == "high":
            return high
        with np.errstate(invalid="ignore", over="ignore"):
            return np.where((low > 0) & np.isfinite(high), np.sqrt(low * high), (low + high) / 2)

    def rows_of(self, *kinds: str) -> list[int]:
        """Indices of the rows whose kind is one of `kinds`, in order of depth."""
        return [index for index, row in enumerate(self.rows) if row.kind in kinds]


@dataclass(frozen=True, slots=True)
class RunHistory:
    """One run. See the module docstring.

    Attributes:
        run: name as TensorBoard shows it.
        tables: by group.
        scalars: series from ordinary scalar summaries, by the statistic they mean, where the
            recorder wrote none: "loss", "validation_loss", "learning_rate", "epoch_loss", and
            "reward", "generator_loss", "discriminator_loss", "curriculum", "metric",
            "validation_metric", "total_gradient_norm", which the recorder never writes.
        config: static configuration as the recorder wrote it; empty if unknown.
        skipped: data refused.
        restarts: steps at which training resumed from an earlier step, as far as the loader tells:
            the fast one drops what a restart replaced without a trace.
        source_runs: TensorBoard's runs it was read from, such as "a/train" and "a/validation" for
            the run "a"; empty if it did not come from TensorBoard.
        tag_families: histograms that are not read, or only because a person said what they are.
        summaries_sampled: of ordinary summaries, the series of which most is missing.
        scalar_tags: what each ordinary scalar was taken for, those that are read first.
        earlier_trainings: older trainings in the same folder, of which nothing else here tells.
        framework: what seems to have written its scalars; "" if nothing tells.
        experiments: results of experiments that were written into its folder, oldest first.
        hparams: hyperparameters that TensorBoard's hparams plugin was told, as texts by name.
        growing: whether it is known that more is to come, as while it trains.
    """

    run: str
    tables: Mapping[str, Table] = field(default_factory=lambda: _NOTHING)
    scalars: Mapping[str, Series] = field(default_factory=lambda: _NOTHING)
    config: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    skipped: tuple[Skipped, ...] = ()
    restarts: tuple[int, ...] = ()
    source_runs: tuple[str, ...] = ()
    tag_families: tuple[TagFamily, ...] = ()
    summaries_sampled: Sampled | None = None
    scalar_tags: tuple[ScalarTag, ...] = ()
    earlier_trainings: tuple[EarlierTraining, ...] = ()
    framework: Framework = ""
    experiments: tuple[ExperimentRecord, ...] = ()
    hparams: Mapping[str, str] = field(default_factory=dict)
    growing: bool = False
    memory: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)
    """What was derived from it (see `diagnosis.memoization`); never copied to another history."""

    @property
    def last_step(self) -> int:
        """Largest step with any data, or epoch where nothing counts steps; -1 for an empty run."""
        parts: list[Table | Series] = [*self.tables.values(), *self.scalars.values()]
        ends = [
            (part.axis != "epoch", int(part.steps[-1])) for part in parts if len(part.steps)
        ]
        return max(ends, default=(False, -1))[1]

    @property
    def signals(self) -> frozenset[str]:
        """Names of all statistics with at least one point: what rules' `needs` are held against."""
        names = {name for name, series in self.scalars.items() if len(series)}
        for table in self.tables.values():
            if len(table.steps) and table.rows:
                names.update(table.columns)
        if self.config:
            names.add("config")
        if self.hparams:
            names.add("hparams")
        return frozenset(names)

    @property
    def sampled(self) -> Sampled | None:
        """How many records TensorBoard kept, of the series it sampled most; None if it kept all."""
        found = [
            Sampled(len(table.steps), table.total)
            for table in self.tables.values() if table.total is not None
        ]
        found += [self.summaries_sampled] if self.summaries_sampled else []
        return max(found, key=lambda one: one.total - one.kept, default=None)

    @property
    def recorded_steps(self) -> Steps:
        """Every step of which anything was recorded, on the axis of `last_step`; increasing."""
        parts = self._leading
        return np.unique(np.concatenate([part.steps for part in parts])) if parts else _NO_STEPS

    @property
    def _leading(self) -> list[Table | Series]:
        """What counts steps, else batches, else epochs: the finest axis there is."""
        parts: list[Table | Series] = [*self.tables.values(), *self.scalars.values()]
        for axis in ("step", "batch", "epoch"):
            found = [part for part in parts if part.axis == axis and len(part.steps)]
            if found:
                return found
        return []

    @property
    def axis(self) -> Axis:
        """What `last_step` counts."""
        leading = self._leading
        return leading[0].axis if leading else "step"

    def step_of(self, part: Table | Series, index: int) -> int:
        """Step of one record of `part`, on the axis of `recorded_steps`.

        What counts on another axis is placed by its wall time: the last step known by then; its
        own number where wall times do not tell.
        """
        leading = self._leading
        if leading and part.axis != leading[0].axis:
            at = part.wall_times[index]
            before = [one.steps[one.wall_times <= at] for one in leading]
            reached = [int(steps[-1]) for steps in before if len(steps)]
            if reached:
                return max(reached)
        return int(part.steps[index])

    def until(self, step: int) -> RunHistory:
        """The run up to `step`, without anything that came later.

        Arrays are views. What counts on another axis than `recorded_steps` is cut at the wall time
        of that step. The configuration is kept whole: it is static.
        """
        leading = self._leading
        axis = leading[0].axis if leading else "step"
        times = [part.wall_times[part.steps <= step] for part in leading]
        latest = max((float(found[-1]) for found in times if len(found)), default=-np.inf)

        def length(part: Table | Series) -> int:
            kept = part.steps <= step if part.axis == axis else part.wall_times <= latest
            return len(kept) if kept.all() else int(np.argmin(kept))

        return replace(
            self,
            tables={group: _first(part, length(part)) for group, part in self.tables.items()},
            scalars={
                name: replace(
                    part, steps=part.steps[:end], values=part.values[:end],
                    wall_times=part.wall_times[:end],
                )
                for name, part in self.scalars.items() for end in (length(part),)
            },
            skipped=tuple(s for s in self.skipped if s.step is None or s.step <= step),
            restarts=tuple(at for at in self.restarts if at <= step),
        )

    def table(self, group: str) -> Table | None:
        """The table of `group`, or None if nothing of it was recorded; no rows are nothing.

        Of a run with several optimizers, whose losses are the rows of "run", it has the records of
        the first: at the others' own steps its loss is not NaN but unknown.
        """
        found = self.tables.get(group)
        if found is None or not found.rows:
            return None
        if group != "run" or len(found.rows) == 1:
            return found
        if "first row" not in self.memory:
            self.memory["first row"] = _of_first_row(found)
        first: Table = self.memory["first row"]
        return first

    def points(self, name: str) -> int:
        """Number of recorded steps of one statistic; 0 where it was not written."""
        lengths = [len(table.steps) for table in self.tables.values() if table.has(name)]
        if name in self.scalars:
            lengths.append(len(self.scalars[name]))
        return max(lengths, default=0)

    def series(self, name: str) -> Series | None:
        """One number over steps, from the recorder if it wrote it, else from plain scalars.

        Points whose value is undefined (NaN marks both "undefined" and a NaN loss) are kept: the
        caller knows which statistics may be NaN by nature.
        """
        for group in ("run", "epoch"):
            table = self.table(group)
            if table is not None and table.has(name):
                values = table.column(name)[:, 0]
                source = f"{table.source}: {group}"
                return Series(name, table.steps, values, table.wall_times, source, table.axis)
        return self.scalars.get(name)


def _of_first_row(table: Table) -> Table:
    """`table` without the records that have no value in its first row."""
    kept = ~np.isnan(table.low[:, 0, :]).all(axis=1)
    if kept.all():
        return table
    low = table.low[kept]
    return replace(
        table, steps=table.steps[kept], wall_times=table.wall_times[kept], low=low,
        high=low if table.exact else table.high[kept],
    )


def _first(table: Table, count: int) -> Table:
    """The first `count` records of `table`."""
    low = table.low[:count]
    return replace(
        table, steps=table.steps[:count], wall_times=table.wall_times[:count], low=low,
        high=low if table.exact else table.high[:count],
    )


def steps_since_record(run: Table) -> Values:
    """Number of steps that each record of the table "run" covers, including its own, `[S]`.

    Those that were observed, and those of which only the loss is known. NaN where a record does
    not say; 1 each where none does.
    """
    if not run.has("window_steps"):
        return np.ones(len(run.steps))
    steps = run.column("window_steps")[:, 0].astype(np.float64)
    if run.has("window_unwatched_steps"):
        unwatched = run.column("window_unwatched_steps")[:, 0]
        # Records of before the column was there have nothing in it.
        steps = steps + np.where(np.isnan(unwatched), 0.0, unwatched)
    return steps
