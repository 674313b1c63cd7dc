"""Reads and diagnoses the runs of a log directory in batches; memory holds two batches.

TensorBoard's loaders load all files before they answer, so they get one batch of runs at a time
(see `batches`). The next batch is loaded while this one is diagnosed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory
from tb_convergence.reading.batches import Batch, samples_of, shown
from tb_convergence.reading.folders import Folders, LogdirError
from tb_convergence.reading.integrity import Integrity
from tb_convergence.reading.patterns import TagRule
from tb_convergence.reading.prefetch import fetch_lists, read_ahead
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.run_files import read_around
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.tensorboard import loaders
from tb_convergence.reading.tensorboard.compat import is_data_server
from tb_convergence.reading.tensorboard.data_source import DataSource, DataUnavailableError

Loader = Literal["auto", "fast", "python"]
Examined = tuple[RunDiagnosis, RunHistory | None]

LOADERS: Final = ("auto", "fast", "python")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read, and how."""

    folders: Folders
    batches: tuple[Batch, ...]
    loader: Loader
    patterns: tuple[TagRule, ...] = ()
    rule_files: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Number of runs."""
        return sum(len(batch.runs) for batch in self.batches)

    def name(self, index: int) -> str:
        """Name of a run by its place."""
        batch = next(one for one in reversed(self.batches) if one.first <= index)
        return batch.runs[index - batch.first].name


def examined(plan: Plan, begin: Callable[[int, FoldedRun], None]) -> Iterator[Examined]:
    """Each run of `plan` with its history; `begin` is called with its place before that."""
    for batch, source, fetched in _sources(plan):

        def begin_here(place: int, run: FoldedRun, first: int = batch.first) -> None:
            begin(first + place, run)

        for run, found in read_ahead(source, batch.runs, begin_here, waits=not fetched):
            history = found
            if not isinstance(found, Exception) and _dropped(source, run):
                history = read_around(
                    plan.folders, batch.folders_of(run), run, plan.patterns, source.bad_clocks
                )
            if isinstance(history, Exception):
                yield unread(run.name, reason_of(history)), None
            else:
                yield diagnose_history(history), history


def _dropped(source: DataSource, run: FoldedRun) -> bool:
    """Whether the loader has dropped records of `run`: the data server does where clocks fail."""
    bad = any(source.bad_clocks.get(member) for member in run.members)
    return bad and is_data_server(source.provider)


def unread(run: str, reason: str) -> RunDiagnosis:
    """The diagnosis of a run that could not be read at all."""
    skipped = (Skipped("", None, f"the run could not be read: {reason}"),)
    return RunDiagnosis(run, -1, (), (), skipped)


def _sources(plan: Plan) -> Iterator[tuple[Batch, DataSource, bool]]:
    """Each batch with its loaded source, and whether all was fetched from it; meanwhile the next
    one is loaded.
    """
    if not plan.batches:
        return
    with ThreadPoolExecutor(1, thread_name_prefix="load runs") as loading:
        ahead: Future[tuple[ExitStack, DataSource, bool]] | None = None
        try:
            for place, batch in enumerate(plan.batches):
                stack, source, fetched = (ahead or loading.submit(_opened, plan, batch)).result()
                ahead = None
                with stack:
                    if place + 1 < len(plan.batches):
                        ahead = loading.submit(_opened, plan, plan.batches[place + 1])
                    yield batch, source, fetched
        finally:
            if ahead is not None and not ahead.cancel() and ahead.exception() is None:
                ahead.result()[0].close()


def _opened(plan: Plan, batch: Batch) -> tuple[ExitStack, DataSource, bool]:
    """What ends a source, a loaded one of the runs of `batch`, and whether all was fetched."""
    with ExitStack() as stack:
        logdir, missing = stack.enter_context(shown(plan.folders, batch))
        samples = samples_of(logdir, batch)
        source = stack.enter_context(loaded(logdir, plan.loader, samples))
        problems = {
            run: (*source.problems.get(run, ()), *missing.get(run, ()))
            for run in source.problems.keys() | missing.keys()
        }
        source = replace(
            source, patterns=plan.patterns, problems=problems,
            bad_clocks=_bad_clocks(logdir, batch),
        )
        fetched = fetch_lists(source, batch.runs, with_points=batch.small)
        return stack.pop_all(), source, fetched


def _bad_clocks(logdir: Path, batch: Batch) -> Mapping[str, int]:
    """Records whose wall time is no number, by TensorBoard's name of the run."""
    looking = Integrity(verify=False)  # the loaders verify checksums themselves
    found = {one.run: looking.report(logdir / one.run).bad_clocks for one in batch.folders}
    return {run: count for run, count in found.items() if count}


@contextmanager
def loaded(directory: Path, loader: Loader, samples: Mapping[str, int]) -> Iterator[DataSource]:
    """A loaded `DataSource`; see `open_logdir`."""
    binary = None if loader == "python" else loaders.fast_binary()
    if loader == "fast" and binary is None:
        raise LogdirError("TensorBoard's fast loader is not available for this platform")
    with ExitStack() as stack:
        source = None
        if binary is not None:
            try:
                source = stack.enter_context(loaders.fast(directory, binary, samples))
            except DataUnavailableError as error:
                if loader == "fast":
                    raise
                logger.warning("reading with TensorBoard's Python loader instead: %s", error)
        if source is None:
            source = stack.enter_context(loaders.python(directory, samples))
        yield source
