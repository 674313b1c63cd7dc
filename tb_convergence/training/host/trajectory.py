"""A bounded sample of the weights a training passed through, to draw its path later.

Two things are kept of each sampled step:

* a *sketch*, 4,096 numbers from which inner products of any two samples can be estimated
  (count sketch: each weight is added, with a random sign, to one of 4,096 buckets);
* for as many steps as fit, the *weights themselves*, which are needed to span a plane.

Both together stay below a budget of 50 MB however long the training and however large the model:
when it is full, every second sample goes and the distance between samples doubles. Small models
keep the weights of every sample, and everything is exact.

Reference: Charikar, Chen, Farach-Colton 2002 (count sketch): inner products are unbiased, with a
standard error of about 1 / sqrt(4096) = 1.6% of the product of the norms.
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

Weights = tuple[NDArray[Any], ...]

BUDGET_BYTES: Final = 50 * 10**6
SKETCH: Final = 4096
MOST_SAMPLES: Final = 256
"""Sampled steps at most; the path is drawn with at most so many points."""
LEAST_WEIGHTS: Final = 2
"""Samples with weights that span a plane, the end being a third."""
_CHUNK: Final = 1 << 20

FILE: Final = "trajectory.npz"
"""Name of the file in the run's folder."""


class TrajectoryError(ValueError):
    """The file does not contain a trajectory."""


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
        sketches: of each sampled step.
        weights: of the steps of `kept`.
    """

    budget_bytes: int = BUDGET_BYTES
    every: int = 1
    steps: list[int] = field(default_factory=list)
    shapes: tuple[tuple[int, ...], ...] = ()
    sketches: list[NDArray[np.float32]] = field(default_factory=list)
    weights: dict[int, Weights] = field(default_factory=dict)
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
        self.sketches.append(sketch)
        self._keep(step, weights)
        if len(self.steps) > MOST_SAMPLES:
            self._thin()

    def weights_at(self, step: int) -> Weights:
        """The weights at a step of `kept`."""
        return self.weights[step]

    def sketch_at(self, step: int) -> NDArray[np.float32]:
        """The sketch at a sampled step."""
        return self.sketches[self.steps.index(step)]

    @property
    def bytes(self) -> int:
        """Memory of everything kept."""
        held = sum(part.nbytes for weights in self.weights.values() for part in weights)
        return held + sum(sketch.nbytes for sketch in self.sketches)

    @property
    def kept(self) -> list[int]:
        """Steps whose weights are kept."""
        return sorted(self.weights)

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
        while len(self.weights) >= room:
            if room < 3 and self.weights:
                # The first, and one from the last two thirds of what has been.
                held = self.kept[1:]
                if room == 1 or (held and 3 * held[0] > step):
                    return
                for one in held:
                    del self.weights[one]
                break
            for one in self.kept[1::2]:
                del self.weights[one]
        dtype = np.float16 if self._half else np.float32
        self.weights[step] = tuple(np.array(part, dtype) for part in weights)

    def _thin(self) -> None:
        gone = set(self.steps[1::2])
        kept = [index for index, step in enumerate(self.steps) if step not in gone]
        self.steps = [self.steps[index] for index in kept]
        self.sketches = [self.sketches[index] for index in kept]
        # With room for few, each set of weights is worth more than an even spacing.
        for step in gone & self.weights.keys():
            del self.weights[step]
        self.every = max(2 * self.every, self.steps[-1] - self.steps[-2])

    def _forget_from(self, step: int) -> None:
        kept = [index for index, one in enumerate(self.steps) if one < step]
        self.steps = [self.steps[index] for index in kept]
        self.sketches = [self.sketches[index] for index in kept]
        self.weights = {one: w for one, w in self.weights.items() if one < step}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file at once, or not at all."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {
            "version": np.int64(1),
            "steps": np.asarray(self.steps, np.int64),
            "sketches": np.stack(self.sketches) if self.steps else np.zeros((0, SKETCH), "f4"),
            "kept": np.asarray(self.kept, np.int64),
            "count": np.int64(len(self.shapes)),
        }
        for step in self.kept:
            for place, part in enumerate(self.weights[step]):
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
            TrajectoryError: the file cannot be read, or is none of `save`'s.
        """
        try:
            # Opened here: NumPy leaves a file open that turns out to be no archive.
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as data:
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
            raise TrajectoryError(f"{os.fspath(path)!r} is not a trajectory file: "
                                  f"{error}") from error
        if len(steps) != len(sketches) or any(s.shape != (SKETCH,) for s in sketches):
            raise TrajectoryError(
                f"{os.fspath(path)!r} is not a trajectory file: its parts are inconsistent"
            )
        first = next(iter(weights.values()), ())
        found = cls(steps=steps, shapes=tuple(tuple(part.shape) for part in first))
        found.sketches, found.weights = sketches, weights
        return found
