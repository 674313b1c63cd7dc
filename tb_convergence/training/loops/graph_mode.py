"""Graph mode (TensorFlow 1): gradients and variables as one summary op, written by a `FileWriter`.

Everything is ordinary operations of the user's graph: no variable that somebody had to initialize
or save, no Python at run time, nothing that runs unless the summary is fetched. What needs a state
between steps (windows, and the updates themselves) is therefore not recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.core.schema import Row
from tb_convergence.training.host.guard import Guard
from tb_convergence.training.host.writer import channel, metadata_of
from tb_convergence.training.instep import tables
from tb_convergence.training.instep.gradients import dense
from tb_convergence.training.instep.reductions import Exact, Tensor, supported
from tb_convergence.training.instep.snapshot import RUN_ROW
from tb_convergence.training.loops import naming

v1: Final = tf.compat.v1

SCOPE: Final = "convergence_health"


def health_summary(
    grads_and_vars: Iterable[tuple[Any, Any]],
    *,
    loss: Any = None,
    learning_rate: Any = None,
    updates: Sequence[Any] | None = None,
    collections: Sequence[str] | None = None,
    model: str = "",
) -> Tensor:
    """Create a summary op that records gradients and variables for the Convergence tab.

    Args:
        grads_and_vars: what `optimizer.compute_gradients(loss)` returned: gradients dense, sparse
            (`IndexedSlices`) or None.
        loss: scalar tensor.
        learning_rate: number or scalar tensor.
        updates: what the step adds to each variable, if the graph computes it, such as
            `-learning_rate * gradient` for plain gradient descent; None for a missing one.
        collections: graph collections to add the op to; by default `GraphKeys.SUMMARIES`, so that
            `merge_all` and a `MonitoredTrainingSession` pick it up.
        model: name of the model, if one run has several.

    Returns:
        Scalar string tensor, a serialized `Summary`: `FileWriter.add_summary` writes it.

    Raises:
        TypeError: `grads_and_vars` is not made of pairs.
        ValueError: it is empty, or `updates` has another length.
        RuntimeError: there is no graph, because TensorFlow executes eagerly.

    Any other fault causes one log line and an empty summary; the training goes on.
    """
    pairs = list(grads_and_vars)
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise TypeError("grads_and_vars must be pairs (gradient, variable)")
    if not pairs:
        raise ValueError("grads_and_vars is empty: there is nothing to record")
    if updates is not None and len(updates) != len(pairs):
        raise ValueError(f"{len(updates)} updates for {len(pairs)} variables")
    if tf.executing_eagerly():
        raise RuntimeError(
            "health_summary is for graph mode; in eager code and in a tf.function use "
            "tb_convergence.ConvergenceRecorder"
        )
    guard = Guard("health_summary")
    with tf.name_scope(SCOPE):
        summary = guard(
            lambda: _summary(pairs, _numbers(loss, learning_rate), updates, str(model))
        )
        if summary is None:
            return tf.constant(b"")
    for key in [v1.GraphKeys.SUMMARIES] if collections is None else collections:
        v1.add_to_collection(key, summary)
    return summary


def _numbers(loss: Any, learning_rate: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in (("loss", loss), ("learning_rate", learning_rate))
        if value is not None
    }


def _summary(
    pairs: Sequence[tuple[Any, Any]],
    numbers: Mapping[str, Any],
    updates: Sequence[Any] | None,
    model: str,
) -> Tensor:
    changes = [None] * len(pairs) if updates is None else list(updates)
    kept = [
        (gradient, tf.convert_to_tensor(variable), variable, change)
        for (gradient, variable), change in zip(pairs, changes, strict=True)
    ]
    kept = [item for item in kept if supported(item[1])]
    gradients = [dense(gradient) for gradient, _, _, _ in kept]
    row = tables.VariableRow(
        tables.part("variables", "gradient", gradients, exact=False),
        tables.part("variables", "variable", [value for _, value, _, _ in kept], exact=False),
        tables.part("variables", "update", [change for _, _, _, change in kept], exact=False),
    )
    missing = tf.constant([float(gradient is None) for gradient in gradients], tf.float32)
    table = tables.table("variables", row, {"gradient_missing": missing}, len(kept))
    described = naming.rows_of([_described(variable) for _, _, variable, _ in kept])
    run = {
        "gradient_global_norm": Exact(row.gradient.norm).norm,
        "variable_global_norm": Exact(row.variable.norm).norm,
        **{name: tf.cast(tf.reshape(value, []), tf.float32) for name, value in numbers.items()},
    }
    names = [name for name in statistics.columns("run") if name in run]
    parts = [
        _channel_summary("variables", described, _known("variables", updates), table, model),
        _channel_summary("run", (RUN_ROW,), names, tf.stack([[run[n] for n in names]]), model),
    ]
    return tf.raw_ops.MergeSummary(inputs=parts)


def _known(group: statistics.Group, updates: Sequence[Any] | None) -> list[str]:
    """Columns that one step of a graph can tell."""

    def told(statistic: statistics.Statistic) -> bool:
        compares = statistic.name.startswith("update_") or statistic.name == "effective_rate"
        if compares and updates is None:
            return False
        return statistic.formula is not None or statistic.name == "gradient_missing"

    return [statistic.name for statistic in statistics.CATALOGUE[group] if told(statistic)]


def _described(variable: Any) -> naming.Described:
    shape = tuple(int(extent) for extent in variable.shape)
    return (str(variable.name), shape, str(variable.dtype.base_dtype.name))


def _channel_summary(
    group: statistics.Group, rows: Sequence[Row], names: Sequence[str], table: Tensor, model: str
) -> Tensor:
    """One table as a summary: those columns of `table` that `names` says."""
    every = statistics.columns(group)
    if table.shape.as_list()[1] != len(names):
        table = tf.gather(table, [every.index(name) for name in names], axis=1)
    target = channel(group, rows, names, model)
    with tf.device("CPU:0"):
        sealed = tf.concat([table, _checks(table)[:, None]], axis=1)
        return tf.raw_ops.TensorSummaryV2(
            tag=target.tag,
            tensor=sealed,
            serialized_summary_metadata=metadata_of(target).SerializeToString(),
        )


def _checks(table: Tensor) -> Tensor:
    """`schema.row_checks` of `table` `[R, C]` as graph operations, float32 `[R]`."""
    steps = tf.constant(_crc_table(), tf.int64)
    octets = tf.bitcast(table, tf.uint8)
    rows = tf.shape(table)[0]
    octets = tf.cast(tf.reshape(octets, tf.stack([rows, -1])), tf.int64)

    def one(index: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        place = tf.bitwise.bitwise_and(tf.bitwise.bitwise_xor(state, octets[:, index]), 255)
        rest = tf.bitwise.right_shift(state, tf.constant(8, tf.int64))
        return index + 1, tf.bitwise.bitwise_xor(tf.gather(steps, place), rest)

    length = tf.shape(octets)[1]
    start = tf.fill(tf.stack([rows]), tf.constant(0xFFFFFFFF, tf.int64))
    _, state = tf.while_loop(lambda index, _: index < length, one, (tf.constant(0), start))
    inverted = tf.bitwise.bitwise_xor(state, tf.constant(0xFFFFFFFF, tf.int64))
    return tf.cast(tf.bitwise.bitwise_and(inverted, 0xFFFFFF), tf.float32)


def _crc_table() -> Any:
    """What one byte makes of a CRC-32: `[256]`."""
    state = np.arange(256, dtype=np.int64)
    for _ in range(8):
        state = np.where(state & 1, 0xEDB88320, 0) ^ (state >> 1)
    return state

