"""A pre-trained base with frozen layers: which layers belong to it, and whether it sees anything.

A frozen base expects the scale it was trained on, so its input is not judged by size. On another
scale, its output is nearly the same for every sample, and the layers trained after it have nothing
to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb_convergence.core.diagnosis.configuration import LOOKUP, NORMALIZING, Layer, configuration
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.diagnosis.table_columns import median_over_time
from tb_convergence.core.history import RunHistory


@dataclass(frozen=True, slots=True)
class BaseOutput:
    """The output of the last frozen layer.

    Attributes:
        layer: its name.
        varies: standard deviation over the samples of a batch, over the size of the output.
        size: root mean square of the output.
        step: of the last record.
    """

    layer: str
    varies: float
    size: float
    step: int


@memoized
def frozen_base(history: RunHistory) -> tuple[Layer, ...]:
    """The frozen layers before the first trained one, in order; () if there are none.

    Layers that only prepare the data (normalization, look-up) are not a base.
    """
    found: list[Layer] = []
    for layer in configuration(history).layers:
        if not layer.parameters or layer.kind in (NORMALIZING - {"BatchNormalization"}) | LOOKUP:
            continue
        if layer.trainable is not False:
            return tuple(found)
        found.append(layer)
    return ()  # nothing behind it is trained: that is another fault


@memoized
def base_output(history: RunHistory) -> BaseOutput | None:
    """How the output of the base varies over the samples; None if that was not recorded."""
    base, table = frozen_base(history), history.table("activations")
    names = ("activation_mean", "activation_std", "activation_batch_std")
    if not base or table is None or not len(table.steps) or not all(map(table.has, names)):
        return None
    layers = {layer.name for layer in base}
    rows = [index for index, row in enumerate(table.rows) if row.layer in layers]
    if not rows:
        return None
    last = rows[-1]
    mean, std, over_batch = (
        float(median_over_time(table.column(name)[:, [last]])[0]) for name in names
    )
    size = float(np.hypot(mean, std))
    if not np.isfinite(size + over_batch) or size <= 0:
        return None
    return BaseOutput(table.rows[last].layer, over_batch / size, size, int(table.steps[-1]))
