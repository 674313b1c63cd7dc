"""The path of a training in a plane: principal components, projections, checkpoints as a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments.loss_landscape.directions import (
    Components,
    DirectionError,
    Weights,
    combine,
    inner,
    principal_components,
)
from tb_convergence.training.host.trajectory import Trajectory, sketch_of


class PathError(ValueError):
    """A path that cannot be read or drawn; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PathPlane:
    """The plane of a path's two principal components, and the path in it.

    Attributes:
        vectors: two directions of unit length.
        explained: fraction of the path's variance along each.
        steps, x, y: the path's points; the last is the end, at (0, 0).
        exact: False if coordinates are estimated from sketches.
        points: weights along the path that are known, by step: their loss can be evaluated.
    """

    vectors: tuple[Weights, ...]
    explained: tuple[float, ...]
    steps: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    exact: bool
    points: dict[int, Weights]


def path_plane(
    trajectory: Trajectory, end: Weights, end_step: int | None = None, count: int = 2
) -> PathPlane:
    """The principal components of a recorded path about its end, and the path's coordinates.

    The plane is spanned by the samples whose weights were kept; all samples are projected on it,
    those without weights by their sketches.

    Raises:
        PathError: the path is of another architecture, or has too few points.
    """
    shapes = tuple(tuple(part.shape) for part in end)
    kept = [step for step in trajectory.kept if step != end_step]
    if trajectory.shapes and trajectory.shapes != shapes:
        raise PathError(
            "the path was recorded from another architecture than this model's: the shapes of its "
            "variables differ"
        )
    if len(kept) < count:
        raise PathError(
            f"the path has {len(kept)} sets of weights before the final one, but {count} "
            f"directions need {count}. Record longer, or allow more memory with budget_bytes"
        )
    ways = [_difference(trajectory.weights_at(step), end) for step in kept]
    try:
        found = principal_components(_gram(ways), count)
    except DirectionError as error:
        raise PathError(str(error)) from error
    vectors = tuple(combine(row, ways) for row in found.coefficients)
    steps, places, exact = _coordinates(trajectory, end, kept, found)
    last = end_step if end_step is not None else (steps[-1] + 1 if steps else 0)
    return PathPlane(
        vectors, tuple(map(float, found.explained)),
        (*steps, last), (*map(float, places[:, 0]), 0.0),
        (*map(float, places[:, 1] if count > 1 else np.zeros(len(places))), 0.0),
        exact, {step: trajectory.weights_at(step) for step in kept},
    )


def _difference(weights: Weights, end: Weights) -> Weights:
    return tuple(
        np.subtract(w, e, dtype=np.float64).astype(np.float32)
        for w, e in zip(weights, end, strict=True)
    )


def _gram(ways: Sequence[Weights]) -> NDArray[np.float64]:
    gram = np.empty((len(ways), len(ways)))
    for row, first in enumerate(ways):
        for column in range(row + 1):
            gram[row, column] = gram[column, row] = inner(first, ways[column])
    return gram


def _coordinates(
    trajectory: Trajectory, end: Weights, kept: list[int], found: Components
) -> tuple[list[int], NDArray[np.float64], bool]:
    """Coordinates `[T, K]` of all samples: exact for those kept, estimated for the others."""
    exact = dict(zip(kept, found.coordinates, strict=True))
    others = [step for step in trajectory.steps if step not in exact]
    if others:
        origin = sketch_of(end).astype(np.float64)
        spanned = found.coefficients @ np.stack(
            [trajectory.sketch_at(s) - origin for s in kept]
        )
        for step in others:
            exact[step] = spanned @ (trajectory.sketch_at(step) - origin)
    steps = sorted(exact)
    return steps, np.stack([exact[step] for step in steps]), not others


def trajectory_of(points: Sequence[tuple[int, Weights]]) -> Trajectory:
    """A path of weights at hand, such as checkpoints; all of them are kept.

    Raises:
        PathError: fewer than one, or of different architectures.
    """
    found = Trajectory(budget_bytes=1 << 62)
    shapes = {tuple(tuple(part.shape) for part in weights) for _, weights in points}
    if len(shapes) != 1:
        raise PathError(
            f"the path has weights of {len(shapes)} architectures; expected one"
            if points else "the path is empty"
        )
    for step, weights in sorted(points, key=lambda point: point[0]):
        found.observe(step, weights)
    return found


def project(trajectory: Trajectory, end: Weights, directions: Any) -> PathPlane:
    """A recorded path seen in a plane that was chosen without it.

    Coordinates are those of the nearest point of the plane (least squares). Samples whose weights
    were not kept are placed by their sketches.

    Raises:
        PathError: the path is of another architecture.
    """
    if trajectory.shapes and trajectory.shapes != tuple(tuple(part.shape) for part in end):
        raise PathError(
            "the path was recorded from another architecture than this model's: the shapes of its "
            "variables differ"
        )
    vectors = directions.vectors
    gram = _gram(vectors)
    origin = sketch_of(end).astype(np.float64)
    spanned = np.stack([sketch_of(vector).astype(np.float64) for vector in vectors])
    rows = []
    for step in trajectory.steps:
        if step in trajectory.kept:
            way = _difference(trajectory.weights_at(step), end)
            products = np.array([inner(vector, way) for vector in vectors])
        else:
            products = spanned @ (trajectory.sketch_at(step) - origin)
        rows.append(np.linalg.solve(gram, products))
    places = np.array(rows).reshape(len(rows), len(vectors))
    second = places[:, 1] if len(vectors) > 1 else np.zeros(len(places))
    last = trajectory.steps[-1] + 1 if trajectory.steps else 0
    return PathPlane(
        vectors, (), (*trajectory.steps, last), (*map(float, places[:, 0]), 0.0),
        (*map(float, second), 0.0), set(trajectory.steps) == set(trajectory.kept),
        {step: trajectory.weights_at(step) for step in trajectory.kept},
    )
