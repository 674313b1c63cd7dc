"""How large the optimizer's steps are: the rate, the update ratio, and how far they have led."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.memory import remembered
from tb_convergence.core.diagnosis.tables import median_over_time, weight_rows, weights_column
from tb_convergence.core.history import RunHistory, Table, Values

SMALL: Final = 1e-4
"""Update over weight norm: log10 below -4 is too little (TheDeepChecker; about -3 is healthy,
Karpathy, CS231n)."""
LARGE: Final = 1e-1
"""Update over weight norm: log10 above -1 is too much (TheDeepChecker)."""
BEGUN: Final = 0.2
"""Length of the fastest layer's path, in its own size, below which training has hardly begun: what
a fresh layer has learned when it is done is about as large as what it started from."""


@remembered
def path_length(history: RunHistory) -> float | None:
    """How far the fastest layer can have moved in all, in units of its size; None where unknown.

    The typical update ratio times the number of steps: the length of its path if no step undid
    another. At least the sum of the ratios that were recorded, of which a few large ones do not
    show in the median. Far below 1, training has hardly begun.
    """
    table, trajectory = history.table("variables"), loss_trajectory(history)
    if table is None or trajectory is None or not table.has("update_ratio"):
        return None
    ratio = median_over_time(weights_column(table, "update_ratio", "high"))
    if not np.isfinite(ratio).any() or trajectory.axis != "step" or trajectory.elapsed is None:
        return None
    recorded = weights_column(table, "update_ratio", "low").astype(np.float64)
    covered = np.where(np.isfinite(recorded), recorded, 0.0).sum(axis=0)
    return max(float(np.nanmax(ratio)) * trajectory.elapsed, float(covered.max(initial=0.0)))


def implied_ratio(table: Table) -> Values:
    """What the growth of the weights between records proves of the steps in between: `[S, K]`.

    A norm that grew from a to b in n steps took at least one step with an update ratio of
    (b / a)^(1/n) - 1. NaN for the first record, wherever a norm is undefined or zero, and
    everywhere where norms were not recorded.
    """
    if not table.has("variable_norm"):
        return np.full((len(table.steps), len(weight_rows(table))), np.nan)
    norm = weights_column(table, "variable_norm", "low").astype(np.float64)
    upper = weights_column(table, "variable_norm", "high").astype(np.float64)
    implied = np.full(norm.shape, np.nan)
    steps = np.diff(table.steps)[:, None]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        growth = np.where(upper[:-1] > 0, norm[1:] / upper[:-1], np.nan)
        implied[1:] = np.power(growth, 1.0 / steps) - 1
    return implied
