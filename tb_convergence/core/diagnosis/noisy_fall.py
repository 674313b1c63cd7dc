"""Whether a noisy loss falls: what the batches show, and what they exclude.

The first loss alone says little if batches differ much. Two comparisons use all losses instead: the
first third of the run against the last third, for a fall that goes on, and the first 3, 10, 30, ...
losses against the last third, for a fall at the start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory

BLOCKS: Final = 8
"""Parts of each third whose means give the error. Neighbouring losses may depend on each other (a
running mean, epochs), means of whole parts hardly do."""
SURE: Final = 3.0
"""Standard errors: 99.5% on either side for the 14 degrees of freedom of two times eight means."""
SMALLEST: Final = 0.001
"""A smaller relative fall is none, however sure it is: SageMaker Debugger's LossNotDecreasing."""
FEWEST: Final = 3
"""Fewer losses are no level."""


@dataclass(frozen=True, slots=True)
class NoisyFall:
    """How far a loss fell, with its uncertainty.

    Attributes:
        first, last: mean loss of the first and the last third of the run.
        low, high: relative fall from `first` to `last`: it is between these with a probability of
            99%.
        early: whether the first few losses lie above the last third by more than chance.
    """

    first: float
    last: float
    low: float
    high: float
    early: bool

    @property
    def fall(self) -> float:
        """Relative fall from the first third to the last."""
        return (self.low + self.high) / 2

    @property
    def shown(self) -> bool:
        """Whether the losses show a fall that is not chance."""
        return self.early or self.low > SMALLEST


@memoized
def noisy_fall(history: RunHistory) -> NoisyFall | None:
    """The fall of the training loss; None if there are too few records for thirds with an error."""
    trajectory = loss_trajectory(history)
    if trajectory is None:
        return None
    parts = np.array([mean for mean, _ in trajectory.parts(3 * BLOCKS)])
    thirds = [part[np.isfinite(part)] for part in (parts[:BLOCKS], parts[-BLOCKS:])]
    if min(map(len, thirds)) < FEWEST:
        return None
    first, last = (float(third.mean()) for third in thirds)
    scale = max(abs(first), 1e-30)
    error = SURE / scale * math.hypot(
        *(float(third.std(ddof=1)) / math.sqrt(len(third)) for third in thirds)
    )
    fall = (first - last) / scale
    return NoisyFall(first, last, fall - error, fall + error, _early(trajectory, last))


def _early(trajectory: LossTrajectory, last: float) -> bool:
    """Whether the first 3, 10, 30, ... losses lie above `last` by more than chance."""
    count = FEWEST
    while count <= len(trajectory.level) // 3:
        mean = float(np.average(trajectory.level[:count], weights=trajectory.weights[:count]))
        error = trajectory.noise / math.sqrt(count)
        if mean - last > max(SURE * error, SMALLEST * abs(last)):
            return True
        count = count * 10 // 3
    return False
