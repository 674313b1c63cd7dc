"""One optimizer call of a rehearsed step: what is measured inside the copy, and what after it.

The copy of the step takes gradients, outputs and inputs; the update itself is that of the training,
made by Keras' own function. So a record has two halves: `during`, traced into the copy, leaves its
numbers in variables; `after` joins them with the variables before and after the update.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.core import statistics
from tb_convergence.training.instep import tables
from tb_convergence.training.instep.branches import SCOPE, one_node
from tb_convergence.training.instep.gradients import Gradient, Scaling, dense, effective, unscaled
from tb_convergence.training.instep.recorder import batch_size
from tb_convergence.training.instep.reductions import Tensor
from tb_convergence.training.instep.snapshot import (
    GROUPS,
    UPDATE_GROUPS,
    Rows,
    Snapshot,
    Step,
    Trace,
    Window,
)

LOSS, RATE, BATCH = range(3)
"""Places in the vector of numbers; those of `RUN_COLUMNS` follow."""

RUN_COLUMNS: Final = (
    "data_loss", "regularization_loss", "clipped_gradient_global_norm", "window_clipped_fraction",
)
"""Columns of the run that only the step itself tells."""


class Measurement:
    """Results of one optimizer call. To be made eagerly.

    Args:
        rows: what is recorded; V variables.
        present: for each variable, whether it has a gradient; None if no step is rehearsed, and
            so nothing is known of gradients.
        units: for each layer, the number of units whose activity is averaged, else None.
    """

    def __init__(
        self, rows: Rows, present: Sequence[bool] | None, units: Sequence[int | None] = ()
    ) -> None:
        self.rows = rows
        self._known = present is not None
        self._present = tuple(present or [False] * len(rows.variables))
        self._snapshot = Snapshot(rows, self._present, units, exact=False)
        self._names = self._snapshot.gradient_names
        shapes = rows.shapes()
        count = sum(h * w for group, (h, w) in shapes.items() if group not in UPDATE_GROUPS)
        undefined = float("nan")
        self._gradients = _variable(
            np.full([len(self._names), len(rows.variables)], undefined), "gradients"
        )
        self._batch = _variable(np.full([count], undefined), "batch")
        self._numbers = _variable(np.full([3 + len(RUN_COLUMNS)], undefined), "numbers")
        self._finish: Any = None

    # ---- inside the copy ------------------------------------------------------------------

    def during(
        self,
        trace: Trace,
        gradients: Sequence[Any],
        learning_rate: Callable[[], Tensor],
        scaling: Scaling,
    ) -> None:
        """Measure what the update does not change. All of it is one node of the graph."""

        def measured() -> tuple[Tensor, ...]:
            with tf.name_scope(SCOPE):
                found = self._snapshot.gradients(_averaged(gradients, scaling))
                vector, activity = self._snapshot.batch_vector(trace)
                undefined = tf.constant(float("nan"))
                run = [trace.run[name]() if name in trace.run else undefined
                       for name in RUN_COLUMNS]
                loss = undefined if trace.loss is None else trace.loss
                numbers = [loss, learning_rate(), batch_size(trace), *run]
                stacked = tf.stack([tf.cast(tf.reshape(n, []), tf.float32) for n in numbers])
                return tf.stack(found.vectors(self._names)), vector, stacked, activity

        matrix, vector, numbers, activity = one_node(measured)()
        self._gradients.assign(matrix)
        self._batch.assign(vector)
        self._numbers.assign(numbers)
        self._snapshot.keep(activity)

    # ---- behind the training's own step ---------------------------------------------------

    def after(
        self, old: Sequence[Tensor], new: Sequence[Tensor], supplied: Mapping[str, float]
    ) -> dict[statistics.Group, NDArray[np.float32]]:
        """The tables `[R, C]` of the step by group.

        Args:
            old, new: values of the V variables before and after the update.
            supplied: columns of the run that the host knows, and `loss` where nothing was measured.
        """
        numbers = self._numbers.numpy()
        if not self._known:
            numbers[LOSS] = supplied.get("loss", np.nan)
            numbers[RATE] = supplied.get("learning_rate", np.nan)
        if self._finish is None:
            self._finish = self._traced(old)
        vector = self._finish(list(old), list(new), tf.constant(numbers)).numpy()
        shapes = self.rows.shapes()
        found: dict[statistics.Group, NDArray[np.float32]] = {}
        for flat, groups in (
            (vector, UPDATE_GROUPS),
            (self._batch.numpy(), [g for g in GROUPS if g not in UPDATE_GROUPS]),
        ):
            place = 0
            for group in groups:
                height, width = shapes[group]
                if height:
                    size = height * width
                    found[group] = flat[place : place + size].reshape(height, width).copy()
                    place += size
        run = found["run"]
        for name, value in supplied.items():
            column = statistics.columns("run")
            if name in column:
                run[0, column.index(name)] = value
        if not self._known:
            columns = statistics.columns("variables")
            for name in ("gradient_missing", "window_gradient_norm_max", "window_nonfinite_steps"):
                found["variables"][:, columns.index(name)] = np.nan
        return found

    @property
    def variables(self) -> list[Any]:
        """Everything that it keeps: never to be rolled back."""
        return [self._gradients, self._batch, self._numbers, *self._snapshot.variables]

    @property
    def measures(self) -> bool:
        """Whether a copy of the step is measured, or only its update is."""
        return self._known

    @property
    def loss(self) -> float:
        """Loss of the latest rehearsed batch; NaN without one."""
        return float(self._numbers.numpy()[LOSS])

    @property
    def batch(self) -> int | None:
        """Examples in it; None if that is not known."""
        found = float(self._numbers.numpy()[BATCH])
        return int(found) if found >= 0 else None

    def _traced(self, values: Sequence[Tensor]) -> Any:
        """The second half as a function of its own, traced once."""

        def finish(old: list[Tensor], new: list[Tensor], numbers: Tensor) -> Tensor:
            with tf.name_scope(SCOPE):
                part = tables.Part(self._names, self._gradients.read_value())
                extra = dict(zip(RUN_COLUMNS, tf.unstack(numbers[3:]), strict=True))
                trace = Trace(loss=numbers[LOSS])
                trace.run.update({name: _constantly(value) for name, value in extra.items()})
                window = _this_step(part, self._present, numbers[LOSS], self._known)
                step = Step(tf.constant(0, tf.int64), numbers[RATE], part, old, new, trace, window)
                return self._snapshot.update_vector(step)

        specs = [tf.TensorSpec(value.shape, value.dtype) for value in values]
        size = tf.TensorSpec([3 + len(RUN_COLUMNS)], tf.float32)
        traced: Any = one_node(finish)
        return traced.get_concrete_function(specs, specs, size)


def _constantly(value: Tensor) -> Callable[[], Tensor]:
    return lambda: value


def _this_step(
    part: tables.Part, present: Sequence[bool], loss: Tensor, measured: bool
) -> Window:
    """A window of one step: between two rehearsed steps nothing is known of gradients.

    A loss that was not `measured` is NaN where it is not known: that says nothing of the step.
    """
    places = tf.constant([place for place, here in enumerate(present) if here], tf.int32)
    bad = tf.gather(part.nan_fraction + part.inf_fraction, places) > 0
    loss_bad = tf.logical_not(tf.math.is_finite(loss))
    zero = tf.constant(0.0)
    damaged = tf.logical_or(tf.reduce_any(bad), tf.logical_and(loss_bad, measured))
    return Window(
        gradient_norms=tf.gather(part.norm, places),
        gradient_bad=tf.cast(bad, tf.float32),
        steps=tf.constant(1.0),
        loss_sum=tf.where(loss_bad, zero, loss),
        loss_bad=tf.cast(loss_bad, tf.float32),
        loss_max=loss,
        loss_min=loss,
        bad=tf.cast(damaged, tf.float32),
        first_bad=tf.where(damaged, tf.constant(0, tf.int64), tf.constant(-1, tf.int64)),
    )


def _averaged(gradients: Sequence[Any], scaling: Scaling) -> list[Gradient | None]:
    """Gradients of one update, unscaled: the mean over its batches where it has several."""
    found = [dense(gradient) for gradient in gradients]
    if scaling.batches > 1:
        return [
            None if item is None else Gradient(effective(gradient, scaling, total))
            for item, gradient, total in zip(found, gradients, scaling.accumulated, strict=True)
        ]
    return [
        None if item is None else Gradient(unscaled(item.values, scaling.factor), item.size)
        for item in found
    ]


def _variable(value: NDArray[np.float64], name: str) -> Any:
    return tf.Variable(value.astype(np.float32), trainable=False, name=name)
