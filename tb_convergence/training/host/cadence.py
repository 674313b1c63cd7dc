"""Which steps are recorded in full: pure arithmetic, no clock and no framework.

Many failures are over by step 3, so the first ten steps are all recorded. After that every N-th,
where N follows from measured time: the cost of one record, spread over N steps, stays within a
given share of the steps' own time, by the wall clock and by the processor's (`Elapsed`).
"""

from __future__ import annotations

from collections import deque
from math import ceil
from statistics import fmean, median
from typing import Final

from tb_convergence.training.host.elapsed import Elapsed

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


class _Account:
    """What steps, and what of ours, took by one clock. Seconds throughout."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.looks = 0.0
        self.setup = 0.0
        self.all_steps = 0.0
        self.records = 0
        self._steps: deque[float] = deque(maxlen=SAMPLES)
        self._recorded: deque[tuple[float, int]] = deque(maxlen=SAMPLES)

    def add_steps(self, seconds: float, steps: int) -> None:
        self._steps.append(max(seconds, 0.0) / max(steps, 1))
        self.all_steps += max(seconds, 0.0)

    def add_record(self, seconds: float, steps: int) -> None:
        self.records += 1
        self._recorded.append((max(seconds, 0.0), max(steps, 1)))
        self.spent += self.record or 0.0

    @property
    def step(self) -> float | None:
        """Median time of a step without a record; None before the first.

        A clock that ticks more slowly than steps are made shows 0 for most of them; their mean is
        right all the same.
        """
        if not self._steps:
            return None
        return median(self._steps) or fmean(self._steps)

    @property
    def record(self) -> float | None:
        """Median time a record adds to its step, and its share of what came beside; None before
        it can be told."""
        step = self.step
        if step is None or not self._recorded:
            return None
        added = max(median(seconds - steps * step for seconds, steps in self._recorded), 0.0)
        return added + self.looks / max(self.records, 1)

    def interval(self, overhead: float, rest: int | None) -> int:
        """Steps from one record to the next that keep the share `overhead`.

        `rest`: steps that the training is expected to go on for, None if nobody knows.
        """
        step, record = self.step, self.record
        if step is None or record is None:
            return DENSE_STEPS  # nothing to compare with yet
        # Rounded before it is rounded up: 5.000000001 is 5.
        affordable = ceil(round(record / (overhead * max(step, 1e-9)), 6))
        left = FREE_SECONDS - self.spent
        if rest is not None and left > 0:
            affordable = min(affordable, max(1, ceil(rest * record / left)))
        return max(affordable, self._owed_steps(step, overhead))

    def _owed_steps(self, step: float, overhead: float) -> int:
        """Steps after which the share of the training's time has paid for getting ready."""
        owed = self.setup - FREE_SETUP_SECONDS - overhead * self.all_steps
        return ceil(owed / (overhead * max(step, 1e-9))) if owed > 0 else 0


class Cadence:
    """Decides the next step to record.

    Args:
        overhead: share of a step's time that recording may cost, in (0, 1).
        every_n_steps: fixed interval; then nothing adapts and records are not bounded.
        processor: whether the processor's time is bounded too. Where an accelerator computes, the
            processor mostly waits, and only the wall clock tells what recording costs.

    >>> cadence = Cadence(overhead=0.01)
    >>> [cadence.next_step(step) for step in (0, 8)]
    [1, 9]
    >>> for _ in range(10):
    ...     cadence.saw_steps(Elapsed.busy(0.1))
    ...     cadence.saw_record(Elapsed.busy(0.15))
    >>> cadence.interval  # 0.05 s more than a step, spread over 50 steps of 0.1 s: 1%
    50
    """

    def __init__(
        self, overhead: float = 0.01, every_n_steps: int | None = None, *, processor: bool = True
    ) -> None:
        self.overhead = overhead
        self.every_n_steps = every_n_steps
        self._wall, self._processor = _Account(), _Account()
        self._accounts = (self._wall, self._processor) if processor else (self._wall,)
        self._last_step: int | None = None
        self._open_since: int | None = None
        self._minimum = 1
        self._now = 0
        self._hurry = 0

    def expect(self, first_step: int, steps: int) -> None:
        """The training runs `steps` steps from `first_step`, if nothing stops it.

        The records are spread over all of it, and its last step is one of them.
        """
        self._last_step = first_step + steps - 1
        self._minimum = max(1, ceil(steps / (2 * FREE_RECORDS)))

    def expect_more(self, first_step: int) -> None:
        """The training continues from `first_step` for an unknown number of steps.

        At any time it is expected to go on for as long as it has: the free second is then spread
        ever thinner, and never used up.
        """
        self._open_since, self._last_step = first_step, None

    def saw_steps(self, took: Elapsed, steps: int = 1) -> None:
        """`steps` steps without a record took so long together."""
        self._wall.add_steps(took.wall, steps)
        self._processor.add_steps(took.processor, steps)

    def saw_record(self, took: Elapsed, steps: int = 1) -> None:
        """`steps` steps, one of them recorded, took so long together."""
        self._wall.add_record(took.wall, steps)
        self._processor.add_record(took.processor, steps)

    def saw_look(self, took: Elapsed) -> None:
        """Something beside the records, such as a diagnosis, took so long: spread over them."""
        self._wall.looks += max(took.wall, 0.0)
        self._processor.looks += max(took.processor, 0.0)

    def saw_setup(self, took: Elapsed) -> None:
        """Getting ready took so long, once: what is not free is waited for."""
        self._wall.setup += max(took.wall, 0.0)
        self._processor.setup += max(took.processor, 0.0)

    def hurry(self) -> bool:
        """Something happens: record the next step, then after 2, 4, 8 ... steps, as far as what was
        spent so far leaves room. Returns whether it does."""
        overspent = any(
            account.spent > FREE_SECONDS + self.overhead * account.all_steps
            for account in self._accounts
        )
        if self._hurry or overspent or self.every_n_steps is not None:
            return False
        self._hurry = 1
        return True

    @property
    def records(self) -> int:
        """Records seen so far."""
        return self._wall.records

    @property
    def step_seconds(self) -> float | None:
        """Median time of a step without a record by the wall clock; None before the first."""
        return self._wall.step

    @property
    def record_seconds(self) -> float | None:
        """Median time that a record adds by the wall clock, and its share of what came beside;
        None before it can be told."""
        return self._wall.record

    @property
    def interval(self) -> int:
        """Steps from one record to the next, after the dense beginning."""
        if self.every_n_steps is not None:
            return self.every_n_steps
        rest = self._rest
        affordable = max(account.interval(self.overhead, rest) for account in self._accounts)
        doublings = max(0, self.records - FREE_RECORDS) // RECORDS_PER_DOUBLING
        return max(affordable, self._minimum, 1 << min(doublings, 40))

    @property
    def _rest(self) -> int | None:
        """Steps that the training is expected to go on for; None if nobody said anything."""
        if self._last_step is not None:
            return self._last_step - self._now
        if self._open_since is not None:
            return self._now - self._open_since
        return None

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
        """Share of the steps' time that records cost at the present interval, by the clock that
        says more; None if unknown."""
        shares = [
            account.record / (max(account.step, 1e-9) * self.interval)
            for account in self._accounts
            if account.step is not None and account.record is not None
        ]
        return max(shares, default=None)
