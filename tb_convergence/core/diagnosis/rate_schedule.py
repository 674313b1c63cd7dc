"""How the learning rate went: which rate was in use, and where it was raised or had died.

The rate that a configuration names is that of the first step, or of a call of `fit`; what matters
is the one in use when something happened.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.memory import remembered
from tb_convergence.core.history import RunHistory, Values
from tb_convergence.core.text.numbers import number

RAISED: Final = 2.0
"""Rate over the one before from which it was raised at one place; warm-ups rise bit by bit."""
WORKED: Final = 10
"""Records with the rate before, from which that was in use and no part of a warm-up."""
EARLY: Final = 0.5
"""Part of the run until which a schedule should still be training."""
DECAYED: Final = 0.1
"""Rate over the largest one below which little of it is left."""
ANNEALED: Final = 0.5
"""Below this part of its maximum, the schedule ends the fall of the loss, not the rate itself."""


@dataclass(frozen=True, slots=True)
class Raise:
    """A rate that was raised in mid-run: at `step`, from `before` to `after`."""

    step: int
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Rates:
    """The learning rates of a run, `[S]` of them, S >= 1, all finite.

    Attributes:
        steps, values: as recorded.
        schedule: class of the schedule; "" where the rate is constant, or changed by hand.
    """

    steps: NDArray[np.int64]
    values: Values
    schedule: str

    @property
    def first(self) -> float:
        """The rate of the first record."""
        return float(self.values[0])

    @property
    def last(self) -> float:
        """The rate of the last record."""
        return float(self.values[-1])

    def at(self, step: int) -> float:
        """The rate in use at `step`: that of the last record until then."""
        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(self.values[max(index, 0)])

    def raised_before(self, step: int) -> Raise | None:
        """The last raise in mid-run at or before `step`; None without one."""
        for index in range(len(self.values) - 1, WORKED - 1, -1):
            before, after = float(self.values[index - 1]), float(self.values[index])
            if self.steps[index] > step or not 0 < RAISED * before <= after:
                continue
            # What was in use until then, and not the foot of a warm-up.
            if (self.values[index - WORKED : index] <= before * RAISED).all():
                return Raise(int(self.steps[index]), before, after)
        return None

    @property
    def decayed_step(self) -> int | None:
        """First step from which on the rate was below a tenth of its largest; None if it is not."""
        low = self.values < DECAYED * float(self.values.max())
        if not low[-1]:
            return None
        above = np.flatnonzero(~low)
        return int(self.steps[above[-1] + 1 if len(above) else 0])

    @property
    def died_early(self) -> bool:
        """Whether a tenth of the largest rate or less was left for half of the run or more."""
        step = self.decayed_step
        return step is not None and step - int(self.steps[0]) <= EARLY * int(
            self.steps[-1] - self.steps[0]
        )


@remembered
def rates(history: RunHistory) -> Rates | None:
    """The learning rates of `history`; None where none was recorded."""
    series = history.series("learning_rate")
    if series is None:
        return None
    values = np.asarray(series.values, np.float64)
    known = np.isfinite(values)
    if not known.any():
        return None
    return Rates(series.steps[known], values[known], configuration(history).schedule)


def decay_text(found: Rates, unit: str = "step") -> str:
    """A sentence on a rate that has decayed; "" of one that has not.

    >>> decay_text(Rates(np.arange(3), np.array([0.01, 0.01, 1e-5]), "ExponentialDecay"))
    ' ExponentialDecay lowered the rate from 0.01 to 1e-5. Since step 2 at most a tenth is left.'
    """
    step = found.decayed_step
    if step is None:
        return ""
    highest = float(found.values.max())
    who = f"{found.schedule} lowered the rate" if found.schedule else "The rate fell"
    return (
        f" {who} from {number(highest)} to {number(found.last)}. Since {unit} {step:,} at most "
        "a tenth is left."
    )
