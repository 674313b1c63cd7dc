"""Intervals from histograms contain the statistics of the array the histogram was made of.

The histograms are made here, the ways TensorFlow 1, TensorFlow 2 and PyTorch document theirs, and
given the shapes the two loaders give them; the truth comes from the raw array, in extended
precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from tb_convergence.core.histogram import (
    STATISTICS,
    HistogramError,
    Intervals,
    checked,
    intervals,
)

Array = NDArray[np.float64]

SMALLEST_NORMAL = 2.0**-126
"""Below it a value may be flushed: the documented limit."""


def linear(values: Array, buckets: int = 30) -> Array:
    """TensorFlow 2: equal buckets from the smallest to the largest value."""
    low, high = values.min(), values.max()
    if low == high:
        return np.array([[low, low, 0.0]] * (buckets - 1) + [[low, low, len(values)]])
    width = (high - low) / buckets
    place = np.minimum(np.floor((values - low) / width).astype(int), buckets - 1)
    edges = np.append(low + np.arange(buckets) * width, high)
    counts = np.bincount(place, minlength=buckets)
    return np.stack([edges[:-1], edges[1:], counts], axis=1)


def exponential_limits() -> Array:
    limits = [1e-12]
    while limits[-1] < 1e20:
        limits.append(limits[-1] * 1.1)
    return np.array([-x for x in reversed(limits)] + [0.0] + limits)


LIMITS = exponential_limits()


def proto(values: Array) -> tuple[float, float, Array, Array]:
    """TensorFlow 1 and PyTorch: minimum, maximum, right edges and counts of growing buckets."""
    limits = np.append(LIMITS, math.inf)
    counts = np.bincount(np.searchsorted(limits, values, side="right"), minlength=len(limits))
    used = np.flatnonzero(counts)
    first = max(used[0] - 1, 0)
    return (
        float(values.min()), float(values.max()),
        limits[first : used[-1] + 1], counts[first : used[-1] + 1].astype(float),
    )


def as_python_loader(values: Array) -> Array:
    """float32, no empty ends, the ends are the minimum and the maximum."""
    low, high, limits, counts = proto(values)
    used = np.flatnonzero(counts)
    limits, counts = limits[used[0] : used[-1] + 1], counts[used[0] : used[-1] + 1]
    inner = limits[:-1]
    return np.stack([[low, *inner], [*inner, high], counts], axis=1).astype(np.float32)


def as_fast_loader(values: Array) -> Array:
    """float64, empty ends kept, so that the first row may run backwards."""
    low, high, limits, counts = proto(values)
    inner = limits[:-1]
    return np.stack([[low, *inner], [*inner, high], counts], axis=1)


FORMATS: dict[str, Callable[[Array], Array]] = {
    "TensorFlow 2": linear,
    "exponential, Python loader": as_python_loader,
    "exponential, fast loader": as_fast_loader,
}


def truth(values: Array) -> dict[str, float]:
    exact = values.astype(np.longdouble)
    return {
        "norm": float(np.sqrt((exact * exact).sum())),
        "max_abs": float(np.abs(exact).max()),
        "mean_abs": float(np.abs(exact).mean()),
        "mean": float(exact.mean()),
        "std": float(exact.std()),
        "zero_fraction": float(np.mean(values == 0)),
        "nan_fraction": 0.0,
        "inf_fraction": 0.0,
    }


def one(found: Intervals, statistic: str) -> tuple[float, float]:
    low, high = found.of(statistic)
    return float(low[0]), float(high[0])


def magnitudes(width: int) -> st.SearchStrategy[float]:
    limit = 2.0**63
    return st.floats(-limit, limit, width=width, allow_subnormal=False).filter(
        lambda x: x == 0 or abs(x) > SMALLEST_NORMAL
    )


ARRAYS = st.one_of(
    npst.arrays(np.float64, st.integers(1, 200), elements=magnitudes(32)),
    npst.arrays(np.float64, st.integers(1, 50), elements=magnitudes(64)),
    st.builds(
        lambda seed, size, mean, scale: np.random.default_rng(seed).normal(mean, scale, size),
        st.integers(0, 2**32 - 1), st.integers(1, 2000),
        st.sampled_from([0.0, 1.0, -3.0, 1e6]), st.sampled_from([1e-9, 1e-3, 1.0, 100.0]),
    ),
    st.builds(
        lambda seed, size: np.maximum(np.random.default_rng(seed).normal(size=size), 0.0),
        st.integers(0, 2**32 - 1), st.integers(1, 2000),
    ),
)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=300, deadline=None)
@given(values=ARRAYS)
@example(values=np.zeros(3))
@example(values=np.array([0.1]))
@example(values=np.array([-1.0, -1.0]))
@example(values=np.full(1000, 0.1))
@example(values=np.array([1e6, 1e6 + 1e-3]))
@example(values=np.r_[np.ones(1000), 1e6])
@example(values=np.array([1e-12, -1e-12, 0.0]))
@example(values=np.array([1e19, -1e19, 1e-30]))
def test_the_interval_contains_the_truth(name: str, values: Array) -> None:
    # Where float32 cannot tell two values apart, the Python loader sees one.
    found = intervals([FORMATS[name](values)])
    assert found.counts.tolist() == [len(values)]
    for statistic, value in truth(values).items():
        low, high = one(found, statistic)
        # Denormal float32 edges are the documented exception.
        slack = SMALLEST_NORMAL * math.sqrt(len(values))
        assert low - slack <= value <= high + slack, statistic
        if statistic != "mean":
            assert low >= 0


@pytest.mark.parametrize(("name", "half_width"), [
    ("TensorFlow 2", 0.12),
    ("exponential, Python loader", 0.06),
    ("exponential, fast loader", 0.06),
])
def test_the_norm_of_a_normal_gradient_is_known_well(name: str, half_width: float) -> None:
    values = np.random.default_rng(1).normal(0, 1e-3, 5000)
    low, high = one(intervals([FORMATS[name](values)]), "norm")
    assert (high - low) / 2 < half_width * truth(values)["norm"]


def test_the_spread_is_bounded_from_below() -> None:
    values = np.random.default_rng(2).normal(5.0, 0.3, 5000)
    low, high = one(intervals([linear(values)]), "std")
    assert 0.25 < low <= 0.3 * 1.05
    assert 0.29 < high < 0.4


@settings(max_examples=100, deadline=None)
@given(values=ARRAYS, steps=st.integers(0, 1))
@example(values=np.r_[0.0, np.full(890, 0.333), np.full(98, 0.667), 1.0], steps=0)
@example(values=np.r_[1.0, np.full(890, 0.667), np.full(98, 0.333), 0.0], steps=0)
def test_the_spread_is_bounded_however_far_the_search_for_the_mean_got(
    values: Array, steps: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tb_convergence.core.histogram._NEWTON_STEPS", steps)
        low, high = one(intervals([linear(values, 3)]), "std")
    assert low <= truth(values)["std"] <= high


def test_zeros_that_rounding_moved_past_an_edge_are_counted() -> None:
    moved = 0
    widths = np.random.default_rng(6).uniform(size=20)
    for width, edge in product(widths, range(1, 30)):
        # Zero lies on an edge, or next to it, as rounding has it.
        values = np.array([-edge * width, 0.0, (30 - edge) * width])
        histogram = linear(values)
        used = histogram[histogram[:, 2] > 0]
        moved += not ((used[:, 0] <= 0) & (used[:, 1] >= 0)).any()
        low, high = one(intervals([histogram]), "zero_fraction")
        assert low <= 1 / 3 <= high
    assert moved, "no case of what this test is about"


def test_loaders_agree() -> None:
    rng = np.random.default_rng(3)
    series = [rng.normal(0, 10.0**-step, 300) for step in range(10)]
    python = intervals([as_python_loader(values) for values in series])
    fast = intervals([as_fast_loader(values) for values in series])
    # What float32 costs is a share of the largest entry, whatever the statistic.
    slack = 1e-6 * fast.of("norm")[1][:, None]
    assert (np.abs(python.low - fast.low) <= slack).all()
    assert (np.abs(python.high - fast.high) <= slack).all()


def test_many_at_once_are_as_one_by_one() -> None:
    rng = np.random.default_rng(4)
    series = [linear(rng.normal(size=100)), np.empty((0, 3)), as_fast_loader(rng.normal(size=100)),
              np.full((30, 3), [np.nan, np.nan, 0.0]), linear(np.zeros(100))]
    together = intervals(series)
    for index, histogram in enumerate(series):
        alone = intervals([histogram])
        known = STATISTICS.index("nan_fraction")
        np.testing.assert_array_equal(together.low[index, :known], alone.low[0, :known])
        np.testing.assert_array_equal(together.high[index], alone.high[0])


NAN = math.nan
INF = math.inf


@pytest.mark.parametrize(("histogram", "nan", "inf"), [
    pytest.param([[NAN, NAN, 0.0]] * 30, (0.01, 1.0), None, id="TensorFlow 2, one NaN"),
    pytest.param([[-3.0, INF, 99.0], [INF, INF, 0.0]], (0.0, 0.0), (0.01, 1.0), id="an infinity"),
    pytest.param([[-INF, NAN, 0.0], [NAN, 2.0, 0.0]], (0.0, 0.0), (0.01, 1.0), id="minus infinity"),
    pytest.param([[NAN, 1.0, 5.0], [1.0, NAN, 7.0]], (0.01, 1.0), None, id="PyTorch, some NaN"),
    pytest.param([[NAN, 1.0, 5.0], [1.0, INF, 7.0]], (0.01, 1.0), (0.01, 1.0), id="one of each"),
])
def test_non_finite_is_seen_but_not_counted(
    histogram: list[list[float]], nan: tuple[float, float], inf: tuple[float, float] | None
) -> None:
    healthy = linear(np.random.default_rng(5).normal(size=100))
    found = intervals([healthy, np.array(histogram)])
    for statistic, expected in (("nan_fraction", nan), ("inf_fraction", inf)):
        low, high = found.of(statistic)
        assert (low[0], high[0]) == (0.0, 0.0)
        if expected is None:
            assert math.isnan(low[1]) or low[1] > 0
        else:
            assert (low[1], high[1]) == pytest.approx(expected)
    for statistic in STATISTICS[:6]:
        low, high = found.of(statistic)
        assert math.isnan(low[1])
        assert math.isnan(high[1])


def test_the_least_fraction_is_above_zero_also_for_an_unknown_size() -> None:
    low, _ = one(intervals([np.full((30, 3), [NAN, NAN, 0.0])]), "nan_fraction")
    assert 0 < np.float32(low) < 1e-30


@pytest.mark.parametrize("histogram", [
    pytest.param(np.empty((0, 3)), id="no buckets"),
    pytest.param(np.zeros((30, 3)), id="empty tensor"),
])
def test_nothing_is_known_of_an_empty_histogram(histogram: Array) -> None:
    found = intervals([histogram])
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()


def test_no_histograms_at_all() -> None:
    assert intervals([]).low.shape == (0, len(STATISTICS))


def test_overflow_in_the_writer_is_unknown() -> None:
    found = intervals([np.array([[-1e308, INF, 1.0], [INF, INF, 0.0], [INF, 1.7e308, 0.0]])])
    assert np.isnan(found.low[0, :6]).all()
    assert one(found, "inf_fraction") == (0.0, 0.0)


def test_upper_bounds_are_infinite_where_entries_may_be_uncounted() -> None:
    low, high = one(intervals([np.array([[-1.0, 1.0, 10.0], [1.0, 1e25, 1.0]])]), "norm")
    assert low == pytest.approx(1e25)
    assert high == INF


@pytest.mark.parametrize("array", [
    pytest.param(np.zeros(3), id="a vector"),
    pytest.param(np.zeros((2, 4)), id="four columns"),
    pytest.param(np.zeros((2, 3, 1)), id="rank 3"),
    pytest.param(np.array([[b"a", b"b", b"c"]], dtype=object), id="text"),
    pytest.param(np.zeros((2, 3), dtype=complex), id="complex"),
    pytest.param(np.array([[0.0, 1.0, -1.0]]), id="negative count"),
    pytest.param(np.array([[0.0, 1.0, 0.5]]), id="a density"),
    pytest.param(np.array([[0.0, 1.0, NAN]]), id="NaN count"),
    pytest.param(np.array([[0.0, 1.0, INF]]), id="infinite count"),
    pytest.param(np.zeros((100_001, 3)), id="too many buckets"),
])
def test_what_is_no_histogram_is_refused(array: NDArray[np.generic]) -> None:
    with pytest.raises(HistogramError):
        checked(array)


@settings(max_examples=500, deadline=None)
@given(
    npst.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(0, 6), st.just(3)),
        elements=st.one_of(
            st.integers(0, 2**60).map(lambda count: float(np.float32(count))),
            st.floats(width=32),
        ),
    )
)
def test_any_array_gives_bounds_in_order_or_is_refused(array: NDArray[np.floating]) -> None:
    try:
        found = intervals([array])
    except HistogramError:
        return
    known = ~np.isnan(found.low)
    np.testing.assert_array_equal(known, ~np.isnan(found.high))
    assert (found.low[known] <= found.high[known]).all()
    for fraction in STATISTICS[5:]:
        low, high = one(found, fraction)
        assert math.isnan(low) or 0 <= low <= high <= 1
