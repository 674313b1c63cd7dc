"""The recorder's part inside the compiled train step: windows, decision, and where a record goes.

Every step costs one sum of squares per gradient and a few scalar operations: they keep the window
statistics and notice a non-finite number. Everything else happens behind `tf.cond`, at the steps
the host scheduled and at the first non-finite step of the run.

Results land in variables that the host reads between steps; nothing is written from inside the
step: summary operations do not compile under XLA.

How an update is measured without touching it: the optimizer runs exactly once, outside of any
branch. In front of it a branch hands out the old values at recorded steps, which keeps their
buffers alive (TensorFlow then writes the new values elsewhere); behind it another one compares.
Under XLA both sides of a branch must have one shape, so there the old values are simply read:
XLA then needs no copy either, only a second buffer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import tensorflow as tf

from tb_convergence.training.instep import tables
from tb_convergence.training.instep.branches import SCOPE, branch
from tb_convergence.training.instep.gradients import Gradient, Scaling, dense, effective, unscaled
from tb_convergence.training.instep.reductions import Tensor, as_float, half_square_sum
from tb_convergence.training.instep.snapshot import Rows, Snapshot, Step, Trace, Window

__all__ = ["NEVER", "SCOPE", "Plan", "Recorder", "batch_size", "outside_of_trace"]

NEVER: Final = 2**63 - 1
Made = TypeVar("Made")

SCHEDULED, INCIDENT = 0, 1
"""Slots of the mailbox: the record the host asked for; that of the first non-finite step."""

# Places in `Recorder.marks`.
FIRST_BAD, EVER_BAD = 2, 3

LOWEST: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the part in front of the optimizer leaves for the part behind it."""

    number: Tensor
    due: Tensor
    suspicious: Tensor
    eventful: Tensor
    watched: Tensor
    loss: Tensor
    learning_rate: Tensor
    gradients: Sequence[Gradient | None]
    averaged: Sequence[Tensor | None]
    old: Sequence[Tensor]
    variables: Sequence[Any]
    scaling: Scaling
    trace: Trace


class Recorder:
    """State and graph of one training's recording. To be made eagerly (see `outside_of_trace`).

    Args:
        rows: what is recorded; V variables, of which G have a gradient.
        present: for each variable, whether its gradient exists.
        units: for each layer, the number of units whose activity is averaged, else None.
        first_step: number of the first step.
        compiled: whether the step is compiled by XLA.

    Attributes:
        step: number of the next step.
        next: the step to record; `NEVER` while a record waits for the host.
        marks: int64 `[4]`: steps of the records in the two slots, first non-finite step of the
            window, first of the run; -1 where there is none.
        mailbox: float32 `[2, length]`, the records.
        batch: number of examples of the latest recorded batch; -1 where unknown.
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
        self.compiled = compiled
        self._snapshot = Snapshot(rows, present, units, exact=compiled)
        self._gradients = sum(present)
        self.step = _variable(first_step, tf.int64, "step")
        self.next = _variable(first_step, tf.int64, "next")
        self.marks = _variable([-1, -1, -1, -1], tf.int64, "marks")
        self.mailbox = _variable(tf.zeros([2, self._snapshot.length]), tf.float32, "mailbox")
        self.batch = _variable(-1, tf.int64, "batch")
        # Largest sum of squares per gradient, largest loss, largest -loss.
        self._peaks = _variable(self._no_peaks(), tf.float32, "peaks")
        # The same, for norms whose square would overflow.
        self._high_peaks = _variable(tf.zeros([self._gradients]), tf.float32, "high_peaks")
        # Steps; sum of the finite losses.
        self._sums = _variable(tf.zeros([2]), tf.float32, "sums")
        # Non-finite steps per gradient, of the loss, of the run.
        self._bad = _variable(tf.zeros([self._gradients + 2]), tf.float32, "bad")

    def _no_peaks(self) -> Tensor:
        return tf.concat([tf.zeros([self._gradients]), tf.fill([2], LOWEST)], 0)

    # ---- in front of the optimizer --------------------------------------------------------

    def before(
        self,
        trace: Trace,
        gradients: Sequence[Any],
        variables: Sequence[Any],
        learning_rate: Callable[[], Tensor],
        scaling: Scaling,
    ) -> Plan:
        """Watch this step, and keep what the update is about to change where it is recorded."""
        number = self.step.read_value()
        due = number >= self.next
        if scaling.applies is not None:
            due = tf.logical_and(due, scaling.applies)
        found = [dense(gradient) for gradient in gradients]
        loss = tf.constant(0.0) if trace.loss is None else tf.cast(trace.loss, tf.float32)
        watched = tf.stack([*_halves(found, scaling.factor, self.compiled), loss, -loss])
        suspicious = tf.logical_not(tf.reduce_all(tf.math.is_finite(watched)))
        values = [_value(variable) for variable in variables]
        accumulates = scaling.batches > 1

        def kept() -> tuple[Any, ...]:
            rate = tf.cast(learning_rate(), tf.float32)
            sums = self._sums_of(gradients, scaling) if accumulates else []
            return (rate, *(tf.identity(value) for value in values), *sums)

        def nothing() -> tuple[Any, ...]:
            old = _nothings([value.dtype for value in values])
            count = self._gradients if accumulates else 0
            return (tf.constant(0.0), *old, *_nothings([tf.float32] * count))

        eventful = tf.logical_or(suspicious, due)
        if self.compiled:
            # Values are only read, and a branch for the rate alone costs more than the rate.
            rate = tf.cast(learning_rate(), tf.float32)
            rest = _tensors(values)
            rest += self._sums_of(gradients, scaling) if accumulates else []
        else:
            rate, *rest = branch(eventful, kept, nothing)
        old, sums = rest[: len(values)], iter(rest[len(values) :])
        averaged = [None if g is None or not accumulates else next(sums) for g in found]
        return Plan(
            number, due, suspicious, eventful, watched, loss, rate, found, averaged, old,
            tuple(variables), scaling, trace,
        )

    @staticmethod
    def _sums_of(gradients: Sequence[Any], scaling: Scaling) -> list[Tensor]:
        """Averaged gradients of the update, of those that are present."""
        pairs = zip(gradients, scaling.accumulated, strict=True)
        return [
            tf.cast(effective(gradient, scaling, total), tf.float32)
            for gradient, total in pairs
            if dense(gradient) is not None
        ]

    # ---- behind the optimizer -------------------------------------------------------------

    def after(self, plan: Plan) -> None:
        """Update the windows, record the step if it is to be, and count it."""
        # XLA hands every variable that a branch reads through the branch, by copying it: tensors
        # are read in front of it instead.
        new = _tensors(plan.variables) if self.compiled else None
        branch(plan.eventful, lambda: self._eventful(plan, new), lambda: self._ordinary(plan))
        applies = plan.scaling.applies
        self.step.assign_add(1 if applies is None else tf.cast(applies, tf.int64))

    def _ordinary(self, plan: Plan) -> Tensor:
        """Windows of a step at which everything is finite."""
        self._peaks.assign(tf.maximum(self._peaks, plan.watched))
        self._sums.assign_add(tf.stack([1.0, plan.loss]))
        return tf.constant(0)

    def _eventful(self, plan: Plan, new: list[Tensor] | None) -> Tensor:
        """A step that is due, or whose sums of squares are not finite."""
        factor = plan.scaling.factor
        gradients = self._snapshot.gradients(
            [
                None if g is None else Gradient(unscaled(g.values, factor), g.size)
                for g in plan.gradients
            ]
        )
        first, counted = self._count(plan, gradients)
        commit = first | (plan.due & counted)
        slot = tf.where(first, INCIDENT, SCHEDULED)
        return tf.cond(
            commit, lambda: self._record(plan, new, gradients, slot), lambda: tf.constant(0)
        )

    def _count(self, plan: Plan, gradients: tables.Part) -> tuple[Tensor, Tensor]:
        """Windows of any step, from exact numbers: sums that are not finite may have overflowed.

        Returns whether this is the first non-finite step, and whether the step counts at all.
        """
        here = [place for place, gradient in enumerate(plan.gradients) if gradient is not None]
        norms = tf.gather(gradients.norm, here)
        bad = tf.gather(gradients.nan_fraction + gradients.inf_fraction, here) > 0
        loss_bad = tf.logical_not(tf.math.is_finite(plan.loss))
        any_bad = tf.logical_or(loss_bad, tf.reduce_any(bad))
        counted = tf.constant(True)
        if plan.scaling.skips and plan.scaling.factor is not None:
            # The loss scale was too large, and the optimizer skipped the step: nothing is wrong
            # with the training, unless it happens with no scale left to blame.
            blamed = tf.cast(plan.scaling.factor, tf.float32) > 1.0
            counted = tf.logical_not(any_bad & tf.logical_not(loss_bad) & blamed)
        marks = self.marks.read_value()
        first = any_bad & counted & (marks[EVER_BAD] < 0)

        # Norms are kept as such: those of large gradients have no square in float32.
        norms = tf.where(counted & tf.logical_not(tf.math.is_nan(norms)), norms, 0.0)
        self._high_peaks.assign(tf.maximum(self._high_peaks, norms))
        usable = counted & tf.logical_not(loss_bad)
        losses = tf.where(usable, tf.stack([plan.loss, -plan.loss]), LOWEST)
        peaks = tf.concat([tf.zeros([self._gradients]), losses], 0)
        self._peaks.assign(tf.maximum(self._peaks, peaks))
        steps = tf.cast(counted, tf.float32)
        self._sums.assign_add(tf.stack([steps, tf.where(usable, plan.loss, 0.0)]))
        flags = tf.concat([bad, [loss_bad, any_bad]], 0)
        self._bad.assign_add(tf.cast(flags & counted, tf.float32))
        new = any_bad & counted & (marks < 0) & (tf.range(4) >= FIRST_BAD)
        self.marks.assign(tf.where(new, plan.number, marks))
        return first, counted

    def _record(
        self, plan: Plan, new: list[Tensor] | None, gradients: tables.Part, slot: Tensor
    ) -> Tensor:
        """Put the record into its slot, close the window, and stop until the host has read it."""
        vector, activity = self._snapshot.vector(self._step(plan, new, gradients))
        self._snapshot.keep(activity)
        self.mailbox.scatter_update(tf.IndexedSlices(vector[None], tf.reshape(slot, [1])))
        places = tf.range(4)
        marks = tf.where(places == FIRST_BAD, tf.constant(-1, tf.int64), self.marks)
        self.marks.assign(tf.where(places == slot, plan.number, marks))
        self.next.assign(tf.where(plan.due, tf.constant(NEVER, tf.int64), self.next))
        self.batch.assign(batch_size(plan.trace))
        self._peaks.assign(self._no_peaks())
        for variable in (self._high_peaks, self._sums, self._bad):
            variable.assign(tf.zeros_like(variable))
        return tf.constant(0)

    def _step(self, plan: Plan, new: list[Tensor] | None, gradients: tables.Part) -> Step:
        if plan.scaling.batches > 1:
            # The update follows from the average over several batches.
            averages = [None if a is None else Gradient(a) for a in plan.averaged]
            gradients = self._snapshot.gradients(averages)
        new = _tensors(plan.variables) if new is None else new
        old = [tf.reshape(b, now.shape) for b, now in zip(plan.old, new, strict=True)]
        count = self._gradients
        norms = tf.maximum(tf.sqrt(2.0 * self._peaks[:count]), self._high_peaks)
        window = Window(
            gradient_norms=norms,
            gradient_bad=self._bad[:count],
            steps=self._sums[0],
            loss_sum=self._sums[1],
            loss_bad=self._bad[count],
            loss_max=self._peaks[count],
            loss_min=-self._peaks[count + 1],
            bad=self._bad[count + 1],
            first_bad=self.marks[FIRST_BAD],
        )
        return Step(plan.number, plan.learning_rate, gradients, old, new, plan.trace, window)


def outside_of_trace(build: Callable[[], Made]) -> Made:
    """`build()` run eagerly, even while a function is traced, and outside of any replica.

    In a thread of its own, because `tf.init_scope` keeps the trace's variable creators: in the
    first trace of a function they note every variable, and TensorFlow traces a second time for it;
    in later traces they forbid new variables. In a replica they make one for each replica.
    """
    if tf.executing_eagerly() and not tf.distribute.has_strategy():
        return build()
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(build).result()


def _halves(
    gradients: Sequence[Gradient | None], factor: Tensor | None, compiled: bool
) -> list[Tensor]:
    """Half the sum of squares of each present gradient, without the loss scale.

    Made for every step: without XLA one operation, and no copy, for each.
    """
    half = half_square_sum if compiled else tf.nn.l2_loss
    sums = [tf.cast(half(as_float(g.values)), tf.float32) for g in gradients if g is not None]
    if factor is None:
        return sums
    inverse = 1.0 / tf.cast(factor, tf.float32)
    return [value * inverse * inverse for value in sums]


def _nothings(dtypes: Sequence[Any]) -> list[Tensor]:
    """An empty tensor for each dtype, made once for each kind."""
    made = {dtype: tf.zeros([0], dtype) for dtype in dict.fromkeys(dtypes)}
    return [made[dtype] for dtype in dtypes]


def _variable(value: Any, dtype: Any, name: str) -> Any:
    return tf.Variable(value, trainable=False, dtype=dtype, name=name)


def _tensors(variables: Sequence[Any]) -> list[Tensor]:
    """What the variables hold now."""
    return [tf.convert_to_tensor(_value(variable)) for variable in variables]


def _value(variable: Any) -> Any:
    """The `tf.Variable` behind a Keras variable."""
    return variable if isinstance(variable, tf.Variable) else variable.value


def batch_size(trace: Trace) -> Tensor:
    """Examples in the batch, int64; -1 where no tensor shows it."""
    for tensors in (trace.features, trace.outputs):
        for make in tensors.values():
            values = make()
            if values.shape.rank:
                return tf.cast(tf.shape(values)[0], tf.int64)
    return tf.constant(-1, tf.int64)
