"""The loss was still falling steadily when the records end."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import loss_course
from tb_convergence.core.history import RunHistory

FALL: Final = 0.1
"""Fall over the last quarter, relative to the loss at its beginning."""
STEADY: Final = 4.0
"""Fall over its standard error."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    course = loss_course(history)
    if course is None or course.observed < 20 or "loss-divergence" in signs or course.end <= 0:
        return None
    planned = configuration(history).planned_steps
    if planned is not None and course.axis == "step" and history.last_step + 1 < planned:
        return None  # still going on, or stopped on purpose
    reached = np.cumsum(course.weights)
    quarter = reached > reached[-1] * 0.75
    if quarter.sum() < 4:
        return None
    steps, level = course.steps[quarter].astype(np.float64), course.level[quarter]
    weights = course.weights[quarter]
    centre = np.average(steps, weights=weights)
    spread = np.average((steps - centre) ** 2, weights=weights)
    if spread <= 0:
        return None
    mean = np.average(level, weights=weights)
    slope = np.average((steps - centre) * (level - mean), weights=weights) / spread
    residual = level - mean - slope * (steps - centre)
    error = np.sqrt(np.average(residual**2, weights=weights) / spread / max(1, len(level) - 2))
    fall = -slope * (steps[-1] - steps[0]) / max(mean, 1e-30)
    if fall < FALL or -slope < STEADY * error:
        return None
    return Match(
        "info", 0.6,
        f"In the last quarter of the run the loss still fell by {fall:.0%}: it has not settled.",
        int(steps[0]), int(steps[-1]), (),
        (Evidence("relative fall over the last quarter", float(fall), FALL, int(steps[-1])),),
    )


RULE = Rule(
    id="too-few-steps",
    kind="cause",
    title="Training stopped early",
    needs=("loss|epoch_loss",),
    at_least=5,
    evaluate=_evaluate,
    excluded_by=("overfitting",),
    advice=("Train longer, until the validation loss stops falling.",),
    disproof=("The run is still going on.",),
    references=("Prechelt 1998, Early Stopping - But When?",),
)
