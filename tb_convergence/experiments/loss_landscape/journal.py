"""Saves evaluated points to disk, so that an interrupted landscape continues where it stopped.

There is one file, which is replaced atomically every few seconds. Its fingerprint covers the
weights, the samples, the directions, and the options. Points with another fingerprint are ignored
and overwritten; a file that holds anything else is refused, because it would be lost.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

SAVE_SECONDS: Final = 5.0


def fingerprint(parts: Iterable[object]) -> str:
    """Digest of arrays and of anything else by its `repr`."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            if part.dtype.hasobject:
                digest.update(repr(part.tolist()).encode())
            else:
                digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(repr(part).encode())
    return digest.hexdigest()


class JournalError(ValueError):
    """A file that holds no points; the message says what to do."""


class Journal:
    """Values `[Q]` by pair and grid point. With `path=None` it remembers in memory alone.

    Raises:
        JournalError: the file is something else.
    """

    def __init__(self, path: str | os.PathLike[str] | None, identity: str, quantities: int) -> None:
        self._path = None if path is None else Path(path)
        self._identity = identity
        self._quantities = quantities
        self._saved = time.monotonic()
        self._changed = False
        self.known: dict[tuple[int, int, int], NDArray[np.float64]] = {}
        self._load()
        self.restored = len(self.known)

    def _load(self) -> None:
        if self._path is None or not self._path.exists() or (
                self._path.is_file() and not self._path.stat().st_size):
            return
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as data:
                if set(data.files) != {"identity", "places", "values"}:
                    raise KeyError("other arrays")
                if str(data["identity"]) != self._identity:
                    return
                places = np.asarray(data["places"], np.int64).reshape(-1, 3)
                values = np.asarray(data["values"], np.float64).reshape(
                    len(places), self._quantities)
        # An array that is no archive has no `files`.
        except (OSError, ValueError, KeyError, EOFError, AttributeError, TypeError,
                zipfile.BadZipFile) as error:
            raise JournalError(
                f"{str(self._path)!r} contains something other than points of a landscape, so it "
                "is not overwritten: name a new file") from error
        self.known = {
            (int(p), int(i), int(j)): value for (p, i, j), value in zip(places, values, strict=True)
        }

    def add(self, pair: int, points: NDArray[np.intp], values: NDArray[np.float64]) -> None:
        """Remember `values` `[P, Q]` of grid points `[P, 2]`; save when it is time."""
        for (row, column), value in zip(points, values, strict=True):
            self.known[pair, int(row), int(column)] = value
        self._changed = True
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write everything known to the file; a disk that is full costs the journal, not the
        landscape."""
        self._saved = time.monotonic()
        if self._path is None or not self._changed:
            return
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".landscape-")
            try:
                with os.fdopen(handle, "wb") as file:
                    np.savez(
                        file,
                        identity=np.array(self._identity),
                        places=np.array(list(self.known), np.int64).reshape(-1, 3),
                        values=np.array(list(self.known.values())).reshape(-1, self._quantities),
                    )
                os.replace(name, self._path)
                self._changed = False
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def remove(self) -> None:
        """The landscape is complete: the file is no longer needed."""
        if self._path is not None:
            with suppress(OSError):  # such as a file that another program holds open
                self._path.unlink(missing_ok=True)
