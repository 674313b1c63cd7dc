"""Directions in weight space along which the loss is drawn.

A direction is one array per trainable variable, in the model's order. Directions move with the
weights, so the picture has units: along a filter-normalized direction, 1 means "as far as the
filter is long".

Everything here is NumPy. `variables.py` says which axes of a variable make one filter.

References:
    Li et al. 2018, Visualizing the Loss Landscape of Neural Nets, arXiv:1712.09913 (filter
    normalization; biases and batch normalization stay where they are; PCA of the path).
    Goodfellow et al. 2015, arXiv:1412.6544 (the line between two sets of weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = tuple[Array, ...]

TINY: Final = 1e-10
"""Guards the division by a random filter's norm, as in the authors' code."""


class DirectionError(ValueError):
    """The arguments do not define a direction."""


@dataclass(frozen=True, slots=True)
class Directions:
    """The line or plane on which the loss is evaluated.

    Attributes:
        kind: "random", "path", "between" or "hessian".
        vectors: one direction (a line) or two (a plane), each one array per trainable variable.
        labels: the name of each direction.
        explained: fraction of the path's variance along each direction; empty unless "path".
        center: coordinates of the model's own weights; 0 along each direction but for "between",
            where the model is the start of the line.
        seed: which of several pairs this is.
    """

    kind: str
    vectors: tuple[Weights, ...]
    labels: tuple[str, ...]
    explained: tuple[float, ...] = ()
    center: tuple[float, ...] = (0.0, 0.0)
    seed: int = 0


def filter_norms(weight: NDArray[np.floating], axes: Sequence[int]) -> NDArray[np.float64]:
    """L2 norm of each filter: `axes` number the filters, the norm runs over all other axes.

    Returns an array that broadcasts against `weight`.

    >>> filter_norms(np.array([[3.0, 0.0], [4.0, 2.0]]), (1,))
    array([[5., 2.]])
    """
    kept = {axis % weight.ndim for axis in axes}
    over = tuple(axis for axis in range(weight.ndim) if axis not in kept)
    squares = np.square(weight, dtype=np.float64)
    return np.asarray(np.sqrt(squares.sum(axis=over, keepdims=True)))


def random_direction(
    weights: Sequence[NDArray[np.floating]],
    filters: Sequence[tuple[int, ...] | None],
    generator: np.random.Generator,
) -> Weights:
    """One Gaussian direction whose every filter is as long as the filter it moves.

    Args:
        weights: one array per trainable variable.
        filters: for each variable the axes that number its filters, or None for a variable that
            stays where it is (a bias, batch normalization).
        generator: the source of randomness. Every variable takes part in the draw, so the
            direction of one does not depend on which others move.

    A filter of zeros does not move. The direction of a non-finite filter is non-finite.
    """
    out = []
    for weight, axes in zip(weights, filters, strict=True):
        draw = generator.standard_normal(weight.shape)
        if axes is None:
            out.append(np.zeros(weight.shape, np.float32))
            continue
        draw *= filter_norms(weight, axes) / (filter_norms(draw, axes) + TINY)
        out.append(draw.astype(np.float32))
    return tuple(out)


def random_pair(
    weights: Sequence[NDArray[np.floating]],
    filters: Sequence[tuple[int, ...] | None],
    seed: int,
    dimensions: int = 2,
) -> Directions:
    """The filter-normalized random line or plane of `seed`."""
    generator = np.random.default_rng(seed)
    vectors = tuple(random_direction(weights, filters, generator) for _ in range(dimensions))
    labels = tuple(f"random direction {number + 1}" for number in range(dimensions))
    return Directions("random", vectors, labels, seed=seed)


def between(start: Sequence[Array], other: Sequence[Array]) -> Weights:
    """The whole way from `start` to `other`: coordinate 0 is `start`, 1 is `other`.

    Raises:
        DirectionError: the two sets of weights differ in number or shape, or are equal.
    """
    _same_shapes(start, other)
    way = tuple(
        np.subtract(b, a, dtype=np.float64).astype(np.float32)
        for a, b in zip(start, other, strict=True)
    )
    if norm(way) == 0:
        raise DirectionError("the two sets of weights are equal: there is no line between them")
    return way


def plane_of_three(start: Sequence[Array], other: Sequence[Array], third: Sequence[Array]) -> (
    tuple[Weights, Weights, tuple[float, float]]
):
    """The plane through three sets of weights.

    Returns the way from `start` to `other`, a direction at right angles to it and as long, and the
    coordinates of `third`.

    Raises:
        DirectionError: the three lie on one line.
    """
    first = between(start, other)
    way = between(start, third)
    length = norm(first)
    along = inner(way, first) / length**2
    rest = tuple(w - np.float32(along) * f for w, f in zip(way, first, strict=True))
    height = norm(rest)
    if height <= 1e-6 * norm(way):
        raise DirectionError("the three sets of weights lie on one line: give only two of them")
    second = tuple((part * np.float32(length / height)).astype(np.float32) for part in rest)
    return first, second, (along, height / length)


@dataclass(frozen=True, slots=True)
class Components:
    """Principal components of a path.

    Attributes:
        coefficients: `[K, T]`; row k combines the T differences from the end into direction k,
            of unit length.
        explained: `[K]` fraction of the path's variance along each direction.
        coordinates: `[T, K]` of the path's points, the end being the origin.
    """

    coefficients: NDArray[np.float64]
    explained: NDArray[np.float64]
    coordinates: NDArray[np.float64]


def principal_components(gram: NDArray[np.float64], count: int = 2) -> Components:
    """PCA about the end of a path, from inner products alone.

    Args:
        gram: `[T, T]` inner products of the differences `w_t - w_end`; as in the paper, the
            differences are not centered, so the end is the origin of the picture.
        count: K, how many components.

    Raises:
        DirectionError: the path spans fewer than K dimensions.
    """
    values, vectors = np.linalg.eigh((gram + gram.T) / 2)
    order = np.argsort(values)[::-1][:count]
    total = float(np.trace(gram))
    if len(order) < count or not total > 0 or values[order[-1]] <= 1e-10 * total:
        raise DirectionError(
            f"the path spans fewer than {count} directions: it needs more points that differ"
        )
    roots = np.sqrt(values[order])
    picked = vectors[:, order]
    # The sign of a component is arbitrary: the start of the path lies at positive coordinates.
    picked = picked * np.where(picked[0] < 0, -1.0, 1.0)
    return Components(
        coefficients=(picked / roots).T,
        explained=values[order] / total,
        coordinates=picked * roots,
    )


def combine(coefficients: NDArray[np.float64], points: Sequence[Weights]) -> Weights:
    """The direction `sum_t coefficients[t] * points[t]`; one point is in memory at a time."""
    out = [np.zeros(part.shape, np.float64) for part in points[0]]
    for factor, point in zip(coefficients, points, strict=True):
        for place, part in enumerate(point):
            out[place] += factor * part
    return tuple(part.astype(np.float32) for part in out)


def unit(direction: Sequence[NDArray[np.floating]]) -> Weights:
    """The direction with length 1.

    Raises:
        DirectionError: it has length zero, or is not finite.
    """
    length = norm(direction)
    if not np.isfinite(length) or length == 0:
        raise DirectionError(f"a direction has length {length}; expected a positive, finite length")
    return tuple((part / length).astype(np.float32) for part in direction)


def inner(first: Sequence[NDArray[np.floating]], second: Sequence[NDArray[np.floating]]) -> float:
    """Inner product over all variables, in float64."""
    return float(
        sum(
            np.dot(a.ravel().astype(np.float64), b.ravel().astype(np.float64))
            for a, b in zip(first, second, strict=True)
        )
    )


def norm(direction: Sequence[NDArray[np.floating]]) -> float:
    """L2 norm over all variables."""
    return float(np.sqrt(inner(direction, direction)))


def _same_shapes(first: Sequence[Array], second: Sequence[Array]) -> None:
    shapes = [tuple(part.shape) for part in first], [tuple(part.shape) for part in second]
    if shapes[0] == shapes[1]:
        return
    if len(shapes[0]) != len(shapes[1]):
        raise DirectionError(
            f"the sets of weights have {len(shapes[0])} and {len(shapes[1])} variables; "
            "they must come from the same architecture"
        )
    place = next(i for i, (a, b) in enumerate(zip(*shapes, strict=True)) if a != b)
    raise DirectionError(
        f"variable {place} has shape {shapes[0][place]} in one set of weights and "
        f"{shapes[1][place]} in the other; they must come from the same architecture"
    )
