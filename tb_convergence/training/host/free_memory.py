"""The amount of memory that this process can still allocate.

Linux kills a process that takes more memory than there is, without an exception that could be
caught. So code that needs much memory checks first.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

MEMINFO: Final = Path("/proc/meminfo")
OWN_SIZE: Final = Path("/proc/self/statm")
OWN_GROUP: Final = Path("/proc/self/cgroup")
GROUPS: Final = Path("/sys/fs/cgroup")
NO_LIMIT: Final = 2**60
"""Limits from here on are none."""


def free_bytes() -> int | None:
    """Bytes that are free: of the machine, within the limit of the container and that of the
    process; None if the system does not tell.
    """
    found = []
    for ask in (_of_machine, _of_group, _of_process):
        with suppress(Exception):
            value = ask()
            if value is not None:
                found.append(max(value, 0))
    return min(found, default=None)


def _of_machine() -> int:
    fields = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines() if ":" in line)
    return int(fields["MemAvailable"].split()[0]) * 1024


def _of_group() -> int | None:
    path = next(
        line.split("::", 1)[1] for line in OWN_GROUP.read_text().splitlines() if "::" in line
    )
    own = GROUPS / path.strip("/")
    found = []
    for folder in (own, *own.parents):
        if folder == GROUPS.parent:
            break
        limit = folder / "memory.max"
        if limit.is_file() and (text := limit.read_text().strip()) != "max":
            used = int((folder / "memory.current").read_text())
            stat = dict(
                line.split() for line in (folder / "memory.stat").read_text().splitlines()
            )
            # Files that the system has cached give way.
            found.append(int(text) - used + int(stat.get("inactive_file", 0)))
    return min(found, default=None)


def _of_process() -> int | None:
    import resource  # noqa: PLC0415 - not on Windows

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY or limit >= NO_LIMIT:
        return None
    return limit - int(OWN_SIZE.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
