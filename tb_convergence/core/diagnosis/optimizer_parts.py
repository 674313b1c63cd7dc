"""Views of a model with several optimizers, one at a time: its rates, its settings, its loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.core.history import RunHistory, Table

PREFIX: Final = ": "
"""Separator between the part of a model and the name of a layer, or of the row of its run."""


def part_of_layer(history: RunHistory, layer: str) -> RunHistory:
    """`history` with only the run table and the optimizer of the part that `layer` belongs to.

    Returned unchanged if there is one optimizer, or if `layer` names no part.
    """
    run, optimizers = history.tables.get("run"), history.config.get("optimizers")
    if run is None or len(run.rows) < 2 or not isinstance(optimizers, Mapping):
        return history
    part = layer.partition(PREFIX)[0]
    for index, row in enumerate(run.rows):
        if row.name.partition(PREFIX)[0] == part and isinstance(optimizers.get(part), Mapping):
            return replace(
                history, tables={**history.tables, "run": _only_row(run, index)},
                config={**history.config, "optimizer": optimizers[part]},
            )
    return history


def _only_row(table: Table, index: int) -> Table:
    """One row of `table`, at the records that contain something of it."""
    low, high = table.low[:, [index]], table.high[:, [index]]
    kept = ~np.isnan(low).all(axis=(1, 2))
    low = low[kept]
    return replace(
        table, rows=(table.rows[index],), steps=table.steps[kept],
        wall_times=table.wall_times[kept], low=low, high=low if table.exact else high[kept],
    )
