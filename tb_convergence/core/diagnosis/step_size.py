"""How large the optimizer's steps are: the rate, the update ratio, and how far they have led."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.diagnosis.rate_schedule import rates
from tb_convergence.core.diagnosis.table_columns import (
    median_over_time,
    weight_rows,
    weights_column,
)
from tb_convergence.core.history import RunHistory, Table, Values

SMALL: Final = 1e-4
"""Update over weight norm: log10 below -4 is too little (TheDeepChecker; about -3 is healthy,
Karpathy, CS231n)."""
LARGE: Final = 1e-1
"""Update over weight norm: log10 above -1 is too much (TheDeepChecker)."""
HEALTHY: Final = LARGE / 10
"""Largest healthy update ratio. Advice on a learning rate aims below it, and a smaller ratio leaves
room for a higher rate."""
TYPICAL: Final = 1e-3
"""Update ratio of a healthy run (Karpathy, CS231n)."""
ADAM: Final = 1e-3
"""Default learning rate of Adam and related optimizers (Kingma & Ba 2015)."""
BEGUN: Final = 0.2
"""Length of the fastest layer's path, in its own size, below which training has hardly begun: what
a fresh layer has learned when it is done is about as large as what it started from."""

MOMENTUM: Final = 10.0
"""Times that SGD with the usual momentum of 0.9 moves further than without: 1 / (1 - 0.9)."""
NOISY: Final = 0.1
"""Part of the rate by which Adam moves an entry whose gradient is nearly all noise: the mean of the
last ten gradients over their size (Kingma & Ba 2015: |step| is at most about the rate)."""


@memoized
def path_length(history: RunHistory) -> float | None:
    """How far the fastest layer can have moved in all, in units of its size; None if unknown.

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
    typical = float(np.nanmax(ratio)) * trajectory.elapsed
    return max(min(typical, _longest_path(table, recorded)), float(covered.max(initial=0.0)))


def _longest_path(table: Table, ratio: Values) -> float:
    """Path of the fastest row if each step went as far as the larger of the records around it.

    The first steps are recorded densely, so a median over the records says little of a run whose
    rate has decayed since. Infinite where a ratio is undefined.
    """
    if len(table.steps) < 2:
        return np.inf
    between = np.diff(table.steps).astype(np.float64)[:, None] * np.maximum(ratio[:-1], ratio[1:])
    total = between.sum(axis=0)
    return float(total.max(initial=0.0)) if np.isfinite(total).all() else np.inf


def implied_ratio(table: Table) -> Values:
    """Bounds of the update ratio that the growth of the weights between records implies, `[S, K]`.

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


@memoized
def ratio_from_rate(history: RunHistory) -> tuple[Values, Values] | None:
    """Bounds `[S, K]` of the update ratios that a learning rate allows, whatever the optimizer.

    For logs that hold the rate and histograms of gradients and variables, and no updates. SGD moves
    a variable by rate x |g|, and with momentum by up to `MOMENTUM` times that; Adam and its
    relatives move each entry by `NOISY` x rate to rate, so a variable by that over its RMS;
    optimizers that scale by the size of the variable move it by the rate itself. The lower bound
    holds for gradients that are not clipped. NaN where something is undefined; None if the rate,
    the gradients or the variables were not recorded.
    """
    table, known = history.table("variables"), rates(history)
    if table is None or known is None or not len(table.steps):
        return None
    if not all(table.has(name) for name in ("gradient_norm", "variable_norm", "variable_std")):
        return None
    rate = np.array([known.at(int(step)) for step in table.steps])[:, None]
    small, large = (
        weights_column(table, "gradient_norm", bound).astype(np.float64)
        for bound in ("low", "high")
    )
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        plain = small / weights_column(table, "variable_norm", "high")
        heavy = MOMENTUM * large / weights_column(table, "variable_norm", "low")
        least = NOISY / _size(table, "high")
        most = 1 / _size(table, "low")
        low = rate * np.minimum(np.minimum(plain, least), 1.0)
        high = rate * np.maximum(np.maximum(heavy, most), 1.0)
    return np.where(np.isfinite(low), low, np.nan), np.where(np.isfinite(high), high, np.nan)


def _size(table: Table, bound: Literal["low", "high"]) -> Values:
    """Bound of the RMS of the entries of the K weights: `[S, K]`; their spread is at most that."""
    size = weights_column(table, "variable_std", bound).astype(np.float64)
    if bound == "high" and table.has("variable_mean"):
        mean = np.abs(weights_column(table, "variable_mean", "high")).astype(np.float64)
        lower = np.abs(weights_column(table, "variable_mean", "low")).astype(np.float64)
        size = np.hypot(size, np.fmax(mean, lower))
    return size
