"""Initial weights: which of a model's weights are still those an initializer drew, and new ones.

Several seeds mean several starts. But weights that somebody loaded are not to be drawn anew: only a
layer whose every weight still looks as its initializer makes it is fresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np

from tb_convergence.training.keras import compat

ENDINGS: Final = ("kernel", "bias", "embeddings", "recurrent", "gamma", "beta", "moving_mean",
                  "moving_variance")
TOLERANCE: Final = 5.0
"""Standard errors by which mean and spread may differ from those of a new draw: with so many, one
in a million fresh weights is taken for a trained one."""


@dataclass(frozen=True)
class Weight:
    """A variable and the initializer that its layer names for it; None if there is none."""

    layer: Any
    variable: Any
    initializer: Any


def weights_of(model: Any) -> Iterator[Weight]:
    """Every variable of every layer that holds variables itself, cells of recurrent layers too."""
    for layer in compat.every_layer(model):
        for variable in compat.own_variables(layer):
            yield Weight(layer, variable, _initializer(layer, variable))


def _initializer(layer: Any, variable: Any) -> Any:
    name = str(variable.name)
    for ending in (name, _long(name)):
        found = getattr(layer, f"{ending}_initializer", None)
        if found is not None:
            return found
    return None


def _long(name: str) -> str:
    """Names of attributes differ from those of variables in a few layers.

    >>> _long("recurrent_kernel"), _long("kernel")
    ('recurrent', 'kernel')
    """
    return {"recurrent_kernel": "recurrent", "depthwise_kernel": "depthwise",
            "pointwise_kernel": "pointwise"}.get(name, name)


def drawn(initializer: Any, variable: Any, seed: int) -> Any:
    """New initial values for `variable`, different for each seed; None if they cannot be drawn."""
    try:
        config = dict(initializer.get_config())
        if "seed" in config:
            config["seed"] = seed
        value = type(initializer).from_config(config)(variable.shape, dtype=variable.dtype)
        return np.asarray(keras.ops.convert_to_numpy(value))
    except Exception:
        return None


def fresh_layers(model: Any) -> list[list[Weight]]:
    """Layers all of whose weights are still as initializers make them, as lists of weights."""
    groups: dict[int, list[Weight]] = {}
    for weight in weights_of(model):
        if not _is_generator(weight.variable):
            groups.setdefault(id(weight.layer), []).append(weight)
    return [group for group in groups.values() if all(_looks_fresh(one) for one in group)]


def _is_generator(variable: Any) -> bool:
    return "seed_generator" in str(variable.path)


def _looks_fresh(weight: Weight) -> bool:
    if weight.initializer is None:
        return False
    new = drawn(weight.initializer, weight.variable, 12345)
    if new is None:
        return False
    new, old = new.astype(np.float64), np.asarray(weight.variable, np.float64)
    if not np.isfinite(old).all():
        return False
    spread, count = float(new.std()), new.size
    if spread == 0 or count < 2:
        return bool(np.array_equal(new, old)) if spread == 0 else True
    error = TOLERANCE * spread / np.sqrt(count)
    return bool(abs(old.mean() - new.mean()) <= 2 * error and abs(old.std() - spread) <= 2 * error)


def reseed(model: Any, seed: int) -> None:
    """Give every seed generator of the model (dropout has one) a state that follows from `seed`.

    A model that is built again, in another process, begins with other states.
    """
    generators = [v for v in model.variables if _is_generator(v)]
    for place, variable in enumerate(generators):
        variable.assign(np.array([seed, place], dtype="uint32"))


def redraw(model: Any, seed: int) -> int:
    """Give every fresh layer new weights from `seed`; how many variables that were."""
    count = 0
    for group in fresh_layers(model):
        for weight in group:
            new = drawn(weight.initializer, weight.variable, seed * 100_003 + count)
            if new is not None:
                weight.variable.assign(new)
                count += 1
    return count
