"""The course of the learning rate: which rate was in use, where it was raised, and where it faded.

The rate in a configuration is that of the first step, or of a call of `fit`. What matters is the
rate in use when something happened.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Series, Values
from tb_convergence.core.text.numbers import number

RAISED: Final = 2.0
"""Factor of a raise in one place; warm-ups rise gradually."""
WORKED: Final = 10
"""Records with the earlier rate from which it was in use, and not part of a warm-up."""
EARLY: Final = 0.5
"""A schedule should keep the learning rate up for at least this part of the run."""
AT_ONCE: Final = 0.1
"""Part of the run in which no schedule should be over: warm-ups alone take as long."""
EPOCH_RATE: Final = "metric/learning_rate"
"""Column of the epoch table for the rate that Keras' callbacks put into the logs."""
FIRST: Final = 15
"""Records in which no schedule that waits for a plateau lowers the rate five times."""
DECAYED: Final = 0.1
"""Below this part of its maximum, little of the learning rate is left."""
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
        schedule: class of the schedule; "" if the rate is constant, or changed by hand.
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
        """The rate in use at `step`, from the last record until then."""
        index = int(np.searchsorted(self.steps, step, side="right")) - 1
        return float(self.values[max(index, 0)])

    def raised_before(self, step: int) -> Raise | None:
        """The last mid-run raise at or before `step`; None if there is none."""
        for index in range(len(self.values) - 1, WORKED - 1, -1):
            before, after = float(self.values[index - 1]), float(self.values[index])
            if self.steps[index] > step or not 0 < RAISED * before <= after:
                continue
            # The rate in use until then, not the start of a warm-up.
            if (self.values[index - WORKED : index] <= before * RAISED).all():
                return Raise(int(self.steps[index]), before, after)
        return None

    @property
    def decayed_step(self) -> int | None:
        """First step since which the rate has been below a tenth of its maximum; None if it is not.
        """
        low = self.values < DECAYED * float(self.values.max())
        if not low[-1]:
            return None
        above = np.flatnonzero(~low)
        if not len(above):
            return int(self.steps[0])
        last = int(above[-1])
        return self._crossed(last) if self.schedule else int(self.steps[last + 1])

    def _crossed(self, last: int) -> int:
        """Step between record `last` and the next at which a schedule passed a tenth.

        Logarithms are interpolated, which is exact for an exponential decay.
        """
        steps = self.steps[last : last + 2].astype(np.float64)
        rates = np.log(np.maximum(self.values[last : last + 2].astype(np.float64), 1e-30))
        wanted = np.log(DECAYED * float(self.values.max()))
        share = (rates[0] - wanted) / max(float(rates[0] - rates[1]), 1e-30)
        return int(np.ceil(steps[0] + min(max(share, 0.0), 1.0) * (steps[1] - steps[0])))

    @property
    def left_for_most(self) -> float:
        """Largest part of the maximum rate that was left after the first quarter of the run."""
        start = int(self.steps[0]) + (int(self.steps[-1]) - int(self.steps[0])) // 4
        later = self.values[self.steps >= start]
        return float(later.max(initial=0.0)) / max(float(self.values.max()), 1e-300)

    @property
    def falls_from_the_start(self) -> bool:
        """Whether the rate was lowered several times within the first records.

        So does a schedule, but none that waits for the loss to rest.
        """
        return int((np.diff(self.values[:FIRST]) < 0).sum()) >= FIRST // 3

    @property
    def died_at_once(self) -> bool:
        """Whether the rate had decayed within the first tenth of the run."""
        step = self.decayed_step
        return step is not None and step - int(self.steps[0]) <= AT_ONCE * int(
            self.steps[-1] - self.steps[0]
        )

    @property
    def died_early(self) -> bool:
        """Whether at most a tenth of the maximum rate was left for half of the run or more."""
        step = self.decayed_step
        return step is not None and step - int(self.steps[0]) <= EARLY * int(
            self.steps[-1] - self.steps[0]
        )


@memoized
def rates(history: RunHistory) -> Rates | None:
    """The learning rates of `history`; None if none was recorded."""
    series = history.series("learning_rate")
    if series is None:
        return None
    steps, values = _with_epochs(history, series)
    known = np.isfinite(values)
    if not known.any():
        return None
    return Rates(steps[known], values[known], configuration(history).schedule)


STATED: Final = ("learning_rate", "lr", "learningrate", "learning rate", "base_lr", "init_lr",
                 "initial_lr", "lr0", "max_lr")
"""Names that programs give to the learning rate among their hyperparameters."""


def stated_rate(history: RunHistory) -> tuple[str, float] | None:
    """Name and value of the learning rate among the hyperparameters; None without a single one.

    A schedule may lower it, or warm up to it. It is the highest rate of most runs.
    """
    found = {
        name: value for name, text in history.hparams.items()
        if re.split(r"[./]", name)[-1].lower() in STATED
        for value in (_positive(text),) if value is not None
    }
    return next(iter(found.items())) if len(set(found.values())) == 1 else None


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < np.inf else None


def _with_epochs(history: RunHistory, series: Series) -> tuple[NDArray[np.int64], Values]:
    """The recorded rates, and those that Keras logs at the end of an epoch.

    Callbacks such as ReduceLROnPlateau change the rate between epochs, and a run of a slow machine
    has fewer records than epochs.
    """
    steps, values = series.steps, np.asarray(series.values, np.float64)
    table = history.tables.get("epoch")
    if table is None or series.axis != "step" or not table.has(EPOCH_RATE):
        return steps, values
    known = np.isfinite(values)
    both = np.concatenate([steps[known], table.steps])
    every = np.concatenate([values[known], table.column(EPOCH_RATE)[:, 0].astype(np.float64)])
    _, first = np.unique(both, return_index=True)  # of two at one step, the recorder's
    return both[first], every[first]


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
