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
RECORDS_PER_DOUBLING: Final = 50
"""After so many records the interval doubles every so many more: 1e9 steps give about 2,000."""

SAMPLES: Final = 32
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
    ...     cadence.saw_step(seconds=0.1)
    ...     cadence.saw_record(seconds=0.05)
    >>> cadence.interval  # 0.05 s spread over 50 steps of 0.1 s: 1 %
    50
    """

    def __init__(self, overhead: float = 0.01, every_n_steps: int | None = None) -> None:
        self.overhead = overhead
        self.every_n_steps = every_n_steps
        self.records = 0
        self._minimum = 1
        self._steps: deque[float] = deque(maxlen=SAMPLES)
        self._costs: deque[float] = deque(maxlen=SAMPLES)

    def expect(self, total_steps: int | None) -> None:
        """Spread the records over `total_steps` where the length of the training is known."""
        self._minimum = max(1, ceil((total_steps or 0) / (2 * FREE_RECORDS)))

    def saw_step(self, seconds: float) -> None:
        """A step without a record took `seconds`."""
        self._steps.append(seconds)

    def saw_record(self, seconds: float) -> None:
        """A record cost `seconds` beyond an ordinary step."""
        self.records += 1
        self._costs.append(max(seconds, 0.0))

    @property
    def step_seconds(self) -> float | None:
        """Median time of a step without a record; None before the first."""
        return median(self._steps) if self._steps else None

    @property
    def record_seconds(self) -> float | None:
        """Median cost of a record; None before the first."""
        return median(self._costs) if self._costs else None

    @property
    def interval(self) -> int:
        """Steps from one record to the next, after the dense beginning."""
        if self.every_n_steps is not None:
            return self.every_n_steps
        affordable = 1
        if self._steps and self._costs:
            step = max(median(self._steps), 1e-9)
            affordable = ceil(median(self._costs) / (self.overhead * step) - 1e-9)
        elif self._costs:
            affordable = DENSE_STEPS  # nothing to compare with yet
        doublings = max(0, self.records - FREE_RECORDS) // RECORDS_PER_DOUBLING
        return max(affordable, self._minimum, 1 << min(doublings, 40))

    def next_step(self, step: int) -> int:
        """The step to record after `step` was."""
        if step + 1 < DENSE_STEPS:
            return step + 1
        interval = self.interval
        if self.every_n_steps is not None:
            return (step // interval + 1) * interval
        return step + interval

    @property
    def measured_overhead(self) -> float | None:
        """Share of the steps' time that records cost at the present interval; None if unknown."""
        if not self._steps or not self._costs:
            return None
        return median(self._costs) / (max(median(self._steps), 1e-9) * self.interval)
