"""A bounded sample of the weights a training passed through, to draw its path later.

Two things are kept of each sampled step:

* a *sketch*, 4,096 numbers from which inner products of any two samples can be estimated
  (count sketch: each weight is added, with a random sign, to one of 4,096 buckets);
* for as many steps as fit, the *weights themselves*, which are needed to span a plane.

Both together stay below a budget of 50 MB however long the training and however large the model:
when it is full, every second sample goes and the distance between samples doubles. Small models
keep the weights of every sample, and everything is exact.

Reference: Charikar, Chen, Farach-Colton 2002 (count sketch): inner products are unbiased, with a
standard error of about 1 / sqrt(4096) = 1.6 % of the product of the norms.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

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

BUDGET_BYTES: Final = 50 * 10**6
SKETCH: Final = 4096
MOST_SAMPLES: Final = 256
"""Sampled steps at most; the path is drawn with at most so many points."""
LEAST_WEIGHTS: Final = 2
"""Samples with weights that span a plane, the end being a third."""
_CHUNK: Final = 1 << 20

FILE: Final = "trajectory.npz"
"""Name of the file in the run's folder."""


class PathError(ValueError):
    """A path that cannot be read or drawn; the message says what to do."""


def sketch_of(weights: Sequence[NDArray[np.floating]], size: int = SKETCH) -> NDArray[np.float32]:
    """The count sketch `[size]` of all weights in order. Linear; the same for the same shapes."""
    total = np.zeros(size, np.float64)
    begin = 0
    for part in weights:
        flat = np.asarray(part).ravel()
        for start in range(0, flat.size, _CHUNK):
            piece = flat[start : start + _CHUNK]
            mixed = _mix(np.arange(begin + start, begin + start + piece.size, dtype=np.uint64))
            sign = np.where(mixed >> np.uint64(63), 1.0, -1.0)
            bucket = (mixed % np.uint64(size)).astype(np.intp)
            total += np.bincount(bucket, weights=sign * piece, minlength=size)
        begin += flat.size
    return total.astype(np.float32)


def _mix(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """splitmix64: scatters consecutive numbers over all 64 bits."""
    with np.errstate(over="ignore"):
        mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


@dataclass
class Trajectory:
    """Samples a training's weights within a budget of memory. One line records a step.

    >>> trajectory = Trajectory()
    >>> for step in range(4):
    ...     trajectory.observe(step, [np.full(3, 1.0 - step / 4, np.float32)])
    >>> trajectory.steps
    [0, 1, 2, 3]

    Attributes:
        budget_bytes: memory of everything kept.
        every: a step is sampled when so many passed since the last sample; doubles as needed.
        steps: the sampled steps.
        shapes: of the trainable variables; empty before the first sample.
    """

    budget_bytes: int = BUDGET_BYTES
    every: int = 1
    steps: list[int] = field(default_factory=list)
    shapes: tuple[tuple[int, ...], ...] = ()
    _sketches: list[NDArray[np.float32]] = field(default_factory=list)
    _weights: dict[int, Weights] = field(default_factory=dict)
    _half: bool = False

    def is_due(self, step: int) -> bool:
        """Whether `observe` would sample this step; cheap, so weights need not be read for it."""
        return not self.steps or step - self.steps[-1] >= self.every

    def observe(self, step: int, weights: Sequence[NDArray[np.floating]]) -> None:
        """Sample the weights at `step`, if it is due. A step before the last one begins anew."""
        if self.steps and step <= self.steps[-1]:
            self._forget_from(step)
        if not self.is_due(step):
            return
        shapes = tuple(tuple(np.shape(part)) for part in weights)
        if self.shapes and shapes != self.shapes:
            self._forget_from(-1)  # another architecture: nothing of the old path can be drawn
        self.shapes = shapes
        sketch = sketch_of(weights)
        if not np.isfinite(sketch).all():
            return  # such weights lie nowhere; the path ends before them
        self.steps.append(step)
        self._sketches.append(sketch)
        self._keep(step, weights)
        if len(self.steps) > MOST_SAMPLES:
            self._thin()

    @property
    def bytes(self) -> int:
        """Memory of everything kept."""
        held = sum(part.nbytes for weights in self._weights.values() for part in weights)
        return held + sum(sketch.nbytes for sketch in self._sketches)

    @property
    def kept(self) -> list[int]:
        """Steps whose weights are kept."""
        return sorted(self._weights)

    @property
    def room(self) -> int:
        """How many samples' weights fit beside all sketches."""
        left = self.budget_bytes - MOST_SAMPLES * SKETCH * 4
        return max(0, left // max(1, self._bytes_each()))

    def _bytes_each(self) -> int:
        entries = sum(int(np.prod(shape)) for shape in self.shapes)
        # Where not even a plane's worth of float32 weights fits, half precision must do: a
        # relative error of 5e-4 in where the plane lies, not in the loss drawn on it.
        fits = LEAST_WEIGHTS * entries * 4 <= self.budget_bytes - MOST_SAMPLES * SKETCH * 4
        self._half = not fits
        return entries * (4 if fits else 2)

    def _keep(self, step: int, weights: Sequence[NDArray[np.floating]]) -> None:
        room = self.room
        if room == 0:
            return
        while len(self._weights) >= room:
            if room < 3 and self._weights:
                # The first, and one from the last two thirds of what has been.
                held = self.kept[1:]
                if room == 1 or (held and 3 * held[0] > step):
                    return
                for one in held:
                    del self._weights[one]
                break
            for one in self.kept[1::2]:
                del self._weights[one]
        dtype = np.float16 if self._half else np.float32
        self._weights[step] = tuple(np.array(part, dtype) for part in weights)

    def _thin(self) -> None:
        gone = set(self.steps[1::2])
        kept = [index for index, step in enumerate(self.steps) if step not in gone]
        self.steps = [self.steps[index] for index in kept]
        self._sketches = [self._sketches[index] for index in kept]
        # With room for few, each set of weights is worth more than an even spacing.
        for step in gone & self._weights.keys():
            del self._weights[step]
        self.every = max(2 * self.every, self.steps[-1] - self.steps[-2])

    def _forget_from(self, step: int) -> None:
        kept = [index for index, one in enumerate(self.steps) if one < step]
        self.steps = [self.steps[index] for index in kept]
        self._sketches = [self._sketches[index] for index in kept]
        self._weights = {one: w for one, w in self._weights.items() if one < step}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file at once, or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {
            "version": np.int64(1),
            "steps": np.asarray(self.steps, np.int64),
            "sketches": np.stack(self._sketches) if self.steps else np.zeros((0, SKETCH), "f4"),
            "kept": np.asarray(self.kept, np.int64),
            "count": np.int64(len(self.shapes)),
        }
        for step in self.kept:
            for place, part in enumerate(self._weights[step]):
                arrays[f"w{step}_{place}"] = part
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".trajectory-", suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, **arrays)
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """The inverse of `save`.

        Raises:
            PathError: the file cannot be read, or is none of `save`'s.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                count = int(data["count"])
                steps = [int(step) for step in data["steps"]]
                sketches = [np.asarray(row, np.float32) for row in data["sketches"]]
                weights = {
                    int(step): tuple(
                        np.asarray(data[f"w{int(step)}_{place}"]) for place in range(count)
                    )
                    for step in data["kept"]
                }
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PathError(f"{os.fspath(path)!r} is no trajectory file: {error}") from error
        if len(steps) != len(sketches) or any(s.shape != (SKETCH,) for s in sketches):
            raise PathError(f"{os.fspath(path)!r} is no trajectory file: its parts do not agree")
        first = next(iter(weights.values()), ())
        found = cls(steps=steps, shapes=tuple(tuple(part.shape) for part in first))
        found._sketches, found._weights = sketches, weights
        return found


@dataclass(frozen=True, slots=True)
class PathPlane:
    """The plane of a path's two principal components, and the path in it.

    Attributes:
        vectors: two directions of unit length.
        explained: fraction of the path's variance along each.
        steps, x, y: the path's points; the last is the end, at (0, 0).
        exact: False where coordinates are estimated from sketches.
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
            f"the path has {len(kept)} sets of weights beside the end; drawing {count} directions "
            f"takes {count}. Record longer, or allow more memory with budget_bytes"
        )
    ways = [_difference(trajectory._weights[step], end) for step in kept]
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
        exact, {step: trajectory._weights[step] for step in kept},
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
    others = [step for step in trajectory.steps if step not in exact and step in trajectory.steps]
    if others:
        origin = sketch_of(end).astype(np.float64)
        sketches = dict(zip(trajectory.steps, trajectory._sketches, strict=True))
        spanned = found.coefficients @ np.stack([sketches[s] - origin for s in kept])
        for step in others:
            exact[step] = spanned @ (sketches[step] - origin)
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
    sketches = dict(zip(trajectory.steps, trajectory._sketches, strict=True))
    rows = []
    for step in trajectory.steps:
        if step in trajectory._weights:
            way = _difference(trajectory._weights[step], end)
            products = np.array([inner(vector, way) for vector in vectors])
        else:
            products = spanned @ (sketches[step] - origin)
        rows.append(np.linalg.solve(gram, products))
    places = np.array(rows).reshape(len(rows), len(vectors))
    second = places[:, 1] if len(vectors) > 1 else np.zeros(len(places))
    last = trajectory.steps[-1] + 1 if trajectory.steps else 0
    return PathPlane(
        vectors, (), (*trajectory.steps, last), (*map(float, places[:, 0]), 0.0),
        (*map(float, second), 0.0), set(trajectory.steps) == trajectory._weights.keys(),
        dict(trajectory._weights),
    )
