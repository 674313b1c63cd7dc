"""Compares the training losses of two runs: their final values, and the step where they separate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.comparison.differences import LASTING, orders_apart
from tb_convergence.core.comparison.pairing import pair_steps
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.onsets import first_true
from tb_convergence.core.history import RunHistory, Values

NOISES: Final = 3.0
"""Standard deviations of what is compared, both runs taken together: one in 370 by chance."""
RELATIVE: Final = 0.05
"""And at least this part of the level: a loss without noise differs in the last digit, too."""
STRETCHES: Final = 10
"""Equal parts of the steps both runs have: small batches differ by more than the levels do."""
LASTING_STRETCHES: Final = 2
"""Stretches in a row for which one loss stays above the other."""


@dataclass(frozen=True, slots=True)
class LossComparison:
    """The training losses at equal steps.

    Attributes:
        first, second: mean over the last tenth of the steps both have; of the last record where
            that holds none.
        orders: log10(second / first) of these; NaN where either is negative, and of two kinds.
        last_step: last step compared.
        diverges_at: first step from which the losses stay apart by more than noise, or at which
            one of them is no longer finite; None if they never part. Of two kinds only the
            latter.
        compared: number of pairs of records.
        largest_gap_steps: how far the steps of a pair lie apart at most: 0 where equal.
        axis: what a step counts.
        one_kind: False if the runs are known to minimize losses of different kinds, or one
            summed and one averaged: then neither level tells anything of the other.
    """

    first: float
    second: float
    orders: float
    last_step: int
    diverges_at: int | None
    compared: int
    largest_gap_steps: int
    axis: str
    one_kind: bool


def compare_losses(first: RunHistory, second: RunHistory) -> LossComparison | None:
    """The losses of two runs; None if not both have one that counts the same steps."""
    one, two = loss_trajectory(first), loss_trajectory(second)
    if one is None or two is None or one.axis != two.axis:
        return None
    at = pair_steps(one.steps, two.steps)
    if not len(at[0]):
        return None
    edges = _edges(one, two)
    ends = _end(one, edges), _end(two, edges)
    kinds = first.config.get("loss"), second.config.get("loss")
    one_kind = None in kinds or kinds[0] == kinds[1]
    orders = float(orders_apart(*((np.array([end]),) * 2 for end in ends))[0])
    return LossComparison(
        first=ends[0],
        second=ends[1],
        orders=orders if one_kind else float("nan"),
        last_step=int(edges[-1]),
        diverges_at=_broken(one, two) if not one_kind else _parting(one, two, at, edges),
        compared=len(at[0]),
        largest_gap_steps=int(np.max(np.abs(one.steps[at[0]] - two.steps[at[1]]))),
        axis=one.axis,
        one_kind=one_kind,
    )


def _edges(one: LossTrajectory, two: LossTrajectory) -> Values:
    """`[STRETCHES + 1]`, from before the first to the last of the steps that both have."""
    low, high = max(one.steps[0], two.steps[0]), min(one.steps[-1], two.steps[-1])
    return np.linspace(min(low, high) - 1, high, STRETCHES + 1)


def _stretches(trajectory: LossTrajectory, edges: Values) -> tuple[Values, Values]:
    """Mean loss in each stretch and its standard error, both `[STRETCHES]`; NaN without a record.

    A window of several steps counts where it ends.
    """
    place = np.searchsorted(edges, trajectory.steps, side="left") - 1
    inside = (place >= 0) & (place < STRETCHES)
    place, weights = place[inside], trajectory.weights[inside]
    total = np.bincount(place, weights * trajectory.level[inside], STRETCHES)
    mass = np.bincount(place, weights, STRETCHES)
    seen = np.bincount(place, trajectory.samples[inside], STRETCHES)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return total / mass, trajectory.noise / np.sqrt(seen)


def _end(trajectory: LossTrajectory, edges: Values) -> float:
    mean = float(_stretches(trajectory, edges)[0][-1])
    before = np.flatnonzero(trajectory.steps <= edges[-1])
    return mean if np.isfinite(mean) else float(trajectory.level[before[-1] if len(before) else 0])


def _parting(
    one: LossTrajectory,
    two: LossTrajectory,
    at: tuple[NDArray[np.intp], NDArray[np.intp]],
    edges: Values,
) -> int | None:
    """First step of the first stretch in which one loss stays above the other by more than noise.

    Record by record where single batches tell the losses apart; else by the means of whole
    stretches, which vary less.
    """
    noise = np.full(len(at[0]), np.hypot(one.noise, two.noise))
    steps = np.maximum(one.steps[at[0]], two.steps[at[1]])
    found = _apart(one.level[at[0]], two.level[at[1]], noise, LASTING)
    candidates = [int(steps[index]) for index in found]
    if not candidates:
        (mean_1, error_1), (mean_2, error_2) = _stretches(one, edges), _stretches(two, edges)
        found = _apart(mean_1, mean_2, np.hypot(error_1, error_2), LASTING_STRETCHES)
        candidates = [int(np.floor(edges[index])) + 1 for index in found]
    broken = _broken(one, two)
    return min(candidates + ([] if broken is None else [broken]), default=None)


def _broken(one: LossTrajectory, two: LossTrajectory) -> int | None:
    """The step where one of the losses becomes non-finite and the other is still finite."""
    if one.nonfinite_step == two.nonfinite_step:
        return None
    return min(step for step in (one.nonfinite_step, two.nonfinite_step) if step is not None)


def _apart(one: Values, two: Values, noise: Values, lasting: int) -> list[int]:
    """Where `one` begins to stay above `two`, and `two` above `one`, for `lasting` in a row."""
    with np.errstate(invalid="ignore", over="ignore"):
        apart = two - one
        tolerance = NOISES * noise + RELATIVE * (np.abs(one) + np.abs(two)) / 2
        sides = (apart > tolerance, -apart > tolerance)
    found = [first_true(side, min(lasting, len(apart))) for side in sides]
    return [index for index in found if index is not None]
