"""How the magnitudes of a gradient's entries are spread, over powers of two.

Optional, and of a sample: what a norm cannot tell is how many entries half precision has lost, or
whether a few entries make up all of it; a thousand of them tell that to one or two percent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import gcd
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core.statistics import EXPONENTS
from tb_convergence.training.instep.branches import one_node
from tb_convergence.training.instep.gradients import Gradient, dense, unscaled
from tb_convergence.training.instep.kernels import UNDEFINED
from tb_convergence.training.instep.reductions import Tensor, as_float

SAMPLED: Final = 1024
"""Entries of a gradient that are looked at: a share is known to 0.016 (one sigma, at worst)."""


def table(gradients: Sequence[Any], factor: Tensor | None) -> Tensor:
    """Shares `[V, E]` float32 of the entries of V gradients that reach each of E powers of two.

    Gradients are as the optimizer gets them, `factor` what they were multiplied by; NaN for missing
    and for empty ones.
    """
    missing = tf.fill([len(EXPONENTS)], tf.constant(UNDEFINED, tf.float32))
    found = [dense(gradient) for gradient in gradients]
    return tf.stack([missing if g is None else _row(g, factor) for g in found])


def _row(gradient: Gradient, factor: Tensor | None) -> Tensor:
    values = tf.reshape(as_float(gradient.values), [-1])
    sample = as_float(unscaled(values[:: stride(values.shape[0])], factor))
    shares: Tensor = _shares(sample.dtype.name)(sample)
    if gradient.size:
        # The entries that are left out are zeros.
        shares *= tf.cast(tf.size(values), tf.float32) / float(gradient.size)
    return shares


def stride(entries: int | None) -> int:
    """Distance of the entries that are sampled of `entries`; 1 where that is not known.

    It shares no factor with the number of entries, so with no extent of the tensor: a stride of 256
    through a kernel `[512, 512]` would see two of its units.

    >>> stride(100), stride(512 * 512), stride(3 * 1024)
    (1, 257, 5)
    """
    if not entries:
        return 1
    step = -(-entries // SAMPLED)
    while gcd(step, entries) > 1:
        step += 1
    return step


@cache
def _shares(dtype: str) -> Callable[[Tensor], Tensor]:
    limits = [2.0**exponent for exponent in EXPONENTS]

    def shares(values: Tensor) -> Tensor:
        reached = tf.abs(values)[:, None] >= tf.constant(limits, values.dtype)
        return tf.reduce_mean(tf.cast(reached, tf.float32), axis=0)

    return one_node(shares, [tf.TensorSpec([None], dtype)])
