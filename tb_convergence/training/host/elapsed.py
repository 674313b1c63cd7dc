"""Elapsed wall time and processor time."""

from __future__ import annotations

import time
from typing import NamedTuple


class Elapsed(NamedTuple):
    """Seconds by two clocks: `wall`, and `processor`, the sum over all threads of this process.

    Neither bounds the other. A copy of a step may run on more threads than the step does, which
    costs more of the processor than of the wall clock; waiting for a disk costs only the latter.

    >>> Elapsed(3.0, 5.0) - Elapsed(1.0, 2.0)
    Elapsed(wall=2.0, processor=3.0)
    """

    wall: float
    processor: float

    def __sub__(self, other: object) -> Elapsed:
        if not isinstance(other, Elapsed):
            return NotImplemented
        return Elapsed(self.wall - other.wall, self.processor - other.processor)

    @classmethod
    def busy(cls, seconds: float) -> Elapsed:
        """What one busy thread spends in `seconds`."""
        return cls(seconds, seconds)


NOTHING = Elapsed(0.0, 0.0)


def now() -> Elapsed:
    """Both clocks; only differences mean anything."""
    return Elapsed(time.perf_counter(), time.process_time())
