"""Static configuration of a training as plain JSON: what a rule can tell before the first step.

Every field is read on its own: one that cannot be read is left out, and costs no other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import numpy as np

from tb_convergence.core.schema import SCHEMA_VERSION
from tb_convergence.training.keras import compat, layer_rows
from tb_convergence.training.keras.connections import Connections

MAX_TEXT: Final = 200
MAX_ITEMS: Final = 100
"""Longer texts and lists are cut: a configuration is for reading, not for restoring."""

FRAMEWORKS: Final = ("tensorflow", "keras", "tensorboard", "numpy")

LAYER_NUMBERS: Final = (
    "units", "filters", "kernel_size", "strides", "rate", "momentum", "epsilon", "stddev",
    "input_dim", "output_dim", "num_heads", "key_dim", "negative_slope", "max_value",
    "recurrent_dropout", "dropout",
)
LAYER_OBJECTS: Final = (
    "kernel_initializer", "bias_initializer", "embeddings_initializer", "recurrent_initializer",
    "kernel_regularizer", "bias_regularizer", "activity_regularizer", "kernel_constraint",
)

Document = dict[str, Any]


def describe(
    model: Any,
    params: Mapping[str, Any],
    facts: Mapping[str, Any],
    optimizers: Mapping[str, Any] | None = None,
) -> Document:
    """The configuration document of a compiled Keras model.

    Args:
        params: as callbacks get them.
        facts: what only the training itself shows: batch size, whether there is validation.
        optimizers: those that the train step calls, by the name they are recorded under. One is
            "optimizer" in the document, also where the step calls it for several parts
            ("optimizer_calls"); several are "optimizers", and no rule takes one for all.
    """
    optimizers = optimizers or {}
    document: Document = {"schema": SCHEMA_VERSION}
    fields: dict[str, Callable[[], Any]] = {
        "writer": _writer,
        "framework": _versions,
        "model": lambda: _model(model, _was_trained([*optimizers.values(), model.optimizer])),
        "optimizer": lambda: optimizer(next(iter(optimizers.values()), model.optimizer)),
        "loss": lambda: loss(model.loss),
        "steps_per_epoch": lambda: params["steps"],
        "epochs": lambda: params["epochs"],
        "dtype_policy": lambda: str(model.dtype_policy.name),
        "jit_compile": lambda: bool(model.jit_compile),
        "steps_per_execution": lambda: int(model.steps_per_execution),
    }
    if len(optimizers) > 1 and len({id(item) for item in optimizers.values()}) == 1:
        fields["optimizer_calls"] = lambda: len(optimizers)
    elif len(optimizers) > 1:
        del fields["optimizer"]
        fields["optimizers"] = lambda: {k: optimizer(v) for k, v in optimizers.items()}
    _fill(document, fields)
    document.update({name: plain(value) for name, value in facts.items()})
    return document


def describe_loop(model: Any, applied: Any, facts: Mapping[str, Any]) -> Document:
    """The configuration document of a loop of the user's own.

    Args:
        model: a Keras model, or anything else: then the document has none.
        applied: the optimizer, or the function that makes the update; None if not known.
    """
    document: Document = {"schema": SCHEMA_VERSION}
    fields: dict[str, Callable[[], Any]] = {
        "writer": _writer,
        "framework": _versions,
        "model": lambda: _model(model, _was_trained([applied])),
        "dtype_policy": lambda: str(model.dtype_policy.name),
    }
    _fill(document, fields)
    if applied is not None:
        configured = hasattr(applied, "get_config")
        document["optimizer"] = optimizer(applied) if configured else {"class": plain(applied)}
    document.update({name: plain(value) for name, value in facts.items()})
    return document


def _fill(document: Document, fields: Mapping[str, Callable[[], Any]]) -> None:
    for name, read in fields.items():
        with suppress(Exception):  # an odd field costs only itself
            document[name] = plain(read())


def plain(value: Any, depth: int = 6) -> Any:
    """`value` as strict JSON: non-finite numbers become text, unknown objects their class name.

    >>> plain({"a": (1, 2.5), "b": float("nan"), "c": object()})
    {'a': [1, 2.5], 'b': 'nan', 'c': 'object'}
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth and isinstance(value, Mapping):
        items = list(value.items())[:MAX_ITEMS]
        return {str(key)[:MAX_TEXT]: plain(item, depth - 1) for key, item in items}
    if depth and isinstance(value, (list, tuple)):
        return [plain(item, depth - 1) for item in value[:MAX_ITEMS]]
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        with suppress(Exception):
            return plain(value.item(), 0)
    if hasattr(value, "numpy") and getattr(value, "shape", None) == ():
        with suppress(Exception):
            return plain(value.numpy().item(), 0)
    name = getattr(value, "__name__", None)
    return str(name if isinstance(name, str) else type(value).__name__)[:MAX_TEXT]


def _writer() -> str:
    return f"tb_convergence {import_module('tb_convergence').__version__}"


def _versions() -> Document:
    found: Document = {}
    for name in FRAMEWORKS:
        with suppress(Exception):
            found[name] = str(import_module(name).__version__)
    return found


def _object(value: Any) -> Any:
    """An initializer, regularizer or constraint as {"class", "config"}; None for none."""
    if value is None:
        return None
    found: Document = {"class": type(value).__name__}
    with suppress(Exception):
        config = {key: item for key, item in value.get_config().items() if item is not None}
        found["config"] = plain(config)
    return found


def _was_trained(optimizers: Iterable[Any]) -> bool:
    """Whether one of these was applied; not of what is no optimizer of Keras."""
    for item in optimizers:
        with suppress(Exception):
            if int(item.iterations) > 0:
                return True
    return False


def _moving_statistics(item: Any) -> str:
    """Of a batch normalization layer: "initial" while they are as new, else "moved".

    Raises:
        AttributeError: another layer, which has none.
    """
    mean, variance = np.asarray(item.moving_mean), np.asarray(item.moving_variance)
    new = not mean.any() and bool((variance == 1).all())
    return "initial" if new else "moved"


def _model(model: Any, trained: bool) -> Document:
    layers = layer_rows.units_of_model(model)
    every = [layer for layer in _flat(model) if type(layer).__name__ != "InputLayer"]
    labels = layer_rows.labels_of([*layers, *(item for item in every if item not in layers)])
    connections, owners = Connections(model), _owners(model)
    return {
        "name": model.name,
        "class": type(model).__name__,
        "layers": [
            layer(item, labels, connections, owners, trained=trained)
            for item in every[: MAX_ITEMS * 10]
        ],
        "parameters": int(model.count_params()) if model.built else None,
        "trainable_parameters": _trainable_parameters(model),
    }


def _trainable_parameters(item: Any) -> int | None:
    """Number of weights that training may change; None before they are made."""
    return sum(math.prod(v.shape) for v in item.trainable_variables) if item.built else None


def _flat(model: Any) -> list[Any]:
    """Every layer a user recognizes, those without variables included."""
    found: list[Any] = []

    def walk(parent: Any) -> None:
        for child in compat.child_layers(parent):
            if not hasattr(child, "variables") or any(child is item for item in found):
                continue
            inner = compat.child_layers(child)
            own = compat.own_trainable_variables(child)
            if not inner or own or layer_rows.is_whole(child):
                found.append(child)
            if inner and not layer_rows.is_whole(child):
                walk(child)

    walk(model)
    return found


def _owners(model: Any) -> dict[int, str]:
    """Attribute of a subclassed model that holds each layer, by `id`, parts of parts included."""
    found: dict[int, str] = {}
    for name, value in vars(model).items():
        for part in [] if name.startswith("_") else compat.nested_layers(value):
            found.setdefault(id(part), name)
    return found


def layer(
    item: Any, labels: Mapping[int, str], connections: Connections, owners: Mapping[int, str],
    *, trained: bool = False,
) -> Document:
    """One layer: what it is, how it is set up, what feeds it, and once the model was `trained`,
    whether that moved the statistics of batch normalization."""
    found: Document = {}
    fields: dict[str, Callable[[], Any]] = {
        "name": lambda: labels.get(id(item), item.name),
        "class": lambda: type(item).__name__,
        "activation": lambda: layer_rows.activation_of(item),
        "recurrent_activation": lambda: item.recurrent_activation.__name__,
        "trainable": lambda: bool(item.trainable),
        "use_bias": lambda: bool(item.use_bias),
        "parameters": lambda: int(item.count_params()) if item.built else None,
        "trainable_parameters": lambda: _trainable_parameters(item),
        "owner": lambda: owners.get(id(item), ""),
        "output_shape": lambda: list(item.output.shape),
        "inputs": lambda: [
            labels.get(id(source), source.name) for source in connections.sources(item)
        ],
    }
    if trained:
        fields["moving_statistics"] = lambda: _moving_statistics(item)
    _fill(found, fields)
    for name in LAYER_NUMBERS:
        with suppress(Exception):
            value = getattr(item, name)
            if isinstance(value, (int, float, tuple, list)) and not isinstance(value, bool):
                found[name] = plain(value)
    for name in LAYER_OBJECTS:
        with suppress(Exception):
            value = getattr(item, name)
            if value is not None:
                found[name] = _object(value)
    return found


def optimizer(item: Any) -> Document:
    """An optimizer's numbers; a schedule as {"class", "config"}."""
    inner = getattr(item, "inner_optimizer", None)
    if inner is not None:
        return {**optimizer(inner), "loss_scale": type(item).__name__}
    found: Document = {"class": type(item).__name__}
    with suppress(Exception):
        for name, value in item.get_config().items():
            if name not in ("name", "learning_rate"):
                found[name] = plain(value)
    with suppress(Exception):
        rate = compat.rate_setting(item)
        found["learning_rate"] = _object(rate) if hasattr(rate, "get_config") else plain(rate)
    return found


def loss(item: Any) -> Any:
    """A loss as {"name", ...its settings}; lists and dicts of losses keep their structure."""
    if isinstance(item, Mapping):
        return {str(name): loss(value) for name, value in item.items()}
    if isinstance(item, (list, tuple)):
        return [loss(value) for value in item]
    if item is None or isinstance(item, str):
        return None if item is None else {"name": item}
    found: Document = {"name": getattr(item, "name", None) or plain(item)}
    found["class"] = type(item).__name__
    with suppress(Exception):
        config = {key: value for key, value in item.get_config().items() if key != "fn"}
        found.update(plain(config))
    return found
