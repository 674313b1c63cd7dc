"""The outputs of many small layers reduced as if they were one, for steps compiled by XLA.

XLA writes machine code for every reduction of every layer: thirty milliseconds each, two dozen for
a layer. Packed, the layers share one set of them. Without XLA the shared functions of `kernels`
are as cheap to build, and faster to run.
"""

# The numbers are documented once, in core.statistics.Reductions.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.training.instep.kernels import UNDEFINED, Names
from tb_convergence.training.instep.reductions import Exact, Tensor

MAX_UNITS: Final = 1024
"""Layers with more units, over all positions, are reduced where they lie."""

SEGMENT: Final[dict[Any, Any]] = {
    tf.reduce_sum: tf.math.unsorted_segment_sum,
    tf.reduce_max: tf.math.unsorted_segment_max,
    tf.reduce_min: tf.math.unsorted_segment_min,
}


@dataclass(frozen=True, slots=True)
class Output:
    """A layer's outputs.

    Attributes:
        values: `[B, P, C]`: examples, positions, channels. P and C static.
        saturated: what lies outside of this range is saturated; None for no such thing.
        counted: whether the activity of the channels is asked for.
    """

    values: Tensor
    saturated: tuple[float, float] | None
    counted: bool


def packable(values: Tensor) -> bool:
    """Whether outputs `[B, P, C]` are small enough."""
    units = values.shape[1:].num_elements()
    return units is not None and 0 < units <= MAX_UNITS


class PackedOutputs(Exact):
    """`Reductions` of the outputs of L layers at once: every attribute is a vector `[L]`.

    The examples of one layer after the other are the rows of a matrix `[N, W]`, filled up with
    zeros to the width of the widest. Layers may have different numbers of rows.
    """

    def __init__(self, outputs: Sequence[Output]) -> None:
        self._outputs = outputs
        self._units = np.asarray([o.values.shape[1:].num_elements() for o in outputs])
        width = int(self._units.max())
        pieces = []
        for output, units in zip(outputs, self._units, strict=True):
            rows = tf.reshape(output.values, [-1, int(units)])
            missing = width - int(units)
            pieces.append(tf.pad(rows, [[0, 0], [0, missing]]) if missing else rows)
        super().__init__(tf.concat(pieces, 0), axes=(1,))
        self._counts = tf.stack([tf.shape(piece)[0] for piece in pieces])
        places = tf.range(tf.shape(self.values)[0])
        self._owners = tf.searchsorted(tf.cumsum(self._counts), places, side="right")

    @cached_property
    def size(self) -> Tensor:
        return tf.cast(self._counts, self.dtype) * tf.constant(self._units, self.dtype)

    @cached_property
    def _mask(self) -> Tensor:
        """Which places of the matrix are a layer's own `[N, W]`."""
        units = tf.gather(tf.constant(self._units, tf.int32), self._owners)
        return tf.range(self.values.shape[1])[None, :] < units[:, None]

    @cached_property
    def _finite(self) -> Tensor:
        return tf.logical_and(tf.math.is_finite(self.values), self._mask)

    def _segments(self, reduce: Any, values: Tensor) -> Tensor:
        return SEGMENT[reduce](values, self._owners, len(self._outputs))

    def _reduce(self, reduce: Any, values: Tensor) -> Tensor:
        return self._segments(reduce, reduce(values, 1))

    def _spread(self, results: Tensor) -> Tensor:
        return tf.gather(results, self._owners)[:, None]

    @cached_property
    def batch_std(self) -> Tensor:
        """Standard deviation over the batch averaged over the units `[L]`; NaN for one example."""
        counts = self._segments(tf.reduce_sum, tf.cast(self._finite, self.dtype))
        sums = self._segments(tf.reduce_sum, self._scaled)
        means = tf.math.divide_no_nan(sums, counts)
        away = tf.where(self._finite, self._scaled - tf.gather(means, self._owners), 0.0)
        squares = self._segments(tf.reduce_sum, tf.square(away))
        deviations = tf.sqrt(tf.math.divide_no_nan(squares, counts))
        total = tf.reduce_sum(deviations, 1)
        units = tf.reduce_sum(tf.cast(counts > 0, self.dtype), 1)
        found = self._defined(tf.math.divide_no_nan(total, units) * self._scale)
        return tf.where(self._counts > 1, found, tf.constant(UNDEFINED, self.dtype))

    @cached_property
    def saturated(self) -> Tensor:
        """Fraction of entries in the flat ends `[L]`; NaN for layers without any."""
        ends = [o.saturated or (UNDEFINED, UNDEFINED) for o in self._outputs]
        low, high = (self._spread(tf.constant(end, self.dtype)) for end in zip(*ends, strict=True))
        outside = ((self.values < low) | (self.values > high)) & self._mask
        defined = np.asarray([o.saturated is not None for o in self._outputs])
        return tf.where(defined, self._count(outside) / self.size, UNDEFINED)

    def activities(self) -> list[Tensor | None]:
        """Fraction of positive outputs of each channel `[C]`, for layers that are counted."""
        counts = tf.cast(self._counts, self.dtype)[:, None]
        positive = self._segments(tf.reduce_sum, tf.cast(self.values > 0, self.dtype)) / counts
        found: list[Tensor | None] = []
        for index, output in enumerate(self._outputs):
            if not output.counted:
                found.append(None)
                continue
            shape = output.values.shape
            own = positive[index, : int(self._units[index])]
            found.append(tf.reduce_mean(tf.reshape(own, [shape[1], shape[2]]), 0))
        return found


def outputs(names: Names, found: Sequence[Output]) -> list[tuple[Tensor, Tensor | None]]:
    """As `kernels.output` of each; the activity only where it is counted."""
    packed = PackedOutputs(found)
    columns = [getattr(packed, name) for name in (*names, "batch_std", "saturated")]
    numbers = tf.unstack(tf.cast(tf.stack(columns, 1), tf.float32), len(found))
    activities = [None if a is None else tf.cast(a, tf.float32) for a in packed.activities()]
    return list(zip(numbers, activities, strict=True))
