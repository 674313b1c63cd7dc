"""From tensors to tables `[R, C]`: evaluates the catalogue's formulas, inside the compiled step.

A formula is evaluated once for all rows of a group: a row's `gradient.norm` is here the vector of
all rows' gradient norms. That keeps the graph small: one call per tensor, one formula per column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.training.instep import kernels
from tb_convergence.training.instep.feature_rows import FEATURE_GROUPS
from tb_convergence.training.instep.gradients import Gradient
from tb_convergence.training.instep.kernels import UNDEFINED
from tb_convergence.training.instep.packed import reduced
from tb_convergence.training.instep.reductions import Tensor, as_float

DEAD_BELOW: Final = statistics.DEAD_BELOW
DEAD_WEIGHT: Final = statistics.DEAD_WEIGHT

SATURATED: Final[Mapping[str, tuple[float, float]]] = {
    # sigmoid(-5) and sigmoid(5); tanh(-2.5) and tanh(2.5), where the slope has fallen alike
    "sigmoid": (0.0066928509, 0.9933071491),
    "tanh": (-0.9866142982, 0.9866142982),
}
RELU_LIKE: Final = frozenset({"relu", "relu6"})


class Part:
    """`Reductions` of R tensors at once: every attribute is a float32 vector `[R]`.

    Args:
        names: the K reductions there are.
        values: `[K, R]`.
    """

    def __init__(self, names: kernels.Names, values: Tensor) -> None:
        self._vectors = dict(zip(names, tf.unstack(values, len(names)), strict=True))

    def vectors(self, names: kernels.Names) -> list[Tensor]:
        """The reductions `names`, `[R]` each."""
        return [self._vectors[name] for name in names]

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name not in self._vectors:
            raise AttributeError(f"the reduction {name!r} was not computed")
        return self._vectors[name]


@dataclass(frozen=True, slots=True)
class VariableRow:
    """What formulas of the group "variables" see."""

    gradient: Part
    variable: Part
    update: Part

    @staticmethod
    def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
        """Quotient; NaN where the denominator is zero or undefined."""
        usable = denominator > 0
        safe = tf.where(usable, denominator, tf.ones_like(denominator))
        return tf.where(usable, numerator / safe, undefined(tf.shape(denominator)))


@dataclass(frozen=True, slots=True)
class OutputRow:
    """What formulas of the group "activations" see."""

    output: Part


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """What formulas of the group "inputs" see."""

    feature: Part


def undefined(shape: Any) -> Tensor:
    """NaN of `shape`, float32."""
    return tf.fill(shape, tf.constant(UNDEFINED, tf.float32))


def table(
    group: statistics.Group, row: Any, supplied: Mapping[str, Tensor], rows: int
) -> Tensor:
    """Table `[R, C]` float32 of `group`, columns as in the catalogue.

    Columns without a formula come from `supplied` (vectors `[R]`); those found nowhere are NaN.
    """
    columns = []
    for statistic in statistics.CATALOGUE[group]:
        if statistic.formula is not None:
            columns.append(statistic.formula(row))
        elif statistic.name in supplied:
            columns.append(supplied[statistic.name])
        else:
            columns.append(undefined([rows]))
    return tf.stack(columns, axis=1)


def part(
    group: statistics.Group, name: str, tensors: Sequence[Tensor | Gradient | None], exact: bool
) -> Part:
    """What formulas of `group` ask of their part `name`, for R tensors; NaN for None."""
    names = kernels.asked(group)[name]
    return Part(names, reduced(names, tensors, exact))


def feature_part(tensors: Mapping[int, Tensor], rows: int, exact: bool) -> Part:
    """Reductions of all R features. `tensors` `[..., F]` by their first row; NaN between them."""
    names = kernels.asked("inputs")["feature"]
    pieces = []
    filled = 0
    for first in sorted(tensors):
        if first > filled:
            pieces.append(undefined([len(names), first - filled]))
        filled = first
        for values in grouped(as_float(tensors[first]), FEATURE_GROUPS):
            pieces.append(kernels.features(names, values, exact))
            filled += int(values.shape[1])
    if filled < rows:
        pieces.append(undefined([len(names), rows - filled]))
    return Part(names, tf.concat(pieces, axis=1))


def grouped(values: Tensor, groups: int) -> list[Tensor]:
    """`[..., F]` as one or two tensors `[N, G, W]`: G contiguous groups of W features each.

    One feature per group up to `groups` features; beyond, groups of equal width, of which the last
    may be narrower.
    """
    if values.shape.rank in (0, 1):
        return [tf.reshape(values, [-1, 1, 1])]
    count = int(values.shape[-1])
    width = -(-count // groups)
    if count % width == 0:
        return [tf.reshape(values, [-1, count // width, width])]
    flat = tf.reshape(values, [-1, count])
    whole = count // width
    wide = tf.reshape(flat[:, : whole * width], [-1, whole, width])
    return [wide, flat[:, None, whole * width :]]


def channels(values: Tensor) -> Tensor:
    """Outputs of a layer as `[B, P, C]`: examples, positions, channels. Scalars are one channel."""
    values = as_float(values)
    rank = values.shape.rank
    if rank in (None, 0, 1):
        return tf.reshape(values, [-1, 1, 1])
    if rank == 2:
        return tf.expand_dims(values, 1)
    if rank == 3:
        return values
    positions = values.shape[1:-1].num_elements()
    if positions is not None and values.shape[-1]:
        return tf.reshape(values, [-1, positions, values.shape[-1]])
    extents = tf.shape(values)
    return tf.reshape(values, [extents[0], tf.reduce_prod(extents[1:-1]), extents[-1]])


def saturated_fraction(values: Tensor, activation: str) -> Tensor | None:
    """Fraction of outputs in the flat ends of a sigmoid or tanh; None for other activations."""
    limits = SATURATED.get(activation)
    return None if limits is None else kernels.outside(as_float(values), limits)


def activity(values: Tensor) -> Tensor:
    """Fraction of positive outputs of each unit `[U]`, of outputs `[B, ..., U]`."""
    return kernels.activity(channels(values))
