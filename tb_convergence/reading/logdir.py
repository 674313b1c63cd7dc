"""A log directory -> a TensorBoard data provider, with either of TensorBoard's loaders.

"fast" is TensorBoard's Rust data server, a child process; "python" is its Python loader, in this
process. Everything is loaded once, before the provider is handed out.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.history import RunHistory, Skipped
from tb_convergence.reading import loaders
from tb_convergence.reading.ahead import read_ahead
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.runs import FoldedRun, fold_runs
from tb_convergence.reading.source import DataUnavailableError, Source
from tb_convergence.reading.tags import TagPattern

Loader = Literal["auto", "fast", "python"]
Progress = Callable[[int, int, str], None]
"""Called with the number of runs done, the number of all runs, and the name of the next one."""

SAMPLES: Final = {"convergence": 20_000, "histograms": 2_000, "scalars": 10_000}
"""Points TensorBoard keeps of each series, by plugin."""

logger = logging.getLogger(__name__)


class LogdirError(ValueError):
    """A log directory that cannot be read: missing, not a directory, or without event files."""


def diagnose(
    logdir: str | os.PathLike[str],
    *,
    loader: Loader = "auto",
    progress: Progress | None = None,
    patterns: Sequence[TagPattern] = (),
) -> tuple[RunDiagnosis, ...]:
    """What is wrong with each run in `logdir`, sorted by the run's name.

    A run that cannot be read at all is part of the result, with the reason under `skipped`.
    `patterns` name histograms of gradients and variables where people chose names of their own.

    Raises:
        LogdirError: `logdir` is missing, not a directory, or holds no event files.
        DataUnavailableError: TensorBoard's data server ended while it was asked.
    """
    found = examine(logdir, loader=loader, progress=progress, patterns=patterns)
    return tuple(diagnosis for diagnosis, _ in found)


def examine(
    logdir: str | os.PathLike[str],
    *,
    loader: Loader = "auto",
    progress: Progress | None = None,
    patterns: Sequence[TagPattern] = (),
    only: Callable[[str], bool] = lambda name: True,
) -> Iterator[tuple[RunDiagnosis, RunHistory | None]]:
    """As `diagnose`, one run after the other, each with its history: None where it has none.

    Runs whose name `only` refuses are not read. Whatever the loader needs ends with the iterator.

    Raises:
        LogdirError, DataUnavailableError: as `diagnose`, when the first run is asked for or later.
    """
    with open_logdir(logdir, loader) as opened:
        source = replace(opened, patterns=patterns)
        runs = [run for run in fold_runs(source.runs()) if only(run.name)]

        def begin(index: int, run: FoldedRun) -> None:
            if progress is not None:
                progress(index, len(runs), run.name)

        for run, history in read_ahead(source, runs, begin):
            if isinstance(history, Exception):
                reason = f"the run could not be read: {reason_of(history)}"
                skipped = (Skipped("", None, reason),)
                yield RunDiagnosis(run.name, -1, (), (), skipped), None
            else:
                yield diagnose_history(history), history
        if progress is not None:
            progress(len(runs), len(runs), "")


@contextmanager
def open_logdir(path: str | os.PathLike[str], loader: Loader = "auto") -> Iterator[Source]:
    """A loaded `Source` for the log directory `path`; whatever it needs ends with the context.

    "auto" takes the fast loader where the platform has it.

    Raises:
        LogdirError: `path` is missing, not a directory, or holds no event files; or "fast" was
            asked for where it does not exist.
    """
    directory = check_logdir(path)
    if loader not in ("auto", "fast", "python"):
        raise LogdirError(f"loader {loader!r}: expected 'auto', 'fast' or 'python'")
    binary = None if loader == "python" else loaders.fast_binary()
    if loader == "fast" and binary is None:
        raise LogdirError("TensorBoard's fast loader does not exist for this platform")
    with ExitStack() as stack:
        source = None
        if binary is not None:
            try:
                source = stack.enter_context(loaders.fast(directory, binary, SAMPLES))
            except DataUnavailableError as error:
                if loader == "fast":
                    raise
                logger.warning("reading with TensorBoard's Python loader instead: %s", error)
        if source is None:
            source = stack.enter_context(loaders.python(directory, SAMPLES))
        yield source


def check_logdir(path: str | os.PathLike[str]) -> Path:
    """`path` as an absolute directory with at least one event file somewhere below it.

    Raises:
        LogdirError: it is none.
    """
    text = os.fsdecode(path)
    if "://" in text:
        raise LogdirError(f"log directory {text!r}: only local directories can be read")
    directory = Path(text).expanduser().absolute()
    try:
        if not directory.exists():
            raise LogdirError(f"log directory {text!r} does not exist")
        if not directory.is_dir():
            raise LogdirError(
                f"log directory {text!r} is not a directory: name the folder that holds the event "
                "files"
            )
        os.scandir(directory).close()
    except OSError as error:
        raise LogdirError(f"log directory {text!r} cannot be read: {error.strerror}") from error
    if not _holds_event_files(directory):
        raise LogdirError(f"log directory {text!r} holds no event files (*tfevents*)")
    return directory


def _holds_event_files(directory: Path) -> bool:
    """Whether there is one anywhere below; through links, too, but in no circles."""
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(directory, followlinks=True):
        if any("tfevents" in name for name in names):
            return True
        try:
            status = os.stat(folder)
        except OSError:
            continue  # it went away meanwhile
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
        seen.add((status.st_dev, status.st_ino))
    return False
