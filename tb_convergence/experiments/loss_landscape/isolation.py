"""Reading a model leaves it as it was.

A landscape assigns nothing: weights are arguments. What remains is what a forward pass itself may
do, such as a layer that assigns a raw `tf.Variable`, and random numbers drawn while tracing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from tb_convergence.experiments.loss_landscape.variables import layers_of
from tb_convergence.training.keras import compat


@contextmanager
def read_only(model: Any) -> Iterator[None]:
    """Restore every variable of the model and the random state of the process at the end."""
    variables = _variables(model)
    saved = [tf.identity(variable) for variable in variables]
    try:
        with compat.random_state_kept(seeds=True):
            yield
    finally:
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)


def _variables(model: Any) -> list[Any]:
    """The model's `tf.Variable`s, also those of which Keras does not know, each once."""
    found = {id(v.value): v.value for v in model.variables}
    for layer in layers_of(model):
        for _, value in compat.attributes_of(layer):
            found |= {id(v): v for v in _inside(value)}
    return [variable for variable in found.values() if isinstance(variable, tf.Variable)]


def _inside(value: Any, depth: int = 2) -> Iterator[Any]:
    if isinstance(value, tf.Variable):
        yield value
    elif isinstance(value, dict):
        yield from _inside(list(value.values()), depth)
    elif isinstance(value, (list, tuple)) and depth:
        for item in list(value)[:1000]:
            yield from _inside(item, depth - 1)
