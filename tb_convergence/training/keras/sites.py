"""Where optimizers are called in a train step: most have one such site, a GAN has two.

Each site is recorded by itself, with its own steps. The names tell them apart in one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import keras

from tb_convergence.training.instep.measurement import Measurement
from tb_convergence.training.instep.recorder import Recorder
from tb_convergence.training.keras import compat
from tb_convergence.training.keras.clipping import Clipping

MAX_SITES: Final = 8
"""Calls of optimizers beyond these are not recorded."""


class Site:
    """One optimizer with the variables it is called for.

    Attributes:
        name: tells it from the other sites of the model.
        first_step: number of the first step that is observed.
        clipping: what the optimizer does to large gradients; None if it leaves them.
        recorder: what observes the call in the training's own step; None until a trace has
            reached it.
        measurement: what measures the call in a rehearsed step; None likewise.
        classes: number of classes of the target, 0 where there are none.
        data_shapes: of the only "target" and the only "prediction", None for what may vary; empty
            where there are several or none.
        layers: those whose outputs are recorded with it, in the order of their rows.
        calls: how often the latest trace calls the optimizer here.
        applied: how often it had been applied before the first step; None if it does not count.
    """

    def __init__(
        self,
        name: str,
        optimizer: Any,
        variables: Sequence[Any],
        first_step: int,
        applied: int | None,
    ) -> None:
        self.name = name
        self.first_step = first_step
        self.applied = applied
        self.optimizer = optimizer
        self.variables = list(variables)
        self.recorder: Recorder | None = None
        self.measurement: Measurement | None = None
        self.classes = 0
        self.data_shapes: dict[str, list[int | None]] = {}
        self.clipping: Clipping | None = None
        self.layers: list[Any] = []
        self.calls = 0

    def is_for(self, optimizer: Any, variables: Sequence[Any]) -> bool:
        """Whether a call with these arguments is of this site."""
        return optimizer is self.optimizer and _ids(variables) == _ids(self.variables)


def _ids(variables: Sequence[Any]) -> list[int]:
    return [id(variable) for variable in variables]


def optimizers_of(model: Any) -> list[Any]:
    """The model's own optimizer first, then those it holds in attributes, and its parts hold."""
    found: list[Any] = []
    for holder in (model, *_parts(model)):
        own = getattr(holder, "optimizer", None)
        for value in (own, *_values(holder)):
            usable = isinstance(value, keras.optimizers.Optimizer) or (
                value is own and hasattr(own, "apply")
            )
            if usable and not any(value is item for item in found):
                found.append(value)
    return found


def _parts(model: Any) -> list[Any]:
    return [part for _, part in _attributes(model) if isinstance(part, keras.Model)]


def _values(holder: Any) -> Iterator[Any]:
    for _, value in _attributes(holder):
        if isinstance(value, dict):
            yield from value.values()
        elif isinstance(value, (list, tuple)):
            yield from value
        else:
            yield value


def _attributes(holder: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in vars(holder).items() if not name.startswith("_")]


def name_of(model: Any, optimizer: Any, variables: Sequence[Any], taken: Sequence[str]) -> str:
    """Name of a site: the part of the model it trains, else the optimizer; none is used twice."""
    trained = set(_ids(variables))
    found = ""
    for name, value in _attributes(model):
        if isinstance(value, keras.Layer) and value is not model:
            with suppress(Exception):
                if trained and trained <= set(_ids(value.trainable_variables)):
                    found = name
                    break
        if value is optimizer and not found:
            found = name
    found = found or str(optimizer.name)
    number = 1
    while (f"{found} ({number})" if number > 1 else found) in taken:
        number += 1
    return f"{found} ({number})" if number > 1 else found


def owned_by_others(layer: Any, variables: Sequence[Any], optimizers: Sequence[Any]) -> bool:
    """Whether only other optimizers than that of `variables` train `layer`."""
    own = set(_ids(getattr(layer, "trainable_variables", ())))
    if not own or own & set(_ids(variables)):
        return False
    others: set[int] = set()
    for optimizer in optimizers:
        if getattr(optimizer, "built", False):
            others |= set(_ids(compat.own_trainable_variables(optimizer)))
    return own <= others
