"""Names of variables that no model describes -> rows in words a person recognizes.

Frameworks name variables differently: "dense/kernel:0" (TensorFlow), "encoder.0.weight" (PyTorch),
"params/Dense_0/kernel" (Flax), "w1" (written by hand). What is before the last separator is the
layer; what is behind it tells the role.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from tb_convergence.core.schema import Row

ROLES: Final = {
    "kernel": "kernel",
    "depthwise_kernel": "kernel",
    "pointwise_kernel": "kernel",
    "recurrent_kernel": "recurrent_kernel",
    "embeddings": "embedding",
    "embedding": "embedding",
    "bias": "bias",
    "biases": "bias",
    "b": "bias",
    "gamma": "gamma",
    "scale": "gamma",
    "beta": "beta",
    "offset": "beta",
}
"""Row kind by the last part of a name."""

MATRICES: Final = frozenset({"", "w", "weight", "weights", "matrix"})
"""Names that say "weights" and no more: a kernel where they have two axes, a gain where one."""

Described = tuple[str, tuple[int, ...], str]
"""Name, shape and dtype of a variable."""


def rows_of(variables: Sequence[Described]) -> tuple[Row, ...]:
    """One row per variable, names made unique.

    >>> [(r.name, r.layer, r.kind) for r in rows_of([
    ...     ("dense/kernel:0", (3, 2), "float32"), ("fc.weight", (2, 3), "float32"),
    ...     ("Variable:0", (3, 2), "float32"), ("Variable:0", (2,), "float32"), ("b1", (2,), "f")])]
    [('dense/kernel', 'dense', 'kernel'), ('fc.weight', 'fc', 'kernel'), \
('variable_2', 'variable_2', 'kernel'), ('variable_3', 'variable_3', 'other'), ('b1', 'b1', 'bias')]
    """
    names = [_given(name) or f"variable_{index}" for index, (name, _, _) in enumerate(variables)]
    names = _unique(names)
    layers = _short([_layer(name) for name in names])
    return tuple(
        Row(name=name, layer=layer, kind=_kind(name, shape), shape=tuple(shape), dtype=dtype)
        for name, layer, (_, shape, dtype) in zip(names, layers, variables, strict=True)
    )


def _given(name: str) -> str:
    """A name without the number of its output; "" if nobody chose it."""
    plain = re.sub(r":\d+$", "", str(name))
    return "" if re.fullmatch(r"(?i)variable(_\d+)?", plain) else plain


def _unique(names: Sequence[str]) -> list[str]:
    taken = Counter(names)
    met: Counter[str] = Counter()
    found = []
    for name in names:
        met[name] += 1
        candidate = name if met[name] == 1 else f"{name}_{met[name] - 1}"
        while met[name] > 1 and taken[candidate]:
            met[name] += 1
            candidate = f"{name}_{met[name] - 1}"
        taken[candidate] += candidate != name
        found.append(candidate)
    return found


def _layer(name: str) -> str:
    before, separator, _ = name.rpartition("/")
    if not separator:
        before, separator, _ = name.rpartition(".")
    return before or name


def _short(layers: Sequence[str]) -> list[str]:
    """Last part of each layer's path, where only that layer has it."""
    whole = dict.fromkeys(layers)
    ends = Counter(layer.rpartition("/")[2] for layer in whole)
    short = {layer: layer.rpartition("/")[2] for layer in whole}
    return [short[layer] if ends[short[layer]] == 1 else layer for layer in layers]


def _kind(name: str, shape: Sequence[int]) -> str:
    last = re.split(r"[/.]", name)[-1].lower()
    role = re.sub(r"[_\d]+$", "", last)
    if role in ROLES:
        return ROLES[role]
    if role in MATRICES or role == "variable":
        return "kernel" if len(shape) > 1 else "gamma" if role == "weight" else "other"
    return "other"
