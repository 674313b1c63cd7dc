"""Neighboring rates are compared until both neighbors of the best one are worse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.experiments.rate_comparison import FACTOR, MOST, best_of, compare, end_loss


@given(st.floats(-4, 1), st.floats(-2, 2))
def test_the_nearest_rate_to_the_minimum_is_found(minimum: float, off: float) -> None:
    """A curve with one minimum, begun at most two decades away from it."""
    found = compare(lambda rate: (math.log10(rate) - minimum) ** 2, 10 ** (minimum + off))
    assert len(found) <= MOST
    best = best_of(found)
    assert best is not None
    assert abs(math.log10(best) - minimum) <= math.log10(FACTOR) / 2 + 1e-9
    assert [one.rate for one in found] == sorted(one.rate for one in found)


def test_rates_that_diverge_are_left_downwards() -> None:
    found = compare(lambda rate: math.inf if rate > 1e-3 else rate, 1e-2)
    best = best_of(found)
    assert best is not None
    assert best < 1e-3
    assert all(one.loss == math.inf for one in found if one.rate > 1e-3)


def test_a_budget_that_ends_ends_the_search() -> None:
    losses = iter([3.0, 2.0, math.nan, math.nan, math.nan])
    found = compare(lambda rate: next(losses), 1e-3)
    assert [one.loss for one in found] == [3.0, 2.0]
    assert best_of([]) is None
    assert best_of(compare(lambda rate: math.inf, 1.0)) is None


@pytest.mark.parametrize(
    ("losses", "planned", "expected"),
    [([8.0] * 6 + [1.0, 3.0], 8, 2.0), ([1.0], 1, 1.0), ([1.0, math.nan], 2, math.inf),
     ([1.0], 2, math.inf)],
    ids=["last quarter", "one step", "not finite", "cut short"],
)
def test_a_training_is_judged_by_its_end(losses: list[float], planned: int, expected: float
                                         ) -> None:
    assert end_loss(np.array(losses), planned) == expected
