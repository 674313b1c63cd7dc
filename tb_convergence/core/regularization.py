"""What weight penalties add to the loss and to the gradient, from recorded norms.

Nothing of it has to be measured while training: the gradient of l2 * sum(w^2) is 2 * l2 * w, so its
norm is that of the variable times a constant. An L1 penalty's gradient has the norm l1 times the
root of the number of entries that are not 0, which no record tells.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration
from tb_convergence.core.history import Bound, Table, Values

KIND: Final = "kernel"
"""Kind of the variables whose penalty the configuration tells."""


def regularization_loss(table: Table, model: Configuration) -> Values:
    """Sum of the L2 penalties of all kernels at each record, a lower bound of all: `[S]`.

    Of an L1 penalty its smallest value counts: entries of norm n add up to at least n.
    """
    total = np.zeros(len(table.steps))
    norm = table.column("variable_norm")
    for row in table.rows_of(KIND):
        layer = model.layer(table.rows[row].layer)
        if layer is not None:
            size = norm[:, row].astype(np.float64)
            total += layer.l2 * size**2 + layer.l1 * size
    return total


def gradient_norm(
    table: Table, model: Configuration, row: int, bound: Bound = "middle"
) -> Values | None:
    """Norm of what an L2 penalty adds to the gradient of one row of `table`, at each record: `[S]`.

    None if the row has no penalty, one of L1 as well, or no recorded norm. NaN where the norm
    is NaN.
    """
    described = table.rows[row]
    layer = model.layer(described.layer) if described.kind == KIND else None
    if layer is None or layer.l2 <= 0 or layer.l1 > 0 or not table.has("variable_norm"):
        return None
    norm: Values = table.column("variable_norm", bound)[:, row].astype(np.float64)
    return 2.0 * layer.l2 * norm
