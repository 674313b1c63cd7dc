"""Reads a tensor of the train step without adding a consumer to the operation that makes it.

TensorFlow's graph optimizer reorders sums and products: `(a * b) * rate` becomes `(rate * a) * b`,
but only where nothing else uses `a * b`. Reading such a tensor would switch that off, and the
weights would differ in their last bit from those of a training that is not observed. So sums and
products that only the training's own operations use are computed a second time, from the tensors at
the far end of them. They are small: gradients of scales and shifts, mostly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.instep.reductions import Tensor
from tb_convergence.training.keras import compat

REORDERED: Final = {
    "Mul": tf.multiply,
    "Add": tf.add,
    "AddV2": tf.add,
    "AddN": lambda *items: tf.add_n(list(items)),
    "Sub": tf.subtract,
    "Neg": tf.negative,
}
"""Operations that the optimizer merges with their only consumer, and how to compute them anew."""

SHAPES: Final = frozenset({"Shape", "ShapeN", "Size", "Rank"})
"""Consumers that do not count: they read no values, and the optimizer takes them away."""

MAX_OPERATIONS: Final = 32
"""Larger expressions are read as they are: no layer of Keras has one."""

Expression = Any
"""Index of a leaf, or a tuple: name of an operation, expressions of its arguments."""


def isolated(values: Any) -> Any:
    """The same values as a tensor nobody else uses; `values` itself where that changes nothing."""
    return isolated_later(values)()


def isolated_later(values: Any) -> Callable[[], Any]:
    """What `isolated` returns, computed only where the result is called, such as in a branch.

    The outputs of layers are large, and looked at once in many steps.
    """
    if not isinstance(values, tf.Tensor) or not hasattr(values, "graph"):
        return lambda: values  # eager, sparse, missing
    leaves: list[Tensor] = []
    try:
        expression = _expression(values, leaves, [0])
    except _TooLargeError:
        return lambda: values
    if not isinstance(expression, tuple):
        return lambda: values
    recomputed = _recomputed(expression, tuple(leaf.dtype.name for leaf in leaves))
    return lambda: tf.ensure_shape(recomputed(*leaves), values.shape)


class _TooLargeError(Exception):
    pass


def _expression(values: Tensor, leaves: list[Tensor], count: list[int]) -> Expression:
    operation = values.op
    ours = operation.graph is tf.compat.v1.get_default_graph() and not operation.control_inputs
    if ours and operation.type in REORDERED and _consumers(values) <= 1:
        count[0] += 1
        if count[0] > MAX_OPERATIONS:
            raise _TooLargeError
        parts = [_expression(item, leaves, count) for item in operation.inputs]
        return (operation.type, *parts)
    leaves.append(values)
    return len(leaves) - 1


def _consumers(values: Tensor) -> int:
    return sum(consumer.type not in SHAPES for consumer in values.consumers())


@cache
def _recomputed(expression: Expression, dtypes: tuple[str, ...]) -> Callable[..., Tensor]:
    """`expression` as one node of the graph, which the optimizer neither opens nor merges."""

    def evaluate(part: Expression, leaves: tuple[Tensor, ...]) -> Tensor:
        if not isinstance(part, tuple):
            return leaves[part]
        name, *arguments = part
        return REORDERED[name](*(evaluate(argument, leaves) for argument in arguments))

    shared: Callable[..., Tensor] = tf.function(
        lambda *leaves: evaluate(expression, leaves),
        input_signature=[tf.TensorSpec(None, dtype) for dtype in dtypes],
        autograph=False,
        experimental_attributes=compat.FUNCTION_AS_ONE_NODE,
    )
    return shared
