"""One train step of the user's own, for `check`: its loss and gradients, and no update.

A train step of one's own decides what is trained: it names the variables, and it need not compile
a loss at all. So it is run as it is, eagerly, on the one batch. Every optimizer it calls notes the
gradients it is given instead of applying them, and whatever the step assigns is put back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from tb_convergence.training.keras import compat, introspection
from tb_convergence.training.keras.patching import patched
from tb_convergence.training.keras.sites import optimizers_of


def has_own_step(model: Any) -> bool:
    """Whether the model trains by a `train_step` that Keras did not write."""
    return type(model).train_step is not keras.Model.train_step


def run(model: Any, batch: Any) -> tuple[float, list[Any], list[Any]]:
    """The loss of one step on `batch`, and the variables and gradients given to optimizers.

    A gradient is None if the step's own code found none. The loss is NaN where the step reports
    no number. Nothing of the model is changed.

    Raises:
        Exception: whatever the train step raises.
    """
    given: dict[int, tuple[Any, Any]] = {}

    def noting(optimizer: Any) -> Any:
        def apply(grads: Any, trainable_variables: Any = None) -> None:
            variables = trainable_variables
            if variables is None:
                variables = compat.own_trainable_variables(optimizer)
            for gradient, variable in zip(grads, variables, strict=False):
                given[id(variable)] = variable, introspection.unscaled(optimizer, gradient)

        return apply

    optimizers = optimizers_of(model)
    patches = [(optimizer, "apply", noting(optimizer)) for optimizer in optimizers]
    with _kept(model, optimizers), patched(patches):
        model.reset_metrics()
        reported = model.train_step(batch)
    return (
        _loss(reported), [variable for variable, _ in given.values()],
        [gradient for _, gradient in given.values()],
    )


@contextmanager
def _kept(model: Any, optimizers: list[Any]) -> Iterator[None]:
    """Every variable of the model, its metrics and its optimizers, put back at the end."""
    holders = [model, *getattr(model, "metrics", ()), *optimizers]
    variables = {id(v): v for holder in holders for v in holder.variables}
    values = {key: tf.identity(tf.convert_to_tensor(v.value)) for key, v in variables.items()}
    try:
        yield
    finally:
        for key, variable in variables.items():
            variable.assign(values[key])


def _loss(reported: Any) -> float:
    """The step's loss: what it calls "loss", else the first that is called some loss."""
    if not isinstance(reported, Mapping):
        return float("nan")
    names = [name for name in reported if "loss" in str(name).lower()]
    for name in (*(("loss",) if "loss" in reported else ()), *names):
        value = keras.ops.convert_to_numpy(reported[name])
        if value.size == 1:
            return float(value.reshape(()))
    return float("nan")
