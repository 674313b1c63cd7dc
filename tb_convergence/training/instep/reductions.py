"""TensorFlow twin of `core.reductions`: the same numbers of a tensor, inside the compiled step.

Two classes with one face (`core.statistics.Reductions`), because exactness is expensive: counting
NaN and Inf and scaling by the largest entry take several more passes over the memory.

* `Fast` is right for a tensor that `safe` vouches for: all entries finite, and of a magnitude whose
  square neither overflows nor underflows.
* `Exact` is right for any tensor. The recorder runs it, for everything, in a branch taken only
  when some tensor of the step is not safe.

Both compute a number when it is first asked for, so a statistic nobody asks for costs nothing.
Everything is accumulated in float32 (float64 for float64 tensors) and works under XLA: static
shapes, no `tf.unique`, no `tf.boolean_mask`.
"""

# The numbers are documented once, in core.statistics.Reductions.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from importlib import import_module
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core.reductions import OUTLIER

Tensor = Any
"""A `tf.Tensor`: TensorFlow ships no types that mypy could check."""

MAGNITUDES: Final = (1e-15, 1e15)
"""Largest entries whose squares, and the sums of these, are ordinary float32 numbers."""

SQUARE_SUMS: Final = (1e-25, 1e33)
"""Sums of squares that neither overflowed nor lost their leading terms to underflow."""



def as_float(values: Tensor) -> Tensor:
    """`values` as float32, or unchanged where they are float64; booleans become 0 and 1."""
    return values if values.dtype == tf.float64 else tf.cast(values, tf.float32)


def half_square_sum(values: Tensor) -> Tensor:
    """As `tf.nn.l2_loss`, for a step that XLA compiles.

    XLA fuses the squares into their sum, and then adds them one by one: on a CPU four times slower
    than squares that are written down and summed up as vectors. A barrier keeps the two apart.
    """
    squares = tf.square(values)
    with suppress(Exception):
        # Part of TensorFlow, but not of its documented interface: without it only speed is lost.
        xla = import_module("tensorflow.compiler.tf2xla.ops.gen_xla_ops")
        (squares,) = xla.xla_optimization_barrier(input=[squares])
    return 0.5 * tf.reduce_sum(squares)


def supported(values: Tensor) -> bool:
    """Whether `values` is a dense tensor of real numbers or booleans."""
    dtype = getattr(values, "dtype", None)
    return tf.is_tensor(values) and not _is_composite(values) and dtype is not None and bool(
        dtype.is_floating or dtype.is_integer or dtype.is_bool
    )


def _is_composite(values: Tensor) -> bool:
    return isinstance(values, (tf.RaggedTensor, tf.SparseTensor, tf.IndexedSlices))


def summed_slices(slices: tf.IndexedSlices) -> Tensor:
    """Values `[K, ...]` of an `IndexedSlices` with duplicate indices summed, as float.

    The sums come first, rows of zeros fill up: the shape stays static, as XLA needs it. Found by
    sorting, because `tf.unique` does not exist under XLA.
    """
    values = as_float(slices.values)
    order = tf.argsort(slices.indices, stable=True)
    indices = tf.gather(slices.indices, order)
    changes = tf.not_equal(indices[1:], indices[:-1])  # `!=` compares identities in graph mode
    new = tf.concat([tf.zeros_like(indices[:1], tf.bool), changes], 0)
    segment = tf.cumsum(tf.cast(new, tf.int32))
    return tf.math.unsorted_segment_sum(
        tf.gather(values, order), segment, tf.shape(slices.indices)[0]
    )


class Fast:
    """Reductions of a tensor whose entries are all finite and of ordinary magnitude.

    `axes` are reduced (all, where None), the others kept: `[N, F]` over axis 0 gives `[F]`.
    `size` replaces the number of entries where `values` leaves out zeros (summed slices).
    """

    def __init__(
        self, values: Tensor, axes: Sequence[int] | None = None, size: float | None = None
    ) -> None:
        values = as_float(values)
        self.all = axes is None
        self.values = tf.reshape(values, [-1]) if axes is None else values
        self.axes = [0] if axes is None else list(axes)
        self._size = size
        self.dtype = self.values.dtype

    @cached_property
    def size(self) -> Tensor:
        """Number of entries behind one result."""
        if self._size is not None:
            return tf.constant(self._size, self.dtype)
        extents = [self.values.shape.as_list()[axis] for axis in self.axes]
        if None not in extents:
            product = 1
            for extent in extents:
                product *= extent
            return tf.constant(product, self.dtype)
        shape = tf.shape(self.values)
        return tf.cast(tf.reduce_prod(tf.gather(shape, self.axes)), self.dtype)

    @cached_property
    def square_sum(self) -> Tensor:
        """Sum of squares; of all entries without a temporary tensor."""
        return self._square_sum(self.values)

    def _square_sum(self, values: Tensor) -> Tensor:
        if self.all:
            return 2.0 * tf.nn.l2_loss(values)
        return self._sum(tf.square(values))

    def _reduce(self, reduce: Any, values: Tensor) -> Tensor:
        """`reduce` (a function such as `tf.reduce_sum`) of `values` over the axes."""
        return reduce(values, self.axes)

    def _sum(self, values: Tensor) -> Tensor:
        return self._reduce(tf.reduce_sum, values)

    def _mean(self, values: Tensor) -> Tensor:
        return tf.math.divide_no_nan(self._sum(values), self.size)

    @cached_property
    def absolute(self) -> Tensor:
        """Absolute values, shared by several reductions."""
        return tf.abs(self.values)

    @cached_property
    def norm(self) -> Tensor:
        return tf.sqrt(self.square_sum)

    @cached_property
    def max_abs(self) -> Tensor:
        if "minimum" in self.__dict__:
            return tf.maximum(-self.minimum, self.maximum)
        return self._extreme(tf.reduce_max, self.absolute)

    @cached_property
    def mean_abs(self) -> Tensor:
        return self._mean(self.absolute)

    @cached_property
    def mean(self) -> Tensor:
        return self._mean(self.values)

    @cached_property
    def std(self) -> Tensor:
        # Two passes: the difference of two means would cancel where the mean is large.
        squares = self._square_sum(self.values - self._spread(self.mean))
        squares += self._left_out * tf.square(self.mean)
        return tf.sqrt(tf.math.divide_no_nan(squares, self.size))

    @cached_property
    def kurtosis(self) -> Tensor:
        # Of entries over their root mean square, which is ordinary: none of them is larger than
        # the root of their number.
        mean = tf.math.divide_no_nan(self.square_sum, self.size)
        inverse = tf.math.rsqrt(tf.where(mean > 0, mean, tf.ones_like(mean)))
        fourth = self._square_sum(tf.square(self.values * self._spread(inverse)))
        return self._nonzero(mean, tf.math.divide_no_nan(fourth, self.size))

    def _nonzero(self, squares: Tensor, found: Tensor) -> Tensor:
        """`found`; NaN where `squares` is not positive."""
        return tf.where(squares > 0, found, tf.constant(float("nan"), self.dtype))

    @cached_property
    def minimum(self) -> Tensor:
        return self._extreme(tf.reduce_min, self.values)

    @cached_property
    def maximum(self) -> Tensor:
        return self._extreme(tf.reduce_max, self.values)

    def _spread(self, results: Tensor) -> Tensor:
        """One value per result, shaped to go with `values`."""
        for axis in sorted(self.axes):
            results = tf.expand_dims(results, axis)
        return results

    @property
    def _left_out(self) -> Tensor | float:
        """Number of zeros that `values` leaves out."""
        if self._size is None:
            return 0.0
        return self.size - tf.cast(tf.size(self.values), self.dtype)

    def _extreme(self, reduce: Any, values: Tensor) -> Tensor:
        """`reduce` over the axes; 0 over no entries."""
        found = self._reduce(reduce, values)
        extents = [self.values.shape.as_list()[axis] for axis in self.axes]
        if all(extents):
            return found
        return tf.where(self.size > 0, found, tf.zeros_like(found))

    @cached_property
    def zero_fraction(self) -> Tensor:
        if self._static_empty:
            return self._zero
        occupied = tf.math.divide_no_nan(self._sum(tf.sign(self.absolute)), self.size)
        return tf.where(self.size > 0, tf.clip_by_value(1.0 - occupied, 0.0, 1.0), self._zero)

    @property
    def _static_empty(self) -> bool:
        return any(self.values.shape.as_list()[axis] == 0 for axis in self.axes)

    @cached_property
    def _zero(self) -> Tensor:
        if self.all:
            return tf.zeros([], self.dtype)
        kept = [axis for axis in range(self.values.shape.rank) if axis not in self.axes]
        return tf.zeros(tf.gather(tf.shape(self.values), kept), self.dtype)

    @cached_property
    def outlier_fraction(self) -> Tensor:
        limit = OUTLIER * self.std
        far = tf.abs(self.values - self._spread(self.mean)) > self._spread(limit)
        left_out = self._left_out * tf.cast(tf.abs(self.mean) > limit, self.dtype)
        count = self._sum(tf.cast(far, self.dtype)) + left_out
        return tf.math.divide_no_nan(count, self.size)

    @property
    def nan_fraction(self) -> Tensor:
        return self._zero

    @property
    def inf_fraction(self) -> Tensor:
        return self._zero

    @cached_property
    def safe(self) -> Tensor:
        """bool `[]`: whether every number of this class is right for this tensor.

        Over all entries a tensor of zeros is not vouched for: to tell it from underflow takes a
        pass of its own, which tensors of ordinary numbers should not pay for.
        """
        if self.all:
            low, high = SQUARE_SUMS
            return tf.logical_and(self.square_sum > low, self.square_sum < high)
        low, high = MAGNITUDES
        extent = self.max_abs
        ordinary = (extent > low) & (extent < high) | tf.equal(extent, 0.0)
        # A NaN need not survive a maximum; it always survives a sum.
        return tf.reduce_all(tf.math.is_finite(self._sum(self.values)) & ordinary)


class Exact(Fast):
    """Reductions of any tensor: over its finite entries, scaled so that squares stay ordinary."""

    @cached_property
    def _finite(self) -> Tensor:
        return tf.math.is_finite(self.values)

    def _count(self, mask: Tensor) -> Tensor:
        return self._sum(tf.cast(mask, self.dtype))

    @cached_property
    def _finite_count(self) -> Tensor:
        return self._count(self._finite) + self._left_out

    @cached_property
    def _clean(self) -> Tensor:
        return tf.where(self._finite, self.values, tf.constant(0.0, self.dtype))

    @cached_property
    def absolute(self) -> Tensor:
        return tf.abs(self._clean)

    @cached_property
    def _largest(self) -> Tensor:
        return self._extreme(tf.reduce_max, self.absolute)

    @cached_property
    def _scale(self) -> Tensor:
        return tf.where(self._largest > 0, self._largest, tf.ones_like(self._largest))

    @cached_property
    def _scaled(self) -> Tensor:
        return self._clean / self._spread(self._scale)

    @cached_property
    def _none(self) -> Tensor:
        """What stands for a result over no finite entry."""
        return tf.where(self.size > 0, tf.constant(float("nan"), self.dtype), 0.0)

    @cached_property
    def _some(self) -> Tensor:
        return self._finite_count > 0

    def _defined(self, value: Tensor) -> Tensor:
        """`value`; NaN where entries exist but none is finite; 0 where none exists."""
        return tf.where(self._some, value, self._none)

    def _finite_mean(self, values: Tensor) -> Tensor:
        return self._defined(tf.math.divide_no_nan(self._sum(values), self._finite_count))

    @cached_property
    def norm(self) -> Tensor:
        return self._defined(tf.sqrt(self._square_sum(self._scaled)) * self._scale)

    @cached_property
    def max_abs(self) -> Tensor:
        return self._defined(self._largest)

    @cached_property
    def mean_abs(self) -> Tensor:
        return self._finite_mean(tf.abs(self._scaled)) * self._scale

    @cached_property
    def mean(self) -> Tensor:
        return self._finite_mean(self._scaled) * self._scale

    @cached_property
    def std(self) -> Tensor:
        mean_scaled = tf.math.divide_no_nan(self._sum(self._scaled), self._finite_count)
        away = self._scaled - self._spread(mean_scaled)
        deviations = tf.where(self._finite, away, tf.constant(0.0, self.dtype))
        squares = self._square_sum(deviations) + self._left_out * tf.square(mean_scaled)
        variance = tf.math.divide_no_nan(squares, self._finite_count)
        return self._defined(tf.sqrt(variance) * self._scale)

    @cached_property
    def kurtosis(self) -> Tensor:
        # The largest entry is scaled to 1, so neither sum is less than 1 where any is not 0.
        second = self._square_sum(self._scaled)
        fourth = self._square_sum(tf.square(self._scaled))
        found = self._finite_count * tf.math.divide_no_nan(fourth, tf.square(second))
        return self._nonzero(second, found)

    @cached_property
    def minimum(self) -> Tensor:
        high = tf.constant(float("inf"), self.dtype)
        found = self._reduce(tf.reduce_min, tf.where(self._finite, self.values, high))
        return self._defined(found)

    @cached_property
    def maximum(self) -> Tensor:
        low = tf.constant(float("-inf"), self.dtype)
        found = self._reduce(tf.reduce_max, tf.where(self._finite, self.values, low))
        return self._defined(found)

    def _fraction(self, count: Tensor) -> Tensor:
        return tf.clip_by_value(tf.math.divide_no_nan(count, self.size), 0.0, 1.0)

    @cached_property
    def zero_fraction(self) -> Tensor:
        nonzero = self._count(tf.not_equal(self.values, 0.0))  # NaN and Inf are not zero
        return self._fraction(self.size - nonzero)

    @cached_property
    def nan_fraction(self) -> Tensor:
        return self._fraction(self._count(tf.math.is_nan(self.values)))

    @cached_property
    def inf_fraction(self) -> Tensor:
        return self._fraction(self._count(tf.math.is_inf(self.values)))

    @cached_property
    def outlier_fraction(self) -> Tensor:
        mean, limit = self.mean / self._scale, OUTLIER * self.std / self._scale
        far = tf.abs(self._scaled - self._spread(mean)) > self._spread(limit)
        left_out = self._left_out * tf.cast(tf.abs(mean) > limit, self.dtype)
        return self._fraction(self._count(tf.logical_and(far, self._finite)) + left_out)
