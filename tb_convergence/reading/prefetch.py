"""Reads many runs one after the other, a few of them ahead.

The data server sends an answer in two parts, and the second only once the first is acknowledged:
every call costs some 40 ms of waiting, however small. So small runs are listed and read many at
once, larger ones a few at a time; their order is kept, and never more than a few are in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading import histograms
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.scalars import wanted_scalars
from tb_convergence.reading.tensorboard.data_source import DataSource, DataUnavailableError

READERS: Final = 6
"""Runs that are read at the same time."""


def fetch_lists(source: DataSource, runs: Sequence[FoldedRun], with_points: bool) -> bool:
    """List all of `runs` in a few calls; `with_points`, also read all that is wanted of them.

    Returns whether all of it is here now, so that reading a run waits for nobody.
    """
    listed = source.prefetch([member for one in runs for member in one.members])
    if not with_points:
        return False
    ours: dict[str, set[str]] = {}
    theirs: dict[str, set[str]] = {}
    scalars: dict[str, set[str]] = {}
    for run in runs:
        for member in run.members:
            ours[member] = _listed(source, "list_tensors", member, PLUGIN_NAME)
        listed_scalars = {
            member: _listed(source, "list_scalars", member, "scalars") for member in run.members
        }
        for ways in wanted_scalars(source, run, listed_scalars).ways.values():
            for member, tag in ways[0].places:
                scalars.setdefault(member, set()).add(tag)
        if not any(ours[member] for member in run.members):
            theirs.update(
                (member, _listed(source, "list_tensors", member, histograms.PLUGIN))
                for member in run.training
            )
    fetched = [
        source.prefetch_points(method, plugin, {run: tags for run, tags in wanted.items() if tags})
        for method, plugin, wanted in (
            ("read_tensors", PLUGIN_NAME, ours),
            ("read_tensors", histograms.PLUGIN, theirs),
            ("read_scalars", "scalars", scalars),
        )
    ]
    return listed and all(fetched)


def _listed(source: DataSource, method: str, run: str, plugin: str) -> set[str]:
    return set(source.listings.get((method, run, plugin), ()))


def read_ahead(
    source: DataSource,
    runs: Sequence[FoldedRun],
    begin: Callable[[int, FoldedRun], None],
    waits: bool = True,
) -> Iterator[tuple[FoldedRun, RunHistory | Exception]]:
    """Each of `runs` with its history, or with the exception that reading it raised.

    `begin` is called with the index of a run before it is waited for. Unless reading `waits` for
    the loader, threads would only get in each other's way, and nothing is read ahead.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    if not waits:
        for index, run in enumerate(runs):
            begin(index, run)
            yield run, _read_or_error(source, run)
        return
    waiting: deque[tuple[int, FoldedRun, Future[RunHistory | Exception]]] = deque()
    with ThreadPoolExecutor(READERS, thread_name_prefix="read run") as readers:
        try:
            for index, run in enumerate(runs):
                waiting.append((index, run, readers.submit(_read_or_error, source, run)))
                if len(waiting) == READERS:
                    yield _next(waiting, begin)
            while waiting:
                yield _next(waiting, begin)
        finally:
            for _, _, future in waiting:
                future.cancel()


def _next(
    waiting: deque[tuple[int, FoldedRun, Future[RunHistory | Exception]]],
    begin: Callable[[int, FoldedRun], None],
) -> tuple[FoldedRun, RunHistory | Exception]:
    index, run, future = waiting.popleft()
    begin(index, run)
    return run, future.result()


def _read_or_error(source: DataSource, run: FoldedRun) -> RunHistory | Exception:
    try:
        return read_folded(source, run)
    except DataUnavailableError:
        raise
    except Exception as error:
        return error
    finally:
        source.forget(run.members)
