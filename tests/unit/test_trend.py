"""The trend of a statistic, against a plain-Python reading of its definition."""

from __future__ import annotations

import doctest
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tb_convergence.core.trend
from tb_convergence.core.trend import trend


def oracle(column: list[float], at: int) -> float:
    """What the docstring says of one record, with lists."""
    positive = [v for v in column if math.isfinite(v) and v > 0]
    floor = math.log10(min(positive)) - 1 if positive else math.nan
    width = min(10, (at + 1) // 2)
    if width < 3:
        return math.nan
    medians = []
    for last in (at - width, at):
        stretch = column[last - width + 1 : last + 1]
        known = [v for v in stretch if math.isfinite(v) and v >= 0]
        if 2 * len(known) < width or not positive:
            return math.nan
        medians.append(statistics.median([math.log10(v) if v > 0 else floor for v in known]))
    return medians[1] - medians[0]


NUMBERS = st.one_of(
    st.floats(1e-30, 1e30), st.just(0.0), st.sampled_from([math.nan, math.inf, -math.inf, -1.0])
)


@given(st.lists(NUMBERS, max_size=50))
def test_the_definition(column: list[float]) -> None:
    found = trend(np.array(column)[:, None])[:, 0]
    wanted = [oracle(column, at) for at in range(len(column))]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_what_it_shows() -> None:
    rng = np.random.default_rng(0)
    records = 200
    steady = rng.lognormal(0, 0.3, records)
    spike = steady.copy()
    spike[100] *= 1e6
    risen = steady * np.where(np.arange(records) < 100, 1.0, 1e3)
    zero = np.where(np.arange(records) < 100, steady, 0.0)
    never = np.zeros(records)
    found = trend(np.stack([steady, spike, risen, zero, never], axis=1))
    assert np.nanmax(np.abs(found[20:, 0])) < 0.35, "a batch's own noise is no trend"
    assert np.nanmax(np.abs(found[20:, 1])) < 0.35, "nor is a spike"
    assert found[109, 2] == pytest.approx(3, abs=0.3), "a rise is as large as it is"
    assert abs(found[150, 2]) < 0.35, "and over when it is over"
    assert found[109, 3] < -1, "what falls to zero falls"
    assert np.isnan(found[:, 4]).all(), "what was always zero has no trend"


def test_nothing_later_enters() -> None:
    values = np.random.default_rng(1).lognormal(0, 1, (60, 3))
    np.testing.assert_array_equal(trend(values)[:40], trend(values[:40]))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (5, 2), (1000, 700)])
def test_any_size(shape: tuple[int, int]) -> None:
    found = trend(np.ones(shape, dtype=np.float32))
    assert found.shape == shape
    assert np.isnan(found[:5]).all()
    assert (found[5:] == 0).all()


def test_examples() -> None:
    assert doctest.testmod(tb_convergence.core.trend).failed == 0
