"""Loads runs in batches, so memory does not grow with the number of runs.

TensorBoard's loaders hold all of a log directory in memory at once. So each loader gets a temporary
folder with a few runs: links to the event files or, for remote files, copies that are deleted
afterward. Many small runs share a loader, because starting and querying one takes some tenths of a
second. A large run has its own loader.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.folders import Folders, RunFolder
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.runs import FoldedRun

BATCH_BYTES: Final = 16 * 2**20
"""Event files of one batch, unless a run alone has more."""

BATCH_RUNS: Final = 100

SAMPLES: Final = {PLUGIN_NAME: 20_000, "histograms": 2_000, "scalars": 10_000}
"""Points TensorBoard keeps of each series, by plugin."""

SERIES_BYTES: Final = 128 * 2**20
"""Of one series of ours no more is kept: a reader asks for half as much (see `source`)."""

_HEADS: Final = 256
"""Records at the head of a file whose sizes are looked at."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs that are loaded together.

    Attributes:
        first: place of its first run among all.
        runs: the runs, as a person has them.
        folders: where TensorBoard's runs lie that they are made of.
    """

    first: int
    runs: tuple[FoldedRun, ...]
    folders: tuple[RunFolder, ...]

    @property
    def small(self) -> bool:
        """Whether all of it may be read in one answer."""
        return sum(folder.size for folder in self.folders) <= BATCH_BYTES

    def folders_of(self, run: FoldedRun) -> tuple[RunFolder, ...]:
        """Where TensorBoard's runs lie that `run` is made of."""
        return tuple(folder for folder in self.folders if folder.run in run.members)

    def singly(self, done: int = 0) -> tuple[Batch, ...]:
        """A batch for each run but the first `done` ones."""
        size = {folder.run: folder for folder in self.folders}
        return tuple(
            Batch(self.first + place, (run,), tuple(size[one] for one in run.members))
            for place, run in enumerate(self.runs) if place >= done
        )


def batches(
    runs: Sequence[FoldedRun], folders: Sequence[RunFolder], most: int = BATCH_RUNS
) -> tuple[Batch, ...]:
    """`runs` in their order, cut into batches of at most `most`."""
    by_name = {folder.run: folder for folder in folders}
    found: list[Batch] = []
    members: list[FoldedRun] = []
    parts: list[RunFolder] = []
    size = 0
    for place, run in enumerate(runs):
        own = [by_name[name] for name in run.members]
        more = sum(folder.size for folder in own)
        if members and (size + more > BATCH_BYTES or len(members) == most):
            found.append(Batch(place - len(members), tuple(members), tuple(parts)))
            members, parts, size = [], [], 0
        members.append(run)
        parts += own
        size += more
    if members:
        found.append(Batch(len(runs) - len(members), tuple(members), tuple(parts)))
    return tuple(found)


@contextmanager
def shown(folders: Folders, batch: Batch) -> Iterator[tuple[Path, Mapping[str, list[str]]]]:
    """A folder with the runs of `batch` and no others, and the files that are unavailable.

    The reasons are by TensorBoard's name of the run. The folder ends with the context.
    """
    missing: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="tb_convergence_", ignore_cleanup_errors=True) as name:
        logdir = Path(name, "logs")
        logdir.mkdir()
        for folder in batch.folders:
            try:
                target = logdir / folder.run
                target.mkdir(parents=True, exist_ok=True)
                for file in folder.files:
                    folders.bring(file, target / file.name)
            except OSError as error:
                missing.setdefault(folder.run, []).append(reason_of(error.strerror or error))
        yield logdir, missing


def samples_of(logdir: Path, batch: Batch) -> Mapping[str, int]:
    """How many points the loader is to keep of each series of `batch`, shown in `logdir`.

    20,000 records of a large model are more than a machine may have memory for, and more than is
    read later. So where files are large, the records at their heads say how large records are.
    """
    if batch.small:
        return SAMPLES
    largest = max(
        (_largest_record(logdir / folder.run / file.name)
         for folder in batch.folders for file in folder.files), default=0,
    )
    kept = min(SAMPLES[PLUGIN_NAME], max(1_000, SERIES_BYTES // max(1, largest)))
    return {**SAMPLES, PLUGIN_NAME: kept}


def _largest_record(path: Path) -> int:
    """Bytes of the largest of the first records of an event file; 0 where none can be read."""
    largest = 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for _ in range(_HEADS):
                head = file.read(8)
                if len(head) < 8:
                    break
                (length,) = struct.unpack("<Q", head)
                if file.tell() + length > size:
                    break
                largest = max(largest, length)
                file.seek(length + 8, 1)
    except OSError:
        pass
    return largest
