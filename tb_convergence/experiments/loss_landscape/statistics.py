"""Numbers that describe a loss surface; each is computed for every pair of directions.

All come from a complete, evenly spaced lattice of losses. NumPy only; distances are in units of
the directions, so along filter-normalized ones a distance of 1 is the length of every filter.

References:
    Li et al. 2018, arXiv:1712.09913, section 6: the fraction of a surface that is not convex,
    measured by |lambda_min / lambda_max|. They use the Hessian in all weights; here it is the
    Hessian in the drawn plane.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments.loss_landscape.refinement import logarithm

Grid = NDArray[np.float64]

NONCONVEX_RATIO: Final = 0.1
"""A point counts as not convex when the downward curvature reaches this fraction of the larger one.

At 0 rounding decides: a flat valley has a curvature of nearly zero in one direction, of either
sign. With float32 losses second differences carry a relative error far below a tenth.
"""


@dataclass(frozen=True, slots=True)
class Spread:
    """One statistic over several pairs of directions.

    Attributes:
        values: one per pair; pairs for which it is not defined are left out.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float | None:
        """None without a value."""
        return float(np.mean(self.values)) if self.values else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation between pairs (n - 1); None for fewer than two."""
        return float(np.std(self.values, ddof=1)) if len(self.values) > 1 else None


Middle = tuple[int, int] | None
"""Index of the end of the training on the lattice; None for the middle of it."""


def plane_statistics(
    loss: Grid, spacing: tuple[float, float], level: float | None, middle: Middle = None
) -> dict[str, float | None]:
    """All statistics of one plane `[L, L]`; None if one is not defined.

    `basin_share`, `width`: need a `level`. `width_is_bound` is 1 where a slice stays below the
    level as far as it was evaluated, so the true width is larger.
    """
    width, bound = (None, None) if level is None else width_at(loss, spacing, level, middle)
    return {
        "basin_share": None if level is None else basin_share(loss, level, middle),
        "below_level": None if level is None else below_level(loss, level),
        "nonconvex_share": nonconvex_share(loss, spacing),
        "curvature_ratio": curvature_ratio(loss, spacing),
        "roughness": roughness(loss, spacing),
        "width": width,
        "width_is_bound": None if bound is None else float(bound),
        "finite_share": float(np.mean(np.isfinite(loss))),
    }


def line_statistics(
    loss: Grid, spacing: float, level: float | None, middle: int | None = None
) -> dict[str, float | None]:
    """The same for a line `[L]`; "not convex" is a second difference below zero."""
    middle = len(loss) // 2 if middle is None else middle
    second = np.diff(loss, 2)
    second = second[np.isfinite(second)]
    width, bound = (None, None) if level is None else _width_of_slice(loss, spacing, level, middle)
    scale = float(np.max(np.abs(second))) if second.size else 0.0
    return {
        "basin_share": None if level is None else _basin_of_line(loss, level, middle),
        "below_level": None if level is None else below_level(loss, level),
        "nonconvex_share": float(np.mean(second < -1e-6 * scale)) if second.size else None,
        "roughness": roughness(loss, (spacing,)),
        "width": width,
        "width_is_bound": None if bound is None else float(bound),
        "finite_share": float(np.mean(np.isfinite(loss))),
    }


def over_pairs(planes: Sequence[Mapping[str, float | None]]) -> dict[str, Spread]:
    """Each statistic with its values over the pairs of directions."""
    names = list(dict.fromkeys(name for plane in planes for name in plane))
    return {
        name: Spread(
            tuple(float(v) for plane in planes if (v := plane.get(name)) is not None)
        )
        for name in names
    }


def below_level(loss: Grid, level: float) -> float:
    """Fraction of the points whose loss is below `level`; a loss that is not finite is not.

    >>> below_level(np.array([[0.0, 2.0], [np.nan, 1.0]]), 1.5)
    0.5
    """
    with np.errstate(invalid="ignore"):
        return float(np.mean(loss < level))


def basin_share(loss: Grid, level: float, middle: Middle = None) -> float:
    """Fraction of the square that is connected to the end by losses below `level`.

    0 where the end itself is not below it. Neighbors share an edge, not only a corner. Each point
    stands for one cell of the lattice.

    >>> basin_share(np.array([[0.0, 9, 0], [9, 0, 0], [9, 9, 9]]), 1.0)
    0.3333333333333333
    """
    with np.errstate(invalid="ignore"):
        below = np.asarray(loss < level)
    middle = middle or (loss.shape[0] // 2, loss.shape[1] // 2)
    if not below[middle]:
        return 0.0
    seen = np.zeros_like(below)
    seen[middle] = True
    queue = deque([middle])
    while queue:
        row, column = queue.popleft()
        for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            inside = 0 <= near[0] < below.shape[0] and 0 <= near[1] < below.shape[1]
            if inside and below[near] and not seen[near]:
                seen[near] = True
                queue.append(near)
    return float(seen.mean())


def _basin_of_line(loss: Grid, level: float, middle: int) -> float:
    """As `basin_share`, along a line."""
    return basin_share(loss[None, :], level, (0, middle))


def plane_curvatures(loss: Grid, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[Grid, Grid]:
    """Smaller and larger eigenvalue of the plane's Hessian at each inner point, `[L-2, L-2]`.

    By central differences: exact for a quadratic surface. NaN beside a loss that is not finite.
    """
    h, k = spacing
    with np.errstate(invalid="ignore", over="ignore"):
        xx = (loss[2:, 1:-1] - 2 * loss[1:-1, 1:-1] + loss[:-2, 1:-1]) / h**2
        yy = (loss[1:-1, 2:] - 2 * loss[1:-1, 1:-1] + loss[1:-1, :-2]) / k**2
        xy = (loss[2:, 2:] - loss[2:, :-2] - loss[:-2, 2:] + loss[:-2, :-2]) / (4 * h * k)
        middle = (xx + yy) / 2
        radius = np.hypot((xx - yy) / 2, xy)
        return middle - radius, middle + radius


def _ratios(loss: Grid, spacing: tuple[float, float]) -> Grid:
    """|min(lambda_min, 0)| over the larger |lambda| at each inner point that is finite."""
    low, high = plane_curvatures(loss, spacing)
    largest = np.maximum(np.abs(low), np.abs(high))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.abs(np.minimum(low, 0)) / largest
    flat = largest == 0
    return np.where(flat, 0.0, ratio)[np.isfinite(largest)]


def nonconvex_share(
    loss: Grid, spacing: tuple[float, float] = (1.0, 1.0), ratio: float = NONCONVEX_RATIO
) -> float | None:
    """Fraction of the inner points at which the surface bends down in some direction of the plane.

    None if no inner point has finite neighbors.
    """
    ratios = _ratios(loss, spacing)
    return float(np.mean(ratios > ratio)) if ratios.size else None


def curvature_ratio(loss: Grid, spacing: tuple[float, float] = (1.0, 1.0)) -> float | None:
    """Mean of |lambda_min / lambda_max| as Li et al. color it: 0 where the plane is convex, up to
    1 where it bends down as much as the largest curvature, or more."""
    ratios = _ratios(loss, spacing)
    return float(np.mean(ratios)) if ratios.size else None


def roughness(loss: Grid, spacing: Sequence[float]) -> float | None:
    """Mean size of the second derivative of the log loss along the grid's axes.

    Second differences divided by the squared spacing: independent of the number of points for a
    smooth surface. Units: 1 / (unit of the directions)^2. A plateau of high loss is *not* rough by
    this measure, so read it beside the basin share.
    """
    logs = logarithm(loss)
    found = []
    for axis, step in enumerate(spacing):
        with np.errstate(invalid="ignore"):
            second = np.abs(np.diff(logs, 2, axis=axis)) / step**2
        second = second[np.isfinite(second)]
        if second.size:
            found.append(float(second.mean()))
    return float(np.mean(found)) if found else None


def width_at(
    loss: Grid, spacing: tuple[float, float], level: float, middle: Middle = None
) -> tuple[float, bool]:
    """Mean width at `level` of the two slices through the end, and whether it is only a bound.

    The width of a slice reaches from where the loss first crosses the level on one side of the end
    to where it does on the other, interpolated. 0 where the end is not below the level.
    """
    row, column = middle or (loss.shape[0] // 2, loss.shape[1] // 2)
    found = [
        _width_of_slice(loss[:, column], spacing[0], level, row),
        _width_of_slice(loss[row, :], spacing[1], level, column),
    ]
    return float(np.mean([width for width, _ in found])), any(bound for _, bound in found)


def _width_of_slice(loss: Grid, spacing: float, level: float, middle: int) -> tuple[float, bool]:
    if not loss[middle] < level:
        return 0.0, False
    left, left_bound = _reach(loss[middle::-1], level)
    right, right_bound = _reach(loss[middle:], level)
    return (left + right) * spacing, left_bound or right_bound


def _reach(loss: Grid, level: float) -> tuple[float, bool]:
    """How many steps from the first point the loss stays below `level`; whether to the end."""
    above = np.flatnonzero(~(loss < level))
    if not above.size:
        return float(len(loss) - 1), True
    first = int(above[0])
    rise = loss[first] - loss[first - 1]
    part = (level - loss[first - 1]) / rise if np.isfinite(rise) and rise > 0 else 0.0
    return first - 1 + float(part), False


def uphill_share(losses: Sequence[float]) -> float | None:
    """Fraction of the path's steps between recorded points that raised the loss.

    None for fewer than two finite points.

    >>> uphill_share([3.0, 2.0, 2.5, 1.0])
    0.3333333333333333
    """
    finite = np.asarray([value for value in losses if np.isfinite(value)])
    return float(np.mean(np.diff(finite) > 0)) if len(finite) > 1 else None
