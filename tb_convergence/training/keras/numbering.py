"""Numbers of steps over several trainings that one callback records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tb_convergence.training.keras import introspection


class Numbering:
    """A step is an update the optimizer counts. A model that is compiled again gets an optimizer
    that counts from zero, and yet trains on: its steps follow the last one. One that knows its
    optimizer's count, such as of a checkpoint, is believed, also where it goes back."""

    def __init__(self) -> None:
        self._model: Any = None
        self._optimizers: list[Any] = []
        self._last = -1

    def first_step(self, model: Any, optimizer: Any) -> int:
        """Number of the next step of `optimizer`."""
        counted = introspection.iterations(optimizer)
        known = any(optimizer is item for item in self._optimizers)
        if model is not self._model or known:
            return counted
        return max(counted, self._last + 1)

    def trained(self, model: Any, optimizers: Sequence[Any], last: int) -> None:
        """A training of `model` by `optimizers` ended with step `last`."""
        if model is not self._model:
            self._model, self._optimizers = model, []
        self._optimizers += [item for item in optimizers if item not in self._optimizers]
        self._last = last
