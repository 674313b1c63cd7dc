"""Reads many runs one after the other, a few of them ahead.

The data server sends an answer in two parts, and the second only once the first is acknowledged:
every call costs some 40 ms of waiting, however small. So runs are listed many at once and read a
few at a time; their order is kept, and never more than a few are in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from tb_convergence.core.history import RunHistory
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.source import DataUnavailableError, Source

LISTED_AT_ONCE: Final = 32
"""Runs whose series are listed in one call."""

READERS: Final = 6
"""Runs that are read at the same time."""


def read_ahead(
    source: Source, runs: Sequence[FoldedRun], begin: Callable[[int, FoldedRun], None]
) -> Iterator[tuple[FoldedRun, RunHistory | Exception]]:
    """Each of `runs` with its history, or with the exception that reading it raised.

    `begin` is called with the index of a run before it is waited for.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    waiting: deque[tuple[int, FoldedRun, Future[RunHistory]]] = deque()
    with ThreadPoolExecutor(READERS, thread_name_prefix="read run") as readers:
        try:
            for index, run in enumerate(runs):
                if index % LISTED_AT_ONCE == 0:
                    ahead = runs[index : index + LISTED_AT_ONCE]
                    source.prefetch([member for one in ahead for member in one.members])
                waiting.append((index, run, readers.submit(_read, source, run)))
                if len(waiting) == READERS:
                    yield _next(waiting, begin)
            while waiting:
                yield _next(waiting, begin)
        finally:
            for _, _, future in waiting:
                future.cancel()


def _next(
    waiting: deque[tuple[int, FoldedRun, Future[RunHistory]]],
    begin: Callable[[int, FoldedRun], None],
) -> tuple[FoldedRun, RunHistory | Exception]:
    index, run, future = waiting.popleft()
    begin(index, run)
    try:
        return run, future.result()
    except DataUnavailableError:
        raise
    except Exception as error:
        return run, error


def _read(source: Source, run: FoldedRun) -> RunHistory:
    try:
        return read_folded(source, run)
    finally:
        source.forget(run.members)
