"""Training and validation loss have both plateaued at a high level.

High means above four fifths of the loss of a model that ignores its input, or of the initial loss
if that baseline is not known. Noise in the targets may explain a lower plateau.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import training_progress
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.onsets import mostly_since
from tb_convergence.core.diagnosis.paired_losses import paired_losses
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import LITTLE, uniform_loss
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

EPOCHS: Final = 6
STANDSTILL: Final = 0.02
SLIGHT: Final = 0.005
USELESS: Final = training_progress.USELESS


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    paired, trajectory = paired_losses(history), loss_trajectory(history)
    if paired is None or trajectory is None or len(paired) < EPOCHS:
        return None
    falls, lasts, rests = [], [], []
    for values in (paired.training, paired.validation):
        if not np.isfinite(values).all():
            return None
        quarter = max(1, len(values) // 4)
        before, last = (
            float(np.mean(values[-2 * quarter : -quarter])), float(np.mean(values[-quarter:]))
        )
        falls.append((before - last) / max(abs(before), 1e-30))
        lasts.append(last)
        if falls[-1] > SLIGHT and (np.diff(values[-2 * quarter - 1 :]) < 0).all():
            return None  # a slight fall, but at every validation
        rests.append(mostly_since(values - last <= STANDSTILL * max(abs(last), 1e-30)) or 0)
    baseline = baseline_loss(history)
    # A loss that fell this far is near ln C by chance: one in six levels is, for some C.
    fell = trajectory.fall > 1 - LITTLE
    uniform = uniform_loss(np.array(lasts)) if baseline is None and not fell else None
    baseline = baseline if uniform is None else uniform
    level = baseline if baseline is not None else abs(trajectory.start)
    share = lasts[0] / max(level, 1e-30)
    if max(falls) > STANDSTILL or min(falls) < -0.2 or not LITTLE < share < 2:
        return None
    useless = share > USELESS
    begun = int(paired.steps[max(rests)])
    quarter = len(paired) - 2 * max(1, len(paired) // 4)
    of = "the loss of a model that ignores its input" if baseline is not None else "the start"
    confidence = 0.5 if not useless else 0.7 if baseline is not None else 0.6
    return Match(
        "warning" if useless else "info", confidence,
        f"The training loss has plateaued at {number(lasts[0], 4)} and the validation loss at "
        f"{number(lasts[1], 4)}, {percent(share)} of {of}. Neither fell by more than "
        f"{percent(STANDSTILL)} in the last quarter.",
        begun, int(paired.steps[-1]), (),
        (
            Evidence("late_training_fall", falls[0], STANDSTILL),
            Evidence("late_validation_fall", falls[1], STANDSTILL),
            Evidence("training_loss_over_level", share, LITTLE, int(paired.steps[-1])),
        ),
        judged_step=max(begun, int(paired.steps[quarter])),
    )


RULE = Rule(
    id="underfitting",
    kind="symptom",
    title="The model underfits",
    needs=("validation_loss", "loss|epoch_loss"),
    at_least=EPOCHS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "epochs", high=EPOCHS,
            source="Fewer epochs have no quarters to compare.",
        ),
        Threshold(
            "late_training_fall", low=STANDSTILL, detail="(and of the validation loss)",
            source=(
                "Compared with the third quarter of the epochs. A smaller fall counts as a plateau."
            ),
        ),
        Threshold(
            "late_training_fall", low=SLIGHT, detail="(at each validation)",
            source=(
                "A loss that falls at each of the last validations, even slightly, has not reached "
                "a plateau."
            ),
        ),
        Threshold(
            "training_loss_over_level", high=USELESS, detail="(warning)",
            source="The model has then learned nothing, so the finding is a warning.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "late_training_fall", "fall of the training loss over the last quarter",
            ("epoch_loss",), "fraction",
        ),
        Measure(
            "late_validation_fall", "fall of the validation loss over the last quarter",
            ("validation_loss",), "fraction",
        ),
        Measure(
            "training_loss_over_level", "training loss over the baseline loss (or its "
                                        "start)", ("epoch_loss",),
            "fraction",
        ),
    ),
    shows=("validation_loss",),
    of_sound=True,
    advice=(
        "Overfit first: train on ten samples without regularization until the loss is nearly zero, "
        "then train on all data.",
    ),
    falsified_by=("The loss is as low as the noise in the targets allows.",),
    false_alarms=("With very noisy targets, the loss of even a good model is close to the "
                  "baseline.",),
    references=(
        "Zhang et al. 2021, AutoTrainer, ICSE",
        "Rauschmayr et al. 2021, SageMaker Debugger: Overfit and Underfit",
    ),
)
