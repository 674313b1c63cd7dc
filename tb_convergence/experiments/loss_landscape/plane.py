"""One line or plane: which points are evaluated, and what describes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments.loss_landscape.grid import Axis, axis_over
from tb_convergence.experiments.loss_landscape.planes import Plan
from tb_convergence.experiments.loss_landscape.refinement import refine
from tb_convergence.experiments.loss_landscape.result import Plane
from tb_convergence.experiments.loss_landscape.statistics import line_statistics, plane_statistics

Evaluate = Callable[[tuple[Axis, ...], NDArray[np.intp]], NDArray[np.float64]]
"""Axes, grid indices `[P, 2]` (column 1 is 0 for a line) -> values `[P, Q]`; fewer rows when the
budget is spent."""


def plane_of(
    plan: Plan,
    points: int,
    evaluate: Evaluate,
    names: Sequence[str],
    level: float | None,
    tolerance: float | None,
) -> Plane:
    """One line or plane, evaluated and described.

    Args:
        plan: which directions, and how far.
        evaluate: see `Evaluate`.
        names: of the Q quantities.
        level: of the basin, or None.
        tolerance: of the interpolation; None evaluates every point.
    """
    if plan.dimensions == 1:
        return _line(plan, points, evaluate, names, level)
    stride = 1 if tolerance is None else None
    axes = tuple(axis_over(low, high, points, stride) for low, high in plan.extent)
    middle = axes[0].origin, axes[1].origin
    found = refine(
        lambda index: evaluate(axes, index), points, tolerance, len(names), middle
    )
    statistics: dict[str, float | None] = {}
    if found.known[:: found.stride, :: found.stride].all():
        spacing = axes[0].spacing * found.stride, axes[1].spacing * found.stride
        place = middle[0] // found.stride, middle[1] // found.stride
        statistics = plane_statistics(found.lattice[0], spacing, level, place)
    return Plane(
        plan.directions.seed, plan.directions.labels, plan.directions.explained,
        axes[0].values, axes[1].values,
        dict(zip(names, found.values, strict=True)), found.known, statistics,
        complete=found.complete,
    )


def _line(
    plan: Plan,
    points: int,
    evaluate: Evaluate,
    names: Sequence[str],
    level: float | None,
) -> Plane:
    axis = axis_over(*plan.extent[0], points, 1)
    index = np.stack([np.arange(points), np.zeros(points, np.intp)], axis=-1)
    found = evaluate((axis,), index)
    values = np.full((points, len(names)), np.nan)
    values[: len(found)] = found
    complete = len(found) == points
    return Plane(
        plan.directions.seed, plan.directions.labels, plan.directions.explained,
        axis.values, None, dict(zip(names, values.T, strict=True)),
        np.arange(points) < len(found),
        line_statistics(values[:, 0], axis.spacing, level, axis.origin) if complete else {},
        complete=complete,
    )
