"""The loss rises although the steps are small: updates go uphill.

A rate that is too high overshoots with large updates. Here the updates stay small against the
weights until the loss has long been rising: the direction is wrong. A sign was flipped (a gain
maximised as a loss, gradients negated in a custom step), or the loss minimised is not the one
reported.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import (
    largest_per_record,
    loss_course,
    weights_column,
)
from tb_convergence.core.history import RunHistory

SMALL: Final = 0.1
"""Update ratio below which a step is too small to overshoot (see learning-rate-too-high)."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    table, course = history.table("variables"), loss_course(history)
    if table is None or course is None or "loss-divergence" not in signs:
        return None
    # Uphill from the first step: the start is as low as the loss ever was.
    if course.lowest < course.start - 3 * course.noise - 0.05 * abs(course.start):
        return None
    doubled = course.first_step_above(2 * abs(course.start))
    until = doubled if doubled is not None else int(course.steps[-1])
    ratio = largest_per_record(weights_column(table, "update_ratio", "high"))
    rising = (table.steps <= until) & np.isfinite(ratio)
    if rising.sum() < 5 or not float(np.max(ratio[rising])) < SMALL:
        return None
    name = configuration(history).optimizer or "the optimizer"
    return Match(
        "critical", 0.85,
        f"The loss rises from the first step on, from {course.start:.3g} to {course.end:.3g}, with "
        f"updates of at most {float(np.max(ratio[rising])):.1%} of a layer's size: {name} goes "
        "uphill.",
        int(table.steps[0]), int(table.steps[-1]), (),
        (
            Evidence("largest update ratio until the loss had doubled",
                     float(np.max(ratio[rising])), SMALL, until),
            Evidence("relative fall of the loss", course.fall, 0.0),
        ),
    )


RULE = Rule(
    id="optimizer-mismatch",
    kind="cause",
    title="The optimizer goes uphill",
    needs=("update_ratio", "loss"),
    at_least=5,
    evaluate=_evaluate,
    explains=("loss-divergence", "exploding-gradient", "non-finite-values", "overfitting",
              "learning-rate-too-high", "dead-relu", "zero-gradient", "saturated-activation",
              "update-ratio-out-of-range", "constant-output"),
    excluded_by=("non-finite-input",),
    advice=(
        "Look for a flipped sign: a score to maximise passed as a loss, gradients negated, "
        "a negative learning rate.",
        "Take one plain step by hand, w - 1e-4 * g, and see whether the loss falls.",
    ),
    disproof=("A single small step of plain gradient descent on the same batch lowers the loss.",),
    references=("Braiek & Khomh 2022, TheDeepChecker, TOSEM",),
)
