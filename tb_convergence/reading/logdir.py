"""A log directory -> its runs, diagnosed; or all of it behind a TensorBoard data provider.

Either of TensorBoard's loaders reads it: "fast" is the Rust data server, a child process; "python"
is the Python loader, in this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tb_convergence import rule_plugins
from tb_convergence.core.diagnosis import RunDiagnosis
from tb_convergence.core.history import RunHistory
from tb_convergence.reading.batches import BATCH_RUNS, SAMPLES, batches
from tb_convergence.reading.examining import LOADERS, Examined, Loader, Plan, examined, loaded
from tb_convergence.reading.folders import Folders, LogdirError, local_folders
from tb_convergence.reading.patterns import TagRule, parse_tags
from tb_convergence.reading.processes import in_processes
from tb_convergence.reading.runs import FoldedRun, fold_runs
from tb_convergence.reading.tensorboard.data_source import DataSource

Progress = Callable[[int, int, str], None]
"""Called with the number of runs done, the number of all runs, and the name of the next one."""

T = TypeVar("T")


def diagnose(
    logdir: str | os.PathLike[str],
    *,
    loader: Loader = "auto",
    progress: Progress | None = None,
    tags: str = "",
) -> tuple[RunDiagnosis, ...]:
    """Diagnose each run in `logdir`; the results are sorted by the run's name.

    A run that cannot be read at all is part of the result, with the reason under `skipped`.
    `tags` states what histograms and scalars with ambiguous names are, as in
    "gradients=dW/{v},variables=W/{v}"; docs/cli.md lists its rules.

    Raises:
        TagPatternError: `tags` is not such a list of rules.
        LogdirError: `logdir` is missing, not a directory, or holds no event files.
        DataUnavailableError: TensorBoard's data server ended during the reading.
    """
    patterns = parse_tags(tags)
    found = examine(logdir, loader=loader, progress=progress, patterns=patterns)
    return tuple(diagnosis for diagnosis, _ in found)


def examine(
    logdir: str | os.PathLike[str],
    *,
    loader: Loader = "auto",
    progress: Progress | None = None,
    patterns: Sequence[TagRule] = (),
    only: Callable[[str], bool] = lambda name: True,
) -> Iterator[Examined]:
    """As `diagnose`, one run after the other, each with its history: None if it has none.

    Runs whose name `only` refuses are not read. Whatever the loader needs ends with the iterator.

    Raises:
        LogdirError, DataUnavailableError: as `diagnose`, when the first run is asked for or later.
    """
    yield from each_run(
        logdir, _as_it_is, loader=loader, progress=progress, patterns=patterns, only=only
    )


def _as_it_is(diagnosis: RunDiagnosis, history: RunHistory | None) -> Examined:
    return diagnosis, history


def each_run(
    logdir: str | os.PathLike[str],
    work: Callable[[RunDiagnosis, RunHistory | None], T],
    *,
    jobs: int = 1,
    loader: Loader = "auto",
    progress: Progress | None = None,
    patterns: Sequence[TagRule] = (),
    only: Callable[[str], bool] = lambda name: True,
) -> Iterator[T]:
    """What `work` makes of each run of `logdir`, as `examine` gives it; sorted by the run's name.

    With several `jobs`, runs are read and worked on in as many processes, to which `work` is sent
    by its name. A process that dies costs the run it was at: that one has the reason under
    `skipped`, and no history.

    Raises:
        LogdirError, DataUnavailableError: as `diagnose`, when the first run is asked for or later.
    """
    if loader not in LOADERS:
        raise LogdirError(f"loader {loader!r}: expected 'auto', 'fast' or 'python'")
    rule_plugins.load_installed()
    folders = folders_of(logdir)
    listed = folders.runs()
    runs = [run for run in fold_runs(folder.run for folder in listed) if only(run.name)]
    jobs = min(jobs, len(runs)) if folders.shared else 1
    # Small enough that each process has several turns: nobody waits long for the last one.
    most = BATCH_RUNS if jobs < 2 else max(1, min(BATCH_RUNS, len(runs) // (4 * jobs)))
    plan = Plan(folders, batches(runs, listed, most), loader, tuple(patterns), rule_plugins.files())
    if jobs < 2:
        yield from _here(plan, work, progress)
    else:
        yield from in_processes(plan, work, jobs, progress)


def _here(
    plan: Plan,
    work: Callable[[RunDiagnosis, RunHistory | None], T],
    progress: Progress | None,
) -> Iterator[T]:
    """The runs in this process."""

    def begin(index: int, run: FoldedRun) -> None:
        if progress is not None:
            progress(index, plan.total, run.name)

    for diagnosis, history in examined(plan, begin):
        yield work(diagnosis, history)
        del history  # the next run is read before this name is given to it
    if progress is not None:
        progress(plan.total, plan.total, "")


@contextmanager
def open_logdir(path: str | os.PathLike[str], loader: Loader = "auto") -> Iterator[DataSource]:
    """A loaded `DataSource` for all of the local log directory `path`; it ends with the context.

    "auto" takes the fast loader where the platform has it.

    Raises:
        LogdirError: `path` is missing, not a directory, or holds no event files; or "fast" was
            asked for where it does not exist.
    """
    if loader not in LOADERS:
        raise LogdirError(f"loader {loader!r}: expected 'auto', 'fast' or 'python'")
    folders = local_folders(path)
    folders.runs()
    with loaded(Path(folders.root), loader, SAMPLES) as source:
        yield source


def folders_of(path: str | os.PathLike[str]) -> Folders:
    """The log directory `path`, local or remote.

    Raises:
        LogdirError: it is no directory that can be read.
    """
    text = os.fsdecode(path)
    if "://" not in text:
        return local_folders(path)
    from tb_convergence.reading.tensorboard.remote import RemoteFolders  # noqa: PLC0415 - imports TensorBoard

    return RemoteFolders(text)
