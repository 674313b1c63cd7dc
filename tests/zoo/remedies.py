"""Does to a program what a piece of advice says, word by word, as its reader would.

A remedy is found in the text of the advice alone. What no pattern reads is left to a person and is
counted as not tried.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from zoo.program import Training

Remedy = Callable[[Training, re.Match[str]], Training]
NUMBER = r"[-+\d.,e]*\d"


def apply(training: Training, advice: str, layers: tuple[str, ...] = ()) -> Training | None:
    """`training` with the advice followed; None where it asks for what a person has to decide.

    Args:
        training: the sick program.
        advice: one piece of advice.
        layers: of the finding, for advice that names none of its own.
    """
    named = f"{advice} (in {', '.join(layers)})"
    for pattern, remedy in REMEDIES:
        found = re.search(pattern, named)
        if found:
            return remedy(training, found)
    return None


def number(text: str) -> float:
    """A number as advice writes it, with commas between thousands."""
    return float(text.replace(",", ""))


def _compiled(training: Training, **changes: Any) -> Training:
    """The model compiled anew: the same optimizer with other settings, the same loss or another."""
    model = training.model
    loss = changes.pop("loss", model.loss)
    settings = model.optimizer.get_config() | changes
    model.compile(type(model.optimizer).from_config(settings), loss)
    return training


def _rate(training: Training, found: re.Match[str]) -> Training:
    return _compiled(training, learning_rate=number(found["rate"]))


def _clip(training: Training, found: re.Match[str]) -> Training:
    changes: dict[str, Any] = {found["name"]: number(found["limit"])}
    lower = re.search(rf"lower the rate as well: \w+\((?P<rate>{NUMBER})", found.string)
    if lower:
        changes["learning_rate"] = number(lower["rate"])
    return _compiled(training, **changes)


def _epsilon(training: Training, found: re.Match[str]) -> Training:
    return _compiled(training, epsilon=number(found["value"]))


def _normalized(training: Training, _: re.Match[str]) -> Training:
    """A Normalization layer in front of the model, adapted on the training data."""
    first = keras.layers.Normalization()
    first.adapt(training.x)
    return _around(training, [first, training.model])


def _around(training: Training, parts: list[Any]) -> Training:
    model = keras.Sequential([keras.Input(training.x.shape[1:]), *parts])
    old = training.model
    model.compile(type(old.optimizer).from_config(old.optimizer.get_config()), old.loss)
    return replace(training, model=model)


def _scaled_targets(training: Training, found: re.Match[str]) -> Training:
    """Targets are scaled; whoever judges the model sees its predictions turned back."""
    shift, scale = number(found["shift"]), number(found["scale"])
    judge, back = training.judge, keras.layers.Rescaling(scale, offset=shift)

    def judged(model: Any) -> float:
        return judge(lambda x, training=False: back(model(x, training=training)))

    validation = training.validation
    if validation is not None:
        validation = (validation[0], (validation[1] - shift) / scale)
    return replace(training, y=(training.y - shift) / scale, validation=validation, judge=judged)


def _layers(training: Training, names: str) -> list[Any]:
    """Layers that a text names: "a, b and c", or the first and the last of a row."""
    every = {layer.name: layer for layer in training.model._flatten_layers(include_self=False)}
    ends = re.fullmatch(r"(\S+) \.\.\. (\S+)", names.strip())
    if ends:
        order = list(every)
        first, last = (order.index(name) for name in ends.groups())
        return [every[name] for name in order[first : last + 1]]
    return [every[name] for name in re.findall(r"[\w/]+", names) if name in every]


def _activation(training: Training, found: re.Match[str]) -> Training:
    """Another activation in named layers, and the loss that is named with it."""
    named = found.groupdict()
    for layer in _layers(training, named["layers"]):
        layer.activation = keras.activations.get(named.get("activation"))
        if "he_normal" in found.string:
            _start(layer, "he_normal")
    loss = named.get("loss")
    return _compiled(training, **({"loss": loss} if loss else {}))


def _start(layer: Any, initializer: str) -> None:
    """New weights for a layer, its biases at zero."""
    for variable in layer.weights:
        if "bias" in variable.name:
            variable.assign(np.zeros(variable.shape))
        elif "kernel" in variable.name:
            variable.assign(keras.initializers.get(initializer)(variable.shape))


def _initialized(training: Training, found: re.Match[str]) -> Training:
    for layer in _layers(training, found["layers"]):
        _start(layer, found["start"])
    return training


def _zero_biases(training: Training, found: re.Match[str]) -> Training:
    for layer in _layers(training, found["layers"]):
        layer.bias.assign(np.zeros(layer.bias.shape))
    return training


def _no_penalty(training: Training, _: re.Match[str]) -> Training:
    for layer in training.model._flatten_layers(include_self=False):
        for name in ("kernel_regularizer", "bias_regularizer", "activity_regularizer"):
            if getattr(layer, name, None) is not None:
                setattr(layer, name, None)
        for variable in layer.trainable_variables:
            variable.regularizer = None
    return _compiled(training)


def _no_dropout(training: Training, _: re.Match[str]) -> Training:
    for layer in training.model._flatten_layers(include_self=False):
        if "Dropout" in type(layer).__name__:
            layer.rate = 0.0
    return _compiled(training)


def _trainable(training: Training, _: re.Match[str]) -> Training:
    training.model.trainable = True
    return _compiled(training)


def _without_padding(training: Training, _: re.Match[str]) -> Training:
    return _compiled(training, loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=0))


def _shuffled(training: Training, _: re.Match[str]) -> Training:
    return replace(training, shuffle=True)


def _weighted(training: Training, found: re.Match[str]) -> Training:
    return replace(training, class_weight=ast.literal_eval(found["weights"]))


def _longer(training: Training, found: re.Match[str]) -> Training:
    return replace(training, epochs=int(found["epochs"]))


def _finite(training: Training, _: re.Match[str]) -> Training:
    keep = np.ones(len(training.x), bool)
    for part in (training.x, training.y):
        keep &= np.isfinite(part).reshape(len(part), -1).all(axis=1)
    return replace(training, x=training.x[keep], y=training.y[keep])


REMEDIES: tuple[tuple[str, Remedy], ...] = (
    (rf"Set (?P<name>\w*clip\w*)=(?P<limit>{NUMBER}) instead of", _clip),
    (rf"\w+\((?P<rate>{NUMBER})(, momentum=[\d.]+)?\) instead of \w+\(", _rate),
    (rf"Use \w+\(epsilon=(?P<value>{NUMBER})\)", _epsilon),
    (r"Standardize (it|every feature) to mean 0", _normalized),
    (rf"train on \(y - (?P<shift>{NUMBER})\) / (?P<scale>{NUMBER}), ", _scaled_targets),
    (r"Use (?P<activation>sigmoid|softmax) in (?P<layers>\w+)( with (?P<loss>\w+))?", _activation),
    (r"Use (?P<loss>\w+crossentropy) with (a )?(?P<activation>softmax|sigmoid) in (?P<layers>\w+)",
     _activation),
    (r"Set activation='(?P<activation>relu)' in (?P<layers>[\w, /]+)\.", _activation),
    (r"Use activation='(?P<activation>relu)' with kernel_initializer='he_normal' in "
     r"(?P<layers>\S+( \.\.\. \S+)?)\.", _activation),
    (r"use activation='(?P<activation>sigmoid)' with \w+\..*\(in (?P<layers>\w+)\)", _activation),
    (r"Set trainable = True on the layers", _trainable),
    (r"Exclude padding from the loss: .*ignore_class=0", _without_padding),
    (r"Remove the activation of (?P<layers>\w+)", _activation),
    (r"Initialize (?P<layers>.+?) with (?P<start>\w+)( \(the default\))?, biases at zero",
     _initialized),
    (r"Use bias_initializer='zeros' in (?P<layers>.+?)\.", _zero_biases),
    (r"Remove the penalty", _no_penalty),
    (r"Remove the dropout", _no_dropout),
    (r"Shuffle the samples", _shuffled),
    (r"class_weight=(?P<weights>\{[\d., :e+-]+\})\)", _weighted),
    (r"Train longer: epochs=(?P<epochs>\d+)", _longer),
    (r"Leave out the samples that hold NaN", _finite),
)
