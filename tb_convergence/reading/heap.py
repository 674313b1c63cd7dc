"""One heap for all threads of a process that reads many runs.

The C library of Linux gives threads heaps of their own. What one thread fetches and another one
lets go leaves holes in all of them, and after a thousand runs a process holds twice the memory that
it ever needed at once. It may only be asked of a process that is ours: a command, or a reader.
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
