"""Differences between paired trainings, with what chance leaves open.

Both trainings of a pair have the same seed, so the same initial weights and batches: what they
differ in is the change. The interval is Student's, from the differences of the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

T95: Final = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Two-sided 95% points of Student's t for 0, 1, 2, ... degrees of freedom (Fisher & Yates)."""
MATTERS: Final = 0.02
"""Accuracy or R2 below which a difference does not matter."""


@dataclass(frozen=True)
class Difference:
    """Change less unchanged, higher is better.

    Attributes:
        mean: over the pairs; infinite where one side alone diverged.
        low, high: 95% interval; infinite for fewer than two pairs.
        pairs: how many.
    """

    mean: float
    low: float
    high: float
    pairs: int

    @property
    def helps(self) -> bool:
        """Whether the change is better beyond chance."""
        return self.low > 0

    @property
    def hurts(self) -> bool:
        """Whether it is worse beyond chance."""
        return self.high < 0


def paired(changed: Sequence[float], unchanged: Sequence[float]) -> Difference:
    """The difference of values of pairs; -inf stands for a training that diverged.

    Where all of one side diverged and none of the other, there is no doubt. Where some did, the
    difference is undefined and its interval infinite.

    >>> paired([0.9, 0.92, 0.91], [0.5, 0.51, 0.52]).helps
    True
    >>> paired([0.9, 0.9], [-math.inf, -math.inf])
    Difference(mean=inf, low=inf, high=inf, pairs=2)
    """
    count = min(len(changed), len(unchanged))
    ours, theirs = np.array(changed[:count]), np.array(unchanged[:count])
    if not count:
        return Difference(math.nan, -math.inf, math.inf, 0)
    fine, other = np.isfinite(ours), np.isfinite(theirs)
    if fine.all() and not other.any():
        return Difference(math.inf, math.inf, math.inf, count)
    if other.all() and not fine.any():
        return Difference(-math.inf, -math.inf, -math.inf, count)
    if not (fine & other).all():
        return Difference(math.nan, -math.inf, math.inf, count)
    differences = ours - theirs
    mean = float(differences.mean())
    if count < 2:
        return Difference(mean, -math.inf, math.inf, count)
    error = float(differences.std(ddof=1)) / math.sqrt(count)
    width = error * (T95[count - 1] if count <= len(T95) else 1.96)
    return Difference(mean, mean - width, mean + width, count)
