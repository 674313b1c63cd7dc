"""Restores a live model after an experiment: everything a training can change, bit for bit.

A copy of a model is not the model: `clone_model` fails on subclassed models, misses raw variables
and states, and moves random states. So experiments train the model itself, inside `untouched`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.experiments.optimizers import OptimizerError, twin
from tb_convergence.training.keras import compat

TRACED: Final = ("train_function", "test_function", "predict_function")
"""Compiled functions hold the state of their random kernels: the body traces its own."""
MOST_ITEMS: Final = 1000
"""Items of a layer's list or dictionary that are searched for variables."""


class UnsupportedModelError(ValueError):
    """Experiments do not support this model; the message says what to do."""


def require_model(model: Any) -> None:
    """Check that `model` is a compiled Keras model that trains in this process with TensorFlow.

    Raises:
        UnsupportedModelError: it is none.
    """
    if keras.backend.backend() != "tensorflow":
        raise UnsupportedModelError(
            f"experiments need Keras with TensorFlow, not {keras.backend.backend()!r}: set "
            "KERAS_BACKEND=tensorflow"
        )
    if not isinstance(model, keras.Model):
        raise UnsupportedModelError(f"expected a compiled keras.Model, not {type(model).__name__}")
    if not model.compiled or model.optimizer is None:
        raise UnsupportedModelError(
            "the model is not compiled: call model.compile(optimizer, loss) first"
        )
    replicas = model.distribute_strategy.num_replicas_in_sync
    if replicas > 1:
        raise UnsupportedModelError(
            f"the model trains on {replicas} replicas; build and compile it outside the strategy's "
            "scope for an experiment"
        )


def build(model: Any, batch: Any) -> None:
    """Give an unbuilt model its weights as `fit` would: random numbers are drawn as then.

    What this draws is not put back: `fit` would have drawn it, and now does not.
    """
    if not model.built or not _has_outputs(model):
        model(batch, training=False)


def require_finite(model: Any) -> None:
    """Check that a training can start from the weights of `model`.

    Raises:
        UnsupportedModelError: some of them are NaN or infinite, as after a training that diverged.
    """
    for variable in model.weights:
        value = tf.convert_to_tensor(variable)
        if value.dtype.is_floating and not bool(tf.reduce_all(tf.math.is_finite(value))):
            raise UnsupportedModelError(
                f"the weights of {variable.path!r} contain NaN or infinite values, so no training "
                "can begin from them: give a function that builds the model, or build it anew "
                "before the experiment")


def _has_outputs(model: Any) -> bool:
    """Whether all layers have their weights: a subclassed model may say so too early."""
    return all(layer.built for layer in compat.layers_below(model))


@contextmanager
def untouched(model: Any, *more: Any) -> Iterator[None]:
    """Run anything on `model`, then put everything back, also when the body raises.

    The model has a twin of its optimizer in the body, with the same state; the user's own is not
    even built there.

    Args:
        model: compiled and built.
        more: further objects whose `variables` the body changes, such as a second model.

    Covers: weights, statistics of batch normalization, seed generators, metrics, states of
    recurrent layers, raw `tf.Variable`s, `trainable` flags, everything `compile` sets, `history`,
    the traced functions, and the random state of the process (see `compat.random_state_kept`).
    """
    with ExitStack() as stack:
        stack.enter_context(compat.random_state_kept(seeds=True))
        own = model.optimizer
        try:
            stand_in = twin(own, True)
        except OptimizerError:
            stand_in = None
            if not own.built:
                own.build(model.trainable_variables)
        stack.enter_context(_attributes_kept(model))
        stack.enter_context(_variables_kept([*all_variables(model), *_variables_of(more)]))
        stack.enter_context(_flags_kept(model))
        if stand_in is not None:
            compat.set_untracked(model, "optimizer", stand_in)
        stack.enter_context(_own_optimizers_kept(model))
        yield


@contextmanager
def _own_optimizers_kept(model: Any) -> Iterator[None]:
    """Twins, built, of the optimizers that a train step of the user's own keeps in attributes.

    One that cannot be made again stays, and its variables are put back by `_variables_kept`.
    """
    kept = [(name, value) for name, value in compat.attributes_of(model)
            if name != "optimizer" and isinstance(value, keras.optimizers.Optimizer)
            and value is not model.optimizer]
    for name, value in kept:
        with suppress(OptimizerError):
            stand_in = twin(value, True)
            if not stand_in.built:
                stand_in.build(model.trainable_variables)
            compat.set_untracked(model, name, stand_in)
    try:
        yield
    finally:
        for name, value in kept:
            compat.set_untracked(model, name, value)


def all_variables(model: Any) -> list[Any]:
    """Every variable that `fit` can write, each once: Keras' own and raw `tf.Variable`s."""
    found: list[Any] = []
    seen: set[int] = set()

    def add(variables: Iterable[Any]) -> None:
        for variable in variables:
            inner = compat.inner_variable(variable)
            if id(inner) not in seen:
                seen.add(id(inner))
                found.append(variable)

    add(model.variables)
    add(model.metrics_variables)
    if model.optimizer is not None:
        add(model.optimizer.variables)
    for layer in compat.every_layer(model):
        for _, value in compat.attributes_of(layer):
            # States of recurrent layers and raw variables are in none of Keras' lists.
            add(v for v in _inside(value) if isinstance(v, (keras.Variable, tf.Variable)))
    for _, value in compat.attributes_of(model):
        if isinstance(value, keras.optimizers.Optimizer):
            add(value.variables)
    return found


def _inside(value: Any, depth: int = 3) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)) and depth:
        for item in list(value)[:MOST_ITEMS]:
            yield from _inside(item, depth - 1)
    elif not isinstance(value, (keras.layers.Layer, str)):
        yield value


def _variables_of(objects: Iterable[Any]) -> list[Any]:
    return [variable for one in objects for variable in one.variables]


@contextmanager
def _variables_kept(variables: list[Any]) -> Iterator[None]:
    # Copies on the device: no detour over the host, and any dtype.
    saved = [tf.identity(tf.convert_to_tensor(getattr(v, "value", v)) if isinstance(
        v, keras.Variable) else v.read_value()) for v in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, saved, strict=True):
            variable.assign(value)


@contextmanager
def _flags_kept(model: Any) -> Iterator[None]:
    flags = [(layer, layer.trainable) for layer in compat.every_layer(model)]
    try:
        yield
    finally:
        for layer, trainable in flags:
            if layer.trainable != trainable:
                layer.trainable = trainable


@contextmanager
def _attributes_kept(model: Any) -> Iterator[None]:
    names = [name for name in (*compat.COMPILED, *TRACED) if hasattr(model, name)]
    kept = {name: getattr(model, name) for name in names}
    insides = [_shallow(kept[name]) for name in compat.BUILT_LATE
               if kept.get(name) is not None]
    for name in TRACED:
        compat.set_untracked(model, name, None)
    try:
        yield
    finally:
        for restore in insides:
            restore()
        for name, value in kept.items():
            if getattr(model, name, None) is not value:
                compat.set_untracked(model, name, value)


def _shallow(target: Any) -> Any:
    """A function that puts back the attributes of `target`, which is built at its first use."""
    kept = {
        name: list(value) if isinstance(value, list) else value
        for name, value in vars(target).items()
    }
    lists = {name: value for name, value in vars(target).items() if isinstance(value, list)}

    def restore() -> None:
        for name in set(vars(target)) - set(kept):
            object.__delattr__(target, name)
        for name, value in kept.items():
            if name in lists:
                lists[name][:] = value
                object.__setattr__(target, name, lists[name])
            else:
                object.__setattr__(target, name, value)

    return restore


def values_of(variables: Iterable[Any]) -> list[np.ndarray]:
    """Values of variables as arrays of their own, for a later `assign`."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
