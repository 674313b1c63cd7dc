"""Why ReLU units output only zeros before the first update, from their recorded initial state.

A unit is positive where its bias plus its weighted inputs exceed zero. The RMS of the weighted
inputs over samples and units follows from the records: it is the norm of the weights of a unit
times the RMS of its inputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import LARGE_INPUT, feature_scales
from tb_convergence.core.history import RunHistory, Table

Reason = Literal["bias", "inputs", "weights", "starved", ""]

OUTWEIGHS: Final = 2.0
"""A bias this many sizes of the weighted inputs below zero makes units dead.

A normal variable exceeds that for 2% of the samples, and units count as dead below 1%.
"""


@dataclass(frozen=True, slots=True)
class Start:
    """The initial state of a layer.

    Attributes:
        layer: its name.
        reason: why its units are dead: the "bias" lies too low, the "inputs" are large, the
            "weights" are zero, or it is "starved": all that enters is zero. "" if unknown.
        bias: mean of the bias at step 0; NaN where it was not recorded.
        size: root mean square of the weighted inputs at step 0; NaN where it is not known.
        inputs: root mean square of the inputs; NaN where it is not known.
    """

    layer: str
    reason: Reason
    bias: float
    size: float
    inputs: float


def start_of(history: RunHistory, layer: str) -> Start:
    """The initial state of a dense or convolutional layer, as far as it is recorded."""
    table = history.table("variables")
    if table is None or not len(table.steps) or int(table.steps[0]) != 0:
        return Start(layer, "", math.nan, math.nan, math.nan)
    bias = _first(table, _row(table, layer, "bias"), "variable_mean")
    inputs = _inputs(history, layer)
    weights = _std_of_weights(table, layer)
    size = weights * inputs
    return Start(layer, _reason(history, layer, bias, weights, inputs), bias, size, inputs)


def _reason(
    history: RunHistory, layer: str, bias: float, weights: float, inputs: float
) -> Reason:
    # Comparisons with NaN are false.
    if bias < 0 and bias <= -OUTWEIGHS * weights * inputs:
        return "bias"
    if weights == 0 and bias <= 0:
        return "weights"
    if inputs == 0:
        return "starved"
    return "inputs" if inputs > LARGE_INPUT and _reads_data(history, layer) else ""


def _row(table: Table, layer: str, kind: str) -> int | None:
    """The only variable of that kind in a layer; None if there is none, or several."""
    rows = [row for row in table.rows_of(kind) if table.rows[row].layer == layer]
    return rows[0] if len(rows) == 1 else None


def _first(table: Table, row: int | None, name: str) -> float:
    """A statistic of a row at the first record; NaN if the row or the statistic is missing."""
    return math.nan if row is None or not table.has(name) else float(table.column(name)[0, row])


def _std_of_weights(table: Table, layer: str) -> float:
    """Root of the sum of the squared weights of one unit, on average; NaN if unknown."""
    row = _row(table, layer, "kernel")
    shape = () if row is None else table.rows[row].shape
    if len(shape) < 2 or shape[-1] < 1:
        return math.nan
    return _first(table, row, "variable_norm") / math.sqrt(shape[-1])


def weights_per_unit(history: RunHistory, layer: str) -> float:
    """Norm of the weights of one unit of `layer` in the first record, on average; NaN if unknown.
    """
    table = history.table("variables")
    return math.nan if table is None or not len(table.steps) else _std_of_weights(table, layer)


def _reads_data(history: RunHistory, name: str) -> bool:
    model = configuration(history)
    layer = model.layer(name)
    if layer is None or layer.inputs is None or len(layer.inputs) != 1:
        return False
    source = model.source(layer)
    return source is None or source.kind == "InputLayer"


def _inputs(history: RunHistory, name: str) -> float:
    """RMS of the input of a layer: the data, or the outputs of an earlier layer at step 0."""
    if _reads_data(history, name):
        table = history.table("inputs")
        rows = table.rows_of("input") if table is not None else []
        if table is None or not rows or not table.has("feature_mean") or (
            not table.has("feature_std")
        ):
            return math.nan
        return float(np.sqrt(np.mean(np.hypot(*feature_scales(table, rows)) ** 2)))
    model, table = configuration(history), history.table("activations")
    layer = model.layer(name)
    source = model.source(layer) if layer is not None else None
    if source is None or table is None or not len(table.steps) or int(table.steps[0]) != 0:
        return math.nan
    rows = [index for index, row in enumerate(table.rows) if row.layer == source.name]
    if len(rows) != 1 or not (table.has("activation_mean") and table.has("activation_std")):
        return math.nan
    return float(math.hypot(*(
        table.column(one)[0, rows[0]] for one in ("activation_mean", "activation_std")
    )))
