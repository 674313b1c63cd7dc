"""The loss goes up and down from epoch to epoch without progress.

The rule compares means of whole epochs, so the model causes the swings, not the choice of samples.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

EPOCHS: Final = 8
SWING: Final = 0.1
TURNS: Final = 0.4
NET: Final = 0.25
NEAR_ZERO: Final = 0.05


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    epochs, trajectory = history.series("epoch_loss"), loss_trajectory(history)
    if epochs is None or trajectory is None:
        return None
    values = np.asarray(epochs.values, np.float64)
    half = values[len(values) // 2 :]
    if len(half) < EPOCHS // 2 or len(values) < EPOCHS or not np.isfinite(half).all():
        return None
    level = float(np.median(half))
    changes = np.diff(half)
    moved = float(np.abs(changes).sum())
    if level <= NEAR_ZERO * abs(trajectory.start) or level <= 0 or moved <= 0:
        return None
    swing = float(np.median(np.abs(changes))) / level
    turns = float(np.mean(changes[1:] * changes[:-1] < 0)) if len(changes) > 1 else 0.0
    net = abs(float(half[-1] - half[0])) / moved
    if swing < SWING or turns < TURNS or net > NET:
        return None
    severity: Severity = "warning" if level > 0.5 * abs(trajectory.start) else "info"
    # There is no progress since the loss stays within its final range.
    within = (values >= half.min()) & (values <= half.max())
    return Match(
        severity, min(0.85, 0.5 + swing),
        f"From epoch to epoch the loss changes by {percent(swing)} up or down around "
        f"{number(level, 4)}, without progress.",
        int(epochs.steps[lasting_since(within)]), int(epochs.steps[-1]), (),
        (
            Evidence("epoch_loss_change", swing, SWING),
            Evidence("epoch_loss_turns", turns, TURNS),
            Evidence("epoch_loss_net_change", net, NET),
        ),
        judged_step=int(epochs.steps[len(values) // 2]),
    )


RULE = Rule(
    id="loss-oscillation",
    kind="symptom",
    title="The loss oscillates",
    needs=("epoch_loss",),
    at_least=EPOCHS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "epochs", high=EPOCHS,
            source="The second half of the run must have enough epochs to show several turns.",
        ),
        Threshold(
            "epoch_loss_change", high=SWING,
            source="Typical change from one epoch to the next, relative to the level of the loss.",
        ),
        Threshold(
            "epoch_loss_turns", high=TURNS,
            source=(
                "Pure noise changes direction at two thirds of the epochs, a falling loss at none."
            ),
        ),
        Threshold(
            "epoch_loss_net_change", low=NET,
            source="Small if the changes cancel out.",
        ),
        Threshold(
            "loss_end_over_start", high=NEAR_ZERO,
            source=(
                "Below this part of the starting loss, swings are the noise of a solved problem."
            ),
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "epoch_loss_change", "typical change of the loss per epoch", ("epoch_loss",),
            "fraction",
        ),
        Measure(
            "epoch_loss_turns", "share of epochs that change direction", ("epoch_loss",),
            "fraction",
        ),
        Measure(
            "epoch_loss_net_change", "net change over total movement", ("epoch_loss",), "fraction",
        ),
    ),
    shows=("epoch_loss", "gradient_norm"),
    advice=(
        "Lower the learning rate by a factor of 3 to 10, or let it decay: steps that are too long "
        "jump from one side of a minimum to the other.",
        "Larger batches (32 to 128) make each step less random.",
    ),
    falsified_by=("The loss keeps falling, averaged over ten epochs.",),
    false_alarms=("Schedules with warm restarts (cosine with restarts) swing on purpose.",),
    references=("Zhang et al. 2021, AutoTrainer, ICSE", "Goh 2017, Why Momentum Really Works"),
)
