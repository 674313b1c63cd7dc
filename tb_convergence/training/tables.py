"""From tensors to tables `[R, C]`: evaluates the catalogue's formulas, inside the compiled step.

A formula is evaluated once for all rows of a group: a row's `gradient.norm` is here the vector of
all rows' gradient norms. That keeps the graph small: reductions are per tensor, formulas are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.core.schema import Row
from tb_convergence.training.reductions import Fast, Tensor, as_float

Kind = type[Fast]
"""`Fast` or `Exact`."""

UNDEFINED: Final = float("nan")
FEATURE_GROUPS: Final = 64
"""Features beyond these are recorded in so many contiguous groups."""

DEAD_BELOW: Final = 0.01
DEAD_WEIGHT: Final = 0.1
"""A unit is dead below this share of positive outputs; the share is averaged with this weight."""

SATURATED: Final[Mapping[str, tuple[float, float]]] = {
    # sigmoid(-5) and sigmoid(5); tanh(-2.5) and tanh(2.5), where the slope has fallen alike
    "sigmoid": (0.0066928509, 0.9933071491),
    "tanh": (-0.9866142982, 0.9866142982),
}
RELU_LIKE: Final = frozenset({"relu", "relu6"})


class Stacked:
    """`Reductions` of R tensors at once: every attribute is a float32 vector `[R]`.

    None stands for a tensor that does not exist (no gradient): NaN in every attribute.
    """

    def __init__(self, rows: Sequence[Fast | None]) -> None:
        self._rows = rows

    def __getattr__(self, name: str) -> Tensor:
        found = vector([None if row is None else getattr(row, name) for row in self._rows])
        self.__dict__[name] = found
        return found


@dataclass(frozen=True, slots=True)
class VariableRow:
    """What formulas of the group "variables" see."""

    gradient: Any
    variable: Any
    update: Any

    @staticmethod
    def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
        """Quotient; NaN where the denominator is zero or undefined."""
        usable = denominator > 0
        safe = tf.where(usable, denominator, tf.ones_like(denominator))
        undefined = tf.fill(tf.shape(denominator), tf.constant(UNDEFINED, denominator.dtype))
        return tf.where(usable, numerator / safe, undefined)


@dataclass(frozen=True, slots=True)
class OutputRow:
    """What formulas of the group "activations" see."""

    output: Any


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """What formulas of the group "inputs" see."""

    feature: Any


def table(group: statistics.Group, row: Any, supplied: Mapping[str, Tensor], rows: int) -> Tensor:
    """Table `[R, C]` float32 of `group`, columns as in the catalogue.

    Columns without a formula come from `supplied` (vectors `[R]`); those found nowhere are NaN.
    """
    undefined = tf.fill([rows], tf.constant(UNDEFINED, tf.float32))
    columns = []
    for statistic in statistics.CATALOGUE[group]:
        if statistic.formula is not None:
            column = statistic.formula(row)
        else:
            column = supplied.get(statistic.name, undefined)
        columns.append(tf.cast(column, tf.float32))
    return tf.stack(columns, axis=1)


class Output:
    """Statistics of one layer's output `[B, ..., U]`: B examples, U units."""

    def __init__(self, kind: Kind, values: Tensor) -> None:
        self.kind = kind
        self.values = values
        self.all = kind(values)

    def batch_std(self) -> Tensor:
        """Standard deviation over the batch averaged over the units; NaN for a batch of one."""
        if self.values.shape.rank == 0:
            return tf.constant(UNDEFINED, tf.float32)
        spread = self.kind(self.kind(self.values, axes=(0,)).std).mean
        several = tf.shape(self.values)[0] > 1
        return tf.where(several, spread, tf.constant(UNDEFINED, spread.dtype))


def activity(values: Tensor) -> Tensor:
    """Fraction of positive outputs of each unit `[U]`, of outputs `[B, ..., U]`."""
    axes = list(range(values.shape.rank - 1))
    return Fast(tf.cast(values > 0, tf.float32), axes=axes).mean


def saturated_fraction(values: Tensor, row: Row) -> Tensor | None:
    """Fraction of outputs in the flat ends of a sigmoid or tanh; None for other layers."""
    if row.activation not in SATURATED:
        return None
    low, high = SATURATED[row.activation]
    values = as_float(values)
    return Fast(tf.cast((values < low) | (values > high), tf.float32)).mean


def dead_fraction(activity: Tensor, average: Any, started: Tensor) -> Tensor:
    """Updates the moving average `[U]` and returns the fraction of units below `DEAD_BELOW`."""
    blended = (1.0 - DEAD_WEIGHT) * average + DEAD_WEIGHT * activity
    current = tf.where(started, blended, activity)
    average.assign(current)
    return tf.reduce_mean(tf.cast(current < DEAD_BELOW, tf.float32))


def features(kind: Kind, values: Tensor, groups: int) -> list[Fast]:
    """Reductions of `values` `[..., F]` per feature, or per contiguous group of features where
    there are more than `groups`: one or two items, whose vectors follow each other.

    Groups are of equal width; the last may be narrower.
    """
    if values.shape.rank in (0, 1):
        return [kind(tf.reshape(values, [-1, 1]), axes=(0,))]
    count = values.shape[-1]
    flat = tf.reshape(values, [-1, count])
    if count <= groups:
        return [kind(flat, axes=(0,))]
    width = -(-count // groups)
    whole = count // width
    parts = [kind(tf.reshape(flat[:, : whole * width], [-1, whole, width]), axes=(0, 2))]
    if whole * width < count:
        parts.append(kind(flat[:, None, whole * width :], axes=(0, 2)))
    return parts


class Joined:
    """`Reductions` whose attributes are the concatenation `[R]` of the parts' vectors."""

    def __init__(self, parts: Sequence[Fast]) -> None:
        self._parts = parts

    def __getattr__(self, name: str) -> Tensor:
        vectors = [tf.cast(getattr(part, name), tf.float32) for part in self._parts]
        joined = vectors[0] if len(vectors) == 1 else tf.concat(vectors, 0)
        self.__dict__[name] = joined
        return joined


def all_safe(reductions: Sequence[Fast | None]) -> Tensor:
    """bool `[]`: whether `Fast` is right for every one of `reductions`."""
    checks = [item.safe for item in reductions if item is not None]
    return tf.reduce_all(tf.stack(checks)) if checks else tf.constant(True)


def vector(values: Sequence[Tensor | None]) -> Tensor:
    """Scalars as a float32 vector; NaN for None."""
    undefined = tf.constant(UNDEFINED, tf.float32)
    return tf.stack([undefined if v is None else tf.cast(v, tf.float32) for v in values])


class Undefined:
    """`Reductions` of `rows` features that this trace does not show: NaN everywhere."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    def __getattr__(self, name: str) -> Tensor:
        return tf.fill([self._rows], tf.constant(UNDEFINED, tf.float32))
