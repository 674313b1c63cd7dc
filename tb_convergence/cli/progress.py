"""Progress of a command: one line that redraws itself on a terminal, and nothing elsewhere."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

from tb_convergence.cli.wording import printable

BAR: Final = 24
REDRAW_SECONDS: Final = 0.1
SETTLED_SECONDS: Final = 1.0
"""Before that nothing is said of the time left."""

Progress = Callable[[int, int, str], None]


def progress_bar(
    stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Progress | None:
    """A callback `(done, total, name of the next)`; None if `stream` is no terminal.

    Args:
        stream: standard error by default, so that a report in a pipe or a file stays clean.
        clock: seconds.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        return None
    return _Bar(stream, clock)


class _Bar:
    """Redraws at most ten times a second: a terminal is slower than a run of a few records."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._begin = clock()
        self._drawn = -REDRAW_SECONDS

    def __call__(self, done: int, total: int, name: str) -> None:
        now = self._clock() - self._begin
        if done >= total:
            self._stream.write("\r\x1b[K")
        elif now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            width = shutil.get_terminal_size().columns - 1
            self._stream.write(f"\r\x1b[K{_line(done, total, name, now)[:width]}")
        else:
            return
        self._stream.flush()


def _line(done: int, total: int, name: str, seconds: float) -> str:
    """
    >>> _line(30, 120, "sweep/a", 10.0)
    'reading [######                  ] 30/120, 30 s left, sweep/a'
    """
    filled = BAR * done // max(1, total)
    left = f", {_duration(seconds * (total - done) / done)} left" if (
        done and seconds >= SETTLED_SECONDS
    ) else ""
    bar = "#" * filled + " " * (BAR - filled)
    return f"reading [{bar}] {done}/{total}{left}, {printable(name)}"


def _duration(seconds: float) -> str:
    """
    >>> _duration(4.2), _duration(250), _duration(7600)
    ('4 s', '4 min', '2.1 h')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
