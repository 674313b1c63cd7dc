"""Bands from histograms hold the share of entries that they claim, whatever wrote them."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import tb_convergence.core.histogram_bands
from tb_convergence.core.histogram import HistogramError
from tb_convergence.core.histogram_bands import SHARES, bands_over_time
from tests.unit.test_histogram import ARRAYS, FORMATS

Array = NDArray[np.float64]


@given(values=ARRAYS, form=st.sampled_from(sorted(FORMATS)))
def test_a_band_holds_its_share(values: Array, form: str) -> None:
    found = bands_over_time([FORMATS[form](values)])
    assert not found.nan_seen[0]
    assert not found.infinity_seen[0]
    if np.isnan(found.low[0]).any():
        assert np.abs(values).max() > 1e19, "known unless beyond what is counted"
        return
    # float32, and the writers' own rounding of edges.
    slack = 1e-6 * np.abs(values).max() + 1e-12
    for share, low, high in zip(SHARES, found.low[0], found.high[0], strict=True):
        below, above = np.mean(values < low - slack), np.mean(values > high + slack)
        assert below <= (1 - share) / 2
        assert above <= (1 - share) / 2
    assert found.low[0, -1] - slack <= np.median(values) <= found.high[0, -1] + slack
    assert (np.diff(found.low[0]) >= -slack).all(), "bands of smaller shares lie inside"
    assert (np.diff(found.high[0]) <= slack).all()


def test_both_loaders_forms_give_the_same_bands() -> None:
    values = np.random.default_rng(0).normal(0, 0.01, 5_000)
    fast, python = (
        bands_over_time([FORMATS[f"exponential, {name} loader"](values)])
        for name in ("fast", "Python")
    )
    np.testing.assert_allclose(fast.low, python.low, rtol=1e-6)
    np.testing.assert_allclose(fast.high, python.high, rtol=1e-6)


def test_fine_buckets_make_tight_bands() -> None:
    values = np.random.default_rng(1).normal(0, 1, 20_000)
    found = bands_over_time([FORMATS["exponential, fast loader"](values)])
    for place, share in enumerate(SHARES):
        low, high = np.quantile(values, [(1 - share) / 2, (1 + share) / 2])
        assert found.low[0, place] == pytest.approx(low, abs=0.11 * abs(low) + 0.02)
        assert found.high[0, place] == pytest.approx(high, abs=0.11 * abs(high) + 0.02)


def test_what_is_not_finite_or_empty_is_told_and_not_invented() -> None:
    good = np.array([[0.0, 1.0, 4.0]])
    nan = np.array([[np.nan, np.nan, 0.0]] * 3)
    infinite = np.array([[0.0, np.inf, 4.0]])
    found = bands_over_time([good, nan, infinite, np.empty((0, 3)), np.zeros((3, 3))])
    assert found.nan_seen.tolist() == [False, True, False, False, False]
    assert found.infinity_seen.tolist() == [False, False, True, False, False]
    assert np.isnan(found.low).all(axis=1).tolist() == [False, True, True, True, True]
    with pytest.raises(HistogramError):
        bands_over_time([np.zeros((2, 4))])
    assert bands_over_time([]).low.shape == (0, len(SHARES))


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.integers(0, 9)), max_size=8))
def test_any_array_from_a_log_gives_ordered_ends(rows: list[Any]) -> None:
    found = bands_over_time([np.array(rows, dtype=np.float64).reshape(-1, 3)])
    known = ~np.isnan(found.low)
    assert (found.low[known] <= found.high[known]).all()


def test_examples() -> None:
    assert doctest.testmod(tb_convergence.core.histogram_bands).failed == 0
