"""The loss as evidence, and the length of its trajectory as text."""

from __future__ import annotations

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory
from tb_convergence.core.text.phrases import counted


def fall_of_loss(trajectory: LossTrajectory, limit: float) -> Evidence:
    """The relative fall of the loss as evidence; the detail says if it is a rise."""
    rose = "(below 0: it rose)" if trajectory.fall < -trajectory.chance else ""
    if -trajectory.chance <= trajectory.fall < 0:
        rose = "(below 0, because single batches differ)"
    return Evidence("loss_fall", trajectory.fall, limit, side="at most", detail=rose)


def loss_over_start(trajectory: LossTrajectory) -> Evidence:
    """End over start as evidence, for a loss that may have grown a millionfold.

    A ratio needs a start above 0; otherwise, this is `fall_of_loss`.
    """
    if trajectory.start <= 0:
        return fall_of_loss(trajectory, 0.0)
    return Evidence("loss_end_over_start", trajectory.end / trajectory.start, 1.0,
                    side="more than")


def length_of(trajectory: LossTrajectory) -> str:
    """Length of a training: "200 steps", "12 epochs", or "50 records" if it is unknown."""
    if trajectory.axis == "epoch":
        return counted(trajectory.observed, "epoch")
    if trajectory.elapsed is None:
        return counted(trajectory.observed, "record")
    return counted(trajectory.elapsed, "step")
