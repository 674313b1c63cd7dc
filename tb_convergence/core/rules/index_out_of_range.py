"""An embedding gets indices that it has no row for.

On a CPU, TensorFlow raises an error. On a GPU, such indices silently read zeros, and the model
never learns the words they stand for.
"""

from __future__ import annotations

import numpy as np

from tb_convergence.core.diagnosis.configuration import Layer, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    model, table = configuration(history), history.table("inputs")
    if table is None:
        return None
    for layer in model.layers:
        if layer.kind != "Embedding" or layer.entries is None:
            continue
        rows = _rows(table, layer, len(model.layers) > 0 and model.layers[0] is layer)
        if not rows:
            continue
        low, high = table.column("feature_min")[:, rows], table.column("feature_max")[:, rows]
        largest = float(np.nanmax(high, initial=-np.inf))
        smallest = float(np.nanmin(low, initial=np.inf))
        if largest < layer.entries and smallest >= 0:
            continue
        beyond = largest >= layer.entries
        return Match(
            "critical", 0.95,
            f"{layer.name} has rows 0 to {layer.entries - 1:,}, but gets indices from "
            f"{number(smallest, 6)} to {number(largest, 6)}.",
            0, max(0, history.last_step), (layer.name,),
            (Evidence("largest_index" if beyond else "smallest_index",
                      largest if beyond else smallest,
                      float(layer.entries - 1) if beyond else 0.0, None, layer.name),),
            (
                f"Set input_dim of {layer.name} to the largest index plus one: "
                f"{int(largest) + 1} instead of {layer.entries}." if beyond else
                "Number the entries from 0, and reserve the first or last index for unknown "
                "entries.",
            ),
        )
    return None


def _rows(table: Table, layer: Layer, first: bool) -> list[int]:
    """Input rows that `layer` reads, by name; all rows of the only input if the layer comes first.
    """
    inputs = table.rows_of("input")
    named = [row for row in inputs if table.rows[row].layer in (layer.inputs or ())]
    alone = len({table.rows[row].layer for row in inputs}) == 1
    return named or (inputs if first and alone else [])


RULE = Rule(
    id="index-out-of-range",
    kind="cause",
    title="Index outside the range of an embedding",
    needs=("feature_min", "feature_max", "config"),
    evaluate=_evaluate,
    measures=(
        Measure(
            "largest_index", "largest index", ("feature_max",), reading=True, kind="input",
            limit="last row",
        ),
        Measure(
            "smallest_index", "smallest index", ("feature_min",), reading=True, kind="input",
            limit="first row",
        ),
    ),
    shows=("feature_min", "feature_max"),
    explains=("loss-not-decreasing", "zero-gradient", "non-finite-values", "underfitting"),
    falsified_by=("The recorded indices are changed before the embedding reads them.",),
    references=("TensorFlow, tf.gather: out of bound indices",),
)
