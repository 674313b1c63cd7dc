"""The budget of an experiment, and its progress bar."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TextIO

Progress = Callable[[int, int, str], None]
"""Called with the steps done, the steps planned, and what is being done."""

Ended = Literal["finished", "out of time", "interrupted"]

WIDTH: Final = 24
REDRAW_SECONDS: Final = 0.2


@dataclass
class Budget:
    """Seconds and training steps that may be spent; None for no limit.

    A step is one update of the weights on one batch: one evaluation of the gradient. Steps measure
    cost where seconds depend on what else the machine does.

    >>> Budget(0.0).spent, Budget(None).spent
    (True, False)
    >>> whole = Budget(steps=100)
    >>> half = whole.part(0.5)
    >>> half.spend(30)
    >>> half.steps_left, whole.steps_left
    (20, 70)
    """

    seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    steps: int | None = None
    parent: Budget | None = field(default=None, repr=False)
    began: float = field(init=False)
    made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds >= 0:
            raise ValueError(f"seconds is {self.seconds!r}; expected a number >= 0, or None")
        if self.steps is not None and not self.steps >= 0:
            raise ValueError(f"steps is {self.steps!r}; expected a number >= 0, or None")
        self.began = self.clock()

    @property
    def taken(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self.began

    @property
    def left(self) -> float:
        """Seconds that are left; infinite without a limit."""
        return float("inf") if self.seconds is None else max(0.0, self.seconds - self.taken)

    @property
    def steps_left(self) -> float:
        """Steps that are left, here and in the budget that this is part of."""
        own = float("inf") if self.steps is None else max(0, self.steps - self.made)
        return own if self.parent is None else min(own, self.parent.steps_left)

    @property
    def spent(self) -> bool:
        """Whether no time or no step is left."""
        return self.left <= 0.0 or self.steps_left <= 0

    def spend(self, steps: int) -> None:
        """Count steps that were made."""
        self.made += steps
        if self.parent is not None:
            self.parent.spend(steps)

    def part(self, share: float = 1.0) -> Budget:
        """A budget for a share of what is left; spending from it also spends from this one."""
        return Budget(
            None if self.seconds is None else self.left * share, self.clock,
            None if self.steps_left == float("inf") else int(self.steps_left * share), self)


def chosen(progress: bool | Progress) -> Progress:
    """The function to call: a bar on standard error, the user's own, or nothing.

    True draws a bar only where standard error is a terminal.
    """
    if callable(progress):
        return progress
    return Bar(sys.stderr) if progress and sys.stderr.isatty() else _silent


def _silent(done: int, total: int, what: str) -> None:
    """Says nothing."""


class Bar:
    """One line that redraws itself, at most five times a second."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._drawn = -REDRAW_SECONDS

    def __call__(self, done: int, total: int, what: str) -> None:
        """Draw, unless it was drawn a moment ago."""
        now = self._clock()
        if done >= total:
            self._stream.write("\r\x1b[K")
        elif now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            filled = WIDTH * done // max(1, total)
            self._stream.write(
                f"\r\x1b[K[{'#' * filled}{' ' * (WIDTH - filled)}] {done}/{total} {what}"[:100]
            )
        self._stream.flush()
