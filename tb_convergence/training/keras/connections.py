"""What feeds each layer of a Keras model."""

from __future__ import annotations

from typing import Any, Final

import tensorflow as tf

from tb_convergence.training.keras import compat

MAX_NESTING: Final = 20
"""Models within models that are looked through."""


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
        graph = compat.layer_graph(model)
        if graph is not None:
            self._operations.update(id(item) for item in graph.operations)
            if model is not self._model:
                for tensor in tf.nest.flatten(graph.inputs):
                    self._entered[id(compat.made_by(tensor))] = model
        for child in compat.child_layers(model):
            if compat.child_layers(child):
                self._enter(child, seen)

    def _node(self, layer: Any) -> Any:
        """The call of `layer` within this model: a trained base was called in another before."""
        nodes = compat.calls_of(layer)
        return next(
            (node for node in nodes if node.parent_nodes and all(
                id(parent.operation) in self._operations for parent in node.parent_nodes)),
            nodes[0],
        )

    def _resolved(self, operation: Any, depth: int) -> list[Any]:
        if depth > MAX_NESTING:
            return [operation]
        inside = compat.layer_graph(operation)
        if inside is not None:
            ends = [compat.made_by(tensor) for tensor in tf.nest.flatten(inside.outputs)]
            return [item for end in ends for item in self._resolved(end, depth + 1)]
        nested = self._entered.get(id(operation))
        if nested is None or not compat.calls_of(nested):
            return [operation]
        return [
            item for node in self._node(nested).parent_nodes
            for item in self._resolved(node.operation, depth + 1)
        ]
