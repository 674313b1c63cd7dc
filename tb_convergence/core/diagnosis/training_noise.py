"""Dropout, noise and random changes of images that hide too much of the training data.

Part of the rule `over-regularization`. They act only in training, so validation tells.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Signs
from tb_convergence.core.diagnosis.training_progress import LITTLE, SOLVED, learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import listed

RATE: Final = 0.5
MILDER: Final = 0.7
SAME_SCALE: Final = 1.1
STUCK: Final = 0.9
RECORDS: Final = 5
STEPS: Final = 100
OWN_SIGNS: Final = frozenset({
    "loss-not-decreasing", "underfitting", "zero-gradient", "constant-output",
})
"""Signs of inputs that tell nothing; any other finding would explain the loss as well."""


def only_in_training(history: RunHistory, model: Configuration) -> Match | None:
    """A training loss far above the validation loss, where layers disturb only the training.

    Dropout, noise and random changes of images are off in validation. If the model does well there
    and badly in training, they hide too much of the data.
    """
    noisy = [
        layer for layer in model.layers
        if (layer.rate or 0.0) >= RATE or layer.kind.startswith(("GaussianNoise", "Random"))
    ]
    trajectory, baseline = loss_trajectory(history), baseline_loss(history)
    validation = history.series("validation_loss")
    if not noisy or trajectory is None or baseline is None or validation is None:
        return None
    last = np.asarray(validation.values[-RECORDS:], np.float64)
    if baseline <= 0 or len(last) < 3 or not np.isfinite(last).all() or learns(history):
        return None
    lower, share = float(np.median(last)) / trajectory.end, trajectory.end / baseline
    if trajectory.end <= 0 or lower > MILDER or float(np.median(last)) < 2 * SOLVED * baseline:
        return None
    if share > SAME_SCALE:
        return None  # weights of classes or samples, which only the training loss has
    names = [layer.name for layer in noisy]
    many = len(names) > 1
    return Match(
        "warning" if share > LITTLE else "info", 0.7 if share > LITTLE else 0.5,
        f"The training loss ends at {number(trajectory.end)}, {percent(share)} of the loss of a "
        f"model that ignores its input, and the validation loss at {number(float(np.median(last)))}"
        f". {listed(names)} {'disturb' if many else 'disturbs'} only the training, where the model "
        "fits the data far worse for it.",
        0, max(0, history.last_step), tuple(names),
        (
            Evidence("validation_loss_over_training", lower, MILDER, None, side="less than"),
            *(Evidence("dropout_rate", layer.rate, RATE, None, layer.name, side="at least")
              for layer in noisy if layer.rate is not None and layer.rate >= RATE),
        ),
        (
            f"Weaken {listed(names)}: dropout of 0.1 to 0.3, and noise or shifts that leave the "
            "sample recognizable. First train without them.",
        ),
        title="Dropout or noise hides the training data",
        explains=("insufficient-capacity", "too-few-steps"),
    )


def random_changes(history: RunHistory, model: Configuration, signs: Signs) -> Match | None:
    """Random changes of images in a run that learns nothing, without a sign of another reason.

    How strong they are is not recorded, so this is a guess that one training decides.
    """
    names = [layer.name for layer in model.layers if layer.kind.startswith("Random")]
    trajectory, baseline = loss_trajectory(history), baseline_loss(history)
    if not names or trajectory is None or baseline is None or trajectory.observed < STEPS:
        return None
    shown = {id_ for id_, match in signs.items() if match.severity != "info"}
    zero = signs.get("zero-gradient")
    if shown - OWN_SIGNS or (zero is not None and zero.ruins) or not trajectory.settled:
        return None
    share = trajectory.end / baseline if baseline > 0 else 0.0
    if share < STUCK:
        return None
    many = len(names) > 1
    return Match(
        "warning", 0.45,
        f"The loss stays at {number(trajectory.end)}, {percent(share)} of the loss of a model that "
        f"ignores its input, and {listed(names)} {'change' if many else 'changes'} every image at "
        "random. If that leaves little of an image, there is nothing to learn.",
        0, max(0, history.last_step), tuple(names),
        (Evidence("loss_over_baseline", share, STUCK, int(trajectory.steps[-1]), side="at least"),),
        (
            f"Train once without {listed(names)}. If the loss falls, use them again, but weaker: "
            "shifts and zooms of 0.1, and rotations of 0.05.",
        ),
        title="Random changes may hide the training data",
    )
