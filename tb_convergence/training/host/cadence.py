"""Which steps are recorded in full: pure arithmetic, no clock and no framework.

Many failures are over by step 3, so the first ten steps are all recorded. After that every N-th,
where N follows from measured time: the cost of one record, spread over N steps, stays within a
given share of the steps' own time.
"""

from __future__ import annotations

from collections import deque
from math import ceil
from statistics import median
from typing import Final

DENSE_STEPS: Final = 10
"""Steps from 0 that are all recorded."""

FREE_RECORDS: Final = 1_000
RECORDS_PER_DOUBLING: Final = 40
"""After so many records the interval doubles every so many more: 1e9 steps give 2,000."""

FREE_SECONDS: Final = 1.0
"""Recording time of a whole training that is spent without regard to the share. A training of
seconds is so recorded finely, where one percent would leave a dozen records; nobody misses it."""

FREE_SETUP_SECONDS: Final = 2.0
"""Time that getting ready (tracing the copy of the step) may take on top, in a whole training."""

SAMPLES: Final = 15
"""Latest durations that medians are taken over."""


class Cadence:
    """Decides the next step to record.

    Args:
        overhead: share of a step's time that recording may cost, in (0, 1).
        every_n_steps: fixed interval; then nothing adapts and records are not bounded.

    >>> cadence = Cadence(overhead=0.01)
    >>> [cadence.next_step(step) for step in (0, 8)]
    [1, 9]
    >>> for _ in range(10):
    ...     cadence.saw_steps(seconds=0.1)
    ...     cadence.saw_record(seconds=0.15)
    >>> cadence.interval  # 0.05 s more than a step, spread over 50 steps of 0.1 s: 1%
    50
    """

    def __init__(self, overhead: float = 0.01, every_n_steps: int | None = None) -> None:
        self.overhead = overhead
        self.every_n_steps = every_n_steps
        self.records = 0
        self._last_step: int | None = None
        self._open_since: int | None = None
        self._minimum = 1
        self._now = 0
        self._spent_seconds = 0.0
        self._look_seconds = 0.0
        self._setup_seconds = 0.0
        self._all_steps_seconds = 0.0
        self._hurry = 0
        self._steps: deque[float] = deque(maxlen=SAMPLES)
        self._recorded: deque[tuple[float, int]] = deque(maxlen=SAMPLES)

    def expect(self, first_step: int, steps: int) -> None:
        """The training runs `steps` steps from `first_step`, if nothing stops it.

        The records are spread over all of it, and its last step is one of them.
        """
        self._last_step = first_step + steps - 1
        self._minimum = max(1, ceil(steps / (2 * FREE_RECORDS)))

    def expect_more(self, first_step: int) -> None:
        """The training runs from `first_step`, nobody knows for how long.

        At any time it is expected to go on for as long as it has: the free second is then spread
        ever thinner, and never used up.
        """
        self._open_since, self._last_step = first_step, None

    def saw_steps(self, seconds: float, steps: int = 1) -> None:
        """`steps` steps without a record took `seconds` together."""
        self._steps.append(max(seconds, 0.0) / max(steps, 1))
        self._all_steps_seconds += max(seconds, 0.0)

    def saw_record(self, seconds: float, steps: int = 1) -> None:
        """`steps` steps, one of them recorded, took `seconds` together."""
        self.records += 1
        self._recorded.append((max(seconds, 0.0), max(steps, 1)))
        self._spent_seconds += self.record_seconds or 0.0

    def saw_look(self, seconds: float) -> None:
        """Something beside the records, such as a diagnosis, took `seconds`: spread over them."""
        self._look_seconds += max(seconds, 0.0)

    def saw_setup(self, seconds: float) -> None:
        """Getting ready took `seconds`, once: what is not free is waited for."""
        self._setup_seconds += max(seconds, 0.0)

    def hurry(self) -> bool:
        """Something happens: record the next step, then after 2, 4, 8 ... steps, as far as what was
        spent so far leaves room. Returns whether it does."""
        allowed = FREE_SECONDS + self.overhead * self._all_steps_seconds
        if self._hurry or self._spent_seconds > allowed or self.every_n_steps is not None:
            return False
        self._hurry = 1
        return True

    @property
    def step_seconds(self) -> float | None:
        """Median time of a step without a record; None before the first."""
        return median(self._steps) if self._steps else None

    @property
    def record_seconds(self) -> float | None:
        """Median time a record adds to its step, and its share of what came beside; None before
        it can be told."""
        step = self.step_seconds
        if step is None or not self._recorded:
            return None
        added = max(median(seconds - steps * step for seconds, steps in self._recorded), 0.0)
        return added + self._look_seconds / max(self.records, 1)

    @property
    def interval(self) -> int:
        """Steps from one record to the next, after the dense beginning."""
        if self.every_n_steps is not None:
            return self.every_n_steps
        step, record = self.step_seconds, self.record_seconds
        if step is None or record is None:
            affordable = DENSE_STEPS  # nothing to compare with yet
        else:
            # Rounded before it is rounded up: 5.000000001 is 5.
            affordable = ceil(round(record / (self.overhead * max(step, 1e-9)), 6))
            affordable = min(affordable, self._free_interval(record) or affordable)
            affordable = max(affordable, self._owed_steps(step))
        doublings = max(0, self.records - FREE_RECORDS) // RECORDS_PER_DOUBLING
        return max(affordable, self._minimum, 1 << min(doublings, 40))

    def _free_interval(self, record: float) -> int | None:
        """Interval at which the rest of the training costs what is left of the free second.

        None where nothing is left, and where nothing is said of the length of the training.
        """
        left = FREE_SECONDS - self._spent_seconds
        if left <= 0:
            return None
        if self._last_step is not None:
            rest = self._last_step - self._now
        elif self._open_since is not None:
            rest = self._now - self._open_since
        else:
            return None
        return max(1, ceil(rest * record / left))

    def _owed_steps(self, step: float) -> int:
        """Steps after which the share of the training's time has paid for getting ready."""
        owed = self._setup_seconds - FREE_SETUP_SECONDS
        owed -= self.overhead * self._all_steps_seconds
        return ceil(owed / (self.overhead * max(step, 1e-9))) if owed > 0 else 0

    def next_step(self, step: int) -> int:
        """The step to record after `step` was."""
        self._now = step
        if self._hurry:
            gap, self._hurry = self._hurry, 2 * self._hurry
            if gap < self.interval:
                return step + gap
            self._hurry = 0
        if step + 1 < DENSE_STEPS:
            following = step + 1
        elif self.every_n_steps is not None:
            following = (step // self.every_n_steps + 1) * self.every_n_steps
        else:
            following = step + self.interval
        if self._last_step is not None and step < self._last_step:
            return min(following, self._last_step)
        return following

    @property
    def measured_overhead(self) -> float | None:
        """Share of the steps' time that records cost at the present interval; None if unknown."""
        step, record = self.step_seconds, self.record_seconds
        if step is None or record is None:
            return None
        return record / (max(step, 1e-9) * self.interval)
