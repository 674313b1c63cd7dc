"""Shared graph functions: a tensor in, the asked-for reductions out as one small vector.

A graph operation costs Python time when the train step is traced, and a model has hundreds of
tensors: reductions written out for each of them made tracing ten times as long. So each kind of
tensor gets one function of unknown length, traced once per process, and every tensor is one call.

Each function decides by itself whether `Fast` is right for its tensor. Under XLA there is only
`Exact`: its passes fuse into one, and a branch per tensor would multiply the compile time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.training.reductions import Exact, Fast, Tensor

Names = tuple[str, ...]


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


def _shared(function: Callable[..., Any], *signature: tf.TensorSpec) -> Callable[..., Any]:
    """`function` as one node wherever it is called.

    Its arguments must be data: TensorFlow makes a copy of the function for every call with a
    constant argument, and optimizes each, at 30 ms apiece.
    """
    shared: Callable[..., Any] = tf.function(
        function,
        input_signature=signature,
        autograph=False,
        experimental_attributes={"_noinline": True},
    )
    return shared


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

    return _shared(slow if exact else quick, tf.TensorSpec([None], dtype))


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

    return _shared(slow if exact else quick, tf.TensorSpec([None, None, None], dtype))


def features(names: Names, values: Tensor, exact: bool) -> Tensor:
    """Reductions `names` of `values` `[N, G, W]` over N and W, float32 `[K, G]`."""
    return _features(names, values.dtype.name, exact)(values)


@cache
def _batch_std(dtype: str, exact: bool) -> Callable[[Tensor], Tensor]:
    def slow(values: Tensor) -> Tensor:
        return tf.cast(Exact(Exact(values, axes=(0,)).std).mean, tf.float32)

    def quick(values: Tensor) -> Tensor:
        found = Fast(values, axes=(0,))
        safe = Fast(values).safe
        return tf.cond(
            safe, lambda: tf.cast(Fast(found.std).mean, tf.float32), lambda: slow(values)
        )

    return _shared(slow if exact else quick, tf.TensorSpec([None, None], dtype))


def batch_std(values: Tensor, exact: bool) -> Tensor:
    """Standard deviation over the batch averaged over the units of `values` `[B, U]`, `[]`."""
    return _batch_std(values.dtype.name, exact)(values)


@cache
def _suspect(dtype: str) -> Callable[[Tensor], Tensor]:
    def suspect(values: Tensor) -> Tensor:
        bad = tf.logical_not(tf.reduce_all(tf.math.is_finite(values)))
        return tf.stack([tf.cast(Exact(values).norm, tf.float32), tf.cast(bad, tf.float32)])

    return _shared(suspect, tf.TensorSpec([None], dtype))


def suspect(values: Tensor) -> Tensor:
    """float32 `[2]`: norm over the finite entries of `values`; 1 if any is not finite, else 0."""
    flat = tf.reshape(values, [-1])
    return _suspect(flat.dtype.name)(flat)
