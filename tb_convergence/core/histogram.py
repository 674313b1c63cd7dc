"""TensorBoard histograms `[k, 3]` -> the statistics they support, each as an interval.

A histogram's rows are (left edge, right edge, count). Both loaders drop the sums that TensorFlow 1
and PyTorch write, so every statistic is bounded by what is left: an entry lies somewhere in its
bucket. What the loaders disagree in is normalized away first: the Python loader gives float32 and
trims empty ends, the fast one keeps empty and even backward rows.

Known limits, all of them of the format:

* Values below the smallest normal float32 (1e-38) may have been flushed to zero by the writer.
* NaN and infinity are seen (TensorFlow 2: as NaN or infinite edges), but not counted: their
  fraction is only known to be above zero, and everything else about that tensor is unknown.
* PyTorch does not count entries beyond 1e20: above that, upper bounds are infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]

STATISTICS: Final = (
    "norm",
    "max_abs",
    "mean_abs",
    "mean",
    "std",
    "zero_fraction",
    "nan_fraction",
    "inf_fraction",
)
"""Names as in `core.statistics.Reductions`."""

MAX_BUCKETS: Final = 100_000
MAX_COUNT: Final = 1e18
UNCOUNTED_ABOVE: Final = 9e19
"""PyTorch's outermost bucket edge is about 1e20."""

_EDGE_SLACK: Final = 8 * float(np.finfo(np.float64).eps)
"""Of the largest magnitude: how far rounding may have moved an entry past an edge."""
_FLOAT32_SLACK: Final = 2.0**-23
"""Of an edge or a count that went through float32."""
_NEWTON_STEPS: Final = 3


class HistogramError(ValueError):
    """An array that is not a histogram."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Bounds of the statistics of one tensor at S steps.

    Attributes:
        low, high: float64 `[S, M]`, M = `len(STATISTICS)`; NaN where nothing is known.
        counts: float64 `[S]`, entries counted.
    """

    low: Float
    high: Float
    counts: Float

    def of(self, statistic: str) -> tuple[Float, Float]:
        """Bounds `[S]` of one of `STATISTICS`."""
        index = STATISTICS.index(statistic)
        return self.low[:, index], self.high[:, index]


def checked(array: NDArray[Any]) -> NDArray[np.floating[Any]]:
    """`array` if it is a histogram: numbers `[k, 3]` with whole, non-negative counts.

    Raises:
        HistogramError: it is not, or has more than `MAX_BUCKETS` rows.
    """
    _check_form(array)
    _check_counts(array[:, 2])
    return array


def _check_form(array: NDArray[Any]) -> None:
    if array.ndim != 2 or array.shape[1] != 3 or array.dtype.kind not in "fiu":
        raise HistogramError(f"{array.dtype} {list(array.shape)}, expected numbers [k, 3]")
    if len(array) > MAX_BUCKETS:
        raise HistogramError(f"{len(array)} buckets refused, at most {MAX_BUCKETS}")


def _check_counts(given: NDArray[Any]) -> None:
    counts = given.astype(np.float64)  # the most that is allowed overflows float16
    if not ((counts >= 0) & (counts <= MAX_COUNT) & (counts == np.floor(counts))).all():
        raise HistogramError("a bucket's count is not a whole number from 0 to 1e18")


def intervals(histograms: Sequence[NDArray[Any]]) -> Intervals:
    """What `histograms`, S arrays `[k, 3]` of one tensor over time, say about it.

    The truth lies inside each interval, within the limits listed above; NaN bounds mean "unknown",
    as for a histogram without a single count. The least fraction of NaN is one entry of the tensor,
    whose size is taken from the other steps.

    Raises:
        HistogramError: one of them is none; see `checked`.

    >>> found = intervals([np.array([[-2.0, -1.0, 1], [-1.0, 0.0, 0], [0.0, 2.0, 3]])])
    >>> [float(bound[0]) for bound in found.of("zero_fraction")]
    [0.0, 0.75]
    >>> [round(float(bound[0]), 6) for bound in found.of("norm")]
    [2.0, 4.0]
    """
    whole = normalized(histograms)
    counts, known, buckets = whole.counts, whole.known, whole.buckets
    low = np.full((len(counts), len(STATISTICS)), np.nan)
    high = np.full((len(counts), len(STATISTICS)), np.nan)
    _bound_nonfinite(low, high, counts, whole.ends, float(counts[known].max(initial=0.0)))
    for index, (below, above) in enumerate(_finite_bounds(buckets)):
        low[known, index] = below
        high[known, index] = above
    broken = np.flatnonzero(known)[buckets.broken]
    low[broken, :6] = high[broken, :6] = np.nan
    # Ends and buckets that contradict each other: no tensor has this histogram.
    absurd = low > high
    low[absurd] = high[absurd] = np.nan
    return Intervals(low, high, counts)


@dataclass(frozen=True, slots=True)
class Normalized:
    """S histograms of one tensor, without the differences between the loaders.

    Attributes:
        counts: float64 `[S]`, entries counted.
        ends: float64 `[S, 2]`, the smallest and the largest entry; may be NaN or infinite.
        known: bool `[S]`, where both ends are finite and anything was counted.
        buckets: of those that are known, H of them.
    """

    counts: Float
    ends: Float
    known: NDArray[np.bool_]
    buckets: Buckets


def normalized(histograms: Sequence[NDArray[Any]]) -> Normalized:
    """`histograms`, S arrays `[k, 3]`, in one form.

    Raises:
        HistogramError: one of them is none; see `checked`.
    """
    arrays = [np.asarray(histogram) for histogram in histograms]
    for array in arrays:
        _check_form(array)
    steps = len(arrays)
    rows = np.concatenate([np.empty((0, 3)), *arrays])
    _check_counts(rows[:, 2])
    lengths = np.array([len(array) for array in arrays], dtype=np.intp)
    owner = np.repeat(np.arange(steps), lengths)
    counts = _sums(owner, rows[:, 2], steps)
    ends = np.array(
        [(array[0, 0], array[-1, 1]) if len(array) else (0.0, 0.0) for array in arrays],
        dtype=np.float64,
    ).reshape(steps, 2)
    rounding = np.array([_FLOAT32_SLACK if array.itemsize < 8 else 0.0 for array in arrays])
    known = (counts > 0) & np.isfinite(ends).all(axis=1)
    used = known[owner] & (rows[:, 2] > 0)
    buckets = Buckets.of(rows[used], owner[used], ends[known], rounding[known])
    return Normalized(counts, ends, known, buckets)


def _sums(owner: NDArray[np.intp], values: NDArray[Any], owners: int) -> Float:
    """Sum of the `values` of each of `owners`; 0 for one without any."""
    return np.bincount(owner, values, minlength=owners).astype(np.float64)


def _bound_nonfinite(low: Float, high: Float, counts: Float, ends: Float, size: float) -> None:
    """Fill in the fractions of NaN and infinite entries."""
    nan, inf = STATISTICS.index("nan_fraction"), STATISTICS.index("inf_fraction")
    nan_seen = np.isnan(ends).any(axis=1)
    inf_seen = np.isinf(ends).any(axis=1)
    least = 1.0 / size if size else float(np.finfo(np.float32).tiny)
    clean = (counts > 0) & ~nan_seen & ~inf_seen
    for index, seen in ((nan, nan_seen), (inf, inf_seen)):
        low[clean, index] = high[clean, index] = 0.0
        low[seen, index] = least
        high[seen, index] = 1.0
    # The smallest and the largest entry are NaN if any is: an infinite end rules NaN out.
    only_inf = inf_seen & ~nan_seen
    low[only_inf, nan] = high[only_inf, nan] = 0.0


@dataclass(frozen=True, slots=True)
class Buckets:
    """Rows of H histograms one after the other, normalized: finite ends, counts above zero.

    Attributes:
        left, right, count: float64 `[K]`, edges relative to `scale`, left <= right.
        first: index of each histogram's first row, `[H]`.
        owner: which histogram a row belongs to, `[K]`.
        scale: float64 `[H]`, a power of two about as large as the largest magnitude: no square of a
            scaled edge overflows, and scaling rounds nothing.
        smallest, largest: float64 `[H]`, scaled ends.
        total: float64 `[H]`, sum of counts.
        rounding: float64 `[H]`, relative error of an edge or count that the loader gave.
        broken: bool `[H]`, inner edges are not finite: overflow in the writer.
    """

    left: Float
    right: Float
    count: Float
    first: NDArray[np.intp]
    owner: NDArray[np.intp]
    scale: Float
    smallest: Float
    largest: Float
    total: Float
    rounding: Float
    broken: NDArray[np.bool_]

    @classmethod
    def of(
        cls, rows: Float, owner: NDArray[np.intp], ends: Float, rounding: Float
    ) -> Buckets:
        """Normalize `rows` `[K, 3]`, counts above zero; `ends` `[H, 2]` are finite.

        `owner` `[K]` grows, but numbers histograms that have no row here, too.
        """
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        owner = np.repeat(np.arange(len(first)), np.diff(first, append=len(owner)))
        magnitude = np.abs(ends).max(axis=1, initial=0.0)
        exponent = np.floor(np.log2(np.where(magnitude > 0, magnitude, 1.0)))
        scale = np.exp2(np.clip(exponent, -1022, 1023))
        smallest, largest = ends.min(axis=1) / scale, ends.max(axis=1) / scale
        with np.errstate(over="ignore", invalid="ignore"):
            edges = rows[:, :2] / scale[owner, None]
        finite = np.isfinite(edges).all(axis=1)
        broken = _sums(owner, ~finite, len(first)) > 0
        edges = np.where(finite[:, None], edges, 0.0)
        # Rounding in the writer moves entries past edges; the ends themselves are entries.
        moved = _EDGE_SLACK * (magnitude / scale)[owner, None] + rounding[owner, None] * abs(edges)
        below = (smallest - rounding * np.abs(smallest))[owner]
        above = (largest + rounding * np.abs(largest))[owner]
        return cls(
            left=np.clip((edges - moved).min(axis=1), below, above),
            right=np.clip((edges + moved).max(axis=1), below, above),
            count=rows[:, 2],
            first=first,
            owner=owner,
            scale=scale,
            smallest=smallest,
            largest=largest,
            total=_sums(owner, rows[:, 2], len(first)),
            rounding=rounding,
            broken=broken,
        )

    def sum(self, values: Float) -> Float:
        """Sum of `values` `[K]` over the rows of each histogram, `[H]`."""
        if not len(self.first):
            return np.empty(0)
        return np.asarray(np.add.reduceat(values, self.first), dtype=np.float64)


def _finite_bounds(buckets: Buckets) -> tuple[tuple[Float, Float], ...]:
    """Bounds `[H]` of norm, max_abs, mean_abs, mean, std and zero_fraction, in this order."""
    left, right, count, total = buckets.left, buckets.right, buckets.count, buckets.total
    scale, rounding = buckets.scale, buckets.rounding
    spans_zero = (left <= 0) & (right >= 0)
    near = np.where(spans_zero, 0.0, np.minimum(np.abs(left), np.abs(right)))
    far = np.maximum(np.abs(left), np.abs(right))
    peak = np.maximum(np.abs(buckets.smallest), np.abs(buckets.largest))
    peak_low, peak_high = peak * (1 - rounding), peak * (1 + rounding)
    uncounted = np.where(peak * scale > UNCOUNTED_ABOVE, np.inf, 0.0)
    # Sums round, and so did the counts of the Python loader.
    down, up = 1 - 2 * rounding - 1e-12, 1 + 2 * rounding + 1e-12

    norm_low = np.maximum(np.sqrt(buckets.sum(count * near * near)) * down, peak_low)
    norm_high = np.sqrt(buckets.sum(count * far * far)) * up
    mean_abs_low = np.maximum(buckets.sum(count * near), peak_low) / total * down
    mean_abs_high = buckets.sum(count * far) / total * up
    mean_low, mean_high = _mean(buckets)
    std_low, std_high = _std(buckets, mean_low, mean_high)
    # The smallest or the largest entry being zero is one entry that is.
    touches_zero = (buckets.smallest == 0) | (buckets.largest == 0)
    zeros_low = buckets.sum(np.where((left == 0) & (right == 0), count, 0.0))
    zeros_low = np.maximum(zeros_low, touches_zero)
    zeros_high = buckets.sum(np.where(spans_zero, count, 0.0))
    return (
        (norm_low * scale, norm_high * scale + uncounted),
        (peak_low * scale, peak_high * scale),
        (mean_abs_low * scale, mean_abs_high * scale + uncounted),
        (mean_low * scale - uncounted, mean_high * scale + uncounted),
        (std_low * down * scale, std_high * up * scale + uncounted),
        (
            np.where(zeros_low >= total, 1.0, zeros_low / total * (1 - 2 * rounding)),
            np.minimum(zeros_high / total * (1 + 2 * rounding), 1.0),
        ),
    )


def _mean(buckets: Buckets) -> tuple[Float, Float]:
    """Bounds of the scaled mean; counts that were rounded move it by a share of the largest."""
    peak = np.maximum(np.abs(buckets.smallest), np.abs(buckets.largest))
    slack = (2 * buckets.rounding + 1e-15) * peak
    low = buckets.sum(buckets.count * buckets.left) / buckets.total - slack
    high = buckets.sum(buckets.count * buckets.right) / buckets.total + slack
    return low, high


def _std(buckets: Buckets, mean_low: Float, mean_high: Float) -> tuple[Float, Float]:
    """Bounds of the scaled standard deviation.

    The variance is the least mean square distance to any one point. Above: distances from the
    middle to the far end of each bucket. Below: distances to the near end, from the point where
    they are least. That function is convex, so a tangent bounds it however far Newton's steps got.
    """
    left, right, count, owner = buckets.left, buckets.right, buckets.count, buckets.owner
    point = (mean_low + mean_high) / 2
    far = np.maximum(np.abs(left - point[owner]), np.abs(right - point[owner]))
    high = np.sqrt(buckets.sum(count * far * far) / buckets.total)
    for _ in range(_NEWTON_STEPS):
        offset = _offset(buckets, point)
        slope = buckets.sum(count * offset) / buckets.total
        curvature = buckets.sum(np.where(offset != 0, count, 0.0)) / buckets.total
        step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
        point = np.clip(point - step, mean_low, mean_high)
    offset = _offset(buckets, point)
    slope = 2 * buckets.sum(count * offset) / buckets.total
    reach = np.where(slope > 0, point - mean_low, mean_high - point)
    least = buckets.sum(count * offset * offset) / buckets.total - np.abs(slope) * reach
    # An exactly constant tensor has no spread; rounding of the mean must not claim one.
    least = np.where(least > 1e-14, least, 0.0)
    return np.sqrt(least), high


def _offset(buckets: Buckets, point: Float) -> Float:
    """How far `point` `[H]` lies above (+) or below (-) each bucket, 0 inside it; `[K]`."""
    position = point[buckets.owner]
    return np.where(
        position > buckets.right,
        position - buckets.right,
        np.where(position < buckets.left, position - buckets.left, 0.0),
    )
