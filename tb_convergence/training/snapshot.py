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
from tb_convergence.training import replicas, tables
from tb_convergence.training.gradients import Gradient
from tb_convergence.training.reductions import Exact, Tensor, as_float

GROUPS: Final[tuple[statistics.Group, ...]] = (
    "variables", "activations", "inputs", "replicas", "run",
)
RUN_ROW: Final = Row("run", "", "run")


@dataclass(slots=True)
class Trace:
    """What one trace of the train step showed before the optimizer was called.

    Attributes:
        loss: scalar whose gradients are taken, before any loss scaling, or None.
        outputs: layer outputs `[B, ..., U]` by index of their row.
        features: tensors `[..., F]` by index of their first row.
        replicas: the table of the group "replicas", or None.
    """

    loss: Tensor | None = None
    replicas: Tensor | None = None
    outputs: dict[int, Tensor] = field(default_factory=dict)
    features: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the tables that have one row per tensor or feature."""

    variables: tuple[Row, ...]
    activations: tuple[Row, ...] = ()
    inputs: tuple[Row, ...] = ()
    replicas: tuple[Row, ...] = ()

    def of(self, group: statistics.Group) -> tuple[Row, ...]:
        """Rows of `group`; the run has one row."""
        found: dict[str, tuple[Row, ...]] = {
            "variables": self.variables,
            "activations": self.activations,
            "inputs": self.inputs,
            "replicas": self.replicas,
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


class Snapshot:
    """Computes records. Holds the moving averages of the units' activity. To be made eagerly.

    Args:
        rows: what is recorded.
        present: for each variable, whether it has a gradient.
        units: for each layer, how many units' activity is averaged; None for none.
        exact: whether to compute everything the exact way (see `kernels`).
    """

    def __init__(
        self, rows: Rows, present: Sequence[bool], units: Sequence[int | None], exact: bool
    ) -> None:
        self.rows = rows
        self.present = tuple(present)
        self._exact = exact
        self._shapes = rows.shapes()
        self.length = sum(height * width for height, width in self._shapes.values())
        # -1 until the first record: an average starts with its first value.
        self._activity = {
            index: tf.Variable(tf.fill([count], -1.0), trainable=False, name="activity")
            for index, count in enumerate(units)
            if count is not None
        }

    def vector(self, step: Step) -> Tensor:
        """All tables of `step`, row by row, one after the other, float32 `[length]`."""
        variables = self._variables(step)
        rows: dict[statistics.Group, tuple[Any, Mapping[str, Tensor]]] = {
            "variables": (variables, self._variable_columns(step.window)),
            "run": (None, _run_columns(variables, step)),
        }
        outputs = [step.trace.outputs.get(i) for i in range(len(self.rows.activations))]
        if outputs:
            part = tables.part("activations", "output", outputs, self._exact)
            rows["activations"] = (tables.OutputRow(part), self._layer_columns(outputs))
        if self.rows.inputs:
            count = len(self.rows.inputs)
            part = tables.feature_part(step.trace.features, count, self._exact)
            rows["inputs"] = (tables.FeatureRow(part), {})
        if step.trace.replicas is not None:
            columns = tf.unstack(step.trace.replicas, axis=1)
            rows["replicas"] = (None, dict(zip(replicas.COLUMNS, columns, strict=True)))
        return tf.concat(
            [
                tf.reshape(tables.table(group, *rows[group], self._shapes[group][0]), [-1])
                for group in GROUPS
                if group in rows
            ],
            0,
        )

    def _variables(self, step: Step) -> tables.VariableRow:
        updates = [_difference(now, b) for now, b in zip(step.new, step.old, strict=True)]
        return tables.VariableRow(
            tables.part("variables", "gradient", step.gradients, self._exact),
            tables.part("variables", "variable", step.old, self._exact),
            tables.part("variables", "update", updates, self._exact),
        )

    def _layer_columns(self, outputs: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """Columns `[L]` that need a state or a threshold. Moves the state on: once per record."""
        spreads = [None if o is None else tables.batch_std(o, self._exact) for o in outputs]
        saturated = [
            None if output is None else tables.saturated_fraction(output, row.activation)
            for output, row in zip(outputs, self.rows.activations, strict=True)
        ]
        dead = [self._dead_fraction(index, output) for index, output in enumerate(outputs)]
        return {
            "activation_batch_std": tables.vector(spreads),
            "activation_saturated_fraction": tables.vector(saturated),
            "activation_dead_fraction": tables.vector(dead),
        }

    def _dead_fraction(self, index: int, output: Tensor | None) -> Tensor | None:
        average = self._activity.get(index)
        if output is None or average is None:
            return None
        now, before = tables.activity(output), average.read_value()
        weight = tables.DEAD_WEIGHT
        blended = tf.where(before < 0, now, (1.0 - weight) * before + weight * now)
        average.assign(blended)
        return tf.reduce_mean(tf.cast(blended < tables.DEAD_BELOW, tf.float32))

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
    return as_float(now) - as_float(before)
