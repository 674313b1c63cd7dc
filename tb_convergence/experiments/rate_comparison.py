"""From a range test to a rate that is best when it is kept: a few short trainings decide.

A sweep changes its rate with every step, so it shows which rates make progress in one step from
weights that other rates made. A training keeps its rate. Its best rate is usually higher than where
the curve of the sweep falls, and lower than where it is least. So the suggestion of the sweep is
only where the comparison begins: neighboring rates train from the same weights on the same
batches, and the search follows the better one until both neighbors are worse.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FACTOR: Final = math.sqrt(10.0)
"""Between neighbors: half a decade. The loss hardly changes within less (docs/experiments.md)."""
MOST: Final = 6
"""Rates that are trained at most: two and a half decades."""
JUDGED: Final = 0.25
"""Share of the steps at the end whose mean loss is compared; the batches are the same."""


@dataclass(frozen=True)
class Compared:
    """A rate that was kept for a short training.

    Attributes:
        rate: learning rate.
        loss: mean of the last quarter of the steps; infinite where it diverged.
    """

    rate: float
    loss: float


def end_loss(losses: NDArray[np.float64], planned: int) -> float:
    """What a training of `planned` steps is judged by; infinite where it ended early.

    >>> end_loss(np.array([4.0, 3.0, 2.0, 1.0]), 4)
    1.0
    >>> end_loss(np.array([4.0, np.inf]), 4)
    inf
    """
    if len(losses) < planned or not np.isfinite(losses).all():
        return math.inf
    return float(np.mean(losses[-max(1, int(JUDGED * planned)):]))


def compare(loss_at: Callable[[float], float], begin: float, most: int = MOST) -> list[Compared]:
    """Train neighboring rates, from `begin` toward lower losses; by rate, lowest first.

    Args:
        loss_at: loss at the end of a short training at a rate; NaN where it could not be made,
            which ends the search.
        begin: where to begin.
        most: rates to train at most.

    >>> found = compare(lambda rate: abs(math.log10(rate) + 2.0), 1e-3)
    >>> [f"{one.rate:.2g}" for one in found]
    ['0.001', '0.0032', '0.01', '0.032']
    """
    known: dict[int, float] = {}

    def at(place: int) -> float:
        if place not in known and len(known) < most:
            known[place] = loss_at(begin * FACTOR**place)
        return known.get(place, math.nan)

    best, begun = 0, at(0)  # first: the budget may allow no other
    direction = 1 if at(1) < begun else -1
    # A rate that diverges is left downwards, also where the next one diverges too.
    while at(best + direction) < at(best) or (
            direction < 0 and at(best) == at(best + direction) == math.inf):
        best += direction
    return [Compared(begin * FACTOR**place, loss) for place, loss in sorted(known.items())
            if not math.isnan(loss)]


def best_of(rates: list[Compared]) -> float | None:
    """The rate with the least loss; None if all diverged or none was trained."""
    fine = [one for one in rates if math.isfinite(one.loss)]
    return min(fine, key=lambda one: one.loss).rate if fine else None
