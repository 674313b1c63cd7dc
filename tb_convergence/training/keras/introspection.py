"""Questions to Keras objects that its public interface answers only in part.

All knowledge of Keras' private attributes that the recording of a step needs is in this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_convergence.training.instep.gradients import Scaling
from tb_convergence.training.instep.reductions import Tensor


def iterations(optimizer: Any) -> int:
    """Updates an optimizer has made; 0 where there is none, or it does not count them."""
    found = getattr(optimizer, "iterations", None)
    return 0 if found is None else int(tf.convert_to_tensor(found).numpy())


def innermost(optimizer: Any) -> Any:
    """The optimizer that computes the updates, inside a loss-scaling one."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def batches_per_update(optimizer: Any) -> int:
    """How many batches' gradients are averaged for one update."""
    return int(getattr(innermost(optimizer), "gradient_accumulation_steps", None) or 1)


def applied(optimizer: Any) -> int | None:
    """How often the innermost optimizer was applied, to part of an update too; None where it does
    not count."""
    found = getattr(innermost(optimizer), "_iterations", None)
    return None if found is None else int(tf.convert_to_tensor(found).numpy())


def skips_steps(optimizer: Any) -> bool:
    """Whether it leaves out steps with non-finite gradients, and does not count them."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def learning_rate(optimizer: Any) -> Tensor:
    """The rate of the step that is being computed, as a tensor."""
    return tf.convert_to_tensor(optimizer.learning_rate)


def scaling(optimizer: Any, variables: Sequence[Any]) -> Scaling:
    """What `optimizer` does with gradients. To be asked before it is applied."""
    factor, skips = _factor(optimizer)
    inner = innermost(optimizer)
    batches = batches_per_update(optimizer)
    if batches == 1:
        return Scaling(factor, skips)
    count = tf.convert_to_tensor(inner._iterations)
    applies = tf.equal((count + 1) % batches, 0)
    if not inner.built:  # built by its first call, with sums of zero
        zeros = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
        return Scaling(factor, skips, batches, applies, zeros)
    sums = [inner._accumulated_gradients[inner._get_variable_index(v)] for v in variables]
    return Scaling(factor, skips, batches, applies, [tf.convert_to_tensor(s) for s in sums])


def _factor(optimizer: Any) -> tuple[Tensor | None, bool]:
    """(what gradients were multiplied by, whether steps with non-finite ones are skipped)."""
    if skips_steps(optimizer):
        if optimizer.built:
            return tf.convert_to_tensor(optimizer.dynamic_scale), True
        return tf.constant(optimizer.initial_scale, tf.float32), True
    factor = getattr(optimizer, "loss_scale_factor", None)
    return (None if factor is None else tf.constant(float(factor)), False)


def names_of(tensors: Sequence[Any] | None) -> list[str]:
    """Names a user gave to a functional model's inputs; nothing where they are Keras' own."""
    names = [str(getattr(tensor, "name", "")) for tensor in tensors or ()]
    automatic = ("", "keras_tensor", "input_layer")
    return [] if any(name.rstrip("_0123456789") in automatic for name in names) else names


def input_names(model: Any) -> list[str]:
    """Names of the inputs of a functional model, where a user chose them."""
    return names_of(getattr(model, "_inputs", None) or getattr(model, "inputs", None))


def output_names(model: Any) -> list[str]:
    """Names of the outputs of a functional model with several of them."""
    names = [str(name) for name in getattr(model, "output_names", None) or ()]
    return names if len(names) > 1 else []


def named(kind: str, tensors: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """Tensors of a structure with names: keys of a dict, else `names`, else numbers.

    >>> named("input", {"a": 1, "b": 2}, [])
    [('a', 1), ('b', 2)]
    >>> named("input", [1, 2], []), named("input", 1, [])
    ([('input_0', 1), ('input_1', 2)], [('input', 1)])
    """
    if isinstance(tensors, dict):
        return [(str(key), tensors[key]) for key in sorted(tensors, key=str)]
    flat = [item for item in tf.nest.flatten(tensors) if item is not None]
    if names and len(flat) == len(names):
        return list(zip(names, flat, strict=True))
    if len(flat) == 1:
        return [(kind, flat[0])]
    return [(f"{kind}_{index}", value) for index, value in enumerate(flat)]


def build_optimizer(model: Any) -> None:
    """Make the optimizer's variables now, if Keras' own train step is about to make the same.

    It would make them in its first trace, which TensorFlow then throws away to trace once more:
    half of the tracing is saved. A train step of the user's own may train other variables.
    """
    optimizer = model.optimizer
    if type(model).train_step is not keras.Model.train_step or not model.built:
        return
    if optimizer is None or model.distribute_strategy.num_replicas_in_sync > 1:
        return  # Keras itself builds it there
    if not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def builds_variables(optimizer: Any, variables: Sequence[Any] | None) -> bool:
    """Build an optimizer that is not, as its first call would; whether that made variables.

    TensorFlow throws a trace that makes variables away and traces again: there is no use in
    building a recorder into it. An optimizer without a state makes none, and its first trace stays.
    """
    if variables is None or getattr(optimizer, "built", True) or tf.executing_eagerly():
        return False
    before = len(optimizer.variables)
    with keras.name_scope(optimizer.name, caller=optimizer):
        optimizer.build(variables)
    return len(optimizer.variables) > before


def adds_penalties(model: Any) -> bool:
    """Whether Keras' own code makes the model's loss, and tells what it adds to that of the data.

    A train step that calls `compute_loss` twice, or one of the user's own, does not tell.
    """
    own = type(model).compute_loss is keras.Model.compute_loss
    usual = type(model).train_step is keras.Model.train_step
    return own and usual and hasattr(model, "_aggregate_additional_loss")


class Connections:
    """What feeds each layer of a model, seen through the models nested in it.

    Keras names a nested model as what feeds the layer after it, and an input of its own as what
    feeds its first layer. Here the last layer inside feeds the one after it, and what enters the
    nested model feeds its first layers.
    """

    def __init__(self, model: Any) -> None:
        """Args:
            model: built or not; a subclassed one has connections only inside its nested models.
        """
        self._model = model
        self._operations: set[int] = set()
        self._entered: dict[int, Any] = {}
        self._enter(model, set())

    def sources(self, layer: Any) -> list[Any]:
        """Operations whose outputs enter `layer`, in order.

        Raises:
            Exception: `layer` is not connected to anything.
        """
        found: list[Any] = []
        for node in self._node(layer).parent_nodes:
            for operation in self._resolved(node.operation, 0):
                if not any(operation is item for item in found):
                    found.append(operation)
        return found

    def _enter(self, model: Any, seen: set[int]) -> None:
        """Take in the operations of `model` and of all models nested in it."""
        if id(model) in seen:
            return
        seen.add(id(model))
        graph = _graph(model)
        if graph is not None:
            self._operations.update(id(item) for item in graph.operations)
            if model is not self._model:
                for tensor in tf.nest.flatten(graph.inputs):
                    self._entered[id(tensor._keras_history.operation)] = model
        for child in getattr(model, "_layers", ()):
            if getattr(child, "_layers", None):
                self._enter(child, seen)

    def _node(self, layer: Any) -> Any:
        """The call of `layer` within this model: a trained base was called in another before."""
        nodes = layer._inbound_nodes
        return next(
            (node for node in nodes if node.parent_nodes and all(
                id(parent.operation) in self._operations for parent in node.parent_nodes)),
            nodes[0],
        )

    def _resolved(self, operation: Any, depth: int) -> list[Any]:
        if depth > MAX_NESTING:
            return [operation]
        inside = _graph(operation)
        if inside is not None:
            ends = [tensor._keras_history.operation for tensor in tf.nest.flatten(inside.outputs)]
            return [item for end in ends for item in self._resolved(end, depth + 1)]
        nested = self._entered.get(id(operation))
        if nested is None or not nested._inbound_nodes:
            return [operation]
        return [
            item for node in self._node(nested).parent_nodes
            for item in self._resolved(node.operation, depth + 1)
        ]


MAX_NESTING = 20


def _graph(layer: Any) -> Any:
    """The graph of layers of a functional or sequential model; None of anything else."""
    if not isinstance(layer, keras.Model):
        return None
    found = getattr(layer, "_functional", None) or layer
    return found if getattr(found, "_nodes", None) and hasattr(found, "operations") else None
