"""The validation loss rises while the training loss keeps falling."""

from __future__ import annotations

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.progress import lagging_statistics
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory

RISE = 1.2
"""Validation loss at the end over its minimum."""
FALL = 0.9
"""Training loss at the end over its value at that minimum."""
UNDONE = 0.1
"""Part of the validation loss's whole fall that the rise undid: near zero any wobble is a fifth."""
GAP = 1.1
"""Validation over training loss: what is learned by heart is known better than the rest."""
EPOCHS_SINCE = 3
"""Epochs since the minimum: one bad epoch is noise."""


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    validation, training = history.series("validation_loss"), history.series("epoch_loss")
    if validation is None or training is None:
        return None
    steps, at_v, at_t = np.intersect1d(validation.steps, training.steps, return_indices=True)
    val = np.asarray(validation.values, np.float64)[at_v]
    train = np.asarray(training.values, np.float64)[at_t]
    both = np.isfinite(val) & np.isfinite(train)
    steps, val, train = steps[both], val[both], train[both]
    if len(steps) < EPOCHS_SINCE + 2:
        return None
    best = int(np.argmin(val))
    since = len(val) - 1 - best
    # The median of the last epochs: a single high one is not a trend.
    end_val = float(np.median(val[-EPOCHS_SINCE:]))
    end_train = float(np.median(train[-EPOCHS_SINCE:]))
    if lagging_statistics(history) or since < EPOCHS_SINCE or val[best] <= 0 or train[best] <= 0:
        return None
    rise, fall = end_val / float(val[best]), end_train / float(train[best])
    # The first epoch's loss already has most of the fall behind it: the start is known better.
    trajectory = loss_trajectory(history)
    start = trajectory.start if trajectory is not None else 0.0
    highest = max(float(np.max(val[: best + 1])), start)
    fallen = highest - float(val[best])
    undone = (end_val - float(val[best])) / max(fallen, 1e-30)
    if rise < RISE or fall > FALL or undone < UNDONE or end_val < GAP * end_train:
        return None
    unit = "epoch" if history.axis == "epoch" else "step"
    return Match(
        severity="warning",
        confidence=min(0.95, 0.6 + 0.1 * (rise - RISE) + 0.02 * since),
        summary=(
            f"Since {unit} {int(steps[best]):,} the validation loss rose from {val[best]:.3g} to "
            f"{end_val:.3g} while the training loss fell from {train[best]:.3g} to {end_train:.3g}."
        ),
        first_step=int(steps[best]),
        last_step=int(steps[-1]),
        evidence=(
            Evidence("validation loss over its minimum", rise, RISE, int(steps[-1])),
            Evidence("training loss since then", fall, FALL, int(steps[-1])),
            *(
                [Evidence("part of the validation loss's fall that was undone", undone, UNDONE)]
                if fallen > 0 else []  # it never fell
            ),
            Evidence("epochs since the minimum", float(since), float(EPOCHS_SINCE),
                     suspect="at least"),
        ),
    )


RULE = Rule(
    id="overfitting",
    kind="symptom",
    title="The model overfits",
    needs=("validation_loss", "epoch_loss"),
    at_least=5,
    evaluate=_evaluate,
    assumes_progress=True,
    advice=(
        "Keep the weights of the best validation epoch "
        "(EarlyStopping(restore_best_weights=True)).",
        "More data or augmentation first; then weight decay or dropout, a little at a time; "
        "a smaller model last.",
    ),
    falsified_by=("The rise disappears with a larger validation set or another split.",),
    false_alarms=(
        "Very small validation sets make a noisy curve.",
        "Batch normalization validates with moving averages, which lag for some hundred steps.",
    ),
    references=("Prechelt 1998, Early Stopping - But When?",),
)
