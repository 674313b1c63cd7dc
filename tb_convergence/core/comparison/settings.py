"""What differs in the recorded configurations of two runs. Both documents are untrusted.

Layers of models of one length are compared one by one, whatever they are called; of models of
different length what the beginnings and the ends have in common is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tb_convergence.core.text.numbers import number

MAX_DEPTH: Final = 8
MAX_SETTINGS: Final = 200
MAX_TEXT: Final = 200
IGNORED: Final = frozenset(
    {"schema", "writer", "recorder", "model.name", "model.layers", "optimizer.name"}
)
"""What tells of the record, or is a name that the framework makes up."""
NAMES: Final = frozenset({"name", "inputs"})
"""Keys of a layer that hold names; connections are compared by place."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting that differs: its path, and its value in either run, None if it has none."""

    name: str
    first: str | None
    second: str | None


def changed_settings(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> tuple[Setting, ...]:
    """Settings that differ, sorted by name, layers last in order of depth. At most 200."""
    plain = _changed(_flat(first), _flat(second))
    found = [item for item in plain if item.name not in IGNORED]
    found += _changed_layers(_layers(first), _layers(second))
    return tuple(found[:MAX_SETTINGS])


MAX_MAIN: Final = 40
MAX_MAIN_TEXT: Final = 80


def main_settings(document: Mapping[str, Any]) -> dict[str, str]:
    """The main settings of a run: optimizer, rate, batch size, loss, layers, initializers.

    At most 40 settings of at most 80 characters, by path, such as "optimizer.learning_rate". The
    layers are one setting, the initializers of kernels and of biases another one each. Empty for a
    run without a configuration.
    """
    chosen: dict[str, str] = {}
    layers = _layers(document)
    if layers:
        chosen["layers"] = _run_lengths([_short(layer) for layer in layers])
    for key in ("kernel_initializer", "bias_initializer"):
        found = [_call(layer[key]) for layer in layers if isinstance(layer.get(key), Mapping)]
        if found:
            chosen[key] = ", ".join(dict.fromkeys(found))
    for name, text in _flat(document).items():
        if name not in IGNORED and not name.startswith(("framework.", "model.", "recorder.")):
            chosen[name] = text
    return {name: text[:MAX_MAIN_TEXT] for name, text in list(chosen.items())[:MAX_MAIN]}


def _run_lengths(texts: Sequence[str]) -> str:
    """`["a", "a", "b"]` -> "2 x a, b"."""
    found: list[tuple[str, int]] = []
    for text in texts:
        if found and found[-1][0] == text:
            found[-1] = (text, found[-1][1] + 1)
        else:
            found.append((text, 1))
    return ", ".join(text if count == 1 else f"{count} x {text}" for text, count in found)


def _call(document: Mapping[str, Any]) -> str:
    """An initializer as Python code, without arguments that are not set."""
    config = document.get("config")
    given = config.items() if isinstance(config, Mapping) else ()
    inside = [f"{key}={_text(value)}" for key, value in given if value is not None]
    return f"{_text(document.get('class', '?'))}({', '.join(inside)})"


def _changed(first: Mapping[str, str], second: Mapping[str, str]) -> list[Setting]:
    return [
        Setting(name, first.get(name), second.get(name))
        for name in sorted({*first, *second}) if first.get(name) != second.get(name)
    ]


def _flat(document: Mapping[str, Any]) -> dict[str, str]:
    """Paths such as "optimizer.learning_rate" with their values as text."""
    return dict(_leaves(document, "", MAX_DEPTH))


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth:
        for key, item in value.items():
            below = f"{path}.{key}" if path else str(key)
            if below not in IGNORED:
                yield from _leaves(item, below[:MAX_TEXT], depth - 1)
    elif path and value is not None:
        yield path, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, float):
        return number(value, 7)  # what float32 can tell: 0.001 is not 0.0010000000475
    try:
        return json.dumps(value)[:MAX_TEXT]
    except (TypeError, ValueError, RecursionError):
        return type(value).__name__


def _layers(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    model = document.get("model")
    layers = model.get("layers") if isinstance(model, Mapping) else None
    if not isinstance(layers, list):
        return []
    return [layer for layer in layers if isinstance(layer, Mapping)]


def _plain(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each layer's settings; what feeds it as a place in the model rather than a name."""
    places = {_name(layer): str(index) for index, layer in enumerate(layers)}
    found = []
    for layer in layers:
        plain = _flat({key: item for key, item in layer.items() if key not in NAMES})
        inputs = layer.get("inputs")
        if isinstance(inputs, list):
            plain["inputs"] = ", ".join(places.get(_text(name), "data") for name in inputs)
        found.append(plain)
    return found


def _name(layer: Mapping[str, Any]) -> str:
    return _text(layer.get("name", ""))


def _changed_layers(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
) -> list[Setting]:
    plain_1, plain_2 = _plain(first), _plain(second)
    if len(plain_1) != len(plain_2):
        return _inserted(first, second, plain_1, plain_2)
    found = []
    for index, (layer_1, layer_2) in enumerate(zip(first, second, strict=True)):
        names = dict.fromkeys((_name(layer_1), _name(layer_2)))
        label = " / ".join(sorted(names))
        for item in _changed(plain_1[index], plain_2[index]):
            found.append(Setting(f"{label}.{item.name}", item.first, item.second))
    return found


def _inserted(
    first: Sequence[Mapping[str, Any]],
    second: Sequence[Mapping[str, Any]],
    plain_1: list[dict[str, str]],
    plain_2: list[dict[str, str]],
) -> list[Setting]:
    """The stretch in which two models of different length differ."""
    for plain in (*plain_1, *plain_2):
        plain.pop("inputs", None)  # places shift behind an inserted layer
    shorter = min(len(plain_1), len(plain_2))
    head = 0
    while head < shorter and plain_1[head] == plain_2[head]:
        head += 1
    tail = 0
    while tail < shorter - head and plain_1[-1 - tail] == plain_2[-1 - tail]:
        tail += 1
    shown = [
        ", ".join(map(_short, layers[head : len(layers) - tail]))[:MAX_TEXT]
        for layers in (first, second)
    ]
    counts = Setting("model.layers", f"{len(first)} layers", f"{len(second)} layers")
    return [counts, Setting("layers that differ", shown[0] or None, shown[1] or None)]


def _short(layer: Mapping[str, Any]) -> str:
    """Such as "Dense(64, relu)"."""
    inside = [_text(layer[key]) for key in ("units", "filters", "rate", "activation")
              if layer.get(key) not in (None, "")]
    return f"{_text(layer.get('class', 'layer'))}({', '.join(inside)})"
