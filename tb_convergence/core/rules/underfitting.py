"""Training and validation loss both stopped high: they fluctuate and drop no more.

High is: above four fifths of what a model gets that ignores its input, or of the start where that
is not known. Where a loss rests below, noise in the targets explains it as well.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import progress
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.dating import mostly_since
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.progress import LITTLE
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.wording import percent
from tb_convergence.core.history import RunHistory

EPOCHS: Final = 6
"""Epochs of which the last quarters can be compared."""
STANDSTILL: Final = 0.02
"""Fall from the third quarter of the epochs to the last, below which a loss has stopped."""
USELESS: Final = progress.USELESS
"""Training loss over baseline loss from which the finding is a warning: nothing was learned."""


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    validation, training = history.series("validation_loss"), history.series("epoch_loss")
    trajectory = loss_trajectory(history)
    if validation is None or training is None or trajectory is None:
        return None
    falls, lasts, rests = [], [], []
    for series in (training, validation):
        values = np.asarray(series.values, np.float64)
        if len(values) < EPOCHS or not np.isfinite(values).all():
            return None
        quarter = max(1, len(values) // 4)
        before, last = (
            float(np.mean(values[-2 * quarter : -quarter])), float(np.mean(values[-quarter:]))
        )
        falls.append((before - last) / max(abs(before), 1e-30))
        lasts.append(last)
        rests.append(mostly_since(values - last <= STANDSTILL * max(abs(last), 1e-30)) or 0)
    baseline = baseline_loss(history)
    level = baseline if baseline is not None else abs(trajectory.start)
    share = lasts[0] / max(level, 1e-30)
    if max(falls) > STANDSTILL or min(falls) < -0.2 or not LITTLE < share < 2:
        return None
    useless = baseline is not None and share > USELESS
    begun = training.steps[min(rests[0], len(training) - 1)]
    if len(validation) == len(training):
        begun = training.steps[max(rests)]
    quarter = len(training) - 2 * max(1, len(training) // 4)
    return Match(
        "warning" if useless else "info", 0.7 if useless else 0.5,
        f"Training and validation loss stand at {lasts[0]:.4g} and {lasts[1]:.4g}, "
        f"{percent(share)} of {'ignoring the input' if baseline is not None else 'the start'}, "
        "and fall no more.",
        int(begun), int(training.steps[-1]), (),
        (
            Evidence("fall of the training loss over the last quarter", falls[0], STANDSTILL,
                     unit="fraction"),
            Evidence("fall of the validation loss over the last quarter", falls[1], STANDSTILL,
                     unit="fraction"),
            Evidence("training loss over that level", share, LITTLE, int(training.steps[-1]),
                     unit="fraction"),
        ),
        judged_step=int(max(begun, training.steps[quarter])),
    )


RULE = Rule(
    id="underfitting",
    kind="symptom",
    title="The model underfits",
    needs=("validation_loss", "epoch_loss"),
    at_least=EPOCHS,
    evaluate=_evaluate,
    assumes_progress=True,
    of_sound=True,
    advice=(
        "Overfit first: train on ten samples without regularization until the loss is nearly zero, "
        "then on all.",
    ),
    falsified_by=("The loss is as low as the noise in the targets allows.",),
    false_alarms=("Targets that are mostly noise: even a good model's loss is close to it.",),
    references=(
        "Zhang et al. 2021, AutoTrainer, ICSE",
        "Rauschmayr et al. 2021, SageMaker Debugger: Overfit and Underfit",
    ),
)
