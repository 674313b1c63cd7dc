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
    def chance(self) -> float:
        """How often a change without an effect differs as much, in either direction (Student).

        0 where all trainings of one side alone diverged; 1 where too few tell.

        >>> round(Difference(4.303, 0.0, 8.606, 3).chance, 4)
        0.05
        """
        if math.isinf(self.mean):
            return 0.0
        width = self.mean - self.low
        if self.pairs < 2 or not math.isfinite(width):
            return 1.0
        if width == 0:
            return 0.0 if self.mean else 1.0
        point = T95[self.pairs - 1] if self.pairs <= len(T95) else 1.96
        return outside(abs(self.mean) / width * point, self.pairs - 1)

    @property
    def helps(self) -> bool:
        """Whether the change is better beyond chance."""
        return self.low > 0

    @property
    def hurts(self) -> bool:
        """Whether it is worse beyond chance."""
        return self.high < 0


def outside(t: float, freedom: int) -> float:
    """Two-sided probability of Student's t beyond `t` (Abramowitz & Stegun 1964, 26.7.3 and 4).

    >>> [round(outside(t, freedom), 3) for t, freedom in ((12.706, 1), (2.776, 4), (2.571, 5))]
    [0.05, 0.05, 0.05]
    """
    angle = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = total = (cosine if odd else 1.0) if freedom > 1 else 0.0
    for place in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (place - 1) / place
        total += term
    inside = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return max(0.0, 1.0 - inside)


def beyond_chance(differences: Sequence[Difference], level: float = 0.05) -> list[bool]:
    """Which of several differences are real, where all together err once in 20 times: Holm 1979.

    >>> beyond_chance([Difference(1.0, 0.99, 1.01, 3), Difference(4.4, 0.01, 8.79, 3)])
    [True, True]
    >>> beyond_chance([Difference(4.4, 0.01, 8.79, 3)] * 2)
    [False, False]
    """
    order = sorted(range(len(differences)), key=lambda place: differences[place].chance)
    found = [False] * len(differences)
    for rank, place in enumerate(order):
        if differences[place].chance > level / (len(order) - rank):
            break
        found[place] = True
    return found


def paired(changed: Sequence[float], unchanged: Sequence[float], grain: float = 0.0) -> Difference:
    """The difference of values of pairs; -inf stands for a training that diverged.

    Where all of one side diverged and none of the other, there is no doubt. Where some did, the
    difference is undefined and its interval infinite.

    Args:
        grain: what the values are multiples of, such as 1 over the number of samples. Differences
            that happen to be equal are known no better than such values are rounded.

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
    rounding = grain * math.sqrt(2 / 12)  # of a difference of two rounded values
    error = max(float(differences.std(ddof=1)), rounding) / math.sqrt(count)
    width = error * (T95[count - 1] if count <= len(T95) else 1.96)
    return Difference(mean, mean - width, mean + width, count)
