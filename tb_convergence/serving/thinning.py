"""Which points of a line to send when there are more than the page can draw.

A thinned line must not lose what a diagnosis rests on: it keeps both ends, every column's smallest
and largest value and its first NaN, infinity and negative infinity, where stretches of non-finite
values begin and end, and in each bucket of steps the highest and the lowest excursion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]


def thin(columns: NDArray[np.floating[Any]], points: int) -> Indices:
    """Indices of at most `points` of the S points of `columns` `[S, C]`, in increasing order.

    With one column the excursions of a bucket are its minimum and maximum. With several, which
    share their points, they are the two that stand out most from the bucket's mean, in units of
    the column's spread. Where stretches of non-finite values are too many to keep all their ends,
    one point of each bucket that holds any is kept. What is kept of every column needs 2 + 5 C
    points.

    Args:
        columns: `[S, C]`; S may be 0, C may be 0; NaN and infinities are allowed.
        points: at least 2.

    >>> spike = np.zeros((10_000, 1)); spike[4567] = 1.0
    >>> kept = thin(spike, 100); bool(4567 in kept), len(kept) <= 100
    (True, True)
    """
    count = len(columns)
    if count <= points:
        return np.arange(count, dtype=np.intp)
    if columns.shape[1] == 0:
        return _evenly(np.arange(count, dtype=np.intp), points)
    wide = columns.astype(np.float64)
    finite = np.isfinite(wide)
    kept = np.array([0, count - 1], dtype=np.intp)
    must = np.union1d(_extremes(wide, finite), _first_of_each_kind(wide, finite))
    for wanted in (must, _stretch_ends(finite, points // 3)):
        kept = np.union1d(kept, _evenly(wanted, max(0, points - len(kept))))
    buckets = (points - len(kept)) // 2
    if buckets > 0:
        kept = np.union1d(kept, _excursions(wide, finite, buckets))
    return kept.astype(np.intp)


def _evenly(indices: Indices, most: int) -> Indices:
    """At most `most` of `indices`, spread evenly over them."""
    if len(indices) <= most:
        return indices
    return indices[np.linspace(0, len(indices) - 1, most).astype(np.intp)]


def _extremes(wide: NDArray[np.float64], finite: NDArray[np.bool_]) -> Indices:
    """Where each column that has any finite value is smallest and largest."""
    some = np.flatnonzero(finite.any(axis=0))
    low = np.where(finite, wide, np.inf)[:, some].argmin(axis=0)
    high = np.where(finite, wide, -np.inf)[:, some].argmax(axis=0)
    return np.unique(np.concatenate([low, high])).astype(np.intp)


def _first_of_each_kind(wide: NDArray[np.float64], finite: NDArray[np.bool_]) -> Indices:
    """Where each column is first NaN, first infinite, first negative infinite."""
    some = np.flatnonzero(~finite.all(axis=0))
    part = wide[:, some]
    found = [
        kind.argmax(axis=0)[kind.any(axis=0)]
        for kind in (np.isnan(part), np.isposinf(part), np.isneginf(part))
    ]
    return np.unique(np.concatenate(found)).astype(np.intp)


def _stretch_ends(finite: NDArray[np.bool_], most: int) -> Indices:
    """First and last index of every stretch of non-finite values, or one an even bucket."""
    edge = np.diff(finite.astype(np.int8), axis=0)
    ends = np.union1d(
        np.flatnonzero((edge < 0).any(axis=1)) + 1, np.flatnonzero((edge > 0).any(axis=1))
    )
    if len(ends) <= most:
        return ends.astype(np.intp)
    somewhere = np.flatnonzero(~finite.all(axis=1))
    _, first = np.unique(_bucket(len(finite), most)[somewhere], return_index=True)
    return somewhere[first].astype(np.intp)


def _bucket(count: int, buckets: int) -> NDArray[np.int64]:
    """Number of the bucket each of `count` points falls into."""
    return np.arange(count, dtype=np.int64) * buckets // count


def _excursions(
    wide: NDArray[np.float64], finite: NDArray[np.bool_], buckets: int
) -> Indices:
    """Of each bucket the point that rises and the one that falls most."""
    bucket = _bucket(len(wide), buckets)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))
    # Scaled before sums and squares are taken: values may be as large as 1e308.
    magnitude = np.where(finite, np.abs(wide), 0.0).max(axis=0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        scaled = np.where(finite & (magnitude > 0), wide / magnitude, 0.0)
    number = np.add.reduceat(finite, starts, axis=0, dtype=np.int64)
    mean = np.add.reduceat(scaled, starts, axis=0) / np.maximum(number, 1)
    away = np.where(finite, scaled - mean[bucket], 0.0)
    spread = np.sqrt(np.mean(away**2, axis=0))
    away = away / np.where(spread > 0, spread, 1.0)
    order_high = np.lexsort((away.max(axis=1), bucket))
    order_low = np.lexsort((-away.min(axis=1), bucket))
    last = np.append(starts[1:], len(wide)) - 1
    return np.union1d(order_high[last], order_low[last]).astype(np.intp)
