"""TensorBoard histograms over time -> bands between which given shares of a tensor's entries lie.

A histogram says in which bucket an entry lies, not where in it. So a band reaches from the lower
edge of the bucket in which the share begins to the upper edge of the one in which it ends: what it
claims is true of every tensor that has this histogram, and wide buckets make wide bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.histogram import UNCOUNTED_ABOVE, Buckets, Float, normalized

SHARES: Final = (1.0, 0.9, 0.5, 0.0)
"""Central shares of the entries; 1 is everything, 0 the median."""


@dataclass(frozen=True, slots=True)
class HistogramBands:
    """Bands of one tensor at S steps, for B shares.

    Attributes:
        low, high: float64 `[S, B]`; NaN where nothing is known.
        nan_seen, infinity_seen: bool `[S]`, whether the tensor held such entries.
    """

    low: Float
    high: Float
    nan_seen: NDArray[np.bool_]
    infinity_seen: NDArray[np.bool_]


def bands_over_time(
    histograms: Sequence[NDArray[Any]], shares: Sequence[float] = SHARES
) -> HistogramBands:
    """Bands that contain at least each of `shares`, for S histograms `[k, 3]` of one tensor.

    The share is the central one: as many entries lie below the band as above. That of share 0
    contains the median. Nothing is known where an entry is not finite, or nothing was counted.

    Raises:
        HistogramError: one of them is no histogram.

    >>> one = bands_over_time([np.array([[0.0, 1.0, 2], [1.0, 2.0, 8], [2.0, 5.0, 2]])], (1.0, 0.5))
    >>> one.low.round(6).tolist(), one.high.round(6).tolist()
    ([[0.0, 1.0]], [[5.0, 2.0]])
    """
    whole = normalized(histograms)
    shape = (len(whole.counts), len(shares))
    low, high = np.full(shape, np.nan), np.full(shape, np.nan)
    for place, share in enumerate(shares):
        low[whole.known, place], high[whole.known, place] = _band(whole.buckets, share)
    nan, infinity = (
        np.asarray(seen(whole.ends).any(axis=1), dtype=np.bool_) for seen in (np.isnan, np.isinf)
    )
    return HistogramBands(low, high, nan, infinity)


def _band(buckets: Buckets, share: float) -> tuple[Float, Float]:
    """Ends `[H]` of the band of one share."""
    if not len(buckets.first):
        return np.empty(0), np.empty(0)
    # So many entries from either end, counted from 1, the band begins.
    rank = np.maximum(1.0, np.ceil((1.0 - share) / 2 * buckets.total))
    low = _edge(buckets, buckets.left, rank)
    high = -_edge(buckets, -buckets.right, rank)
    peak = np.maximum(np.abs(buckets.smallest), np.abs(buckets.largest)) * buckets.scale
    unknown = buckets.broken | (peak > UNCOUNTED_ABOVE)
    return (
        np.where(unknown, np.nan, low * buckets.scale),
        np.where(unknown, np.nan, high * buckets.scale),
    )


def _edge(buckets: Buckets, edges: Float, rank: Float) -> Float:
    """The `rank`-th smallest of the entries of each histogram, were each at its bucket's `edges`.

    Sorted here: in an array from a log, buckets may come in any order and overlap.
    """
    order = np.lexsort((edges, buckets.owner))
    reached = np.cumsum(buckets.count[order])
    last = np.append(buckets.first[1:], len(order)) - 1
    before = np.append(0.0, reached[last[:-1]])
    place = np.searchsorted(reached, before + rank, side="left")
    return edges[order][np.clip(place, buckets.first, last)]
