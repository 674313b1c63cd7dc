"""Gradients as the optimizer gets them -> dense values that can be reduced.

They may be missing, sparse, multiplied by a loss scale, or one part of an accumulated gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from tb_convergence.training.instep.reductions import Tensor, as_float, summed_slices, supported


@dataclass(frozen=True, slots=True)
class Gradient:
    """One gradient.

    Attributes:
        values: its entries; zeros may be left out.
        size: number of entries where zeros are left out, else None.
    """

    values: Tensor
    size: float | None = None


@dataclass(frozen=True, slots=True)
class Scaling:
    """How the optimizer changes gradients before it uses them.

    Attributes:
        factor: scalar that gradients were multiplied by, or None.
        skips: whether steps with non-finite gradients are skipped and the factor is lowered.
        batches: batches whose gradients are averaged for one update.
        applies: bool `[]`, whether this step updates; None if every step does.
        accumulated: sums of the gradients of the earlier batches, by variable.
    """

    factor: Tensor | None = None
    skips: bool = False
    batches: int = 1
    applies: Tensor | None = None
    accumulated: Sequence[Any] = ()


def dense(gradient: Any) -> Gradient | None:
    """A gradient with duplicate indices summed; None for a missing one, and for one of a kind
    that has no norm here (complex, ragged)."""
    if isinstance(gradient, tf.IndexedSlices):
        shape = None if gradient.dense_shape is None else tf.get_static_value(gradient.dense_shape)
        if shape is None or not supported(gradient.values):
            return None
        size = 1.0
        for extent in shape:
            size *= float(extent)
        return Gradient(summed_slices(gradient), size)
    if gradient is None or not supported(gradient):
        return None
    return Gradient(gradient)


def effective(gradient: Any, scaling: Scaling, accumulated: Any) -> Tensor:
    """The averaged gradient of one update, from that of its last batch; dense values."""
    values = tf.convert_to_tensor(gradient)
    total = as_float(unscaled(values, scaling.factor)) + as_float(accumulated)
    return total / float(scaling.batches)


def unscaled(values: Tensor, factor: Tensor | None) -> Tensor:
    """`values` without the loss scale, as float32 where there was one."""
    if factor is None:
        return values
    return tf.cast(values, tf.float32) / tf.cast(factor, tf.float32)
