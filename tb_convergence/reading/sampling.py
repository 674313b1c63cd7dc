"""Whether TensorBoard kept all of an ordinary series, told from what it did keep.

It keeps so many points of each series and no more, drawn at random, and says neither how many there
were nor that any are missing. A series that holds exactly the most it keeps, with gaps between its
steps, has been sampled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import numpy as np

from tb_convergence.core.gaps import Sampled

MOST_KEPT: Final[Mapping[str, Collection[int]]] = {"histograms": (100, 500), "scalars": (1_000,)}
"""Points TensorBoard keeps unless it is told otherwise, by plugin: its two loaders differ."""

MOST_POINTS: Final = 10**12
"""No training writes more: a larger number comes of a damaged step, and says nothing."""


class Sampling:
    """Looks at the series of one run, one after the other."""

    def __init__(self, most_kept: Mapping[str, Collection[int]]) -> None:
        """Args:
            most_kept: points that are kept at most, by plugin; more than one number where it is not
                known which holds.
        """
        self._most_kept = most_kept
        self.found: Sampled | None = None

    def look(self, plugin: str, steps: Iterable[Any]) -> None:
        """At the `steps` of a series as the loader gave them."""
        kept = list(steps)
        if len(kept) not in self._most_kept.get(plugin, ()):
            return
        one = sampled(kept)
        if one is not None and (self.found is None or one.total > self.found.total):
            self.found = one


def sampled(steps: Iterable[int]) -> Sampled | None:
    """How many points there were if they were written evenly; None if none is missing then.

    >>> sampled([0, 20, 30, 80])
    Sampled(kept=4, total=9, exact=False)
    >>> sampled([5, 10, 15]) is None
    True
    """
    at = np.unique(np.fromiter(steps, dtype=np.int64))
    if len(at) < 2 or at[0] < 0:
        return None
    every = int(np.gcd.reduce(np.diff(at)))
    # The first points may be among those that are missing.
    total = int(at[-1] - at[0]) // every + 1
    return Sampled(len(at), total, exact=False) if len(at) < total <= MOST_POINTS else None
