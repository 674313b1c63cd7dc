"""How often each class occurs among the targets: one row per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import tensorflow as tf

from tb_convergence.core.schema import Row
from tb_convergence.training.instep.reductions import Tensor, supported

MAX_CLASSES: Final = 100


def rows(tensors: Sequence[tuple[str, str, Any]]) -> tuple[Row, ...]:
    """Rows for (name, kind, tensor) of one batch; nothing where targets are no class numbers."""
    found = _target(tensors)
    if found is None:
        return ()
    name, values, count = found
    return tuple(
        Row(f"{name}={number}", name, "label", (number, number + 1), values.dtype.name)
        for number in range(count)
    )


def table(tensors: Sequence[tuple[str, str, Any]], count: int) -> Tensor:
    """Fractions of the batch, float32 `[count, 1]`; NaN where this batch has no such targets."""
    found = _target(tensors)
    if found is None or found[2] != count:
        return tf.fill([count, 1], float("nan"))
    values = tf.cast(tf.reshape(found[1], [-1, 1]), tf.float32)
    same = tf.equal(values, tf.range(count, dtype=tf.float32)[None])
    return tf.reduce_mean(tf.cast(same, tf.float32), axis=0)[:, None]


def _target(tensors: Sequence[tuple[str, str, Any]]) -> tuple[str, Any, int] | None:
    """(name, target, classes) where there is one target `[B]` or `[B, 1]`, of class numbers.

    They are class numbers where the prediction `[B, C]` has one place for each; whole numbers with
    a single output are taken to be 0 and 1.
    """
    targets = [(name, tensor) for name, kind, tensor in tensors if kind == "target"]
    outputs = [tensor for _, kind, tensor in tensors if kind == "prediction"]
    if len(targets) != 1 or len(outputs) != 1 or not supported(targets[0][1]):
        return None
    (name, target), output = targets[0], outputs[0]
    flat = target.shape.rank == 1 or (target.shape.rank == 2 and target.shape[1] == 1)
    if not flat or output.shape.rank != 2 or output.shape[1] is None:
        return None
    classes = int(output.shape[1])
    if classes == 1 and not target.dtype.is_floating:
        classes = 2
    return (name, target, classes) if 2 <= classes <= MAX_CLASSES else None
