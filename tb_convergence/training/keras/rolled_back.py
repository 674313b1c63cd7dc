"""Values of variables, taken and put back bit for bit.

Reading a variable copies nothing: the tensor shares the variable's memory until one of them is
written, and TensorFlow then writes elsewhere. So what this costs in memory is one copy of what a
rehearsed step writes.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import Any, Final

import keras
import tensorflow as tf

from tb_convergence.training.keras import compat

Tensor = Any

MOST_OTHERS: Final = 2_000
"""Variables that a model does not hold: reading one takes some 20 us."""


class Variables:
    """The variables behind some resources, read and written together in one call each.

    Args:
        handles: resources of variables.

    Attributes:
        bytes: size of their values, as far as their shapes are known.
    """

    def __init__(self, handles: Sequence[Tensor]) -> None:
        self.handles = list(handles)
        kinds = [compat.variable_type(handle) for handle in self.handles]
        self._dtypes = [kind[0] for kind in kinds if kind is not None]
        if len(self._dtypes) != len(self.handles):
            raise TypeError("a resource that is no variable")
        self.bytes = bytes_of(self.handles)
        self._read: Any = None
        self._write: Any = None

    def read(self) -> list[Tensor]:
        """Their values now."""
        if self._read is None:
            self._read = tf.function(self._values, autograph=False).get_concrete_function()
        return list(self._read()) if self.handles else []

    def write(self, values: Sequence[Tensor]) -> None:
        """Give them `values`. Tried a second time, one by one: the training's own state may be
        among them."""
        if not self.handles:
            return
        if self._write is None:
            specs = [tf.TensorSpec(None, dtype) for dtype in self._dtypes]
            self._write = tf.function(self._assign, autograph=False).get_concrete_function(specs)
        try:
            self._write(list(values))
        except Exception:
            self._assign(list(values))

    def _values(self) -> list[Tensor]:
        return [
            tf.raw_ops.ReadVariableOp(resource=handle, dtype=dtype)
            for handle, dtype in zip(self.handles, self._dtypes, strict=True)
        ]

    def _assign(self, values: list[Tensor]) -> None:
        for handle, value in zip(self.handles, values, strict=True):
            tf.raw_ops.AssignVariableOp(resource=handle, value=value)


def handle_of(variable: Any) -> Tensor | None:
    """The resource behind a variable of Keras or TensorFlow; None for one on several devices."""
    inner = variable if isinstance(variable, tf.Variable) else getattr(variable, "value", None)
    handle = getattr(inner, "handle", None)
    return handle if isinstance(handle, tf.Tensor) else None


def bytes_of(handles: Iterable[Any]) -> int:
    """Size of the values of variables, as far as their shapes are known."""
    kinds = map(compat.variable_type, handles)
    return sum(kind[0].size * (kind[1].num_elements() or 0) for kind in kinds if kind is not None)


def state_of(model: Any, optimizers: Sequence[Any]) -> list[Any]:
    """Variables that a train step may read or write, as far as they can be found from outside.

    Those of the model (statistics, seeds), its metrics and optimizers, and what Keras does not
    list: variables of TensorFlow and states of recurrent layers, held in attributes of layers.
    """
    found: dict[int, Any] = {}

    def add(variables: Any) -> None:
        for variable in variables:
            found.setdefault(id(variable), variable)

    add(model.variables)
    for metric in model.metrics:
        add(metric.variables)
    for optimizer in optimizers:
        add(optimizer.variables)
    for layer in compat.every_layer(model):
        for value in list(vars(layer).values()):
            add(v for v in _inside(value) if isinstance(v, tf.Variable) or _is_keras_variable(v))
    return list(found.values())


def other_variables(model: Any, known: Sequence[Any]) -> list[tf.Variable]:
    """Variables of TensorFlow that live in this process beside `known`, such as the weight of a
    loss in a global variable: nothing that leads from the model to them can be seen from outside.

    Empty where all code of the model is Keras' own, which uses none (the search takes some 0.1 s),
    and where there are very many: they would take long to read.
    """
    losses = keras.tree.flatten(getattr(model, "loss", None))
    parts = [*compat.every_layer(model), *model.metrics, *losses]
    if not any(_is_foreign(part) for part in parts):
        return []
    own = {id(v if isinstance(v, tf.Variable) else getattr(v, "value", None)) for v in known}
    kinds: dict[type, bool] = {}
    found = []
    for item in gc.get_objects():
        kind = type(item)  # `isinstance` would ask the object, which may be anybody's
        if kind not in kinds:
            kinds[kind] = tf.Variable in kind.__mro__  # 50 times as fast as `issubclass`
        if kinds[kind] and id(item) not in own:
            found.append(item)
    return found if len(found) <= MOST_OTHERS else []


def _is_foreign(part: Any) -> bool:
    """Whether a layer, metric or loss is, or calls, code that Keras did not write."""
    if part is None or isinstance(part, str):
        return False
    home = str(getattr(part, "__module__", type(part).__module__))
    if not home.startswith("keras.") or isinstance(part, keras.layers.Lambda):
        return True
    wrapped = getattr(part, "fn", None)  # of a loss or metric that is made of a function
    return callable(wrapped) and _is_foreign(wrapped)


def _is_keras_variable(value: Any) -> bool:
    return hasattr(value, "assign") and hasattr(value, "value") and hasattr(value, "trainable")


def _inside(value: Any, depth: int = 3) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)) and depth:
        return [item for part in list(value)[:1000] for item in _inside(part, depth - 1)]
    return [value]
