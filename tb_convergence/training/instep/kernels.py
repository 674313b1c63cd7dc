"""Shared graph functions: a tensor in, the asked-for reductions out as one small vector.

A graph operation costs Python time when the train step is traced, and a model has hundreds of
tensors: reductions written out for each of them made tracing ten times as long. So each kind of
tensor gets one function of unknown length, traced once per process, and every tensor is one call.
(Small variables have an even cheaper way, see `packed`.)

Each function decides by itself whether `Fast` is right for its tensor. Under XLA there is only
`Exact`: its passes fuse into one, and a branch per tensor would multiply the compile time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.training.instep.branches import one_node
from tb_convergence.training.instep.reductions import Exact, Fast, Tensor

Names = tuple[str, ...]

UNDEFINED: Final = float("nan")


class _Part:
    """Notes which reductions are asked of one part of a row."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}

    def __getattr__(self, name: str) -> float:
        self.names[name] = None
        return 1.0


class _Row:
    """A row that only notes what formulas ask of it."""

    def __init__(self) -> None:
        self.parts: dict[str, _Part] = {}

    def __getattr__(self, name: str) -> _Part:
        return self.parts.setdefault(name, _Part())

    @staticmethod
    def ratio(numerator: float, denominator: float) -> float:
        return numerator / denominator


@cache
def asked(group: statistics.Group) -> dict[str, Names]:
    """Reductions the catalogue's formulas ask of each part of a row of `group`.

    >>> asked("inputs")["feature"][:2]
    ('mean', 'std')
    """
    row = _Row()
    for statistic in statistics.CATALOGUE[group]:
        if statistic.formula is not None:
            statistic.formula(row)
    return {name: tuple(part.names) for name, part in row.parts.items()}


def _packed(reductions: Fast, names: Names) -> Tensor:
    """float32 `[K]`, or `[K, G]` where the reductions are vectors `[G]`."""
    return tf.stack([tf.cast(getattr(reductions, name), tf.float32) for name in names])


@cache
def _entries(
    names: Names, dtype: str, size: float | None, exact: bool
) -> Callable[[Tensor], Tensor]:
    def slow(values: Tensor) -> Tensor:
        return _packed(Exact(values, size=size), names)

    def quick(values: Tensor) -> Tensor:
        found = Fast(values, size=size)
        return tf.cond(found.safe, lambda: _packed(found, names), lambda: slow(values))

    return one_node(slow if exact else quick, [tf.TensorSpec([None], dtype)])


def entries(names: Names, values: Tensor, size: float | None, exact: bool) -> Tensor:
    """Reductions `names` over all entries of `values` (float32 or float64), float32 `[K]`.

    `size` is the number of entries where `values` leaves out zeros, else None.
    """
    flat = tf.reshape(values, [-1])
    return _entries(names, flat.dtype.name, size, exact)(flat)


@cache
def _features(names: Names, dtype: str, exact: bool) -> Callable[[Tensor], Tensor]:
    def slow(values: Tensor) -> Tensor:
        return _packed(Exact(values, axes=(0, 2)), names)

    def quick(values: Tensor) -> Tensor:
        found = Fast(values, axes=(0, 2))
        return tf.cond(found.safe, lambda: _packed(found, names), lambda: slow(values))

    return one_node(slow if exact else quick, [tf.TensorSpec([None, None, None], dtype)])


def features(names: Names, values: Tensor, exact: bool) -> Tensor:
    """Reductions `names` of `values` `[N, G, W]` over N and W, float32 `[K, G]`."""
    return _features(names, values.dtype.name, exact)(values)


def damaged(values: Tensor) -> Tensor:
    """1 where any entry of `values` is NaN or infinite, else 0; float32 `[]`."""
    return tf.cast(tf.logical_not(tf.reduce_all(tf.math.is_finite(values))), tf.float32)


def outside(values: Tensor, limits: tuple[float, float]) -> Tensor:
    """Fraction of entries outside of `limits`, `[]`."""
    low, high = limits
    return Fast(tf.cast((values < low) | (values > high), tf.float32)).mean


def activity(values: Tensor) -> Tensor:
    """Fraction of positive values `[B, P, C]` of each channel, `[C]`."""
    return Fast(tf.cast(values > 0, tf.float32), axes=(0, 1)).mean


@cache
def _output(
    names: Names, saturated: tuple[float, float] | None, dtype: str, exact: bool
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    def found(kind: type[Fast], whole: Fast, values: Tensor) -> Tensor:
        deviation = kind(kind(values, axes=(0,)).std).mean
        return tf.concat([_packed(whole, names), [tf.cast(deviation, tf.float32)]], 0)

    def slow(values: Tensor) -> Tensor:
        return found(Exact, Exact(values), values)

    def quick(values: Tensor) -> Tensor:
        whole = Fast(values)
        return tf.cond(whole.safe, lambda: found(Fast, whole, values), lambda: slow(values))

    def output(values: Tensor) -> tuple[Tensor, Tensor]:
        numbers = (slow if exact else quick)(values)
        several = tf.shape(values)[0] > 1
        spread = tf.where(several, numbers[-1], UNDEFINED)
        flat = UNDEFINED if saturated is None else outside(values, saturated)
        return tf.concat([numbers[:-1], tf.stack([spread, flat])], 0), activity(values)

    return one_node(output, [tf.TensorSpec([None, None, None], dtype)])


def output(
    names: Names, values: Tensor, saturated: tuple[float, float] | None, exact: bool
) -> tuple[Tensor, Tensor]:
    """What is told of a layer's outputs `[B, P, C]`: P positions of C channels each.

    Returns float32 `[K + 2]`: reductions `names` over all entries; standard deviation over the
    batch averaged over the units, NaN for B = 1; fraction of entries outside of the range
    `saturated`, NaN for None. And float32 `[C]`: the fraction of positive outputs of each channel.
    """
    found: tuple[Tensor, Tensor] = _output(names, saturated, values.dtype.name, exact)(values)
    return found
