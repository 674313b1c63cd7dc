"""How far a training has come: whether it learns, and whether it is still under way."""

from __future__ import annotations

from typing import Final

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.memory import remembered
from tb_convergence.core.history import RunHistory

FALLS: Final = " The loss falls all the same."
"""Said of what is odd in a run that learns."""
LEARNS: Final = 0.5
"""A run learns once its loss is this much below its start, and below this part of the baseline."""
LITTLE: Final = 0.8
"""Loss over the baseline loss (or the start) from which little was learned. Below it a loss that
rests is as likely all that the data allow: with noise in the targets, that is often two thirds."""
USELESS: Final = 0.95
"""Loss over that of a model that ignores its input, from which nothing was learned."""
LAG_STEPS: Final = 500
"""Steps after which the moving averages of batch normalization have caught up."""


def unfinished(history: RunHistory) -> bool:
    """Whether fit() was asked for more steps than there are: still going on, or stopped early."""
    planned = configuration(history).planned_steps
    return history.growing or (planned is not None and history.last_step + 1 < planned)


def lagging_statistics(history: RunHistory) -> bool:
    """Whether validation may be wrong only because batch normalization has not caught up yet.

    It uses moving averages with a momentum of 0.99: after 500 steps 0.7 % of their start is left.
    """
    kinds = {layer.kind for layer in configuration(history).layers}
    return "BatchNormalization" in kinds and history.last_step < LAG_STEPS


@remembered
def learns(history: RunHistory) -> bool:
    """Whether the run learns well: then an oddity does not hold it back.

    The loss is less than half that of a model that ignores its input, where that is known, for a
    start that a fault threw up and the mean of the targets are soon made good; else it lost more
    than half its value. And it did not come back up.
    """
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.end > trajectory.diverging_above:
        return False
    baseline = baseline_loss(history)
    if baseline is None:
        return trajectory.fall > LEARNS
    return trajectory.end < LEARNS * baseline
