"""One train step on several devices: what the optimizer will sum, and whose batch went bad.

`MirroredStrategy` traces the train step once per replica, in threads that take turns wherever the
replicas exchange something; under `MultiWorkerMirroredStrategy` the replicas are processes. Either
way every replica has to ask for the same sums, whatever else it does, or the others wait for it
forever: only replica 0 records, the others only take part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.training.instep.gradients import dense
from tb_convergence.training.instep.isolated_reads import isolated
from tb_convergence.training.instep.kernels import damaged
from tb_convergence.training.instep.reductions import Tensor, as_float


def here() -> tuple[int, int]:
    """(number of this replica, number of replicas); (0, 1) outside of a replica."""
    context = tf.distribute.get_replica_context()
    if context is None:
        return 0, 1
    number = tf.get_static_value(context.replica_id_in_sync_group)
    return int(number or 0), int(context.num_replicas_in_sync)


def records_with(strategy: Any) -> bool:
    """Whether a step of `strategy` on several replicas can be recorded: all of them have to make
    the same step, on variables that they all hold."""
    bases = {base.__name__ for base in type(strategy).__mro__}
    return bool(bases & {"MirroredStrategy", "CollectiveAllReduceStrategy"})


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes, of all that train together."""
    return bool(getattr(strategy.extended, "should_save_summary", True))


def summed(
    gradients: Sequence[Any], loss: Tensor | None, *, parts: bool = True
) -> tuple[list[Any], Tensor | None, Any]:
    """Gradients and loss summed over the replicas, and a float32 table `[R, K]` of them all.

    K columns are those of the catalogue: the loss of that replica's own batch (which is divided by
    R before its gradients are taken, so that their sum is a mean; that is undone here), and whether
    the replica went bad. Both are NaN where a replica could not be measured. To be called in every
    replica.

    Args:
        parts: whether `gradients` are those of this replica; False if they are summed already.

    Raises:
        Exception: this replica could not be measured. The others have its part all the same.
    """
    context = tf.distribute.get_replica_context()
    number, count = here()
    failure = None
    try:
        local = [isolated(gradient) for gradient in gradients]
        row = _own_row(local, loss, count)
    except Exception as error:
        failure, local = error, list(gradients)
        row = tf.fill([len(statistics.columns("replicas"))], float("nan"))
    present = [gradient for gradient in local if gradient is not None]
    mine = tf.reshape(tf.range(count), [-1, 1]) == number
    table = tf.where(mine, row, tf.zeros([count, len(statistics.columns("replicas"))]))
    *sums, table = context.all_reduce(
        tf.distribute.ReduceOp.SUM, [*(present if parts else []), table]
    )
    if failure is not None:
        raise failure
    rest = iter(sums if parts else present)
    everything = [
        None if gradient is None else _of_known_shape(next(rest), gradient) for gradient in local
    ]
    return everything, None if loss is None else _mean_loss(table), table


def _of_known_shape(total: Any, part: Any) -> Any:
    """A sum of sparse gradients with the shape that is known of each, and lost on the way."""
    if isinstance(total, tf.IndexedSlices) and isinstance(part, tf.IndexedSlices):
        return tf.IndexedSlices(total.values, total.indices, part.dense_shape)
    return total


def _mean_loss(table: Tensor) -> Tensor:
    """Mean over the replicas that could be measured: one that could not has no number at all."""
    measured = tf.logical_not(tf.math.is_nan(table[:, 1]))
    total = tf.reduce_sum(tf.where(measured, table[:, 0], 0.0))
    return total / tf.reduce_sum(tf.cast(measured, tf.float32))


def _own_row(gradients: Sequence[Any], loss: Tensor | None, count: int) -> Tensor:
    """This replica's row `[K]` of the table."""
    own = tf.constant(float("nan")) if loss is None else tf.cast(isolated(loss), tf.float32) * count
    bad = [damaged(as_float(g.values)) for g in map(dense, gradients) if g is not None]
    if loss is not None:
        bad.append(tf.cast(tf.logical_not(tf.math.is_finite(own)), tf.float32))
    return tf.stack([own, tf.reduce_max(tf.stack(bad)) if bad else tf.constant(0.0)])
