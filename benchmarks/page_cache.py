"""Files that do not lie in memory: nobody diagnoses gigabytes that were read a moment ago."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path
from typing import Final

MOST_LEFT: Final = 0.01
"""Share of the pages that may stay in memory for a file to count as not being there."""


def forget(folder: Path) -> None:
    """Have the system drop what it holds of all files below `folder`.

    Raises:
        RuntimeError: it keeps them all the same, as systems in memory do.
    """
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        with path.open("rb") as file:
            os.fsync(file)  # what is not yet written is not dropped
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    left = held(files)
    if left > MOST_LEFT:
        raise RuntimeError(f"{left:.0%} of the files below {folder} stay in memory")


def held(files: list[Path]) -> float:
    """Which share of the pages of `files` the system holds in memory, by mincore(2)."""
    pages = resident = 0
    for path in files:
        size = path.stat().st_size
        if not size:
            continue
        with path.open("rb") as file, mmap.mmap(
            file.fileno(), size, access=mmap.ACCESS_COPY  # a read-only one has no address here
        ) as view:
            count = -(-size // mmap.PAGESIZE)
            seen = (ctypes.c_ubyte * count)()
            begin = ctypes.c_char.from_buffer(view)
            failed = ctypes.CDLL(None, use_errno=True).mincore(
                ctypes.c_void_p(ctypes.addressof(begin)), ctypes.c_size_t(size), seen
            )
            del begin  # the view cannot be closed before
            if failed:
                raise OSError(ctypes.get_errno(), f"mincore of {path}")
        pages += count
        resident += sum(one & 1 for one in seen)
    return resident / max(1, pages)
