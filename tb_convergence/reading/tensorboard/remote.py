"""Log directories of other file systems: `gs://`, `s3://` and whatever TensorBoard can open.

Files are reached as TensorBoard reaches them: through fsspec (or boto3 for `s3://`) where that is
installed, else through TensorFlow's file systems. None of them is a dependency of ours. A run's
files are fetched when its turn comes and deleted after it, so that TensorBoard's fast loader, which
reads local files, is as good here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tensorboard import compat
from tensorboard.compat.tensorflow_stub.io import gfile as without_tensorflow

from tb_convergence.reading.folders import (
    EventFile,
    LogdirError,
    RunFolder,
    is_event_file,
    none_found,
)
from tb_convergence.reading.reasons import reason_of

PACKAGES: Final = {
    "s3": "fsspec s3fs", "s3a": "fsspec s3fs", "gs": "fsspec gcsfs", "gcs": "fsspec gcsfs",
    "az": "fsspec adlfs", "abfs": "fsspec adlfs", "hdfs": "fsspec pyarrow",
    "http": "fsspec aiohttp", "https": "fsspec aiohttp", "hf": "fsspec huggingface_hub",
}
"""What to install for a scheme; plain fsspec knows the others."""

IN_THIS_PROCESS: Final = ("memory",)
"""Schemes whose files no other process sees."""

_CHUNK: Final = 4 * 2**20


@dataclass(frozen=True, slots=True)
class RemoteFolders:
    """A log directory behind a URL."""

    url: str

    @property
    def shared(self) -> bool:
        """Whether another process sees the same files."""
        return _scheme(self.url) not in IN_THIS_PROCESS

    def runs(self) -> tuple[RunFolder, ...]:
        """See `Folders.runs`."""
        system = _file_system(self.url)
        root = self.url.rstrip("/")
        found = []
        with _told(self.url):
            for folder, _, names in system.walk(root):
                run = str(folder)[len(root):].strip("/") or "."
                files = tuple(
                    EventFile(path, name, int(system.stat(path).length))
                    for name in sorted(map(str, names)) if is_event_file(name)
                    for path in (f"{str(folder).rstrip('/')}/{name}",)
                )
                # Any text may name an object in a bucket, but not every text a file of ours.
                if files and all(map(_plain, (*run.split("/"), *(file.name for file in files)))):
                    found.append(RunFolder(run, files))
        if not found:
            raise none_found(self.url)
        return tuple(sorted(found, key=lambda one: one.run))

    def bring(self, file: EventFile, target: Path) -> None:
        """See `Folders.bring`."""
        system = _file_system(self.url)
        try:
            with system.GFile(file.path, "rb") as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
        except OSError:
            raise
        except Exception as error:
            raise OSError(f"{file.name} could not be downloaded: {reason_of(error)}") from error


def _plain(part: str) -> bool:
    """Whether a part of a path stays inside its folder."""
    return part == "." or not (
        part in {"", ".."} or "\\" in part or "\0" in part or "/" in part
    )


def _scheme(url: str) -> str:
    return url.partition("://")[0].partition("::")[0]


def _missing(url: str) -> LogdirError:
    """The error where nothing opens `url`, with what to install."""
    scheme = _scheme(url)
    packages = PACKAGES.get(scheme, "" if find_spec("fsspec") else "fsspec")
    hint = f": pip install {packages}" if packages else ""
    return LogdirError(
        f"log directory {url!r}: no installed package can read {scheme}://{hint}"
    )


@lru_cache(maxsize=8)
def _file_system(url: str) -> Any:
    """What opens `url`: a module with `walk`, `stat` and `GFile`.

    Raises:
        LogdirError: nothing that is installed does.
    """
    try:
        without_tensorflow.get_filesystem(url)
    except (ImportError, ValueError):
        pass
    else:
        return without_tensorflow
    missing = _missing(url)
    if find_spec("tensorflow") is None:
        raise missing
    system = compat.tf.io.gfile
    try:
        system.exists(url)
    except compat.tf.errors.UnimplementedError:
        raise missing from None
    except Exception as error:
        raise LogdirError(f"log directory {url!r} cannot be read: {reason_of(error)}") from error
    return system


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Failures of any file system as one error that names the log directory."""
    try:
        yield
    except LogdirError:
        raise
    except ImportError as error:
        raise _missing(url) from error
    except Exception as error:
        raise LogdirError(f"log directory {url!r} cannot be listed: {reason_of(error)}") from error
