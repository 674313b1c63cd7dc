"""Layers whose units already lie on the flat ends of their activation in the first record."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.history import RunHistory

HALF: Final = 0.5
RECORDS: Final = 5


def saturated(history: RunHistory, layer: str) -> tuple[float, float] | None:
    """Saturated part of the outputs of `layer` in the first record, and at the end.

    The second is the median of the last five records. None if it was not recorded, if the recording
    does not begin with the first step, or for activations without flat ends.
    """
    table = history.table("activations")
    if table is None or not table.has("activation_saturated_fraction") or not len(table.steps):
        return None
    rows = [index for index, row in enumerate(table.rows) if row.layer == layer]
    if not rows or int(table.steps[0]) > 1:
        return None
    part = table.column("activation_saturated_fraction", "low")[:, rows].max(axis=1)
    if not np.isfinite(part[[0, -1]]).all():
        return None
    return float(part[0]), float(np.nanmedian(part[-RECORDS:]))
