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

import tensorflow as tf

from tb_convergence.training.keras import introspection
from tb_convergence.training.keras.compat import repeated_initial_value
from tb_convergence.training.keras.handback import HandBack
from tb_convergence.training.keras.rehearsal import Asked, Rehearsal
from tb_convergence.training.keras.rolled_back import handle_of, state_of
from tb_convergence.training.keras.sites import Site
from tb_convergence.training.keras.updates_only import UpdatesOnly

REHEARSALS: Final = "_tb_convergence_rehearsals"
"""Attribute of Keras' train function: the copies that were traced for it."""

MOST_COPIES: Final = 8
"""Copies kept for one train function: one for each type of data and each kind of recording."""


@dataclass(slots=True)
class Copies:
    """What was made ready for one train function and data of one type.

    Attributes:
        data: takes batches out of its iterators and hands them back; None where that cannot be.
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
    """What was so before the step.

    Attributes:
        numbers: of the step, by `id` of the optimizer.
        values: of the variables that the copy touches, once it is known which.
        known: values by `id` of the handle, before it is.
        created: what variables that the step itself makes begin with, by `id` of the handle.
    """

    numbers: dict[int, int]
    values: list[Any] = field(default_factory=list)
    known: dict[int, Any] | None = None
    created: dict[int, Any] = field(default_factory=dict)

    def note(self, create: Callable[..., Any], **settings: Any) -> Any:
        """To be a `tf.variable_creator_scope` around the step: it makes variables as without us,
        and we note their first values, where these are numbers already while the step is traced."""
        initial, values = settings.get("initial_value"), []
        if isfunction(initial):

            def noted() -> Any:
                values.append(initial())
                return values[-1]

            settings["initial_value"] = noted
        variable = create(**settings)
        with suppress(Exception):
            # A layer that its first batch builds draws its weights inside the traced step.
            value = values[-1] if hasattr(values[-1], "numpy") else repeated_initial_value(initial)
            if hasattr(value, "numpy"):
                self.created[id(variable.handle)] = value
        return variable

    def complete(self, rehearsal: Rehearsal, model: Any, optimizers: Sequence[Any]) -> bool:
        """Find `values`; False where a variable is newer than the step, so its value is not
        known.

        Keras makes the variables of optimizers and metrics in the first step, and those of a
        model that nobody built. The optimizer knows what its own begin with; those of metrics
        change nothing that is measured, so any value of theirs does.
        """
        if self.known is None:
            return True
        fresh = {
            id(handle_of(variable)): introspection.first_value(optimizer, variable)
            for optimizer in optimizers
            for variable in optimizer.variables
        }
        for variable in model.metrics_variables:
            inner = variable if isinstance(variable, tf.Variable) else variable.value
            fresh.setdefault(id(handle_of(variable)), tf.identity(tf.convert_to_tensor(inner)))
        for handle in rehearsal.touched.handles:
            value = self.known.get(id(handle))
            if value is None:
                value = fresh.get(id(handle), self.created.get(id(handle)))
            if value is None:
                return False
            self.values.append(value)
        return True


def values_before(
    copies: Copies, model: Any, optimizers: Sequence[Any], numbers: dict[int, int]
) -> Before:
    """The variables as they are now; `numbers` are those of the step to come."""
    if copies.rehearsal is not None:
        return Before(numbers, values=copies.rehearsal.touched.read())
    if copies.updates is not None:
        return Before(numbers, values=copies.updates.read())
    known: dict[int, Any] = {}
    for variable in state_of(model, optimizers):
        handle = handle_of(variable)
        if handle is not None:
            inner = variable if isinstance(variable, tf.Variable) else variable.value
            known[id(handle)] = tf.identity(tf.convert_to_tensor(inner))
    return Before(numbers, known=known)
