"""Records a step that cannot be repeated: its variables, and how the step changed them.

Nothing runs inside the step, so this works on several devices, and for steps with effects that
cannot be rolled back.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tb_convergence.training.instep.measurement import Measurement
from tb_convergence.training.instep.snapshot import Rows
from tb_convergence.training.keras import layer_rows
from tb_convergence.training.keras.rolled_back import handle_of
from tb_convergence.training.keras.sites import Site

Tensor = Any


class UpdatesOnly:
    """The trainable variables of a model with one optimizer.

    Attributes:
        sites: the one optimizer call.
        places: index of each variable in what `read` returns, by `id`.
        handles: resources of the variables in that order; None for one on several devices.
    """

    def __init__(self, model: Any) -> None:
        variables = list(model.trainable_variables)
        if not variables:
            raise ValueError("no variable is trainable")
        site = Site(str(model.optimizer.name), model.optimizer, variables, 0, None)
        site.measurement = Measurement(Rows(layer_rows.variable_rows(model, variables)), None)
        self.sites = [site]
        self.places = {id(variable): place for place, variable in enumerate(variables)}
        self.handles = [handle_of(variable) for variable in variables]
        self._variables = variables

    def read(self) -> list[Tensor]:
        """Values now; of a variable on several devices, that of the first."""
        return [tf.identity(tf.convert_to_tensor(v.value)) for v in self._variables]
