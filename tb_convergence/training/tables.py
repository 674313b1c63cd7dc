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
from tb_convergence.training import kernels, rows
from tb_convergence.training.gradients import Gradient
from tb_convergence.training.reductions import Fast, Tensor, as_float

UNDEFINED: Final = float("nan")
FEATURE_GROUPS: Final = rows.FEATURE_GROUPS

DEAD_BELOW: Final = 0.01
DEAD_WEIGHT: Final = 0.1
"""A unit is dead below this share of positive outputs; the share is averaged with this weight."""

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
        self._places = {name: place for place, name in enumerate(names)}
        self._values = values

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_") or name not in self._places:
            raise AttributeError(f"the reduction {name!r} was not computed")
        return self._values[self._places[name]]


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
    rows = []
    for item in tensors:
        if item is None:
            rows.append(undefined([len(names)]))
        elif isinstance(item, Gradient):
            rows.append(kernels.entries(names, as_float(item.values), item.size, exact))
        else:
            rows.append(kernels.entries(names, as_float(item), None, exact))
    return Part(names, tf.stack(rows, axis=1))


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


def batch_std(values: Tensor, exact: bool) -> Tensor:
    """Standard deviation over the batch averaged over the units of `[B, ...]`; NaN for B = 1."""
    if values.shape.rank == 0:
        return tf.constant(UNDEFINED, tf.float32)
    extents = tf.shape(values)
    flat = tf.reshape(as_float(values), tf.stack([extents[0], tf.reduce_prod(extents[1:])]))
    several = extents[0] > 1
    return tf.where(several, kernels.batch_std(flat, exact), tf.constant(UNDEFINED, tf.float32))


def saturated_fraction(values: Tensor, activation: str) -> Tensor | None:
    """Fraction of outputs in the flat ends of a sigmoid or tanh; None for other activations."""
    if activation not in SATURATED:
        return None
    low, high = SATURATED[activation]
    values = as_float(values)
    return Fast(tf.cast((values < low) | (values > high), tf.float32)).mean


def activity(values: Tensor) -> Tensor:
    """Fraction of positive outputs of each unit `[U]`, of outputs `[B, ..., U]`."""
    axes = list(range(values.shape.rank - 1))
    return Fast(tf.cast(values > 0, tf.float32), axes=axes).mean


def vector(values: Sequence[Tensor | None]) -> Tensor:
    """Scalars as a float32 vector; NaN for None."""
    nothing = tf.constant(UNDEFINED, tf.float32)
    return tf.stack([nothing if v is None else tf.cast(v, tf.float32) for v in values])
