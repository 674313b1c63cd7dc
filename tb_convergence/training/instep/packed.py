"""Many small tensors reduced as if they were one: rows of a matrix, filled up with zeros.

Most variables of a model are small, and what a small tensor costs is the operations that are
written for it, once when the train step is traced and again at every record. Packed, two hundred of
them take the operations of one.
"""

# The ten numbers are documented once, in core.statistics.Reductions.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.training.instep import kernels
from tb_convergence.training.instep.gradients import Gradient
from tb_convergence.training.instep.reductions import Exact, Tensor, as_float

WIDTH: Final = 128
"""Entries of a row: as many are wasted, at most, for each tensor."""

MAX_ENTRIES: Final = 16_384
"""Larger tensors are reduced where they lie: copying them would cost more than it saves."""

MAX_PACKED: Final = 2**22
"""Entries that are packed together, at most: 16 MB."""


class Packed(Exact):
    """`Reductions` of T tensors at once: every attribute is a vector `[T]`.

    Args:
        tensors: of one dtype, float32 or float64, and of static shapes.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        sizes = [_entries(tensor) or 0 for tensor in tensors]
        heights = np.asarray([max(1, -(-size // WIDTH)) for size in sizes])
        super().__init__(_matrix(tensors, sizes, heights), axes=(1,))
        self._sizes = np.asarray(sizes)
        count, tallest = int(heights.sum()), int(heights.max())
        starts = np.cumsum(heights) - heights
        # Which tensor a row is of; and the other way round, with a place behind the last row for
        # tensors that have fewer rows than others.
        self._owners = np.repeat(np.arange(len(sizes)), heights)
        steps = np.arange(tallest)
        self._rows = np.where(steps < heights[:, None], starts[:, None] + steps, count)
        within = np.arange(count) - starts[self._owners]
        self._filled = np.minimum(self._sizes[self._owners] - within * WIDTH, WIDTH)

    @cached_property
    def size(self) -> Tensor:
        return tf.constant(self._sizes, self.dtype)

    @cached_property
    def _mask(self) -> Tensor:
        """False where the matrix is filled up."""
        return tf.range(WIDTH)[None, :] < tf.constant(self._filled[:, None], tf.int32)

    @cached_property
    def _finite(self) -> Tensor:
        return tf.logical_and(tf.math.is_finite(self.values), self._mask)

    def _reduce(self, reduce: Any, values: Tensor) -> Tensor:
        rows = reduce(values, 1)
        if len(self._owners) == len(self._sizes):
            return rows
        # A row behind the last that changes nothing: the reduction of no entries.
        rows = tf.concat([rows, reduce(tf.zeros([1, 0], self.dtype), 1)], 0)
        return reduce(tf.gather(rows, tf.constant(self._rows, tf.int32)), 1)

    def _spread(self, results: Tensor) -> Tensor:
        return tf.gather(results, tf.constant(self._owners, tf.int32))[:, None]


def _matrix(tensors: Sequence[Tensor], sizes: Sequence[int], heights: Any) -> Tensor:
    """`[R, WIDTH]`: the entries of one tensor after the other, each from a row of its own on."""
    dtype = tensors[0].dtype
    flat = tf.constant([-1], tf.int32)
    pieces = []
    zeros: dict[int, Tensor] = {}
    for tensor, size, height in zip(tensors, sizes, heights, strict=True):
        pieces.append(tensor if tensor.shape.rank == 1 else tf.reshape(tensor, flat))
        missing = int(height) * WIDTH - size
        if missing:
            if missing not in zeros:
                zeros[missing] = tf.zeros([missing], dtype)
            pieces.append(zeros[missing])
    return tf.reshape(tf.concat(pieces, 0), [int(heights.sum()), WIDTH])


def _entries(tensor: Tensor) -> int | None:
    count = tensor.shape.num_elements()
    return None if count is None else int(count)


def reduced(
    names: kernels.Names, tensors: Sequence[Tensor | Gradient | None], exact: bool
) -> Tensor:
    """Reductions `names` of T tensors, float32 `[K, T]`; NaN for None."""
    alone: list[tuple[int, Tensor]] = []
    together: dict[str, list[tuple[int, Tensor]]] = {}
    left = MAX_PACKED
    for place, item in enumerate(tensors):
        if item is None:
            alone.append((place, tf.fill([len(names)], tf.constant(float("nan"), tf.float32))))
            continue
        values, size = (item.values, item.size) if isinstance(item, Gradient) else (item, None)
        values = as_float(values)
        count = _entries(values)
        if size is None and count is not None and count <= min(MAX_ENTRIES, left):
            left -= count
            together.setdefault(values.dtype.name, []).append((place, values))
        else:
            alone.append((place, kernels.entries(names, values, size, exact)))
    pieces = [tf.stack([column for _, column in alone], axis=1)] if alone else []
    order = [place for place, _ in alone]
    for found in together.values():
        packed = Packed([values for _, values in found])
        pieces.append(tf.stack([tf.cast(getattr(packed, name), tf.float32) for name in names]))
        order += [place for place, _ in found]
    joined = pieces[0] if len(pieces) == 1 else tf.concat(pieces, axis=1)
    if order == sorted(order):
        return joined
    return tf.gather(joined, np.argsort(order).astype(np.int32), axis=1)
