"""Graph functions and branches that cost next to nothing where they are not taken.

TensorFlow spreads a `tf.cond` over the graph around it: every tensor that either side uses then
passes through an operation of its own, at every step, whichever side is taken, and the graph
optimizer works on all of it. With a hundred tensors behind a branch that is taken once in a
thousand steps, this is most of what a recorder costs. So both are kept in one piece here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.instep.reductions import Tensor
from tb_convergence.training.keras import compat

SCOPE: Final = "tb_convergence_recorder"
"""Name scope of all our operations: an error of the compiled step that names it is ours."""


def one_node(
    function: Callable[..., Any], signature: Sequence[tf.TensorSpec] | None = None
) -> Callable[..., Any]:
    """`function` as one node of the graph wherever it is called, optimized by nobody.

    Its arguments must be data: TensorFlow makes a copy of a function for every call with a
    constant argument.
    """
    made: Callable[..., Any] = tf.function(
        function,
        input_signature=signature,
        autograph=False,
        experimental_attributes=compat.FUNCTION_UNTOUCHED,
    )
    return made


def branch(
    condition: Tensor, taken: Callable[[], Any], otherwise: Callable[[], Any]
) -> list[Tensor]:
    """What `taken()` returns where `condition` holds, else what `otherwise()` does, as a list.

    `otherwise` is what most steps do, and should be short.
    """
    if tf.executing_eagerly():
        return _flat(tf.cond(condition, taken, otherwise))

    def scoped() -> Any:
        with tf.name_scope(SCOPE):
            return taken()

    # The node inside of the branch lets TensorFlow place its operations on several devices.
    found = _flat(tf.cond(condition, one_node(scoped), otherwise))
    compat.keep_branch_whole(found[0])
    return found


def reachable(tensor: Any) -> bool:
    """Whether `tensor` may be used where we are: it is not one of a loop's or a branch's own."""
    graph = getattr(tensor, "graph", None)  # eager tensors have none
    current = None if graph is None else tf.compat.v1.get_default_graph()
    while current is not None and current is not graph:
        current = getattr(current, "outer_graph", None)
    return graph is None or current is graph


def _flat(values: Any) -> list[Tensor]:
    """What `tf.cond` returned, as a list: it unpacks a tuple of one."""
    return list(values) if isinstance(values, (tuple, list)) else [values]
