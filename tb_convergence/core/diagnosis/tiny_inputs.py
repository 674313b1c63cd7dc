"""Inputs so small that the first layer hardly sees them, such as pixels divided by 255 twice.

The data may be small as it reaches the model, or become small in the model's own scaling layers.
Those are not recorded, but the size of what a first layer makes of them is: an output of a linear
map of random weights has the size of the weights of one unit times that of the inputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import LOOKUP, Layer, configuration
from tb_convergence.core.diagnosis.data import feature_scales
from tb_convergence.core.diagnosis.dead_starts import weights_per_unit
from tb_convergence.core.history import RunHistory, Table

TINY: Final = 0.02
SPARSE: Final = 0.2
"""Absolute value that no dense feature with such an RMS reaches: ten standard deviations."""
COMPUTES: Final = frozenset({"Dense", "Conv1D", "Conv2D", "Conv3D"})
HALVED: Final = frozenset({"relu", "relu6"})
"""Activations that leave half of a signal that is centered at zero."""


@dataclass(frozen=True, slots=True)
class TinyInput:
    """The input of a first layer.

    Attributes:
        rms: of the largest feature of the data, or estimated for what enters `layer`.
        layer: the first layer with weights; "" if the data itself is tiny.
        scaling: the layer that scales the data; "" if the data itself is tiny.
    """

    rms: float
    layer: str = ""
    scaling: str = ""


def tiny_input(history: RunHistory, rows: list[int]) -> TinyInput | None:
    """The input, if it is tiny; None if it is not, or unknown.

    Args:
        history: the run.
        rows: of its inputs that the model does not scale itself.
    """
    table = history.table("inputs")
    if table is not None and rows and table.has("feature_mean") and table.has("feature_std"):
        largest = float(np.max(np.hypot(*feature_scales(table, rows))))
        return TinyInput(largest) if 0 < largest < TINY and not _sparse(table, rows) else None
    return _after_scaling(history)


def _sparse(table: Table, rows: list[int]) -> bool:
    """Whether features are small only on average, as those of one-hot vectors or word counts are.

    Where they are not zero, they have the usual size.
    """
    extremes = [
        np.abs(table.column(name)[:, rows]).max(initial=0.0, where=np.isfinite(
            table.column(name)[:, rows]))
        for name in ("feature_min", "feature_max") if table.has(name)
    ]
    return max(map(float, extremes), default=0.0) >= SPARSE


def _after_scaling(history: RunHistory) -> TinyInput | None:
    """The scale of the data after the `Rescaling` layer that reads it."""
    model = configuration(history)
    first = next((one for one in model.layers if one.kind not in ("InputLayer", *LOOKUP)), None)
    if first is None or first.kind != "Rescaling":
        return None
    readers = [one for one in model.layers if first.name in (one.inputs or ())]
    if len(readers) != 1 or readers[0].kind not in COMPUTES:
        return None
    rms = _entering(history, readers[0])
    return TinyInput(rms, readers[0].name, first.name) if 0 < rms < TINY else None


def _entering(history: RunHistory, reader: Layer) -> float:
    """Estimated RMS of what enters a layer at step 0; NaN if unknown."""
    table = history.table("activations")
    if table is None or not len(table.steps) or int(table.steps[0]) != 0:
        return math.nan
    rows = [index for index, row in enumerate(table.rows) if row.layer == reader.name]
    if len(rows) != 1 or not (table.has("activation_mean") and table.has("activation_std")):
        return math.nan
    if reader.activation not in HALVED | {"linear", "tanh"} or reader.bias_initializer != "Zeros":
        return math.nan
    size = math.hypot(*(
        float(table.column(name)[0, rows[0]]) for name in ("activation_mean", "activation_std")
    ))
    size *= math.sqrt(2) if reader.activation in HALVED else 1.0
    weights = weights_per_unit(history, reader.name)
    return size / weights if weights > 0 else math.nan
