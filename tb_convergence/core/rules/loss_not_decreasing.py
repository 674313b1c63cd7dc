"""The loss ends where it began: nothing was learned.

The level over the last tenth of the run is compared with the mean of the first three steps. A
difference within the noise of single batches is no fall.
"""

from __future__ import annotations

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.wording import fall_of_loss
from tb_convergence.core.history import RunHistory

MINIMUM_STEPS = 30
"""Fewer steps than this and a loss that stands still says nothing."""


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    trajectory = loss_trajectory(history)
    if trajectory is None:
        return None
    if trajectory.observed < (MINIMUM_STEPS if trajectory.axis != "epoch" else 5):
        return None
    if trajectory.fell or (trajectory.axis == "epoch" and _unknown_start(trajectory.fall)):
        return None
    if trajectory.end > trajectory.diverging_above or trajectory.end > 2 * abs(trajectory.start):
        return None  # that is more than standing still: see loss-divergence
    return Match(
        severity="warning",
        confidence=0.8 if trajectory.fall < 0.02 else 0.6,
        summary=(
            f"After {trajectory.observed:,} "
            f"{'epochs' if trajectory.axis == 'epoch' else 'steps'} the loss "
            f"is {trajectory.end:.4g}; it began at {trajectory.start:.4g}."
        ),
        # It stood still from the first step on; that it does, a tenth of the run shows.
        first_step=int(trajectory.steps[0]),
        judged_step=trajectory.settled_step,
        last_step=int(trajectory.steps[-1]),
        evidence=(
            fall_of_loss(trajectory, trajectory.standstill),
            Evidence("loss at the start", trajectory.start, None, int(trajectory.steps[0])),
            Evidence("loss at the end", trajectory.end, None, int(trajectory.steps[-1])),
            Evidence("noise of one batch's loss", trajectory.noise),
        ),
    )


def _unknown_start(fall: float) -> bool:
    """Epoch means alone do not show the first steps: a small fall may follow a large unseen one."""
    return fall > -0.02


RULE = Rule(
    id="loss-not-decreasing",
    kind="symptom",
    title="The loss does not decrease",
    needs=("loss|epoch_loss",),
    at_least=5,
    evaluate=_evaluate,
    assumes_progress=True,
    of_sound=True,
    advice=(
        "Fit ten samples until the loss is nearly zero: if that fails, model, loss or labels are "
        "wrong; if it works, look at learning rate, data and regularization.",
    ),
    falsified_by=("The loss falls clearly when training goes on with the same settings.",),
    false_alarms=("A model that starts from trained weights may have little left to learn.",),
    references=("Rauschmayr et al. 2021, SageMaker Debugger: LossNotDecreasing",),
)
