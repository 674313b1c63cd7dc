"""Whether another process writes to the same run: two trainings in one folder are two runs.

An event file's name tells who writes it: `events.out.tfevents.<time>.<host>.<pid>.<count>`.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

RECENT_SECONDS: Final = 300.0
"""A file that has not grown for so long is taken to be finished."""

NAME: Final = re.compile(r"events\.out\.tfevents\.\d+\.(?P<host>.+)\.(?P<pid>\d+)\.\d+")


def others(path: str, suffix: str) -> list[str]:
    """Names of files like `path`, with this suffix, that other processes seem to be writing to.

    Nothing where that cannot be told: in a bucket, in a folder that cannot be listed.
    """
    if "://" in path:
        return []
    try:
        entries = [(entry.name, entry.stat().st_mtime) for entry in _files(path, suffix)]
    except OSError:
        return []
    newest = time.time() - RECENT_SECONDS
    return sorted(name for name, changed in entries if changed > newest and _is_other(name))


def _files(path: str, suffix: str) -> Iterable[Path]:
    mine = Path(path)
    return (
        entry for entry in mine.parent.iterdir()
        if entry.name.endswith(suffix) and entry.name != mine.name and entry.is_file()
    )


def _is_other(name: str) -> bool:
    found = NAME.match(name)
    if found is None:
        return False
    here = found["host"] == socket.gethostname()
    process = int(found["pid"])
    if here and process == os.getpid():
        return False
    return not here or os.name == "nt" or _alive(process)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it exists, and is somebody else's
        return True
    return True
