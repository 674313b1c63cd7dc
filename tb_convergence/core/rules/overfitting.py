"""The validation loss stops falling or rises while the training loss falls to near zero.

The finding has four forms. The validation loss turns and rises. It stalls while the training loss
falls to near zero. It never gets better than its start, which points at the validation data. Or it
ends several times as high as a training loss near zero, which is only informational.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.metric_evidence import ACCURACY, GUESSES, SAME, shares
from tb_convergence.core.diagnosis.paired_losses import END, PairedLosses, paired_losses
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import lagging_statistics
from tb_convergence.core.history import RunHistory, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number

LEAST: Final = 5
SINCE: Final = 3
RISE: Final = 1.05
NOISE: Final = 3.0
FALL: Final = 0.7
CLEAR_RISE: Final = 1.2
CLEAR_FALL: Final = 0.9
STEADY: Final = 0.75
STEADY_SINCE: Final = 8
STEADY_FALL: Final = 0.97
UNDONE: Final = 0.1
GAP: Final = 1.1
NEAR_ZERO: Final = 0.1
APART: Final = 5.0
HIGH: Final = 0.25
STALLED: Final = 0.95
HALVED: Final = 0.5
CHANCE: Final = 0.95


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    paired = paired_losses(history)
    both = None if paired is None else paired.finite
    if both is None or len(both) < LEAST or lagging_statistics(history):
        return None
    if both.end_validation < GAP * both.end_training:
        return None
    return (
        _never_better(history, both) or _turned(history, both) or _stalled(history, both)
        or _gap(history, both)
    )


def _level(history: RunHistory, both: PairedLosses) -> float:
    """Loss of a model that has learned nothing: the baseline if known, else the loss at the start.
    """
    baseline, trajectory = baseline_loss(history), loss_trajectory(history)
    if baseline is not None:
        return baseline
    # Most of the fall precedes the end of the first epoch, so use the initial loss if known.
    return max(float(both.validation[0]), trajectory.start if trajectory is not None else 0.0)


def _turned(history: RunHistory, both: PairedLosses) -> Match | None:
    val, train = both.validation, both.training
    best = int(np.argmin(val))
    lowest, then = float(val[best]), float(train[best])
    since = len(val) - 1 - best
    if since < SINCE or lowest <= 0 or then <= 0:
        return None
    rise, fall = both.end_validation / lowest, both.end_training / then
    mild, steady = rise < CLEAR_RISE, _rises_steadily(val[best:])
    if rise < RISE or both.end_validation - lowest < NOISE * both.noise:
        return None
    # One lucky validation is no level that the later ones have left.
    levels = np.median(np.lib.stride_tricks.sliding_window_view(val, END), axis=1)
    if both.end_validation < RISE * float(levels.min()) or lowest * APART < then:
        return None
    fallen_below = STEADY_FALL if steady else FALL if mild else CLEAR_FALL
    if fall > fallen_below:
        return None
    trajectory = loss_trajectory(history)
    start = trajectory.start if trajectory is not None else 0.0
    highest = max(float(np.max(val[: best + 1])), start)
    fallen = highest - lowest
    undone = (both.end_validation - lowest) / max(fallen, 1e-30)
    # A mild rise of a high loss shows that the model stopped learning what generalizes, and so does
    # a clear rise of a loss that is not low while the training loss goes on to near zero.
    level = _level(history, both)
    memorizes = not mild and both.end_training < NEAR_ZERO * min(then, level)
    high = lowest > (NEAR_ZERO if memorizes else HIGH) * level
    if undone < UNDONE and not (high and (mild or memorizes)):
        return None
    unit = "epoch" if history.axis == "epoch" else "step"
    at, last = int(both.steps[best]), int(both.steps[-1])
    return Match(
        severity="warning",
        confidence=min(0.95, 0.6 + 0.1 * max(0.0, rise - RISE) + 0.02 * min(since, 15)),
        summary=(
            f"Since {unit} {at:,} the validation loss rose from {number(lowest)} to "
            f"{number(both.end_validation)}, while the training loss fell from {number(then)} to "
            f"{number(both.end_training)}."
        ),
        first_step=at,
        last_step=last,
        evidence=(
            Evidence("validation_loss_rise", rise, RISE, last, side="at least"),
            Evidence("training_loss_since", fall, fallen_below, last, side="at most"),
            *(
                [Evidence("validation_fall_undone", undone, UNDONE)]
                if fallen > 0 and undone >= UNDONE else []
            ),
            Evidence("validations_since_minimum", float(since), float(SINCE), side="at least"),
        ),
    )


def _rises_steadily(since: Values) -> bool:
    """Whether `since` `[V]`, from the lowest validation loss on, rises at most validations.

    Around a flat minimum, half of the differences are rises. Ten or more of 13 have a probability
    below 5% then, and the rise must exceed the noise as well.
    """
    return len(since) > STEADY_SINCE and float((np.diff(since) > 0).mean()) >= STEADY


def _stalled(history: RunHistory, both: PairedLosses) -> Match | None:
    """Validation stalls at a high level while training goes on to near zero."""
    middle = len(both) // 2
    val, train = both.validation, both.training
    level = _level(history, both)
    first = slice(max(0, middle - 1), middle + 2)
    then_val, then_train = float(np.median(val[first])), float(np.median(train[first]))
    end_val, end_train = both.end_validation, both.end_training
    if len(both) < 2 * SINCE or min(then_val, then_train, level) <= 0:
        return None
    if end_val < STALLED * then_val or end_val > CLEAR_RISE * then_val:
        return None
    near_zero = end_train < NEAR_ZERO * level and end_train < HALVED * then_train
    if not near_zero or end_val < HIGH * level or end_val < APART * max(end_train, 0.0):
        return None
    # It has stalled since the loss was first as low as at the end.
    since = int(np.flatnonzero(val <= end_val + 2 * both.noise)[0])
    unit = "epoch" if history.axis == "epoch" else "step"
    at, last = int(both.steps[since]), int(both.steps[-1])
    return Match(
        "warning", 0.7,
        f"The validation loss stopped falling at {number(float(val[since]))} ({unit} {at:,}) and "
        f"ends at {number(end_val)}, while the training loss fell from "
        f"{number(float(train[since]))} to {number(end_train)}. What the model has learned since "
        "then does not generalize.",
        at, last, (),
        (
            Evidence("validation_over_half_way", end_val / then_val,
                     STALLED, last, side="at least"),
            Evidence("training_loss_over_baseline", end_train / level, NEAR_ZERO,
                     last, side="less than"),
            Evidence("validation_over_training", end_val / max(end_train, 1e-30), APART, last,
                     side="at least"),
        ),
        title="Validation loss stopped falling",
    )


def _gap(history: RunHistory, both: PairedLosses) -> Match | None:
    """Both losses fall, but the training loss to near zero and the validation loss by far less.

    More data or a smaller model would help, but nothing got worse.
    """
    level, last = _level(history, both), int(both.steps[-1])
    end_val, end_train = both.end_validation, both.end_training
    if level <= 0 or end_train >= NEAR_ZERO * level or end_val < NEAR_ZERO * level:
        return None
    if end_val < APART * max(end_train, 0.0) or end_val >= CHANCE * level:
        return None
    return Match(
        "info", 0.55,
        f"The training loss ends at {number(end_train)} and the validation loss at "
        f"{number(end_val)}. The model fits its training data far better than other data.",
        int(both.steps[0]), last, (),
        (
            Evidence("training_loss_over_baseline", end_train / level, NEAR_ZERO, last,
                     side="less than"),
            Evidence("validation_over_training", end_val / max(end_train, 1e-30), APART, last,
                     side="at least"),
        ),
        title="Validation loss far above the training loss",
    )


def _is_often_right(history: RunHistory) -> bool:
    """Whether the accuracy on the validation data is above that of guesses.

    The first validation is then that of a model that was trained before. Equal accuracies are those
    of a constant answer.
    """
    series = history.scalars.get("validation_metric")
    if series is None or not ACCURACY.search(series.source):
        return False
    values = shares(series)
    return bool(len(values)) and float(values.mean()) > GUESSES and float(np.ptp(values)) > SAME


def _never_better(history: RunHistory, both: PairedLosses) -> Match | None:
    """The model fits the training data, but validation was never better than chance."""
    baseline, level = baseline_loss(history), _level(history, both)
    lowest = float(both.validation.min())
    chance = baseline if baseline is not None else float(both.validation[0])
    if chance <= 0 or level <= 0 or lowest < CHANCE * chance:
        return None
    trajectory = loss_trajectory(history)
    # A first validation far below the training's start was made when much was learned already.
    begun = float(trajectory.level[0]) if trajectory is not None else float(both.training[0])
    if baseline is None and (chance < HALVED * begun or _is_often_right(history)):
        return None
    if both.end_training > HALVED * level or both.end_training > HALVED * both.training[0]:
        return None
    last = int(both.steps[-1])
    of = (
        f"a model that ignores its input has {number(chance)}" if baseline is not None else
        f"the first one was {number(chance)}"
    )
    return Match(
        "warning", 0.75,
        f"The training loss fell to {number(both.end_training)}, but none of {len(both)} "
        f"validation losses was better than {number(lowest)} ({of}). Nothing that the model "
        "learned generalizes.",
        int(both.steps[0]), last, (),
        (
            Evidence("validation_over_chance", lowest / chance, CHANCE,
                     int(both.steps[int(np.argmin(both.validation))]), side="at least"),
            Evidence("training_loss_over_baseline", both.end_training / level,
                     HALVED, last, side="at most"),
        ),
        (
            "Prepare the validation data exactly as the training data: the same scaling, order of "
            "classes and tokenizer. Print a few pairs of input and label of each.",
            "Evaluate on the training data. If that is bad as well, the model behaves differently "
            "in training and evaluation (batch normalization, dropout, a flag).",
            *RULE.advice,
        ),
        title="Validation is no better than chance",
    )


RULE: Final = Rule(
    id="overfitting",
    kind="symptom",
    title="The model overfits",
    needs=("validation_loss", "loss|epoch_loss"),
    at_least=LEAST,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "validations", high=LEAST,
            source="With fewer validations, one bad epoch looks like a turn.",
        ),
        Threshold(
            "validations_since_minimum", high=SINCE,
            source="Prechelt 1998 stops training after this many rises in a row.",
        ),
        Threshold(
            "validation_loss_rise", high=RISE,
            source="Prechelt 1998: a generalization loss of 5%.",
        ),
        Threshold(
            "validation_rise_over_noise", high=NOISE,
            source="The same rise must also exceed the noise of the validation loss.",
        ),
        Threshold(
            "training_loss_since", low=FALL, detail="(mild rise)",
            source="After a mild rise, the training loss must have fallen clearly.",
        ),
        Threshold(
            "training_loss_since", low=STEADY_FALL, detail="(steady rise)",
            source="A steady rise is not chance, so any fall of the training loss is enough.",
        ),
        Threshold(
            "rising_validations", high=STEADY, detail="(steady rise)",
            source="Around a flat minimum, ten or more of 13 rise with a probability below 5%.",
        ),
        Threshold(
            "validations", high=STEADY_SINCE, detail="since the lowest (steady rise)",
            source="Three quarters of fewer validations can rise by chance.",
        ),
        Threshold(
            "validation_loss_rise", high=CLEAR_RISE, detail="(clear)",
            source=(
                "After a rise this large, any further fall of the training loss shows that the two "
                "diverge."
            ),
        ),
        Threshold(
            "training_loss_since", low=CLEAR_FALL, detail="(clear rise)",
            source="After a clear rise, a slight fall of the training loss is enough.",
        ),
        Threshold(
            "validation_fall_undone", high=UNDONE,
            source=(
                "Near zero, noise alone can raise the loss by a fifth, so the rise must also undo "
                "part of the fall."
            ),
        ),
        Threshold(
            "validation_over_training", high=GAP,
            source="A memorized training set has a much lower loss than unseen data.",
        ),
        Threshold(
            "training_loss_over_baseline", low=NEAR_ZERO,
            source="Below this, the training loss is near zero.",
        ),
        Threshold(
            "training_over_validation", low=APART, detail="at the lowest validation loss",
            source=(
                "A validation loss many times lower measures something else: another loss, or "
                "another scale."
            ),
        ),
        Threshold(
            "validation_over_training", high=APART, detail="(a wide gap)",
            source="A few samples do not explain a gap this wide.",
        ),
        Threshold(
            "validation_loss_over_baseline", high=HIGH,
            source=(
                "Below this, the model generalizes well, however low its training loss is. Most "
                "sound classifiers end with the training loss far below the validation loss."
            ),
        ),
        Threshold(
            "validation_over_half_way", high=STALLED,
            source="Compared with the middle of the run. A smaller fall counts as none.",
        ),
        Threshold(
            "training_loss_over_baseline", low=HALVED, detail="(stalled validation)",
            source="The training loss must have kept falling since the middle of the run.",
        ),
        Threshold(
            "validation_accuracy", low=GUESSES, detail="(if the chance level is unknown)",
            source=(
                "Guessing between two equally frequent classes is right in half of the cases. A "
                "model that is right more often was trained before the first validation."
            ),
        ),
        Threshold(
            "validation_over_chance", high=CHANCE,
            source="If no validation loss is lower, nothing generalizes.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure("validations", "validations", ("validation_loss",)),
        Measure("validation_accuracy", "mean accuracy of the validations", (), "fraction"),
        Measure("rising_validations", "share of validations that rose", ("validation_loss",),
                "fraction"),
        Measure(
            "validation_rise_over_noise", "rise of the validation loss, in standard deviations",
            ("validation_loss",),
        ),
        Measure("validation_loss_rise", "validation loss over its minimum", ("validation_loss",)),
        Measure(
            "training_loss_since", "training loss over its value at the lowest validation loss",
            ("epoch_loss",),
        ),
        Measure(
            "validation_over_half_way", "validation loss over its value at the middle of the run",
            ("validation_loss",),
        ),
        Measure(
            "training_loss_over_baseline", "training loss over the baseline loss",
            ("epoch_loss",), "fraction",
        ),
        Measure("validation_over_training", "validation over training loss", ("validation_loss",)),
        Measure("training_over_validation", "training over validation loss", ("validation_loss",)),
        Measure(
            "validation_over_chance", "lowest validation loss over chance level",
            ("validation_loss",), "fraction",
        ),
        Measure("validations_since_minimum", "validations since the minimum"),
        Measure(
            "validation_fall_undone", "part of the fall of the validation loss that was undone",
            ("validation_loss",),
        ),
    ),
    shows=("validation_loss",),
    advice=(
        "Keep the weights of the best validation loss: EarlyStopping(restore_best_weights=True) in "
        "Keras.",
        "Try more data or augmentation first, then weight decay or dropout in small steps, and a "
        "smaller model last.",
    ),
    falsified_by=("The rise disappears with a larger validation set or a different split.",),
    false_alarms=(
        "Very small validation sets give a noisy curve.",
        "Batch normalization validates with moving averages, which lag for a few hundred steps.",
    ),
    references=(
        "Prechelt 1998, Early Stopping - But When?",
        "Rauschmayr et al. 2021, SageMaker Debugger: Overfit",
    ),
)
