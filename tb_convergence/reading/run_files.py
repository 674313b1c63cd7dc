"""Direct access to the event files of one run, to find damage and to bypass the loader.

Only files below the log directory that TensorBoard was given are opened, only for reading, and only
in folders whose names TensorBoard lists itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tb_convergence.core.history import RunHistory
from tb_convergence.reading.batches import SAMPLES, Batch, shown
from tb_convergence.reading.folders import (
    EventFile,
    Folders,
    LocalFolders,
    RunFolder,
    printable_name,
)
from tb_convergence.reading.integrity import LOOK_BYTES, Integrity, Report, event_files
from tb_convergence.reading.patterns import TagRule
from tb_convergence.reading.runs import FoldedRun

NOTHING: Final = Report()


def local_logdir(logdir: object) -> Path | None:
    """The local directory that TensorBoard's flag `--logdir` names; None of anything else."""
    if not isinstance(logdir, str) or not logdir or "," in logdir or "://" in logdir:
        return None
    path = Path(logdir).expanduser().absolute()
    return path if path.is_dir() else None


@dataclass(slots=True)
class RunFiles:
    """The event files of the runs below one directory. Thread-safe."""

    root: Path | None
    _integrity: Integrity = field(default_factory=Integrity)

    def reports(self, run: FoldedRun) -> Mapping[str, Report]:
        """The damage found in the files of each member of `run`."""
        return {member: self._report(member) for member in run.members}

    def _report(self, member: str) -> Report:
        folder = self._folder(member)
        return NOTHING if folder is None else self._integrity.report(folder)

    def _folder(self, member: str) -> Path | None:
        parts = Path(member).parts
        if self.root is None or ".." in parts or Path(member).is_absolute():
            return None
        return self.root.joinpath(*parts)

    def read_around(
        self, run: FoldedRun, rules: Sequence[TagRule], clocks: Mapping[str, int]
    ) -> RunHistory | None:
        """`run`, read from its files by the Python loader; None if they are none or too large.
        """
        found = []
        for member in run.members:
            folder = self._folder(member)
            files = [] if folder is None else event_files(folder)
            found.append(RunFolder(member, tuple(
                EventFile(path, printable_name(Path(path).name), size) for path, size, _ in files
            )))
        size = sum(one.size for one in found)
        if not 0 < size <= LOOK_BYTES:
            return None
        return read_around(LocalFolders(str(self.root), ""), tuple(found), run, rules, clocks)


def read_around(
    folders: Folders, members: tuple[RunFolder, ...], run: FoldedRun, rules: Sequence[TagRule],
    clocks: Mapping[str, int],
) -> RunHistory:
    """`run`, read from its files by the Python loader, which copes with clocks that are none.

    The data server drops such records. `clocks` says how many there are, by member.
    """
    # They import TensorBoard's loaders, which who only looks for damage does without.
    from tb_convergence.reading.provider import read_folded  # noqa: PLC0415
    from tb_convergence.reading.tensorboard import loaders  # noqa: PLC0415

    with (
        shown(folders, Batch(0, (run,), members)) as (logdir, _),
        loaders.python(logdir, SAMPLES) as source,
    ):
        return read_folded(replace(source, patterns=tuple(rules), bad_clocks=clocks), run)
