"""Adaptive refinement against surfaces evaluated everywhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.experiments.loss_landscape.grid import axis_over
from tb_convergence.experiments.loss_landscape.refinement import Refined, lattice_stride, refine

Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]

SURFACES: dict[str, Surface] = {
    "bowl": lambda x, y: x**2 + 10 * y**2 + 0.01,
    "waves": lambda x, y: np.exp(np.sin(4 * x) * np.cos(3 * y)),
    "cliff": lambda x, y: np.where(x > 0.3, 100.0, 1 + x**2 + y**2),
    "plateau": lambda x, y: 2.3 + 0 * x * y,
}


class Counted:
    """A surface that counts its evaluations, and may stop answering."""

    def __init__(self, surface: Surface, points: int, budget: int = 10**9) -> None:
        self.axis = np.linspace(-1, 1, points)
        self.surface, self.left, self.calls = surface, budget, 0
        self.seen: list[tuple[int, int]] = []

    def __call__(self, index: np.ndarray) -> np.ndarray:
        index = index[: self.left]
        self.left -= len(index)
        self.calls += 1
        self.seen += [tuple(place) for place in index.tolist()]
        values = self.surface(self.axis[index[:, 0]], self.axis[index[:, 1]])
        return np.stack([values, -values], axis=-1)

    @property
    def whole(self) -> np.ndarray:
        return self.surface(self.axis[:, None], self.axis[None, :]) + 0 * self.axis[:, None]


def refined(name: str, points: int, **options: int) -> tuple[Refined, Counted]:
    counted = Counted(SURFACES[name], points, **options)
    return refine(counted, points, 0.02, 2), counted


@pytest.mark.parametrize("points", [33, 41, 49, 51, 61])
@pytest.mark.parametrize("name", ["bowl", "waves", "plateau"])
def test_the_picture_is_right_for_a_third_of_the_evaluations(name: str, points: int) -> None:
    found, counted = refined(name, points)
    truth = np.log(counted.whole)
    span = max(np.ptp(truth), 1e-9)
    error = np.abs(np.log(found.values[0]) - truth) / span
    assert np.percentile(error, 95) <= 0.02
    share = len(counted.seen) / points**2
    assert share <= (0.5 if name == "waves" and points == 33 else 0.36)


def test_no_point_is_evaluated_twice_and_known_points_are_exact() -> None:
    found, counted = refined("waves", 33)
    assert len(counted.seen) == len(set(counted.seen)) == found.known.sum()
    np.testing.assert_array_equal(found.values[0][found.known], counted.whole[found.known])
    np.testing.assert_array_equal(found.values[1][found.known], -counted.whole[found.known])


def test_the_lattice_is_complete_and_even() -> None:
    found, counted = refined("cliff", 33)
    assert found.stride == 2
    np.testing.assert_array_equal(found.lattice[0], counted.whole[::2, ::2])


def test_a_cliff_is_resolved_to_the_grid() -> None:
    found, counted = refined("cliff", 49)
    edge = int(np.flatnonzero(counted.axis > 0.3)[0])
    assert found.known[edge - 1 : edge + 1].mean() > 0.9
    assert not found.known.all()


def test_points_that_are_not_finite_stay_so_and_nothing_is_invented_beside_them() -> None:
    counted = Counted(lambda x, y: np.where(x + y > 0.5, np.nan, 1 + x**2 + y**2), 33)
    found = refine(counted, 33, 0.02, 2)
    assert (np.isnan(found.values[0]) == np.isnan(counted.whole)).mean() > 0.98
    assert np.isnan(counted.whole[np.isnan(found.values[0])]).all()


def test_without_tolerance_every_point_is_evaluated_in_one_call() -> None:
    counted = Counted(SURFACES["waves"], 17)
    found = refine(counted, 17, None, 2)
    assert found.known.all()
    assert counted.calls == 1
    np.testing.assert_array_equal(found.values[0], counted.whole)


@pytest.mark.parametrize("budget", [0, 1, 100, 288, 289, 295, 330])
def test_a_spent_budget_leaves_what_is_known_and_says_so(budget: int) -> None:
    found, counted = refined("waves", 33, budget=budget)
    assert not found.complete
    assert found.known.sum() == budget
    np.testing.assert_array_equal(found.values[0][found.known], counted.whole[found.known])


@pytest.mark.parametrize("points", range(9, 102, 4))
def test_the_stride_divides_the_grid(points: int) -> None:
    stride = lattice_stride(points)
    assert (points - 1) % stride == 0
    assert stride == 1 or (points - 1) // stride + 1 >= 13


@given(
    st.floats(-50, -1e-3), st.floats(1e-3, 50), st.sampled_from([9, 17, 33, 41, 51]),
)
def test_an_axis_meets_zero_and_covers_what_was_asked(low: float, high: float, points: int) -> None:
    axis = axis_over(low, high, points)
    assert axis.values[axis.origin] == 0
    assert axis.origin % lattice_stride(points) == 0
    assert axis.values[0] <= low * (1 - 1e-9)
    assert axis.values[-1] >= high * (1 - 1e-9)
    assert len(axis.values) == points
