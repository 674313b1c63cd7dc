"""Steps too small to get anywhere: gradients are alive, but the weights hardly move."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import (
    LEARNS,
    learning_rate,
    loss_course,
    median_over_time,
    weights_column,
)
from tb_convergence.core.history import RunHistory

RATIO: Final = 1e-4
"""Update over weight norm of the fastest layer; about 1e-3 is healthy (Karpathy, CS231n)."""
ALIVE: Final = 1e-7
"""Mean |g| below which a gradient counts as vanished (DeepDiagnosis, DeepFD)."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    table, course = history.table("variables"), loss_course(history)
    if table is None or course is None or course.observed < 30:
        return None
    ratio = median_over_time(weights_column(table, "update_ratio", "high"))
    if not np.isfinite(ratio).any():
        return None
    fastest = float(np.nanmax(ratio))
    alive = True
    if table.has("gradient_mean_abs"):
        gradient = median_over_time(weights_column(table, "gradient_mean_abs", "low"))
        alive = bool(np.isfinite(gradient).any()) and float(np.nanmax(gradient)) > ALIVE
    if not fastest < RATIO or not alive or course.fall > LEARNS or "loss-divergence" in signs:
        return None
    rate, name = learning_rate(history), configuration(history).optimizer_text
    # Updates are proportional to the rate, so this factor brings them to the healthy 1e-3.
    factor = 10 ** round(float(np.log10(1e-3 / max(fastest, 1e-12))))
    advice = "Run the LR range test and take a little below the highest rate that does not diverge."
    if rate:
        shown = f"{name} to " if name else ""
        advice = (
            f"Raise the learning rate about {factor:,.0f}-fold: {shown}{rate * factor:.1g} instead "
            f"of {rate:.1g}. {advice}"
        )
    return Match(
        severity="critical" if fastest < RATIO / 10 else "warning",
        confidence=min(0.95, 0.6 + 0.2 * float(np.log10(RATIO / max(fastest, 1e-12)))),
        summary=(
            f"Even the fastest layer changes by only {fastest:.1e} of its size a step; in "
            f"{course.observed:,} steps the loss fell by {max(course.fall, 0):.1%}."
        ),
        first_step=int(table.steps[0]),
        last_step=int(table.steps[-1]),
        evidence=(
            Evidence("update ratio of the fastest layer", fastest, RATIO),
            Evidence("relative fall of the loss", course.fall, LEARNS),
        ),
        advice=(advice, "If Adam is not what you use, try Adam(1e-3) first."),
    )


RULE = Rule(
    id="learning-rate-too-low",
    kind="cause",
    title="The learning rate is too low",
    needs=("update_ratio", "loss"),
    at_least=5,
    evaluate=_evaluate,
    explains=("loss-not-decreasing",),
    excluded_by=("non-finite-values",),
    disproof=(
        "A ten times higher rate does not make the loss fall faster.",
        "The model starts from trained weights and is meant to move little.",
    ),
    false_alarms=("Fine-tuning and the end of a decaying schedule use small updates on purpose.",),
    references=("Karpathy, CS231n: ratio of weights and updates", "Smith 2017, arXiv:1506.01186"),
)
