"""One heap for all threads of a process that reads many runs.

The C library of Linux gives each thread its own heap. Memory that one thread allocates and another
one frees fragments these heaps: after a thousand runs, a process holds twice the memory that it
ever needed. Only our own processes use this setting: commands and reader processes.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

_M_ARENA_MAX: Final = -8
"""Of glibc's malloc.h."""


def share_one_heap() -> None:
    """Ask for it, before threads are started; other systems have nothing to ask."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
