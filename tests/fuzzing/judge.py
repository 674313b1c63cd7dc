"""What must hold whatever a log directory contains, checked over many damaged files at once.

A batch is one log directory: each damaged file is a run, with sound runs before, among and behind
them. It is read once with each loader; then every route is asked about every run.

* Reading ends, raises nothing, and no rule fails.
* Every reply is 200 and keeps the contract of docs/http_api.md.
* A sound run reads and answers as it does when it stands alone.
* Where checksums tell (the file's, or ours), nothing is shown that was not written; a value that is
  gone from the middle of a file is missed aloud.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np

from tb_convergence.core.history import RunHistory, Table
from tb_convergence.reading import DataUnavailableError, open_logdir
from tb_convergence.reading.ahead import read_ahead
from tb_convergence.reading.runs import fold_runs
from tests.fuzzing.mutations import Mutant
from tests.fuzzing.originals import KINDS, original
from tests.fuzzing.replies import client_of, failures_heard, replies_about, same_but_name
from tests.serving import contract
from tests.serving.contract import PREFIX

LOADERS: Final = ("python", "fast")

RUN_SECONDS: Final = 20.0
"""Longest that the replies about one small file may take, on a machine that is busy."""

SOUND: Final = {f"{place}-sound-{kind}": kind for kind in KINDS for place in ("0000000", "~")}
"""Sound runs by name, in front of the damaged ones and behind them."""


@dataclass(frozen=True)
class Failure:
    """What did not hold.

    Attributes:
        run: name of the run; "" where it is the whole batch.
        loader: who read it.
        what: in words.
    """

    run: str
    loader: str
    what: str

    def __str__(self) -> str:
        return f"{self.run} [{self.loader}]: {self.what}"


def judge(mutants: Sequence[Mutant], loaders: Sequence[str] = LOADERS) -> list[Failure]:
    """All that does not hold for `mutants` in one log directory."""
    failures: list[Failure] = []
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
        logdir = Path(folder)
        for name, kind in SOUND.items():
            _place(logdir, name, original(kind).content)
        for one in mutants:
            _place(logdir, one.name, one.content)
        seen: dict[str, RunHistory] = {}
        for loader in loaders:
            histories = _read(logdir, loader, failures)
            if histories is None:
                failures += _halves(mutants, loader)
                continue
            failures += _judge_sound(histories, loader)
            for one in mutants:
                if one.name in histories:
                    failures += _judge_values(one, histories[one.name], loader)
            new = {
                name: history for name, history in histories.items()
                if not (name in seen and _equal(seen[name], history))
            }
            failures += _judge_replies(new, loader)
            seen = {**new, **seen}
    return failures


def _halves(mutants: Sequence[Mutant], loader: str) -> list[Failure]:
    """The data server ended: which file was it?"""
    if len(mutants) <= 1:
        name = mutants[0].name if mutants else ""
        return [Failure(name, loader, "ended the data server")]
    middle = len(mutants) // 2
    return judge(mutants[:middle], (loader,)) + judge(mutants[middle:], (loader,))


def _place(logdir: Path, run: str, content: bytes) -> None:
    (logdir / run).mkdir()
    (logdir / run / "events.out.tfevents.1700000000.fuzz.1.0").write_bytes(content)


# Reading ------------------------------------------------------------------------------------------


def _read(logdir: Path, loader: str, failures: list[Failure]) -> dict[str, RunHistory] | None:
    """Histories by run; None where the data server is gone."""
    found: dict[str, RunHistory] = {}
    try:
        with open_logdir(logdir, loader) as source:  # type: ignore[arg-type]
            runs = fold_runs(source.runs())
            for run, history in read_ahead(source, runs, lambda index, run: None):
                if isinstance(history, Exception):
                    failures.append(Failure(run.name, loader, f"reading raised {history!r}"))
                else:
                    found[run.name] = history
    except DataUnavailableError:
        return None
    return found


@cache
def sound(kind: str, loader: str) -> RunHistory:
    """How a sound file reads when it is alone."""
    with tempfile.TemporaryDirectory(prefix="sound_") as folder:
        _place(Path(folder), "r", original(kind).content)
        found = _read(Path(folder), loader, [])
    assert found is not None
    assert found["r"].tables
    assert found["r"].skipped == ()
    return found["r"]


@cache
def _sound_replies(kind: str, loader: str) -> dict[str, bytes]:
    return dict(replies_about(client_of(sound(kind, loader)), sound(kind, loader)))


def _equal(one: RunHistory, other: RunHistory) -> bool:
    """Whether two loaders gave the same, to the bit."""
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
        and all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)
    )


# What is shown ------------------------------------------------------------------------------------


def _judge_sound(histories: dict[str, RunHistory], loader: str) -> Iterator[Failure]:
    for name, kind in SOUND.items():
        if name not in histories:
            yield Failure(name, loader, "a sound run is not there")
        elif not _equal(histories[name], sound(kind, loader)):
            yield Failure(name, loader, "a sound run reads otherwise than alone")


def _judge_values(mutant: Mutant, history: RunHistory, loader: str) -> Iterator[Failure]:
    """Nothing is shown that was not written, as far as checksums reach; gaps are told."""
    if mutant.level == "schema":
        return
    truth = sound(mutant.origin.kind, loader)
    for group, table in history.tables.items():
        if table.source != "recorder" and mutant.level != "bytes":
            continue  # nothing but the file's own checksum vouches for histograms of others
        known = truth.tables.get(group)
        if known is None or not _part_of(table, known):
            yield Failure(mutant.name, loader, f"table {group!r} of another shape is shown")
        elif not _cells(table) <= _cells(known):
            yield Failure(mutant.name, loader, f"values of {group!r} that were not written")
        elif mutant.level == "bytes" and not history.skipped:
            yield from _gaps(mutant, loader, group, table.steps, known.steps)
    if mutant.level == "bytes":
        for name, series in history.scalars.items():
            written = truth.scalars.get(name)
            if written is None or not _bits(series.values) <= _bits(written.values):
                yield Failure(mutant.name, loader, f"values of {name!r} that were not written")


def _part_of(table: Table, known: Table) -> bool:
    """Whether the shape is that which was written; histograms of others may be gone one by one."""
    if table.source == "recorder":
        return (table.rows, table.columns) == (known.rows, known.columns)
    return set(table.rows) <= set(known.rows) and set(table.columns) <= set(known.columns)


def _gaps(mutant: Mutant, loader: str, group: str, shown: Any, written: Any) -> Iterator[Failure]:
    """Without a word, only the end may be missing: a file may still be being written."""
    missing = len(written) - len(shown)
    if len(shown) and missing > 0 and not np.array_equal(shown, written[: len(shown)]):
        yield Failure(mutant.name, loader, f"records of {group!r} are missing without a word")


def _cells(table: Table) -> set[tuple[str, bytes]]:
    """What is said of each row at each step: values beside the wrong name are wrong.

    The recorder writes a row as a whole; histograms come one by one, and one that is gone leaves
    undefined values, which say nothing.
    """
    cells: set[tuple[str, bytes]] = set()
    for index, row in enumerate(table.rows):
        low, high = table.low[:, index], table.high[:, index]
        if table.source == "recorder":
            cells |= {(row.name, one.tobytes()) for one in low}
            continue
        for column, name in enumerate(table.columns):
            pairs = zip(low[:, column], high[:, column], strict=True)
            cells |= {
                (f"{row.name} {name}", one.tobytes() + other.tobytes())
                for one, other in pairs if not np.isnan(one)
            }
    return cells


def _bits(values: Any) -> set[bytes]:
    return {np.float64(value).tobytes() for value in values}


# Replies ------------------------------------------------------------------------------------------


def _judge_replies(histories: dict[str, RunHistory], loader: str) -> Iterator[Failure]:
    """Ask about each run by itself, so that a failure has a name."""
    for name, history in histories.items():
        kind = SOUND.get(name)
        begin = time.monotonic()
        with failures_heard() as heard:
            try:
                replies = dict(replies_about(client_of(history), history))
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)[:-4:-1]
                where = " < ".join(f"{frame.name}:{frame.line}" for frame in frames)
                what = f"{type(error).__name__} {str(error)[:200]!r} at {where}"
                yield Failure(name, loader, f"a reply breaks the contract: {what}")
                replies = {}
        if heard:
            yield Failure(name, loader, f"logged: {heard[0][:300]}")
        if time.monotonic() - begin > RUN_SECONDS:
            yield Failure(name, loader, f"took {time.monotonic() - begin:.0f} s")
        if kind is not None and replies and not same_but_name(
            replies, _sound_replies(kind, loader), name
        ):
            yield Failure(name, loader, "a sound run is answered otherwise than alone")


def judge_compared(mutants: Sequence[Mutant]) -> list[Failure]:
    """What does not hold when damaged runs stand beside a sound one."""
    failures: list[Failure] = []
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
        for one in mutants:
            _place(Path(folder), one.name, one.content)
        histories = _read(Path(folder), "python", failures) or {}
    known = sound("recorder", "python")
    for name, history in histories.items():
        client = client_of(history, known)
        with failures_heard() as heard:
            for first, second in ((name, known.run), (known.run, name)):
                asked = {"run": first, "with": second}
                response = client.get(f"{PREFIX}/compare?{urlencode(asked)}")
                if response.status_code != 200:
                    failures.append(Failure(name, "python", f"{response.get_data()[:300]!r}"))
                    continue
                contract.check_compare(contract.document(response))
                asked |= {"group": "variables", "metric": "gradient_norm"}
                response = client.get(f"{PREFIX}/difference?{urlencode(asked)}")
                if response.status_code not in {200, 404}:
                    failures.append(Failure(name, "python", f"{response.get_data()[:300]!r}"))
        failures += [Failure(name, "python", f"logged: {text[:300]}") for text in heard]
    return failures
