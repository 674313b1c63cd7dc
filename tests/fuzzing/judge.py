"""What must hold whatever a log directory contains, checked over many damaged files at once.

A batch is one log directory: each damaged file is a run, with sound runs before, among and behind
them. It is read once with each loader, some runs once more with something said of their histograms;
then every route is asked about every run, and some are compared with a sound one.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from tb_convergence.core.history import Table
from tests.fuzzing.histories import LOADERS, Seen, marks, place, read_all, sound, sound_diagnosis
from tests.fuzzing.mutations import Mutant
from tests.fuzzing.originals import KINDS, original
from tests.fuzzing.replies import (
    ask_about_both,
    client_of,
    failures_heard,
    replies_about,
    same_but_name,
)

RUN_SECONDS: Final = 20.0
"""Time of the processor that the replies about one small file may take, at most."""

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
    by_name = {one.name: one for one in mutants}
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
        logdir = Path(folder)
        for name, kind in SOUND.items():
            place(logdir, name, original(kind).content)
        for one in mutants:
            place(logdir, one.name, one.content)
        earlier: dict[tuple[str, str], Seen] = {}
        for loader in loaders:
            told = {one.name: one.told for one in mutants if one.told}
            found = read_all(logdir, loader, told)
            if found is None:
                failures += _halves(mutants, loader)
                continue
            failures += _judge_sound(found, loader)
            for (name, tags), seen in found.items():
                mutant = by_name.get(name)
                if isinstance(seen, Exception):
                    failures.append(Failure(name, loader, f"reading raised {seen!r}"))
                    continue
                if mutant is not None:
                    failures += _judge_values(mutant, seen, loader)
                if (name, tags) not in earlier or not seen.equals(earlier[name, tags]):
                    failures += _judge_replies(seen, mutant, loader)
                    earlier[name, tags] = seen
    return failures


def _halves(mutants: Sequence[Mutant], loader: str) -> list[Failure]:
    """The data server ended: which file was it?"""
    if len(mutants) <= 1:
        name = mutants[0].name if mutants else ""
        return [Failure(name, loader, "ended the data server")]
    middle = len(mutants) // 2
    return judge(mutants[:middle], (loader,)) + judge(mutants[middle:], (loader,))


# What is shown ------------------------------------------------------------------------------------


def _judge_sound(
    found: Mapping[tuple[str, str], Seen | Exception], loader: str
) -> Iterator[Failure]:
    for name, kind in SOUND.items():
        seen = found.get((name, ""))
        if seen is None:
            yield Failure(name, loader, "a sound run is not there")
        elif isinstance(seen, Seen) and not seen.equals(sound(kind, loader)):
            yield Failure(name, loader, "a sound run reads otherwise than alone")


def _judge_values(mutant: Mutant, seen: Seen, loader: str) -> Iterator[Failure]:
    """Nothing is shown that was not written, as far as checksums reach; gaps are told."""
    if mutant.level == "schema":
        return
    alone = sound(mutant.origin.kind, loader, seen.tags)
    history, truth = seen.history, alone.history
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
        for row, recorded in seen.recorded.items():
            if not set(marks(recorded)) <= set(marks(alone.recorded.get(row, ()))):
                yield Failure(mutant.name, loader, f"histograms of {row!r} that were not written")


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


@cache
def _sound_replies(kind: str, loader: str) -> dict[str, bytes]:
    alone = sound(kind, loader)
    return dict(replies_about(client_of(alone), alone))


def _judge_replies(seen: Seen, mutant: Mutant | None, loader: str) -> Iterator[Failure]:
    """Ask about one run by itself, so that a failure has a name; about some beside a sound one."""
    name = seen.name
    begin = time.process_time()
    replies: dict[str, bytes] = {}
    with failures_heard() as heard:
        try:
            if mutant is not None and mutant.compared and not seen.tags:
                kind = mutant.origin.kind
                client = client_of(seen, sound(kind, loader), sound_diagnosis(kind, loader))
                ask_about_both(client, name, "r")
            else:
                client = client_of(seen)
            replies = dict(replies_about(client, seen))
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)[:-4:-1]
            where = " < ".join(f"{frame.name}:{frame.line}" for frame in frames)
            what = f"{type(error).__name__} {str(error)[:200]!r} at {where}"
            yield Failure(name, loader, f"a reply breaks the contract: {what}")
    if heard:
        yield Failure(name, loader, f"logged: {heard[0][:300]}")
    if time.process_time() - begin > RUN_SECONDS:
        yield Failure(name, loader, f"took {time.process_time() - begin:.0f} s")
    known = _sound_replies(SOUND[name], loader) if name in SOUND else None
    if known is not None and replies and not same_but_name(replies, known, name):
        yield Failure(name, loader, "a sound run is answered otherwise than alone")
