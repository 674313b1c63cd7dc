"""Thinned lines keep what a diagnosis rests on."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tb_convergence.serving.thinning import thin

FLOATS = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324]),
    st.floats(allow_nan=True, allow_infinity=True),
)


@settings(max_examples=400, deadline=None)
@given(
    columns=st.integers(0, 60).flatmap(
        lambda s: st.integers(0, 4).flatmap(
            lambda c: arrays(np.float64, (s, c), elements=FLOATS)
        )
    ),
    points=st.integers(2, 70),
)
def test_thinned_indices_are_few_ordered_and_keep_both_ends(columns: Any, points: int) -> None:
    kept = thin(columns, points).tolist()
    count = len(columns)
    assert len(kept) <= points
    assert kept == sorted(set(kept))
    if count:
        assert kept[0] == 0
        assert kept[-1] == count - 1
    if count <= points:
        assert kept == list(range(count))


@settings(max_examples=200, deadline=None)
@given(
    column=arrays(
        np.float64, 500, elements=st.sampled_from([0.0, 1.0, 2.0, 3.0]), fill=st.just(1.0)
    ),
    low=st.integers(0, 499), high=st.integers(0, 499), bad=st.integers(0, 499),
)
def test_extremes_and_a_single_bad_point_survive(
    column: Any, low: int, high: int, bad: int
) -> None:
    column[bad] = np.nan
    column[low], column[high] = -5.0, 9.0
    kept = column[thin(column[:, None], 20)]
    assert np.nanmax(kept) == 9.0
    if low != high:
        assert np.nanmin(kept) == -5.0
    if bad not in {low, high}:
        assert np.isnan(kept).any()


def test_both_ends_of_every_stretch_of_non_finite_values() -> None:
    column = np.ones(10_000)
    stretches = [(100, 100), (2_000, 2_499), (5_000, 5_001), (9_990, 9_999)]
    for first, last in stretches:
        column[first : last + 1] = np.nan
    kept = set(thin(column[:, None], 100).tolist())
    assert {end for stretch in stretches for end in stretch} <= kept


def test_too_many_stretches_leave_one_bad_point_in_every_bucket() -> None:
    column = np.ones(9_000)
    column[::3] = np.inf
    kept = thin(column[:, None], 90)
    bad = kept[np.isinf(column[kept])]
    assert np.diff(bad).max() <= 400
    assert np.isfinite(column[kept]).any()


def test_near_every_point_of_one_column_is_a_kept_one_at_least_as_high_and_as_low() -> None:
    column = np.random.default_rng(1).normal(size=20_000)
    kept = thin(column[:, None], 1_000)
    bucket = 20_000 // ((1_000 - 4) // 2) + 1
    for index in range(0, 20_000, 7):
        near = column[kept[np.abs(kept - index) <= bucket]]
        assert near.max() >= column[index] >= near.min()


def test_spikes_of_every_column_survive_together() -> None:
    columns = np.random.default_rng(2).normal(size=(10_000, 15)) * 10.0 ** np.arange(-7, 8)
    for column in range(15):
        columns[600 * column + 7, column] *= 1e3 / abs(columns[600 * column + 7, column])
        columns[600 * column + 7, column] *= 10.0 ** (column - 7)
    kept = set(thin(columns, 1_000).tolist())
    assert {600 * column + 7 for column in range(15)} <= kept


def test_no_columns_are_thinned_evenly() -> None:
    kept = thin(np.empty((1_000, 0)), 11)
    assert len(kept) == 11
    assert np.ptp(np.diff(kept)) <= 1


@settings(max_examples=400, deadline=None)
@given(
    columns=st.integers(1, 200).flatmap(
        lambda s: st.integers(1, 4).flatmap(
            lambda c: arrays(
                np.float64, (s, c), elements=FLOATS, fill=st.sampled_from([1.0, np.nan, np.inf])
            )
        )
    ),
    more=st.integers(0, 40),
)
def test_first_last_worst_and_every_kind_of_non_finite_value_of_every_column_survive(
    columns: Any, more: int
) -> None:
    kept = thin(columns, 2 + 5 * columns.shape[1] + more)
    assert {0, len(columns) - 1} <= set(kept.tolist())
    for whole, thinned in zip(columns.T, columns[kept].T, strict=True):
        finite, left = whole[np.isfinite(whole)], thinned[np.isfinite(thinned)]
        if len(finite):
            assert (left.min(), left.max()) == (finite.min(), finite.max())
        for kind in (np.isnan, np.isposinf, np.isneginf):
            assert kind(thinned).any() == kind(whole).any()
