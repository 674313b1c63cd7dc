"""Which lines and planes are drawn: from the arguments of `landscape` to directions and extents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.text.numbers import number
from tb_convergence.experiments.loss_landscape.checkpoints import trajectory_from, weights_of
from tb_convergence.experiments.loss_landscape.directions import (
    DirectionError,
    Directions,
    Weights,
    between,
    norm,
    plane_of_three,
    random_pair,
)
from tb_convergence.experiments.loss_landscape.path import PathPlane, path_plane, project
from tb_convergence.experiments.loss_landscape.variables import filter_axes
from tb_convergence.training.host.trajectory import Trajectory

MARGIN: Final = 0.15
"""Of the extent of a path or of the way between weights: free space around it."""

KINDS: Final = ("random", "path", "between", "hessian")


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of the caller; see `landscape`."""

    directions: str | None
    dimensions: int
    pairs: int | None
    seed: int
    path: Any
    other: Any
    third: Any
    radius: float

    @property
    def kind(self) -> str:
        """The kind of directions; inferred from the other arguments if it is not given."""
        if self.directions is not None:
            if self.directions not in KINDS:
                raise DirectionError(
                    f"directions is {self.directions!r}; expected one of {', '.join(KINDS)}"
                )
            return self.directions
        if self.other is not None:
            return "between"
        return "path" if self.path is not None else "random"


@dataclass(frozen=True, slots=True)
class Plan:
    """One line or plane to evaluate.

    Attributes:
        directions: see there.
        extent: lowest and highest coordinate along each direction.
        unit: what a coordinate of 1 is.
        route: the training's path in it, or None.
    """

    directions: Directions
    extent: tuple[tuple[float, float], ...]
    unit: str
    route: PathPlane | None = None

    @property
    def dimensions(self) -> int:
        """1 for a line, 2 for a plane."""
        return len(self.extent)


def planned(
    model: Any, request: Request, weights: Weights, curved: Sequence[NDArray[np.float64]]
) -> list[Plan]:
    """The lines or planes that the arguments describe; several only for random directions.

    Args:
        model: for the meaning of its variables.
        request: the arguments.
        weights: the model's trainable weights.
        curved: eigenvectors of the Hessian, for "hessian".

    Raises:
        DirectionError, PathError: something needed is missing, or of another architecture.
    """
    trajectory = None if request.path is None else trajectory_from(request.path, model)
    kind = request.kind
    if kind == "random":
        return _random(model, request, weights, trajectory)
    if kind == "path":
        if trajectory is None:
            raise DirectionError("directions='path' needs path=, a run's folder or checkpoints")
        return [_path(request, weights, trajectory)]
    if kind == "between":
        if request.other is None:
            raise DirectionError("directions='between' needs other=, a second set of weights")
        return [_between(request, weights)]
    return [_curved(request, weights, curved, trajectory)]


def _random(
    model: Any, request: Request, weights: Weights, trajectory: Trajectory | None
) -> list[Plan]:
    filters = filter_axes(model)
    if all(axes is None for axes in filters):
        raise DirectionError("the model has no filters to move: only biases or normalization")
    plans = []
    for index in range(request.pairs or 3):
        pair = random_pair(weights, filters, request.seed + index, request.dimensions)
        extent = ((-request.radius, request.radius),) * request.dimensions
        route = None if trajectory is None else project(trajectory, weights, pair)
        plans.append(Plan(pair, extent, "length of each filter", route))
    return plans


def _path(request: Request, weights: Weights, trajectory: Trajectory) -> Plan:
    route = path_plane(trajectory, weights, count=request.dimensions)
    labels = tuple(f"component {k + 1} of the path" for k in range(request.dimensions))
    pair = Directions("path", route.vectors, labels, route.explained, seed=request.seed)
    spans = [route.x, route.y][: request.dimensions]
    # One scale for both directions would hide the second; each covers what the path covers.
    widths = [max(span) - min(span) for span in spans]
    least = max(widths) * 0.2
    extent = []
    for span, width in zip(spans, widths, strict=True):
        room = max(width * MARGIN, (least - width) / 2)
        extent.append((min(*span, 0.0) - room, max(*span, 0.0) + room))
    return Plan(pair, tuple(extent), "distance in weights (L2)", route)


def _between(request: Request, weights: Weights) -> Plan:
    other = weights_of(request.other)
    if request.dimensions == 1 or request.third is None:
        if request.dimensions == 2:
            raise DirectionError(
                "a plane between weights needs third=; or draw a line with dimensions=1"
            )
        way = between(weights, other)
        pair = Directions("between", (way,), ("to the other weights",), seed=request.seed)
        return Plan(pair, ((-0.25, 1.25),), "way to the other weights")
    first, second, (x, y) = plane_of_three(weights, other, weights_of(request.third))
    pair = Directions(
        "between", (first, second), ("to the other weights", "toward the third"),
        seed=request.seed,
    )
    low_x, high_x = min(0.0, x), max(1.0, x)
    room_x, room_y = MARGIN * (high_x - low_x), max(MARGIN * abs(y), 0.1)
    extent = (low_x - room_x, high_x + room_x), (min(0.0, y) - room_y, max(0.0, y) + room_y)
    return Plan(pair, extent, "way to the other weights")


def _curved(
    request: Request,
    weights: Weights,
    curved: Sequence[NDArray[np.float64]],
    trajectory: Trajectory | None,
) -> Plan:
    if len(curved) < request.dimensions:
        raise DirectionError(
            "the Hessian's eigenvectors could not be computed: draw random directions instead"
        )
    vectors = tuple(_shaped(vector, weights) for vector in curved[: request.dimensions])
    # An eigenvector has length 1; as far as the weights are long it would leave any basin.
    length = norm(weights) / np.sqrt(max(1, len(weights)))
    scaled = tuple(
        tuple((part * np.float32(length)).astype(np.float32) for part in vector)
        for vector in vectors
    )
    labels = tuple(f"eigenvector {k + 1} of the Hessian" for k in range(request.dimensions))
    pair = Directions("hessian", scaled, labels, seed=request.seed)
    route = None if trajectory is None else project(trajectory, weights, pair)
    extent = ((-request.radius, request.radius),) * request.dimensions
    return Plan(pair, extent, f"{number(length)} in weights (L2)", route)


def _shaped(vector: NDArray[np.float64], weights: Weights) -> Weights:
    """A flat vector as one array per variable."""
    parts = []
    begin = 0
    for weight in weights:
        piece = vector[begin : begin + weight.size]
        parts.append(piece.reshape(weight.shape).astype(np.float32))
        begin += weight.size
    return tuple(parts)
