"""One record: everything the catalogue asks for about one step, as one float32 vector.

Built inside the compiled step, in a branch that only recorded steps take. V variables (G of them
with a gradient), L layers, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.core.schema import Row
from tb_convergence.training.instep import kernels, packed_outputs, tables
from tb_convergence.training.instep.gradients import Gradient
from tb_convergence.training.instep.packed import reduced
from tb_convergence.training.instep.reductions import Exact, Tensor, as_float

GROUPS: Final[tuple[statistics.Group, ...]] = (
    "variables", "activations", "inputs", "labels", "replicas", "magnitudes", "run",
)
UPDATE_GROUPS: Final[tuple[statistics.Group, ...]] = ("variables", "run")
"""Groups that compare the variables before and after the update; the others need the batch."""

RUN_ROW: Final = Row("run", "", "run")

CORRUPTION: Final = ("norm", "nan_fraction", "inf_fraction")
"""Reductions of a gradient that tell whether a step is sound, whatever the catalogue asks for."""


_Tables = dict[statistics.Group, tuple[Any, Mapping[str, Tensor]]]
"""By group: the row that formulas see, and the columns that have none."""


@dataclass(slots=True)
class Trace:
    """What one trace of the train step showed before the optimizer was called.

    Attributes:
        loss: scalar whose gradients are taken, before any loss scaling, or None.
        outputs: what makes layer outputs `[B, ..., U]`, by index of their row.
        features: what makes tensors `[..., F]`, by index of their first row.
        run: what makes columns of the run, `[]` each, that the step itself does not tell.
        tables: what makes the whole table `[R, C]` of a group, where a record is made.
    """

    loss: Tensor | None = None
    run: dict[str, Callable[[], Tensor]] = field(default_factory=dict)
    tables: dict[statistics.Group, Callable[[], Tensor]] = field(default_factory=dict)
    outputs: dict[int, Callable[[], Tensor]] = field(default_factory=dict)
    features: dict[int, Callable[[], Tensor]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the tables that have one row per tensor or feature."""

    variables: tuple[Row, ...]
    activations: tuple[Row, ...] = ()
    inputs: tuple[Row, ...] = ()
    replicas: tuple[Row, ...] = ()
    labels: tuple[Row, ...] = ()
    magnitudes: tuple[Row, ...] = ()

    def of(self, group: statistics.Group) -> tuple[Row, ...]:
        """Rows of `group`; the run has one row."""
        found: dict[str, tuple[Row, ...]] = {
            "variables": self.variables,
            "activations": self.activations,
            "inputs": self.inputs,
            "replicas": self.replicas,
            "labels": self.labels,
            "magnitudes": self.magnitudes,
        }
        return found.get(group, (RUN_ROW,))

    def shapes(self) -> dict[statistics.Group, tuple[int, int]]:
        """`(R, C)` of each group, in the order of the vector."""
        return {g: (len(self.of(g)), len(statistics.columns(g))) for g in GROUPS}


@dataclass(frozen=True, slots=True)
class Window:
    """Values accumulated since the previous record, including this step.

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
        gradients: reductions of the gradients, unscaled, before clipping.
        old, new: values of the variables before and after the update.
    """

    number: Tensor
    learning_rate: Tensor
    gradients: tables.Part
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
        self._units = tuple(units)
        # Of the units of all layers, one layer after the other; -1 until the first record: an
        # average starts with its first value.
        count = sum(count or 0 for count in units)
        self._activity = tf.Variable(tf.fill([count], -1.0), trainable=False, name="activity")

    def gradients(self, found: Sequence[Gradient | None]) -> tables.Part:
        """Reductions of all gradients; NaN for missing ones."""
        names = self.gradient_names
        return tables.Part(names, reduced(names, found, self._exact))

    @property
    def gradient_names(self) -> kernels.Names:
        """Reductions of a gradient that the tables need."""
        return tuple(dict.fromkeys((*kernels.asked("variables")["gradient"], *CORRUPTION)))

    @property
    def variables(self) -> list[Any]:
        """What it keeps between records."""
        return [self._activity]

    def vector(self, step: Step) -> tuple[Tensor, Tensor]:
        """All tables of `step`, row by row, one after the other, float32 `[length]`.

        And what `keep` is to be given, if the record is kept.
        """
        batch, activity = self._of_batch(step.trace)
        return self._joined({**self._of_update(step), **batch}), activity

    def update_vector(self, step: Step) -> Tensor:
        """The tables of `UPDATE_GROUPS`, which need the values after the update."""
        return self._joined(self._of_update(step))

    def batch_vector(self, trace: Trace) -> tuple[Tensor, Tensor]:
        """The tables of the other groups, and what `keep` is to be given."""
        found, activity = self._of_batch(trace)
        return self._joined(found), activity

    def _of_update(self, step: Step) -> _Tables:
        variables = self._variables(step)
        return {
            "variables": (variables, self._variable_columns(step.window)),
            "run": (None, _run_columns(variables, step)),
        }

    def _of_batch(self, trace: Trace) -> tuple[_Tables, Tensor]:
        found: _Tables = {}
        activity = self._activity.read_value()
        if self.rows.activations:
            part, columns, activity = self._layers(_made(trace.outputs), activity)
            found["activations"] = (tables.OutputRow(part), columns)
        if self.rows.inputs:
            count = len(self.rows.inputs)
            part = tables.feature_part(_made(trace.features), count, self._exact)
            found["inputs"] = (tables.FeatureRow(part), {})
        for group, make in trace.tables.items():
            if self._shapes[group][0]:
                columns = dict(
                    zip(statistics.columns(group), tf.unstack(make(), axis=1), strict=True)
                )
                found[group] = (None, columns)
        return found, activity

    def _joined(self, found: _Tables) -> Tensor:
        parts = [
            tf.reshape(tables.table(group, *found[group], self._shapes[group][0]), [-1])
            for group in GROUPS
            if group in found
        ]
        return tf.concat(parts, 0) if parts else tf.zeros([0])

    def keep(self, activity: Tensor) -> None:
        """Move the averages on: once per record."""
        self._activity.assign(activity)

    def _variables(self, step: Step) -> tables.VariableRow:
        updates = [as_float(now) - as_float(b) for now, b in zip(step.new, step.old, strict=True)]
        asked = kernels.asked("variables")
        names = tuple(dict.fromkeys((*asked["variable"], *asked["update"])))
        found = reduced(names, [*step.old, *updates], self._exact)
        count = len(updates)
        return tables.VariableRow(
            step.gradients,
            tables.Part(names, found[:, :count]),
            tables.Part(names, found[:, count:]),
        )

    def _layers(
        self, outputs: Mapping[int, Tensor], before: Tensor
    ) -> tuple[tables.Part, dict[str, Tensor], Tensor]:
        """Reductions and further columns `[L]` of the layers, and the units' new averages."""
        names = kernels.asked("activations")["output"]
        missing = tf.fill([len(names) + 2], tf.constant(kernels.UNDEFINED, tf.float32))
        results = self._outputs(names, outputs)
        found, active, first = [], [], 0
        for index in range(len(self.rows.activations)):
            numbers, activity = results.get(index, (missing, None))
            found.append(numbers)
            count = self._units[index] or 0
            if count:
                now = before[first : first + count] if activity is None else activity
                active.append(tf.ensure_shape(now, [count]))
            first += count
        part = tables.Part((*names, "batch_std", "saturated"), tf.stack(found, axis=1))
        after = before
        if active:
            now = tf.concat(active, 0)
            weight = tables.DEAD_WEIGHT
            after = tf.where(before < 0, now, (1.0 - weight) * before + weight * now)
        columns = {
            "activation_batch_std": part.batch_std,
            "activation_saturated_fraction": part.saturated,
            "activation_dead_fraction": self._dead_fractions(after, outputs),
        }
        return part, columns, after

    def _outputs(
        self, names: kernels.Names, outputs: Mapping[int, Tensor]
    ) -> dict[int, tuple[Tensor, Tensor | None]]:
        """What `kernels.output` tells of each layer."""
        found: dict[int, tuple[Tensor, Tensor | None]] = {}
        together: dict[int, packed_outputs.Output] = {}
        for index, tensor in outputs.items():
            values = tables.channels(tensor)
            saturated = tables.SATURATED.get(self.rows.activations[index].activation)
            if self._exact and packed_outputs.packable(values):
                counted = bool(self._units[index])
                together[index] = packed_outputs.Output(values, saturated, counted)
            else:
                found[index] = kernels.output(names, values, saturated, self._exact)
        if together:
            numbers = packed_outputs.outputs(names, list(together.values()))
            found.update(zip(together, numbers, strict=True))
        return found

    def _dead_fractions(self, activity: Tensor, outputs: Mapping[int, Tensor]) -> Tensor:
        """`[L]`; NaN for layers that were not seen, or whose units are not counted."""
        counts = np.asarray([count or 0 for count in self._units])
        seen = np.asarray([index in outputs for index in range(len(counts))])
        owners = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
        dead = tf.cast(activity < tables.DEAD_BELOW, tf.float32)
        sums = tf.math.unsorted_segment_sum(dead, owners, len(counts))
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.where(seen & (counts > 0), 1.0 / counts, np.nan).astype(np.float32)
        return sums * shares

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
        padded = tf.concat([values, [kernels.UNDEFINED]], 0)
        order, seen = [], 0
        for present in self.present:
            order.append(seen if present else sum(self.present))
            seen += present
        return tf.gather(padded, tf.constant(order, tf.int32))


def _run_columns(row: tables.VariableRow, step: Step) -> dict[str, Tensor]:
    """Columns of the run, `[1]` each."""
    window, loss = step.window, step.trace.loss
    undefined = tf.constant(kernels.UNDEFINED)
    finite = window.steps - window.loss_bad
    some = tf.constant(False) if loss is None else finite > 0
    values = {
        "loss": undefined if loss is None else tf.cast(loss, tf.float32),
        "learning_rate": step.learning_rate,
        "gradient_global_norm": Exact(row.gradient.norm).norm,
        "variable_global_norm": Exact(row.variable.norm).norm,
        "update_global_norm": Exact(row.update.norm).norm,
        "window_steps": window.steps,
        "window_unwatched_steps": tf.constant(0.0),
        "window_loss_steps": finite,
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
    values.update({name: make() for name, make in step.trace.run.items()})
    return {name: tf.reshape(value, [1]) for name, value in values.items()}


def _made(tensors: Mapping[int, Callable[[], Tensor]]) -> dict[int, Tensor]:
    return {place: make() for place, make in tensors.items()}
