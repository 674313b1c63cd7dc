"""What either loader gives of a log directory: each run's history, and the histograms behind it.

The histograms of a row are what `distribution` reads when it is asked about that row. They are read
here while the loader is open, so that the replies about hundreds of runs need none.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.reading import DataSource, DataUnavailableError, open_logdir
from tb_convergence.reading.histograms import PLUGIN
from tb_convergence.reading.patterns import parse_tags
from tb_convergence.reading.prefetch import read_ahead
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.recorded_histograms import (
    RecordedHistograms,
    read_recorded_histograms,
)
from tb_convergence.reading.runs import FoldedRun, fold_runs
from tests.fuzzing.originals import original

LOADERS: Final = ("python", "fast")

READERS: Final = 16
"""Runs of which histograms are read at the same time: the data server lets everybody wait."""


@dataclass(frozen=True)
class Seen:
    """What a loader gave of one run.

    Attributes:
        history: as reading it gives it.
        recorded: histograms by the row that is asked about.
        tags: what was said of histograms, as the parameter `tags` says it.
    """

    history: RunHistory
    recorded: Mapping[str, tuple[RecordedHistograms, ...]]
    tags: str = ""

    @property
    def name(self) -> str:
        """The run."""
        return self.history.run

    def equals(self, other: Seen) -> bool:
        """Whether `other` is the same, to the bit."""
        return _equal(self.history, other.history) and _same(self.recorded, other.recorded)


def place(logdir: Path, run: str, content: bytes) -> None:
    """Write an event file as the run `run`."""
    (logdir / run).mkdir()
    (logdir / run / "events.out.tfevents.1700000000.fuzz.1.0").write_bytes(content)


def read_all(
    logdir: Path, loader: str, told: Mapping[str, str], every_row: bool = False
) -> dict[tuple[str, str], Seen | Exception] | None:
    """Each run of `logdir`, or what reading it raised, by name and what was said of histograms: "",
    and for the runs of `told` that as well. None where the data server is gone.

    Histograms are read of the first and last row of each table, or of `every_row`.
    """
    try:
        with open_logdir(logdir, loader) as source:  # type: ignore[arg-type]
            runs = fold_runs(source.runs())
            source.prefetch([member for run in runs for member in run.members])
            behind = _Behind(source, dict(source.listings), every_row)
            found = {
                run.name: history
                for run, history in read_ahead(source, runs, lambda index, run: None)
            }
            asked = [(run, "") for run in runs]
            asked += [(run, told[run.name]) for run in runs if run.name in told]
            with ThreadPoolExecutor(READERS) as readers:
                seen = readers.map(lambda one: behind.seen(*one, found[one[0].name]), asked)
                return dict(zip(((run.name, tags) for run, tags in asked), seen, strict=True))
    except DataUnavailableError:
        return None


@dataclass(frozen=True)
class _Behind:
    """What is read once the histories are known.

    Attributes:
        source: where from.
        listings: of all runs, fetched at once; the data server takes 40 ms for each otherwise.
        every_row: whether the histograms of all rows are read.
    """

    source: DataSource
    listings: Mapping[tuple[str, str, str], Any]
    every_row: bool

    def seen(self, run: FoldedRun, tags: str, history: RunHistory | Exception) -> Seen | Exception:
        """`run` with its histograms; read again where something was said of them."""
        source = replace(self.source, patterns=parse_tags(tags))
        try:
            if tags:
                history = read_folded(source, run)
            if isinstance(history, Exception):
                return history
            recorded = {row: self._recorded(source, run, row) for row in self._rows(history)}
        except DataUnavailableError:
            raise
        except Exception as error:
            return error
        return Seen(history, recorded, tags)

    def _recorded(
        self, source: DataSource, run: FoldedRun, row: str
    ) -> tuple[RecordedHistograms, ...]:
        for member in run.members:
            key = ("list_tensors", member, PLUGIN)
            if key in self.listings:
                source.listings[key] = self.listings[key]  # each is used once
        return read_recorded_histograms(source, run.training, row)

    def _rows(self, history: RunHistory) -> list[str]:
        names: list[str] = []
        for table in history.tables.values():
            rows = table.rows if self.every_row else (*table.rows[:1], *table.rows[-1:])
            names += [row.name for row in rows]
        return list(dict.fromkeys(names))


# Sound runs ---------------------------------------------------------------------------------------


@cache
def sound(kind: str, loader: str, tags: str = "") -> Seen:
    """How a sound file reads when it is alone."""
    with tempfile.TemporaryDirectory(prefix="sound_") as folder:
        place(Path(folder), "r", original(kind).content)
        found = read_all(Path(folder), loader, {"r": tags} if tags else {}, every_row=True)
    assert found is not None
    seen = found["r", tags]
    assert isinstance(seen, Seen)
    assert tags or seen.history.skipped == ()
    return seen


@cache
def sound_diagnosis(kind: str, loader: str) -> RunDiagnosis:
    """What is said of a sound file."""
    return diagnose_history(sound(kind, loader).history)


# Bit for bit --------------------------------------------------------------------------------------


def _equal(one: RunHistory, other: RunHistory) -> bool:
    """Whether two histories are the same, to the bit."""
    if one.tables.keys() != other.tables.keys() or one.scalars.keys() != other.scalars.keys():
        return False
    pairs: list[tuple[Any, Any]] = []
    for group, table in one.tables.items():
        its = other.tables[group]
        if (table.rows, table.columns, table.total, table.axis) != (
            its.rows, its.columns, its.total, its.axis
        ):
            return False
        pairs += [(table.low, its.low), (table.high, its.high), (table.steps, its.steps),
                  (table.wall_times, its.wall_times)]
    for name, series in one.scalars.items():
        its_series = other.scalars[name]
        pairs += [(series.values, its_series.values), (series.steps, its_series.steps),
                  (series.wall_times, its_series.wall_times)]
    return (
        repr(one.config) == repr(other.config)
        and one.skipped == other.skipped
        and one.restarts == other.restarts
        and one.tag_families == other.tag_families
        and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
    )


def _same(
    one: Mapping[str, Sequence[RecordedHistograms]],
    other: Mapping[str, Sequence[RecordedHistograms]],
) -> bool:
    return all(
        list(marks(one.get(row, ()))) == list(marks(other.get(row, ())))
        for row in one.keys() & other.keys()
    )


def marks(recorded: Sequence[RecordedHistograms]) -> Iterator[tuple[str, int, bytes]]:
    """Role, step and bytes of each histogram."""
    for one in recorded:
        for step, array in zip(one.steps, one.histograms, strict=True):
            yield one.role, int(step), np.asarray(array, np.float64).tobytes()
