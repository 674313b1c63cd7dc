"""Statistics of surfaces whose answers are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.experiments.loss_landscape.statistics import (
    basin_share,
    below_level,
    curvature_ratio,
    line_statistics,
    nonconvex_share,
    over_pairs,
    plane_curvatures,
    plane_statistics,
    roughness,
    uphill_share,
    width_at,
)

POINTS = 41
AXIS = np.linspace(-1, 1, POINTS)
SPACING = AXIS[1] - AXIS[0]
X, Y = np.meshgrid(AXIS, AXIS, indexing="ij")
H = (SPACING, SPACING)


@given(
    st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5), st.floats(-3, 3), st.floats(-3, 3)
)
def test_curvatures_of_a_quadratic_are_its_eigenvalues(
    a: float, b: float, c: float, d: float, e: float
) -> None:
    surface = 0.5 * a * X**2 + 0.5 * b * Y**2 + c * X * Y + d * X + e * Y + 7
    low, high = plane_curvatures(surface, H)
    expected = np.linalg.eigvalsh([[a, c], [c, b]])
    np.testing.assert_allclose(low, expected[0], atol=1e-9)
    np.testing.assert_allclose(high, expected[1], atol=1e-9)


def test_axes_of_different_spacing_are_told_apart() -> None:
    x, y = np.meshgrid(AXIS, 3 * AXIS, indexing="ij")
    low, high = plane_curvatures(2 * x**2 + y**2 + x * y, (SPACING, 3 * SPACING))
    expected = np.linalg.eigvalsh([[4, 1], [1, 2]])
    np.testing.assert_allclose(low, expected[0], atol=1e-9)
    np.testing.assert_allclose(high, expected[1], atol=1e-9)


@pytest.mark.parametrize(
    ("surface", "share", "ratio"),
    [
        (X**2 + 3 * Y**2, 0.0, 0.0),
        (X**2 - Y**2, 1.0, 1.0),
        (X**2 - 0.25 * Y**2, 1.0, 0.25),
        (X**2 - 0.05 * Y**2, 0.0, 0.05),  # rounding-sized dents do not count
        (np.full_like(X, 3.0), 0.0, 0.0),
        (-(X**2) - Y**2, 1.0, 1.0),
    ],
    ids=["bowl", "saddle", "flat saddle", "nearly flat", "constant", "summit"],
)
def test_the_share_that_is_not_convex(surface: np.ndarray, share: float, ratio: float) -> None:
    assert nonconvex_share(surface, H) == pytest.approx(share)
    assert curvature_ratio(surface, H) == pytest.approx(ratio, abs=1e-9)


def test_half_of_a_sine_is_not_convex() -> None:
    """sin bends down exactly where it is positive; the other axis is flat."""
    axis = np.linspace(0, 2 * np.pi, 201)
    surface = np.broadcast_to(np.sin(axis)[:, None], (201, 5))
    assert nonconvex_share(surface, (axis[1], 1.0)) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("level", [0.04, 0.25, 0.5, 0.8])
def test_the_basin_of_a_bowl_is_a_disc(level: float) -> None:
    # Each point stands for one cell, so the lattice covers half a cell more on every side.
    area = math.pi * level / (2 + AXIS[1] - AXIS[0]) ** 2
    assert basin_share(X**2 + Y**2, level) == pytest.approx(area, abs=0.01)
    width, bound = width_at(X**2 + Y**2, H, level)
    assert width == pytest.approx(2 * math.sqrt(level), abs=0.01)
    assert not bound


def test_a_second_basin_is_below_the_level_and_not_part_of_the_basin() -> None:
    surface = np.minimum(X**2 + Y**2, ((X - 0.8) ** 2 + (Y - 0.8) ** 2)) * 10
    whole, connected = below_level(surface, 0.5), basin_share(surface, 0.5)
    assert connected == pytest.approx(math.pi * 0.05 / 4, abs=0.01)
    assert whole > 1.5 * connected


def test_an_end_above_the_level_has_no_basin() -> None:
    surface = 1 - X**2
    assert basin_share(surface, 0.5) == 0
    assert width_at(surface, H, 0.5) == (0.0, False)


def test_a_slice_that_stays_below_the_level_gives_a_bound() -> None:
    width, bound = width_at(X**2, H, 0.25)
    assert bound
    assert width == pytest.approx((1 + 2) / 2, abs=0.01)


def test_the_basin_belongs_to_the_end_wherever_it_lies() -> None:
    surface = (X - 0.5) ** 2 + (Y + 0.5) ** 2
    end = int(np.argmin(np.abs(AXIS - 0.5))), int(np.argmin(np.abs(AXIS + 0.5)))
    assert basin_share(surface, 0.01) == 0
    assert basin_share(surface, 0.01, end) == pytest.approx(math.pi * 0.01 / 4, abs=0.01)
    assert width_at(surface, H, 0.04, end)[0] == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize("points", [17, 33, 65, 129])
def test_roughness_does_not_depend_on_the_number_of_points(points: int) -> None:
    """exp(sin(5 x)): the log is sin(5 x), whose second derivative has a known mean size."""
    axis = np.linspace(0, 2 * np.pi, points)
    surface = np.exp(np.sin(axis))[:, None] * np.ones((1, points))
    found = roughness(surface, (axis[1], axis[1]))
    assert found == pytest.approx((2 / np.pi + 0) / 2, rel=0.05)


def test_losses_that_are_not_finite_are_left_out_and_counted() -> None:
    surface = X**2 + Y**2
    surface[:5] = np.nan
    surface[5, 3] = np.inf
    found = plane_statistics(surface, H, 0.25)
    assert found["finite_share"] == pytest.approx(1 - (5 * POINTS + 1) / POINTS**2)
    assert found["nonconvex_share"] == 0
    assert found["basin_share"] == pytest.approx(math.pi * 0.25 / 4, abs=0.02)
    nothing = plane_statistics(np.full((9, 9), np.nan), H, 0.25)
    assert nothing["nonconvex_share"] is None
    assert nothing["roughness"] is None
    assert nothing["basin_share"] == 0


def test_without_a_level_there_is_no_basin() -> None:
    found = plane_statistics(X**2 + Y**2, H, None)
    assert found["basin_share"] is None
    assert found["width"] is None
    assert found["nonconvex_share"] == 0


def test_a_line_is_described_likewise() -> None:
    found = line_statistics(AXIS**2, SPACING, 0.25)
    assert found["basin_share"] == pytest.approx(0.5, abs=0.05)
    assert found["width"] == pytest.approx(1.0, abs=0.01)
    assert found["nonconvex_share"] == 0
    wave = line_statistics(np.sin(4 * np.pi * AXIS) + 2, SPACING, None)
    # Ten points a wave, of which four bend down and two lie on the axis.
    assert wave["nonconvex_share"] == pytest.approx(16 / 39)


def test_the_spread_is_over_pairs_that_have_the_statistic() -> None:
    found = over_pairs([{"a": 1.0, "b": None}, {"a": 3.0, "b": 2.0}])
    assert found["a"].mean == 2.0
    assert found["a"].deviation == pytest.approx(math.sqrt(2))
    assert found["b"].mean == 2.0
    assert found["b"].deviation is None
    assert over_pairs([{"a": None}])["a"].mean is None


def test_uphill_steps() -> None:
    assert uphill_share([1.0, float("nan"), 2.0]) == 1.0
    assert uphill_share([1.0]) is None
