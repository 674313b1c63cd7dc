"""Names the rows of our tables: layers, variables, and features as the user knows them.

This module only reads the model. A failed look-up leaves out one name, never a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tb_convergence.core.schema import Row
from tb_convergence.training.instep.feature_rows import dtype_name
from tb_convergence.training.keras import compat

KINDS: Final = {
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "pointwise_kernel": "kernel",
    "bias": "bias",
    "gamma": "gamma",
    "beta": "beta",
    "embeddings": "embedding",
    "recurrent_kernel": "recurrent_kernel",
}
"""Row kind by the variable's own name."""

ACTIVATION_LAYERS: Final = {
    "ELU": "elu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "prelu",
    "Softmax": "softmax",
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Gelu": "gelu",
    "Silu": "silu",
    "Selu": "selu",
    "Elu": "elu",
    "LeakyRelu": "leaky_relu",
    "LogSoftmax": "log_softmax",
}
"""Activation by class name of a layer, or of an operation in a functional model."""

TRANSPARENT: Final = frozenset({"BatchNormalization", "LayerNormalization", "GroupNormalization"})
"""Layers one may look through when searching the activation that follows a layer."""

WHOLE: Final = frozenset(
    {"RNN", "LSTM", "GRU", "SimpleRNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D",
     "TimeDistributed"}
)
"""Layers that count as one: their parts run inside a loop, where no output can be taken."""


GATED: Final = frozenset({"LSTM", "GRU", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Bidirectional"})
"""Recurrent layers whose output is a gate times an activation, not the activation itself."""


def is_whole(layer: Any) -> bool:
    """Whether `layer` is recorded as one, whatever it is made of."""
    return any(base.__name__ in WHOLE for base in type(layer).__mro__)


def units_of_model(model: Any) -> list[Any]:
    """Layers a user recognizes, in the model's order: leaves, whole layers, and composite layers
    with variables of their own."""
    found: list[Any] = []
    seen: set[int] = set()

    def walk(layer: Any) -> None:
        for child in compat.child_layers(layer):
            if id(child) in seen or not hasattr(child, "variables"):
                continue
            seen.add(id(child))
            whole = is_whole(child)
            leaf = not compat.child_layers(child)
            own = compat.own_trainable_variables(child)
            if whole or leaf or own:
                found.append(child)
            if not whole:
                walk(child)

    walk(model)
    return found


def labels_of(layers: Sequence[Any]) -> dict[int, str]:
    """A name per layer, by `id`: its own where only one layer has it, else its path, else its
    path with a number."""
    names = Counter(str(layer.name) for layer in layers)
    paths = Counter(_path(layer) for layer in layers)
    labels: dict[int, str] = {}
    met: Counter[str] = Counter()
    for layer in layers:
        name, path = str(layer.name), _path(layer)
        if names[name] == 1:
            labels[id(layer)] = name
        elif paths[path] == 1:
            labels[id(layer)] = path
        else:
            met[path] += 1
            labels[id(layer)] = f"{path} ({met[path]})"
    return labels


def _path(layer: Any) -> str:
    return str(getattr(layer, "path", None) or layer.name)


def activation_of(layer: Any) -> str:
    """Name of the activation `layer` itself applies; "" if there is none."""
    kind = type(layer).__name__
    if kind == "ReLU":
        return _relu(layer)
    if kind in ACTIVATION_LAYERS:
        return ACTIVATION_LAYERS[kind]
    function = getattr(layer, "activation", None)
    if function is None:
        inner = next(
            (found for name in ("cell", "forward_layer", "layer")
             if (found := getattr(layer, name, None)) is not None and found is not layer), None
        )
        return "" if inner is None else activation_of(inner)
    name = getattr(function, "__name__", None) or type(function).__name__
    return ACTIVATION_LAYERS.get(name, _relu(function) if name == "ReLU" else str(name))


def _relu(layer: Any) -> str:
    if float(getattr(layer, "negative_slope", None) or 0.0) != 0.0:
        return "leaky_relu"
    return "relu6" if getattr(layer, "max_value", None) == 6 else "relu"


def effective_activation(layer: Any, order: Sequence[Any]) -> str:
    """Activation of `layer`, or of the layer or operation right behind it where it has none.

    Normalization in between is looked through. `order` is that of a Sequential model.
    """
    own = activation_of(layer)
    if own not in ("", "linear"):
        return own
    following: Any = layer
    for _ in range(3):
        following = _following(following, order)
        if following is None:
            break
        found = activation_of(following)
        if found not in ("", "linear"):
            # A layer with variables applies its activation to its own sum, not to this output.
            return own if getattr(following, "variables", ()) else found
        if type(following).__name__ not in TRANSPARENT:
            break
    return own


def _following(layer: Any, order: Sequence[Any]) -> Any:
    """The only consumer of `layer`'s output, or None."""
    nodes = compat.consumers(layer)
    if nodes:
        return nodes[0].operation if len(nodes) == 1 else None
    for index, other in enumerate(order[:-1]):
        if other is layer:
            return order[index + 1]
    return None


def variables_under(layer: Any) -> Iterator[tuple[Any, Any]]:
    """(variable, layer that created it) of `layer` and everything in it."""
    for variable in compat.own_trainable_variables(layer):
        yield variable, layer
    for child in compat.child_layers(layer):
        yield from variables_under(child)


def owners_of(layers: Sequence[Any]) -> dict[int, tuple[Any, Any]]:
    """For each variable, by `id`: (layer a user recognizes, layer that created it)."""
    owners: dict[int, tuple[Any, Any]] = {}
    for layer in layers:
        if is_whole(layer):
            for variable, creator in variables_under(layer):
                owners.setdefault(id(variable), (layer, creator))
        else:
            for variable in compat.own_trainable_variables(layer):
                owners.setdefault(id(variable), (layer, layer))
    return owners


def variable_rows(model: Any, variables: Sequence[Any]) -> tuple[Row, ...]:
    """One row per variable, in the order given."""
    layers = units_of_model(model)
    labels = labels_of(layers)
    owners = owners_of(layers)
    order = _sequence(model)
    rows = []
    for variable in variables:
        layer, creator = owners.get(id(variable), (None, None))
        name = str(getattr(variable, "name", "variable")).split(":")[0]
        path = str(getattr(variable, "path", None) or name)
        rows.append(
            Row(
                name=path,
                layer=labels[id(layer)] if layer is not None else path.rpartition("/")[0] or path,
                kind=KINDS.get(name.rpartition("/")[2], "other"),
                shape=tuple(int(extent) for extent in variable.shape),
                dtype=dtype_name(variable.dtype),
                activation=effective_activation(layer, order) if layer is not None else "",
                initializer=_initializer(creator, name),
            )
        )
    return tuple(rows)


def _sequence(model: Any) -> Sequence[Any]:
    """The layers of a Sequential model, in order; nothing for others."""
    named = any(base.__name__ == "Sequential" for base in type(model).__mro__)
    return list(model.layers) if named else ()


def _initializer(creator: Any, name: str) -> str:
    found = getattr(creator, f"{name}_initializer", None)
    return "" if found is None else type(found).__name__


def output_row(label: str, layer: Any, shape: Sequence[int | None], dtype: Any) -> Row:
    """Row of a layer's output; unknown extents of its shape are -1.

    Gated recurrent layers have no activation here: their output does not tell its saturation.
    """
    static = tuple(-1 if extent is None else int(extent) for extent in shape)
    gated = any(base.__name__ in GATED for base in type(layer).__mro__)
    activation = "" if gated else activation_of(layer)
    return Row(label, label, "output", static, dtype_name(dtype), activation)


def has_output(layer: Any) -> bool:
    """Whether a layer's output tells something: it computes with variables or an activation."""
    if type(layer).__name__ == "InputLayer":
        return False
    return bool(getattr(layer, "weights", ()) or not layer.built or activation_of(layer))


def replica_rows(count: int) -> tuple[Row, ...]:
    """One row per replica, where there are several."""
    names = [f"replica {number}" for number in range(count)] if count > 1 else []
    return tuple(Row(name, name, "replica") for name in names)
