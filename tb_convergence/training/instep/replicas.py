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
    the replica went bad. To be called in every replica.

    Args:
        parts: whether `gradients` are those of this replica; False where they are summed already.
    """
    context = tf.distribute.get_replica_context()
    number, count = here()
    local = [isolated(gradient) for gradient in gradients]
    present = [gradient for gradient in local if gradient is not None]
    own = tf.constant(float("nan")) if loss is None else tf.cast(isolated(loss), tf.float32) * count
    bad = [damaged(as_float(g.values)) for g in map(dense, present) if g is not None]
    if loss is not None:
        bad.append(tf.cast(tf.logical_not(tf.math.is_finite(own)), tf.float32))
    worst = tf.reduce_max(tf.stack(bad)) if bad else tf.constant(0.0)
    row = tf.stack([own, worst])[None]
    mine = tf.reshape(tf.range(count), [-1, 1]) == number
    table = tf.where(mine, row, tf.zeros([count, len(statistics.columns("replicas"))]))
    *sums, table = context.all_reduce(
        tf.distribute.ReduceOp.SUM, [*(present if parts else []), table]
    )
    rest = iter(sums if parts else present)
    everything = [None if gradient is None else next(rest) for gradient in local]
    return everything, None if loss is None else tf.reduce_mean(table[:, 0]), table
