"""The recorder's part inside the compiled train step.

Every step costs one sum of squares per gradient and a few scalar operations: they keep the window
statistics and notice a non-finite number. Everything else happens behind `tf.cond`, at the steps
the host scheduled and at the first non-finite step of the run.

Results land in variables that the host reads between steps (`Mailbox`); nothing is written from
inside the step: summary operations do not compile under XLA.

How an update is measured without touching it: the optimizer runs exactly once, outside of any
branch. At recorded steps a branch in front of it hands out the old values, which keeps their
buffers alive (TensorFlow then writes the new values elsewhere); a branch behind it compares. Under
XLA both branches must have one shape, so the old values are simply read: a buffer, no copy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.core.schema import Row
from tb_convergence.training import tables
from tb_convergence.training.reductions import Exact, Fast, Tensor

NEVER: Final = 2**63 - 1
SCHEDULED, INCIDENT = 0, 1
"""Slots of the mailbox: the record the host asked for; that of the first non-finite step."""

GROUPS: Final = ("variables", "activations", "inputs", "run")


@dataclass(slots=True)
class Trace:
    """What one trace of the train step showed before the optimizer was called.

    Attributes:
        loss: scalar whose gradients are taken (before loss scaling), or None.
        outputs: layer outputs `[B, ..., U]` by index of their row.
        features: tensors `[..., F]` by index of their first row.
    """

    loss: Tensor | None = None
    outputs: dict[int, Tensor] = field(default_factory=dict)
    features: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the tables with one row per tensor or feature."""

    variables: tuple[Row, ...]
    activations: tuple[Row, ...] = ()
    inputs: tuple[Row, ...] = ()

    def of(self, group: str) -> tuple[Row, ...]:
        """Rows of `group`; the run has one row."""
        return (Row("run", "", "run"),) if group == "run" else getattr(self, group)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the part before the optimizer leaves for the part behind it."""

    commit: Tensor
    step: Tensor
    slot: Tensor
    learning_rate: Tensor
    old: Sequence[Tensor]
    gradients: Sequence[tuple[Tensor | None, float | None]]
    inverse_scale: Tensor | None
    variables: Sequence[Any]
    trace: Trace


def _branch(function: Callable[[], Any]) -> Callable[[], Any]:
    """`function` as one node of the graph: a branch not taken then costs one node, not hundreds."""
    if tf.executing_eagerly():
        return function
    compiled: Callable[[], Any] = tf.function(
        function, autograph=False, experimental_attributes={"_noinline": True}
    )
    return compiled


def _variable(value: Any, dtype: Any, name: str) -> Any:
    return tf.Variable(value, trainable=False, dtype=dtype, name=f"tb_convergence/{name}")


class Recorder:
    """State and graph of one training's recording. V variables, L layers, F features.

    Args:
        rows: what is recorded; V, L and F follow from it.
        present: for each variable, whether its gradient exists.
        units: for each layer, the number of units whose activity is averaged, else None.
        first_step: number of the first step.
        compiled: whether the step is compiled by XLA.
    """

    def __init__(
        self,
        rows: Rows,
        present: Sequence[bool],
        units: Sequence[int | None],
        first_step: int,
        compiled: bool,
    ) -> None:
        self.rows = rows
        self.present = tuple(present)
        self.compiled = compiled
        self.shapes = {
            group: (len(rows.of(group)), len(statistics.columns(group)))  # type: ignore[arg-type]
            for group in GROUPS
        }
        length = sum(height * width for height, width in self.shapes.values())
        gradients = sum(present)
        with tf.init_scope():
            self.step = _variable(first_step, tf.int64, "step")
            self.next = _variable(first_step, tf.int64, "next")
            # Steps of the records in the two slots; first non-finite step of the window; whether
            # the run has had one. -1 where there is none.
            self.marks = _variable([-1, -1, -1, -1], tf.int64, "marks")
            self.mailbox = _variable(tf.zeros([2, length]), tf.float32, "mailbox")
            # Largest sum of squares per gradient, largest loss, largest -loss.
            self.peaks = _variable(self._no_peaks(gradients), tf.float32, "peaks")
            self.exact_peaks = _variable(tf.zeros([gradients]), tf.float32, "exact_peaks")
            # Steps, sum of finite losses.
            self.sums = _variable(tf.zeros([2]), tf.float32, "sums")
            # Non-finite steps per gradient, of the loss, of the run.
            self.bad = _variable(tf.zeros([gradients + 2]), tf.float32, "bad")
            self.activity = {
                index: _variable(tf.zeros([count]), tf.float32, f"activity_{index}")
                for index, count in enumerate(units)
                if count is not None
            }
            self.started = _variable(tf.zeros([max(len(units), 1)], tf.bool), tf.bool, "started")

    @staticmethod
    def _no_peaks(gradients: int) -> Tensor:
        return tf.concat([tf.zeros([gradients]), tf.fill([2], float("-inf"))], 0)

    # ---- before the optimizer -------------------------------------------------------------

    def before(
        self,
        trace: Trace,
        gradients: Sequence[Any],
        variables: Sequence[Any],
        learning_rate: Callable[[], Tensor],
        scale: Tensor | None = None,
        dynamic: bool = False,
    ) -> Plan:
        """Watch this step, decide whether it is recorded, and keep what the update changes.

        Args:
            gradients: as the optimizer gets them, `scale` times the loss' gradients.
            dynamic: whether the optimizer skips steps whose scaled gradients are not finite.
        """
        step, following = self.step.read_value(), self.next.read_value()
        dense = [tables.gradient_tensor(gradient) for gradient in gradients]
        inverse = None if scale is None else 1.0 / tf.cast(scale, tf.float32)
        loss = tf.constant(0.0) if trace.loss is None else tf.cast(trace.loss, tf.float32)
        squares = [tf.cast(Fast(g).square_sum, tf.float32) for g, _ in dense if g is not None]
        if inverse is not None:
            squares = [square * (inverse * inverse) for square in squares]
        signs = tf.stack([*squares, loss, -loss])
        suspicious = tf.logical_not(tf.math.is_finite(tf.reduce_sum(signs)))
        due = step >= following

        def ordinary() -> None:
            self.peaks.assign(tf.maximum(self.peaks, signs))
            self.sums.assign_add(tf.stack([1.0, loss]))

        def watch() -> tuple[Tensor, Tensor]:
            return tf.cond(
                suspicious,
                lambda: self._suspicious_step(step, due, dense, inverse, loss, scale, dynamic),
                lambda: (ordinary(), (due, tf.constant(SCHEDULED)))[1],
            )

        def event() -> tuple[Any, ...]:
            commit, slot = watch()
            old = [] if self.compiled else [tf.identity(_value(v)) for v in variables]
            return (commit, slot, tf.cast(learning_rate(), tf.float32), *old)

        def quiet() -> tuple[Any, ...]:
            ordinary()
            old = [] if self.compiled else [tf.zeros([0], _value(v).dtype) for v in variables]
            return (tf.constant(False), tf.constant(SCHEDULED), tf.constant(0.0), *old)

        commit, slot, rate, *old = tf.cond(tf.logical_or(suspicious, due), _branch(event), quiet)
        if self.compiled:
            old = [tf.convert_to_tensor(_value(v)) for v in variables]
        return Plan(commit, step, slot, rate, old, dense, inverse, tuple(variables), trace)

    def _suspicious_step(
        self,
        step: Tensor,
        due: Tensor,
        dense: Sequence[tuple[Tensor | None, float | None]],
        inverse: Tensor | None,
        loss: Tensor,
        scale: Tensor | None,
        dynamic: bool,
    ) -> tuple[Tensor, Tensor]:
        """Window statistics of a step whose sums are not finite: overflow, or NaN and Inf."""
        exact = [Exact(_scaled(g, inverse)) for g, _ in dense if g is not None]
        bad = tf.stack([tf.logical_not(tf.reduce_all(tf.math.is_finite(e.values))) for e in exact])
        norms = tf.stack([tf.cast(e.norm, tf.float32) for e in exact])
        loss_bad = tf.logical_not(tf.math.is_finite(loss))
        any_bad = tf.logical_or(loss_bad, tf.reduce_any(bad))
        skipped = tf.constant(False)
        if dynamic and scale is not None:
            # The loss scale was too large and the optimizer skips the step: nothing went wrong
            # with the training, unless it happens without any scale left to blame.
            skipped = any_bad & ~loss_bad & (tf.cast(scale, tf.float32) > 1.0)
        counted = tf.logical_not(skipped)
        marks = self.marks.read_value()
        first = any_bad & counted & (marks[3] < 0)
        commit = (due & counted) | first

        def count() -> Tensor:
            finite_loss = tf.where(loss_bad, 0.0, loss)
            signs = tf.where(loss_bad, float("-inf"), tf.stack([loss, -loss]))
            none = tf.zeros([len(exact)])
            self.peaks.assign(tf.maximum(self.peaks, tf.concat([none, signs], 0)))
            finite_norms = tf.where(tf.math.is_nan(norms), 0.0, norms)
            self.exact_peaks.assign(tf.maximum(self.exact_peaks, finite_norms))
            self.sums.assign_add(tf.stack([1.0, finite_loss]))
            flags = tf.concat([bad, [loss_bad, any_bad]], 0)
            self.bad.assign_add(tf.cast(flags, tf.float32))
            seen = tf.where(any_bad & (marks[2] < 0), step, marks[2])
            ever = tf.where(any_bad & (marks[3] < 0), step, marks[3])
            self.marks.assign(tf.stack([marks[0], marks[1], seen, ever]))
            return tf.constant(0)

        tf.cond(counted, count, lambda: tf.constant(0))
        return commit, tf.where(first, INCIDENT, SCHEDULED)

    # ---- behind the optimizer -------------------------------------------------------------

    def after(self, plan: Plan) -> None:
        """Record the step if that was decided, and count it."""

        def record() -> Tensor:
            vector = self._vector(plan)
            index = tf.reshape(plan.slot, [1])
            self.mailbox.scatter_update(tf.IndexedSlices(vector[None], index))
            marks = self.marks.read_value()
            mine = tf.range(4) == plan.slot
            kept = tf.where(tf.range(4) == 2, tf.constant(-1, tf.int64), marks)
            self.marks.assign(tf.where(mine, plan.step, kept))
            due = plan.step >= self.next
            self.next.assign(tf.where(due, tf.constant(NEVER, tf.int64), self.next))
            self.peaks.assign(self._no_peaks(sum(self.present)))
            for variable in (self.exact_peaks, self.sums, self.bad):
                variable.assign(tf.zeros_like(variable))
            return tf.constant(0)

        tf.cond(plan.commit, _branch(record), lambda: tf.constant(0))
        self.step.assign_add(1)

    def _vector(self, plan: Plan) -> Tensor:
        """All tables, row by row, one after the other."""
        outputs = self._outputs(Fast, plan.trace)
        supplied = {
            "variables": self._variable_window(),
            "activations": self._activity(outputs),
        }
        fast = self._reductions(Fast, plan, outputs)
        return tf.cond(
            tables.all_safe(fast.every()),
            lambda: self._tables(fast, plan, supplied),
            lambda: self._tables(
                self._reductions(Exact, plan, self._outputs(Exact, plan.trace)), plan, supplied
            ),
        )

    def _outputs(self, kind: tables.Kind, trace: Trace) -> list[tables.Output | None]:
        count = len(self.rows.activations)
        found = trace.outputs
        return [tables.Output(kind, found[i]) if i in found else None for i in range(count)]

    def _reductions(
        self, kind: tables.Kind, plan: Plan, outputs: Sequence[tables.Output | None]
    ) -> _Reductions:
        gradients: list[Fast | None] = []
        for values, size in plan.gradients:
            scaled = None if values is None else _scaled(values, plan.inverse_scale)
            gradients.append(None if scaled is None else kind(scaled, size=size))
        old: list[Fast] = []
        updates: list[Fast] = []
        for variable, before in zip(plan.variables, plan.old, strict=True):
            now = _value(variable)
            before = tf.reshape(before, now.shape)
            old.append(kind(before))
            updates.append(kind(_difference(now, before)))
        features = {
            index: tables.features(kind, values, tables.FEATURE_GROUPS)
            for index, values in plan.trace.features.items()
        }
        return _Reductions(gradients, old, updates, outputs, features)

    def _tables(
        self, found: _Reductions, plan: Plan, supplied: Mapping[str, Mapping[str, Tensor]]
    ) -> Tensor:
        variables = tables.VariableRow(
            tables.Stacked(found.gradients), tables.Stacked(found.old), tables.Stacked(found.updates)
        )
        parts = {"variables": (variables, supplied["variables"])}
        parts["run"] = (None, self._run(variables, plan))
        if self.rows.activations:
            rows = [None if output is None else output.all for output in found.outputs]
            extra = dict(supplied["activations"])
            extra["activation_batch_std"] = _vector_of(
                [None if output is None else output.batch_std() for output in found.outputs]
            )
            parts["activations"] = (tables.OutputRow(tables.Stacked(rows)), extra)
        if self.rows.inputs:
            joined = tables.Joined(self._feature_parts(found.features))
            parts["inputs"] = (tables.FeatureRow(joined), {})
        return tf.concat(
            [
                tf.reshape(tables.table(group, *parts[group], self.shapes[group][0]), [-1])
                for group in GROUPS
                if group in parts
            ],
            0,
        )

    def _feature_parts(self, found: Mapping[int, Sequence[Fast]]) -> list[Any]:
        """Parts that fill all F rows, in order; rows not seen in this trace are NaN."""
        parts: list[Any] = []
        filled = 0
        for index in sorted(found):
            if index > filled:
                parts.append(tables.Undefined(index - filled))
            parts.extend(found[index])
            filled = index + sum(int(part.mean.shape[0]) for part in found[index])
        if filled < len(self.rows.inputs):
            parts.append(tables.Undefined(len(self.rows.inputs) - filled))
        return parts

    def _activity(self, outputs: Sequence[tables.Output | None]) -> dict[str, Tensor]:
        """Columns that need state or a threshold, `[L]` each."""
        dead: list[Tensor | None] = []
        saturated: list[Tensor | None] = []
        flags = []
        started = self.started.read_value()
        for index, (row, output) in enumerate(zip(self.rows.activations, outputs, strict=True)):
            average = self.activity.get(index)
            known = output is not None and average is not None
            flags.append(tf.constant(True) if known else started[index])
            dead.append(
                tables.dead_fraction(output.activity(), average, started[index])
                if output is not None and average is not None
                else None
            )
            saturated.append(None if output is None else output.saturated_fraction(row.activation))
        if flags:
            self.started.assign(tf.stack(flags))
        return {
            "activation_dead_fraction": _vector_of(dead),
            "activation_saturated_fraction": _vector_of(saturated),
        }

    def _variable_window(self) -> dict[str, Tensor]:
        """Window columns `[V]`; NaN for variables without a gradient."""
        count = sum(self.present)
        peaks = tf.maximum(tf.sqrt(self.peaks[:count]), self.exact_peaks)
        missing = [float(not present) for present in self.present]
        return {
            "gradient_missing": tf.constant(missing, tf.float32),
            "window_gradient_norm_max": self._expanded(peaks),
            "window_nonfinite_steps": self._expanded(self.bad[:count]),
        }

    def _expanded(self, values: Tensor) -> Tensor:
        """`[G]` of the present gradients -> `[V]`, NaN for missing ones."""
        padded = tf.concat([values, [tables.UNDEFINED]], 0)
        order, seen = [], 0
        for present in self.present:
            order.append(seen if present else sum(self.present))
            seen += present
        return tf.gather(padded, tf.constant(order, tf.int32))

    def _run(self, row: tables.VariableRow, plan: Plan) -> dict[str, Tensor]:
        """Columns of the run, `[1]` each."""
        count = sum(self.present)
        undefined = tf.constant(tables.UNDEFINED)
        steps, total = self.sums[0], self.sums[1]
        finite = steps - self.bad[count]
        known = plan.trace.loss is not None
        some = (finite > 0) if known else tf.constant(False)
        loss = tf.cast(plan.trace.loss, tf.float32) if known else undefined
        first = self.marks[2]
        values = {
            "loss": loss,
            "learning_rate": plan.learning_rate,
            "gradient_global_norm": Exact(row.gradient.norm).norm,
            "variable_global_norm": Exact(row.variable.norm).norm,
            "update_global_norm": Exact(row.update.norm).norm,
            "window_steps": steps,
            "window_loss_mean": tf.where(some, tf.math.divide_no_nan(total, finite), undefined),
            "window_loss_max": tf.where(some, self.peaks[count], undefined),
            "window_loss_min": tf.where(some, -self.peaks[count + 1], undefined),
            "window_nonfinite_steps": self.bad[count + 1],
            "first_nonfinite_age_steps": tf.where(
                first < 0, undefined, tf.cast(plan.step - first, tf.float32)
            ),
        }
        return {name: tf.reshape(value, [1]) for name, value in values.items()}


@dataclass(frozen=True, slots=True)
class _Reductions:
    """Reductions of everything one record needs, all of one kind."""

    gradients: Sequence[Fast | None]
    old: Sequence[Fast]
    updates: Sequence[Fast]
    outputs: Sequence[tables.Output | None]
    features: Mapping[int, Sequence[Fast]]

    def every(self) -> list[Fast | None]:
        """All of them, for the check whether the fast kind is right."""
        outputs = [output.all for output in self.outputs if output is not None]
        features = [part for parts in self.features.values() for part in parts]
        return [*self.gradients, *self.old, *self.updates, *outputs, *features]


def _vector_of(values: Sequence[Tensor | None]) -> Tensor:
    """float32 vector; NaN for None."""
    undefined = tf.constant(tables.UNDEFINED, tf.float32)
    return tf.stack([undefined if v is None else tf.cast(v, tf.float32) for v in values])


def _value(variable: Any) -> Any:
    """The `tf.Variable` behind a Keras variable."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def _scaled(gradient: Tensor, inverse: Tensor | None) -> Tensor:
    return gradient if inverse is None else tf.cast(gradient, tf.float32) * inverse


def _difference(now: Tensor, before: Tensor) -> Tensor:
    """Update in at least float32: half precision would round small updates away."""
    if now.dtype in (tf.float16, tf.bfloat16):
        return tf.cast(now, tf.float32) - tf.cast(before, tf.float32)
    return now - before
