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

import logging
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

from tb_convergence.core.diagnosis.timeline import replay
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.reading import DataUnavailableError, open_logdir
from tb_convergence.reading.ahead import read_ahead
from tb_convergence.reading.runs import fold_runs
from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.routes import applications
from tb_convergence.serving.service import Service
from tests.fuzzing.mutations import Mutant
from tests.fuzzing.originals import KINDS, original
from tests.serving import contract
from tests.serving.contract import PREFIX
from tests.serving.samples import SampleSource

LOADERS: Final = ("python", "fast")

RUN_SECONDS: Final = 20.0
"""Longest that the replies about one small file may take, on a machine that is busy."""

LOOKS: Final = 6
"""How often a run is diagnosed as it grew; the page's own number takes most of the time."""

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
    return dict(_replies(_client(sound(kind, loader)), sound(kind, loader)))


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


@contextmanager
def _rules_heard() -> Iterator[list[str]]:
    """What is logged as failed meanwhile; nothing reaches the terminal."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(f"{record.getMessage()}: {record.exc_info[1]!r}" if record.exc_info
                         else record.getMessage())

    loggers = [logging.getLogger(name) for name in ("tb_convergence",
                                                    "tensorboard.plugins.convergence")]
    listener = Listener(logging.ERROR)
    passed_on = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.addHandler(listener)
        logger.propagate = False
    try:
        yield heard
    finally:
        for logger, propagate in zip(loggers, passed_on, strict=True):
            logger.removeHandler(listener)
            logger.propagate = propagate


def _judge_replies(histories: dict[str, RunHistory], loader: str) -> Iterator[Failure]:
    """Ask about each run by itself, so that a failure has a name."""
    for name, history in histories.items():
        kind = SOUND.get(name)
        begin = time.monotonic()
        with _rules_heard() as heard:
            try:
                replies = dict(_replies(_client(history), history))
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
        if kind is not None and replies and not _same_but_name(
            replies, _sound_replies(kind, loader), name
        ):
            yield Failure(name, loader, "a sound run is answered otherwise than alone")


def _same_but_name(replies: dict[str, bytes], alone: dict[str, bytes], name: str) -> bool:
    """Replies name the run, and nothing else may differ."""
    quoted = name.replace("~", "%7E")
    renamed = {
        route.replace(quoted, "r").replace(name, "r"): _without(body, name)
        for route, body in replies.items()
    }
    return renamed == {route: _without(body, "r") for route, body in alone.items()}


def _without(body: bytes, name: str) -> bytes:
    return body.replace(f'"{name}"'.encode(), b'"r"')


def _client(history: RunHistory) -> Client:
    """Asks our own routes, as TensorBoard would; one run, followed through fewer looks."""
    service = Service(
        SampleSource(history),
        follow=lambda history, found: replay(history, cuts=LOOKS, diagnosis=found).diagnosis,
    )
    return Client(DispatcherMiddleware(_nothing_here, {
        f"{PREFIX}{path}": app for path, app in applications(service, {}).items()
    }))


def _nothing_here(environ: Any, start_response: Any) -> list[bytes]:
    raise AssertionError(f"{environ['PATH_INFO']} is no route")


def _replies(client: Client, history: RunHistory) -> Iterator[tuple[str, bytes]]:
    """Address and body of each reply about one run, after the contract was checked."""
    entries = contract.examined_runs(client)["runs"]
    assert [entry["error"] for entry in entries] == [None], entries
    run = history.run
    yield from _asked(client, "findings", contract.check_findings, run=run)
    yield from _asked(client, "series", lambda found: contract.check_series(found, 100), run=run,
                      points=100)
    yield from _asked(client, "layers", contract.check_layers, run=run)
    layers = contract.document(client.get(f"{PREFIX}/layers?{urlencode({'run': run})}"))
    for group in layers["groups"]:
        given = {"run": run, "group": group["group"]}
        if not group["group"]:
            continue
        for metric in _ends(group["metrics"]):
            if metric["name"]:
                asked = urlencode({**given, "metric": metric["name"], "width": 20})
                if len(asked) < LIMITS.parameter_characters:
                    response = client.get(f"{PREFIX}/heatmap?{asked}")
                    contract.heat_map(response)
        for row in _ends(range(group["row_count"])):
            yield from _asked(client, "layer", lambda found: contract.check_layer(found, 50),
                              **given, row=row, points=50)


def _ends(items: Sequence[Any]) -> Sequence[Any]:
    return [*items[:1], *items[1:][-1:]]


def _asked(
    client: Client, route: str, check: Callable[[Any], None], **given: Any
) -> Iterator[tuple[str, bytes]]:
    address = f"{PREFIX}/{route}?{urlencode(given)}"
    response = client.get(address)
    found = contract.document(response)
    check(found)
    yield address, contract.plain(response)
