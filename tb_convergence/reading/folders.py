"""Which runs a log directory holds, without reading them: folders with event files in them.

A run is named as TensorBoard names it: by the path of its folder below the log directory, "." for
the log directory itself. Local directories are walked here; for others see `remote`.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

MAX_FOLDERS: Final = 500_000
"""Folders that are walked: links upon links can make far more of a few."""

logger = logging.getLogger(__name__)


class LogdirError(ValueError):
    """A log directory that cannot be read: missing, not a directory, or without event files."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """One event file: its location, its name, and its size in bytes."""

    path: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run of TensorBoard and its event files, in the order of their names."""

    run: str
    files: tuple[EventFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Folders(Protocol):
    """A log directory, wherever it lies. Can be sent to another process."""

    @property
    def shared(self) -> bool:
        """Whether another process sees the same files."""

    def runs(self) -> tuple[RunFolder, ...]:
        """All runs, sorted by name.

        Raises:
            LogdirError: there are none, or the directory cannot be listed.
        """

    def bring(self, file: EventFile, target: Path) -> None:
        """Make `file` readable at the local path `target`.

        Raises:
            OSError: it is gone, or cannot be read.
        """


def is_event_file(name: str) -> bool:
    """Whether TensorBoard takes a file of this name for one with summaries."""
    return "tfevents" in name and not name.endswith(".profile-empty")


def kind_of(entry: os.DirEntry[str]) -> os.stat_result | Literal["folder"] | None:
    """Whether `entry` is a folder, or the status of an event file; None of anything else.

    An entry that cannot be looked at, such as a link to itself, is nothing, and hides no other.
    """
    try:
        if entry.is_dir():
            return "folder"
        return entry.stat() if is_event_file(entry.name) and entry.is_file() else None
    except OSError as error:
        logger.info("%r is left out: %s", entry.path, error.strerror)
        return None


def printable_name(name: str) -> str:
    """`name` with every byte that is no UTF-8 written as "%FF".

    TensorBoard's loaders cannot take such names, and no reply can hold them.

    >>> printable_name("run\\udcff"), printable_name("rén")
    ('run%FF', 'rén')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return "".join(
            f"%{ord(sign) - 0xDC00:02X}" if 0xDC80 <= ord(sign) <= 0xDCFF else
            "%3F" if 0xD800 <= ord(sign) <= 0xDFFF else sign
            for sign in name
        )
    return name


def none_found(logdir: str) -> LogdirError:
    """The error for a log directory without any run."""
    return LogdirError(f"log directory {logdir!r} contains no event files (*tfevents*)")


@dataclass(frozen=True, slots=True)
class LocalFolders:
    """A directory of this machine.

    Attributes:
        root: its absolute path.
        shown: as a person wrote it.
    """

    root: str
    shown: str

    @property
    def shared(self) -> bool:
        """Every process sees the disk."""
        return True

    def runs(self) -> tuple[RunFolder, ...]:
        """See `Folders.runs`."""
        found = [
            RunFolder(
                printable_name(os.path.relpath(folder, self.root)),
                tuple(sorted(files, key=_by_name)),
            )
            for folder, files in self._walked()
        ]
        if not found:
            raise none_found(self.shown)
        return tuple(sorted(found, key=lambda one: one.run))

    def bring(self, file: EventFile, target: Path) -> None:
        """See `Folders.bring`. A link: nothing is copied, and what is appended can be read."""
        try:
            os.symlink(file.path, target)
        except (OSError, NotImplementedError):
            shutil.copyfile(file.path, target)  # where links need a privilege

    def _walked(self) -> Iterator[tuple[str, list[EventFile]]]:
        """Folders with event files. Follows links, too, but not into a folder they lie in."""
        waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [(self.root, ())]
        seen = 0
        while waiting:
            folder, above = waiting.pop()
            seen += 1
            if seen > MAX_FOLDERS:
                raise LogdirError(
                    f"log directory {self.shown!r} contains more than {MAX_FOLDERS:,} folders: "
                    "name one of them"
                )
            files: list[EventFile] = []
            try:
                status = os.stat(folder)
                here = (status.st_dev, status.st_ino)
                if here in above:
                    continue
                for entry in os.scandir(folder):
                    kind = kind_of(entry)
                    if kind == "folder":
                        waiting.append((entry.path, (*above, here)))
                    elif isinstance(kind, os.stat_result):
                        name = printable_name(entry.name)
                        files.append(EventFile(entry.path, name, kind.st_size))
            except OSError as error:
                # It went away meanwhile, or is not ours to read.
                logger.info("folder %r is left out: %s", folder, error.strerror)
            if files:
                yield folder, files


def _by_name(file: EventFile) -> str:
    return file.name


def local_folders(path: str | os.PathLike[str]) -> LocalFolders:
    """The log directory at the local `path`.

    Raises:
        LogdirError: there is no directory that can be read.
    """
    text = os.fsdecode(path)
    directory = Path(text).expanduser().absolute()
    try:
        if not directory.exists():
            raise LogdirError(f"log directory {text!r} does not exist")
        if not directory.is_dir():
            raise LogdirError(
                f"log directory {text!r} is not a directory: name the folder that contains the "
                "event files"
            )
        os.scandir(directory).close()
    except OSError as error:
        raise LogdirError(f"log directory {text!r} cannot be read: {error.strerror}") from error
    return LocalFolders(str(directory), text)
