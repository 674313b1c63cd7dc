"""What a Keras optimizer's clipping does to gradients: how often, and what it leaves of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.instep.gradients import Gradient, unscaled
from tb_convergence.training.instep.recorder import Plan, Recorder, outside_of_trace
from tb_convergence.training.instep.reductions import Exact, Tensor, as_float
from tb_convergence.training.keras import introspection

KINDS: Final = ("clipnorm", "global_clipnorm", "clipvalue")
"""In the order in which Keras asks for them: the first that is set is the one in force."""


class Clipping:
    """Watches one optimizer call. To be made eagerly.

    Args:
        kind, limit: which of `KINDS`, and its value.
    """

    def __init__(self, kind: str, limit: float) -> None:
        self._kind = kind
        self._limit = limit
        # Steps since the last record, and how many of them were clipped.
        self._counts = tf.Variable(tf.zeros([2]), trainable=False, name="clipped")

    @property
    def variables(self) -> list[Any]:
        """What it keeps between records."""
        return [self._counts]

    def before(self, plan: Plan) -> Tensor:
        """In front of the recorder's second part: adds columns; returns whether it clips now."""
        gradients = [g for g in plan.gradients if g is not None]
        squares = 2.0 * plan.watched[: len(gradients)]
        now, left = self._effect(squares, gradients, plan.scaling.factor)
        plan.trace.run.update(
            clipped_gradient_global_norm=left,
            window_clipped_fraction=lambda: (self._counts[1] + now) / (self._counts[0] + 1.0),
        )
        return now

    def of_this_step(
        self, gradients: Sequence[Gradient], factor: Tensor | None
    ) -> dict[str, Callable[[], Tensor]]:
        """Columns of a rehearsed step, which is the only one of its window."""
        squares = [tf.square(Exact(unscaled(as_float(g.values), factor)).norm) for g in gradients]
        stacked = tf.stack([tf.cast(square, tf.float32) for square in squares])
        now, left = self._effect(stacked, gradients, factor)
        return {"clipped_gradient_global_norm": left, "window_clipped_fraction": lambda: now}

    def _effect(
        self, squares: Tensor, gradients: Sequence[Gradient], factor: Tensor | None
    ) -> tuple[Tensor, Callable[[], Tensor]]:
        """(1 where this step is clipped, else 0; what makes the global norm that is left).

        `squares` `[G]` are sums of squares of the unscaled gradients.
        """
        norms, together = tf.sqrt(squares), tf.sqrt(tf.reduce_sum(squares))
        left: Callable[[], Tensor]
        if self._kind == "global_clipnorm":
            clips = together > self._limit

            def left() -> Tensor:
                return tf.minimum(together, self._limit)

        elif self._kind == "clipnorm":
            clips = tf.reduce_any(norms > self._limit)

            def left() -> Tensor:
                return tf.norm(tf.minimum(norms, self._limit))

        else:
            values = [unscaled(as_float(g.values), factor) for g in gradients]
            largest = [tf.cast(tf.reduce_max(tf.abs(v)), tf.float32) for v in values]
            clips = tf.reduce_any(tf.stack(largest) > self._limit)

            def left() -> Tensor:
                limit = self._limit
                clipped = [tf.clip_by_value(v, -limit, limit) for v in values]
                return tf.sqrt(tf.add_n([2.0 * _half(v) for v in clipped]))

        finite = tf.math.is_finite(together)
        now = tf.cast(tf.logical_and(clips, finite), tf.float32)
        return now, lambda: tf.where(finite, left(), tf.constant(float("nan")))

    def after(self, now: Tensor, plan: Plan, recorder: Recorder) -> None:
        """Behind it: count this step; a record begins a new window."""
        recorded = tf.reduce_any(tf.equal(recorder.marks[:2], plan.number))
        counts = self._counts + tf.stack([1.0, now])
        self._counts.assign(tf.where(recorded, tf.zeros([2]), counts))


def _half(values: Tensor) -> Tensor:
    return tf.cast(tf.nn.l2_loss(values), tf.float32)


def clipping_of(optimizer: Any) -> Clipping | None:
    """The clipping of `optimizer`, or None if it does not clip.

    None too where it accumulates gradients: it then clips their mean, at some steps only.
    """
    inner = introspection.innermost(optimizer)
    if introspection.batches_per_update(optimizer) > 1:
        return None
    for kind in KINDS:
        limit = getattr(inner, kind, None)
        if limit is not None and limit > 0:
            return _made(kind, float(limit))
    return None


def _made(kind: str, limit: float) -> Clipping:
    return outside_of_trace(lambda: Clipping(kind, limit))
