"""What is made ready for one train function: a way to its batches, and a copy of its step.

It is kept as an attribute of the function that Keras made, so it lasts as long as that does: over
calls of `fit` and over callbacks, until the model is compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from inspect import isfunction
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.training.keras import compat, introspection
from tb_convergence.training.keras.handback import HandBack
from tb_convergence.training.keras.rehearsal import Asked, Rehearsal
from tb_convergence.training.keras.rolled_back import handle_of, other_variables, state_of
from tb_convergence.training.keras.sites import Site
from tb_convergence.training.keras.updates_only import UpdatesOnly

REHEARSALS: Final = "_tb_convergence_rehearsals"
"""Attribute of Keras' train function: the copies that were traced for it."""

MOST_COPIES: Final = 8
"""Copies kept for one train function: one for each type of data and each kind of recording."""


@dataclass(slots=True)
class Copies:
    """The copies for one train function and one type of data.

    Attributes:
        data: takes batches out of its iterators and hands them back; None if that cannot be.
        rehearsal: the measuring copy of the step; None before it is traced, and for good where
            `updates` is set.
        updates: what is recorded of a step that cannot be repeated.
    """

    asked: Asked
    data: HandBack | None
    rehearsal: Rehearsal | None = None
    updates: UpdatesOnly | None = None

    def takes(self, iterator: Any) -> bool:
        """Whether it is for data of this type."""
        if self.data is None:
            return not isinstance(iterator, tf.data.Iterator)
        return isinstance(iterator, tf.data.Iterator) and self.data.fits(iterator)

    @property
    def sites(self) -> list[Site]:
        """Optimizer calls that are recorded."""
        if self.rehearsal is not None:
            return self.rehearsal.sites
        return [] if self.updates is None else self.updates.sites


def copies_for(function: Any, model: Any, iterator: Any, asked: Asked) -> Copies:
    """What is ready for a train function of Keras and data of this type, or a new one."""
    kept: list[Copies] = vars(function).setdefault(REHEARSALS, [])
    for item in kept:
        if item.asked == asked and item.takes(iterator):
            return item
    data = None
    if isinstance(iterator, tf.data.Iterator):
        data = HandBack(iterator, single=int(model.steps_per_execution) == 1)
    found = Copies(asked, data)
    kept.append(found)
    del kept[:-MOST_COPIES]
    return found


@dataclass(slots=True)
class Before:
    """The values before the step.

    Attributes:
        numbers: of the step, by `id` of the optimizer.
        values: of the variables that the copy touches, once it is known which.
        known: values by `id` of the handle, before it is.
        created: what variables that the step itself makes begin with, by `id` of the handle:
            first as it was given, be it a tensor of the step's graph, and then as a value.
    """

    numbers: dict[int, int]
    values: list[Any] = field(default_factory=list)
    known: dict[int, Any] | None = None
    created: dict[int, Any] = field(default_factory=dict)
    _held: list[Any] = field(default_factory=list)  # an `id` is only unique while its object lives

    def hold(self, handle: Any, value: Any) -> None:
        """The variable behind `handle` has this value."""
        assert self.known is not None
        if id(handle) not in self.known:
            self.known[id(handle)] = value
            self._held.append(handle)

    def note(self, create: Callable[..., Any], **settings: Any) -> Any:
        """To be a `tf.variable_creator_scope` around the step: it makes variables as without us,
        and we note their first values."""
        initial, values = settings.get("initial_value"), []
        if isfunction(initial):

            def noted() -> Any:
                values.append(initial())
                return values[-1]

            settings["initial_value"] = noted
        variable = create(**settings)
        with suppress(Exception):
            # A layer that its first batch builds draws its weights inside the traced step.
            # Noted as it is: one more operation in that graph would change its random numbers.
            value = values[-1] if values else initial
            if not tf.is_tensor(value):
                value = np.asarray(value, variable.dtype.as_numpy_dtype)
            self.created[id(variable.handle)] = value
            self._held.append(variable.handle)
        return variable

    def complete(self, handles: Sequence[Any], model: Any, optimizers: Sequence[Any]) -> bool:
        """Find `values`, those of the variables behind `handles`; False if one is newer than
        the step, so that its value is not known.

        Keras makes the variables of optimizers and metrics in the first step, and those of a
        model that nobody built. The optimizer knows what its own begin with; those of metrics
        change nothing that is measured, so any value of theirs does.
        """
        if self.known is None:
            return True
        self._compute()
        fresh = {
            id(handle_of(variable)): introspection.first_value(optimizer, variable)
            for optimizer in optimizers
            for variable in optimizer.variables
        }
        for variable in model.metrics_variables:
            inner = variable if isinstance(variable, tf.Variable) else variable.value
            fresh.setdefault(id(handle_of(variable)), tf.identity(tf.convert_to_tensor(inner)))
        for handle in handles:
            value = self.known.get(id(handle))
            if value is None:
                value = fresh.get(id(handle), self.created.get(id(handle)))
            if value is None or not _fits(value, handle):
                return False
            self.values.append(value)
        return True

    def _compute(self) -> None:
        """Turn tensors of the step's graph into values; forget those that have none outside."""
        inside = {k: v for k, v in self.created.items() if tf.is_symbolic_tensor(v)}
        self.created = {
            k: tf.convert_to_tensor(v) for k, v in self.created.items() if k not in inside
        }
        with suppress(Exception):  # then the first record is that of the next step
            values = compat.values_of(list(inside.values()))
            self.created.update(zip(inside, values, strict=True))


def _fits(value: Any, handle: Any) -> bool:
    kind = compat.variable_type(handle)
    return kind is not None and value.dtype == kind[0] and kind[1].is_compatible_with(value.shape)


def values_before(
    copies: Copies, model: Any, optimizers: Sequence[Any], numbers: dict[int, int]
) -> Before:
    """The variables as they are now; `numbers` are those of the step to come."""
    if copies.rehearsal is not None:
        return Before(numbers, values=copies.rehearsal.touched.read())
    if copies.updates is not None:
        return Before(numbers, values=copies.updates.read())
    before = Before(numbers, known={})
    state = state_of(model, optimizers)
    for variable in state:
        handle = handle_of(variable)
        if handle is not None:
            inner = variable if isinstance(variable, tf.Variable) else variable.value
            before.hold(handle, tf.identity(tf.convert_to_tensor(inner)))
    for variable in other_variables(model, state):
        with suppress(Exception):  # one without a value, or of a graph
            before.hold(variable.handle, tf.identity(variable.read_value()))
    return before
