"""The loss left its best level and did not come back.

The final level is compared with the lowest level and with the start. A loss near zero may double by
noise, so growth alone is not enough.
"""

from __future__ import annotations

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.objective import EXPLODED, improves, objective
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import number


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.observed < 5:
        return None
    threshold = trajectory.diverging_above
    goal = objective(history)
    if not goal.measures_progress:
        # Such a loss may rise in a healthy training, but not by orders of magnitude.
        if goal.progress is not None and improves(history, goal.progress):
            return None
        threshold = max(threshold, EXPLODED * max(abs(trajectory.start), abs(trajectory.lowest)))
    if not trajectory.end > threshold:
        return None
    onset = trajectory.first_step_above(threshold)
    if onset is None:
        onset = int(trajectory.steps[-1])
    return Match(
        severity="critical" if trajectory.end > trajectory.start else "warning",
        confidence=0.9 if trajectory.end > 2 * abs(trajectory.start) else 0.7,
        summary=(
            f"The loss rose from its lowest level, {number(trajectory.lowest)}, to "
            f"{number(trajectory.end)}, and has stayed up since step {onset:,}."
        ),
        first_step=onset,
        last_step=int(trajectory.steps[-1]),
        evidence=(
            Evidence("loss_end", trajectory.end, threshold, int(trajectory.steps[-1])),
            Evidence("loss_lowest", trajectory.lowest),
            Evidence("loss_start", trajectory.start, None, int(trajectory.steps[0])),
        ),
    )


RULE = Rule(
    id="loss-divergence",
    kind="symptom",
    title="The loss diverges",
    needs=("loss|epoch_loss",),
    at_least=5,
    evaluate=_evaluate,
    shows=("loss", "gradient_norm"),
    advice=("Return to the last step before the rise, and continue at a lower learning rate.",),
    falsified_by=("The loss falls back below its earlier level when training continues.",),
    false_alarms=("Changing the loss or the data in the middle of a run changes the loss level.",),
    references=("Braiek & Khomh 2022, TheDeepChecker, TOSEM",),
)
