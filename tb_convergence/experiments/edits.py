"""Edits of a live model that can be taken back: what an ablation changes, one attribute at a time.

Attributes are edited in place, which reaches layers at any depth, also of subclassed models that
cannot be cloned. Whoever edits must trace anew afterward; `stepping.Runner` does at its first use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import keras
from keras import layers

from tb_convergence.training.keras import compat

RATES: Final = ("rate", "dropout", "recurrent_dropout", "stddev", "seed_dropout")
ACTIVATION_LAYERS: Final = (
    layers.ReLU, layers.LeakyReLU, layers.ELU, layers.PReLU, layers.Activation
)
GATED: Final = (layers.LSTM, layers.GRU, layers.LSTMCell, layers.GRUCell, layers.SimpleRNN,
                layers.SimpleRNNCell, layers.RNN, layers.MultiHeadAttention)
"""Their activations belong to how they work."""
OUTPUTS_OF_LOSSES: Final = ("softmax", "sigmoid")


class NotApplicableError(ValueError):
    """The change does not apply to this model or data; the message gives the reason."""


class Edits(ExitStack):
    """Edits in place; all are undone, last first, when the context ends."""

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute until the context ends."""
        own = name in vars(owner)
        before = getattr(owner, name)
        compat.set_untracked(owner, name, value)
        self.callback(_back, owner, name, before, own)

    def call(self, layer: Any, function: Callable[..., Any]) -> None:
        """Replace what `layer` computes until the context ends."""
        own = vars(layer).get("call")
        object.__setattr__(layer, "call", function)
        self.callback(_call_back, layer, own)


def _back(owner: Any, name: str, before: Any, own: bool) -> None:
    if own or isinstance(getattr(type(owner), name, None), property):
        compat.set_untracked(owner, name, before)
    else:
        object.__delattr__(owner, name)


def _call_back(layer: Any, own: Any) -> None:
    if own is None:
        object.__delattr__(layer, "call")
    else:
        object.__setattr__(layer, "call", own)


def layers_of(model: Any) -> Iterator[Any]:
    """Every layer that is no container of others by itself, cells and inner layers included."""
    yield from compat.layers_below(model)


def output_layers(model: Any) -> list[Any]:
    """The layers that make the outputs: their activation belongs to the loss.

    Of a subclassed model the last layer with weights, which is the output by custom.
    """
    outputs = getattr(model, "outputs", None)
    if outputs:
        found = [compat.made_by(tensor) for tensor in keras.tree.flatten(outputs)]
        return [inner for one in found for inner in (
            output_layers(one) if isinstance(one, keras.Model) else [one])]
    weighted = [layer for layer in layers_of(model) if compat.own_trainable_variables(layer)]
    return weighted[-1:]


def activation_name(layer: Any) -> str:
    """Name of a layer's activation; "" for none, and "linear" for the identity."""
    found = getattr(layer, "activation", None)
    if found is None:
        return ""
    return str(getattr(found, "__name__", None) or getattr(found, "name", "") or "?")


# ---- the edits themselves -------------------------------------------------------------------


def drop_noise(edits: Edits, model: Any) -> int:
    """Dropout and noise layers do nothing; how many rates that set to 0."""
    count = 0
    for layer in layers_of(model):
        for name in RATES:
            value = vars(layer).get(name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
                edits.put(layer, name, 0.0)
                count += 1
    return count


def drop_penalties(edits: Edits, model: Any) -> int:
    """No L1, L2 or activity penalty; how many that removed."""
    count = 0
    for layer in layers_of(model):
        for variable in compat.own_trainable_variables(layer):
            if getattr(variable, "regularizer", None) is not None:
                edits.put(variable, "regularizer", None)
                count += 1
        if isinstance(layer, layers.ActivityRegularization):
            edits.call(layer, _identity)
            edits.put(layer, "activity_regularizer", None)
            count += 1
        elif getattr(layer, "activity_regularizer", None) is not None:
            edits.put(layer, "activity_regularizer", None)
            count += 1
    return count


def add_penalties(edits: Edits, model: Any, penalty: Any) -> int:
    """Give kernels without a penalty this one; how many got it."""
    count = 0
    for layer in layers_of(model):
        for variable in compat.own_trainable_variables(layer):
            if len(variable.shape) > 1 and getattr(variable, "regularizer", None) is None:
                edits.put(variable, "regularizer", penalty)
                count += 1
    return count


def add_dropout(edits: Edits, model: Any, rate: float) -> list[Any]:
    """Dropout after every hidden dense layer; the layers that drop, whose seeds are theirs alone.

    Empty where the model has dropout or noise already, or no hidden dense layer.
    """
    if any(isinstance(vars(layer).get(name), float) and vars(layer)[name] > 0
           for layer in layers_of(model) for name in RATES):
        return []
    outputs = {id(layer) for layer in output_layers(model)}
    added: list[Any] = []
    for layer in layers_of(model):
        if type(layer) is layers.Dense and id(layer) not in outputs:
            added.append(layers.Dropout(rate, seed=len(added)))
            edits.call(layer, _dropped(layer.call, added[-1]))
    return added


def _dropped(call: Callable[..., Any], dropout: Any) -> Callable[..., Any]:
    return lambda *arguments, **options: dropout(call(*arguments, **options))


def _identity(inputs: Any, *arguments: Any, **options: Any) -> Any:
    return inputs


def drop_batch_norm(edits: Edits, model: Any) -> int:
    """Batch normalization only adds its offset, which was the bias of the layer before."""
    found = [one for one in layers_of(model) if isinstance(one, layers.BatchNormalization)]
    for layer in found:
        edits.call(layer, _offset_of(layer))
    return len(found)


def _offset_of(layer: Any) -> Callable[..., Any]:
    def call(inputs: Any, *arguments: Any, **options: Any) -> Any:
        if layer.beta is None:
            return inputs
        rank, axis = len(inputs.shape), layer.axis
        axis = axis if isinstance(axis, int) else axis[0]
        shape = [1] * rank
        shape[axis] = -1
        return inputs + keras.ops.cast(keras.ops.reshape(layer.beta, shape), inputs.dtype)

    return call


def hidden_activations(model: Any) -> list[tuple[Any, str]]:
    """(layer, activation) of every hidden layer with a non-linearity that is not a gate's."""
    outputs = {id(layer) for layer in output_layers(model)}
    found = []
    for layer in layers_of(model):
        if id(layer) in outputs or isinstance(layer, GATED):
            continue
        if isinstance(layer, ACTIVATION_LAYERS):
            name = activation_name(layer) or type(layer).__name__.lower()
            if name not in ("softmax", "linear"):
                found.append((layer, name))
        elif activation_name(layer) not in ("", "linear", "softmax"):
            found.append((layer, activation_name(layer)))
    return found


def linear_hidden(model: Any) -> list[Any]:
    """Hidden dense and convolutional layers without a non-linearity."""
    outputs = {id(layer) for layer in output_layers(model)}
    kinds = (layers.Dense, layers.Conv1D, layers.Conv2D, layers.Conv3D)
    return [layer for layer in layers_of(model) if isinstance(layer, kinds)
            and id(layer) not in outputs and activation_name(layer) == "linear"]


def set_hidden_activation(edits: Edits, model: Any, name: str) -> int:
    """Give hidden layers the activation `name`; how many that changed.

    Those that have a non-linearity get the other one. Where no hidden layer has any, all get it.
    """
    function = keras.activations.get(name)
    found = [layer for layer, now in hidden_activations(model) if now != name]
    if not found and not hidden_activations(model):
        found = linear_hidden(model)
    for layer in found:
        if isinstance(layer, ACTIVATION_LAYERS):
            edits.call(layer, lambda inputs, *_, **__: function(inputs))
        else:
            edits.put(layer, "activation", function)
    return len(found)


def set_output_activation(edits: Edits, model: Any, name: str) -> None:
    """Give the output layer the activation `name`.

    Raises:
        NotApplicableError: there is no one output layer whose activation can be set.
    """
    found = output_layers(model)
    if len(found) != 1:
        raise NotApplicableError(f"the model has {len(found)} outputs")
    layer, function = found[0], keras.activations.get(name)
    if isinstance(layer, (*ACTIVATION_LAYERS, layers.Softmax)):
        edits.call(layer, lambda inputs, *_, **__: function(inputs))
    elif hasattr(layer, "activation") and not isinstance(layer, GATED):
        edits.put(layer, "activation", function)
    else:
        raise NotApplicableError(
            f"the output is made by {type(layer).__name__} {layer.name!r}, whose activation cannot "
            "be replaced")
