"""One record: everything the catalogue asks for about one step, as one float32 vector.

Built inside the compiled step, in a branch that only recorded steps take. V variables (G of them
with a gradient), L layers, F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.core.schema import Row
from tb_convergence.training import tables
from tb_convergence.training.gradients import Gradient
from tb_convergence.training.reductions import Exact, Fast, Tensor

GROUPS: Final[tuple[statistics.Group, ...]] = ("variables", "activations", "inputs", "run")
RUN_ROW: Final = Row("run", "", "run")


@dataclass(slots=True)
class Trace:
    """What one trace of the train step showed before the optimizer was called.

    Attributes:
        loss: scalar whose gradients are taken, before any loss scaling, or None.
        outputs: layer outputs `[B, ..., U]` by index of their row.
        features: tensors `[..., F]` by index of their first row.
    """

    loss: Tensor | None = None
    outputs: dict[int, Tensor] = field(default_factory=dict)
    features: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the tables that have one row per tensor or feature."""

    variables: tuple[Row, ...]
    activations: tuple[Row, ...] = ()
    inputs: tuple[Row, ...] = ()

    def of(self, group: statistics.Group) -> tuple[Row, ...]:
        """Rows of `group`; the run has one row."""
        found: dict[str, tuple[Row, ...]] = {
            "variables": self.variables,
            "activations": self.activations,
            "inputs": self.inputs,
        }
        return found.get(group, (RUN_ROW,))

    def shapes(self) -> dict[statistics.Group, tuple[int, int]]:
        """`(R, C)` of each group, in the order of the vector."""
        return {g: (len(self.of(g)), len(statistics.columns(g))) for g in GROUPS}


@dataclass(frozen=True, slots=True)
class Window:
    """What was accumulated since the previous record, this step included.

    Attributes:
        gradient_norms: largest norm of each present gradient `[G]`.
        gradient_bad: steps at which each present gradient was not finite `[G]`.
        steps, loss_sum, loss_bad, loss_max, loss_min: of the batch losses.
        bad: steps at which the loss or any gradient was not finite.
        first_bad: step of the first of them as int64, -1 without one.
    """

    gradient_norms: Tensor
    gradient_bad: Tensor
    steps: Tensor
    loss_sum: Tensor
    loss_bad: Tensor
    loss_max: Tensor
    loss_min: Tensor
    bad: Tensor
    first_bad: Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """One step as the recorder saw it.

    Attributes:
        number: int64.
        gradients: unscaled, before clipping; None for a missing one.
        old, new: values of the variables before and after the update.
    """

    number: Tensor
    learning_rate: Tensor
    gradients: Sequence[Gradient | None]
    old: Sequence[Tensor]
    new: Sequence[Tensor]
    trace: Trace
    window: Window


@dataclass(frozen=True, slots=True)
class _Reduced:
    """Reductions of everything one record needs, all of one kind."""

    gradients: Sequence[Fast | None]
    old: Sequence[Fast]
    updates: Sequence[Fast]
    outputs: Sequence[tables.Output | None]
    features: Mapping[int, Sequence[Fast]]

    def every(self) -> list[Fast | None]:
        """All of them, for the question whether the fast kind is right."""
        outputs = [output.all for output in self.outputs if output is not None]
        features = [part for parts in self.features.values() for part in parts]
        return [*self.gradients, *self.old, *self.updates, *outputs, *features]


class Snapshot:
    """Computes records. Holds the moving averages of the units' activity.

    Args:
        rows: what is recorded.
        present: for each variable, whether it has a gradient.
        units: for each layer, how many units' activity is averaged; None for none.
    """

    def __init__(self, rows: Rows, present: Sequence[bool], units: Sequence[int | None]) -> None:
        self.rows = rows
        self.present = tuple(present)
        self._shapes = rows.shapes()
        self.length = sum(height * width for height, width in self._shapes.values())
        with tf.init_scope():
            self._activity = {
                index: tf.Variable(tf.zeros([count]), trainable=False, name=f"activity_{index}")
                for index, count in enumerate(units)
                if count is not None
            }
            count = max(len(units), 1)
            self._started = tf.Variable(tf.zeros([count], tf.bool), trainable=False, name="started")

    def vector(self, step: Step) -> Tensor:
        """All tables of `step`, row by row, one after the other, float32 `[length]`."""
        stateful = self._layer_columns(step.trace)
        fast = self._reduced(Fast, step)
        return tf.cond(
            tables.all_safe(fast.every()),
            lambda: self._joined(fast, step, stateful),
            lambda: self._joined(self._reduced(Exact, step), step, stateful),
        )

    def _reduced(self, kind: tables.Kind, step: Step) -> _Reduced:
        found = step.trace.outputs
        return _Reduced(
            [None if g is None else kind(g.values, size=g.size) for g in step.gradients],
            [kind(before) for before in step.old],
            [kind(_difference(now, b)) for now, b in zip(step.new, step.old, strict=True)],
            [
                tables.Output(kind, found[index]) if index in found else None
                for index in range(len(self.rows.activations))
            ],
            {
                first: tables.features(kind, values, tables.FEATURE_GROUPS)
                for first, values in step.trace.features.items()
            },
        )

    def _joined(self, found: _Reduced, step: Step, stateful: Mapping[str, Tensor]) -> Tensor:
        variables = tables.VariableRow(
            tables.Stacked(found.gradients),
            tables.Stacked(found.old),
            tables.Stacked(found.updates),
        )
        parts = [
            self._table("variables", variables, self._variable_columns(step.window)),
            self._table("activations", *self._activations(found, stateful)),
            self._table("inputs", tables.FeatureRow(self._features(found.features)), {}),
            self._table("run", None, _run_columns(variables, step)),
        ]
        return tf.concat([tf.reshape(part, [-1]) for part in parts if part is not None], 0)

    def _table(
        self, group: statistics.Group, row: Any, supplied: Mapping[str, Tensor]
    ) -> Tensor | None:
        height = self._shapes[group][0]
        return tables.table(group, row, supplied, height) if height else None

    def _activations(
        self, found: _Reduced, stateful: Mapping[str, Tensor]
    ) -> tuple[tables.OutputRow, dict[str, Tensor]]:
        if not self.rows.activations:
            return tables.OutputRow(None), {}
        spreads = [None if output is None else output.batch_std() for output in found.outputs]
        rows = [None if output is None else output.all for output in found.outputs]
        supplied = {**stateful, "activation_batch_std": tables.vector(spreads)}
        return tables.OutputRow(tables.Stacked(rows)), supplied

    def _features(self, found: Mapping[int, Sequence[Fast]]) -> tables.Joined:
        """Reductions `[F]` of all features, in order; NaN for those this trace does not show."""
        parts: list[Any] = []
        filled = 0
        for first in sorted(found):
            if first > filled:
                parts.append(tables.Undefined(first - filled))
            parts.extend(found[first])
            filled = first + sum(part.results for part in found[first])
        if filled < len(self.rows.inputs):
            parts.append(tables.Undefined(len(self.rows.inputs) - filled))
        return tables.Joined(parts)

    def _layer_columns(self, trace: Trace) -> dict[str, Tensor]:
        """Columns `[L]` that need a state or a threshold. Moves the state on: once per record."""
        dead: list[Tensor | None] = []
        saturated: list[Tensor | None] = []
        flags: list[Tensor] = []
        started = self._started.read_value()
        for index, row in enumerate(self.rows.activations):
            output = trace.outputs.get(index)
            average = self._activity.get(index)
            counted = output is not None and average is not None
            flags.append(tf.constant(True) if counted else started[index])
            dead.append(
                tables.dead_fraction(tables.activity(output), average, started[index])
                if counted
                else None
            )
            saturated.append(
                None if output is None else tables.saturated_fraction(output, row)
            )
        if not flags:
            return {}
        self._started.assign(tf.stack(flags))
        return {
            "activation_dead_fraction": tables.vector(dead),
            "activation_saturated_fraction": tables.vector(saturated),
        }

    def _variable_columns(self, window: Window) -> dict[str, Tensor]:
        """Columns `[V]`; window columns are NaN for variables without a gradient."""
        missing = [float(not present) for present in self.present]
        return {
            "gradient_missing": tf.constant(missing, tf.float32),
            "window_gradient_norm_max": self._spread(window.gradient_norms),
            "window_nonfinite_steps": self._spread(window.gradient_bad),
        }

    def _spread(self, values: Tensor) -> Tensor:
        """`[G]` of the present gradients -> `[V]`, NaN for missing ones."""
        padded = tf.concat([values, [tables.UNDEFINED]], 0)
        order, seen = [], 0
        for present in self.present:
            order.append(seen if present else sum(self.present))
            seen += present
        return tf.gather(padded, tf.constant(order, tf.int32))


def _run_columns(row: tables.VariableRow, step: Step) -> dict[str, Tensor]:
    """Columns of the run, `[1]` each."""
    window, loss = step.window, step.trace.loss
    undefined = tf.constant(tables.UNDEFINED)
    finite = window.steps - window.loss_bad
    some = tf.constant(False) if loss is None else finite > 0
    values = {
        "loss": undefined if loss is None else tf.cast(loss, tf.float32),
        "learning_rate": step.learning_rate,
        "gradient_global_norm": Exact(row.gradient.norm).norm,
        "variable_global_norm": Exact(row.variable.norm).norm,
        "update_global_norm": Exact(row.update.norm).norm,
        "window_steps": window.steps,
        "window_loss_mean": tf.where(
            some, tf.math.divide_no_nan(window.loss_sum, finite), undefined
        ),
        "window_loss_max": tf.where(some, window.loss_max, undefined),
        "window_loss_min": tf.where(some, window.loss_min, undefined),
        "window_nonfinite_steps": window.bad,
        "first_nonfinite_age_steps": tf.where(
            window.first_bad < 0,
            undefined,
            tf.cast(step.number - window.first_bad, tf.float32),
        ),
    }
    return {name: tf.reshape(value, [1]) for name, value in values.items()}


def _difference(now: Tensor, before: Tensor) -> Tensor:
    """Update in at least float32: half precision would round small updates away."""
    if now.dtype in (tf.float16, tf.bfloat16):
        return tf.cast(now, tf.float32) - tf.cast(before, tf.float32)
    return now - before
