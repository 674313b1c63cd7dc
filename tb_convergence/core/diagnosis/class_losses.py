"""Losses for classes: does the loss fit targets that are classes, and the outputs it compares?

Part of the rule `wrong-loss`. These checks read the configuration and the kind of the targets. What
the values of the loss show is in the rule itself.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    REGRESSION_LOSSES,
    configuration,
)
from tb_convergence.core.diagnosis.data import (
    Columns,
    are_probabilities,
    baseline_loss,
    columns_of,
    target_kind,
    whole_numbers,
)
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Signs
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import number

FLAT: Final = 0.01
FEWEST_CLASSES: Final = 3
MOST_CLASSES: Final = 100
EVEN: Final = 0.1


def loss_match(
    history: RunHistory,
    severity: Severity,
    confidence: float,
    text: str,
    advice: str,
    *evidence: Evidence,
    first_step: int = 0,
    title: str = "",
    ruins: bool = False,
) -> Match:
    """A match of `wrong-loss` at the output, with the small-sample fit as the second advice."""
    output = configuration(history).output
    return Match(
        severity, confidence, text, first_step, max(first_step, history.last_step),
        (output.name,) if output is not None and output.name else (), evidence,
        (advice, "Fit ten samples until the loss is nearly zero. With the right loss, that is "
                 "easy."),
        title, ruins,
    )


def one_class(history: RunHistory, _: Signs) -> Match | None:
    """With a single class there is no choice, so the loss and every gradient are 0."""
    model = configuration(history)
    output = model.output
    categorical = model.loss in CROSS_ENTROPIES - {"binary_crossentropy"}
    if output is None or output.units != 1 or not categorical:
        return None
    numbers = target_kind(history) == "numbers"
    instead = (
        f"For numbers, use mse and no activation in {output.name}." if numbers else
        f"For two classes, use binary_crossentropy with a sigmoid in {output.name}. For more "
        "classes, use one unit per class. For numbers, use mse."
    )
    return loss_match(
        history, "critical", 0.95,
        f"{model.loss} compares classes, but {output.name} has one unit, so there is no other "
        "class to compare with.",
        instead, Evidence("output_units", 1.0, 2.0, None, output.name, detail="output"), ruins=True,
        title="Cross-entropy over a single class",
    )


def several_labels(history: RunHistory, _: Signs) -> Match | None:
    """A loss for exactly one class per sample, although several labels apply at once."""
    model = configuration(history)
    if model.loss != "categorical_crossentropy" or target_kind(history) != "multi-hot":
        return None
    targets = columns_of(history, "target")
    labels = float(np.mean(targets.sums)) if targets is not None else 0.0
    return loss_match(
        history, "info" if learns(history) else "warning", 0.7,
        f"{model.loss} expects one class per sample, but these samples have {number(labels, 2)} on "
        "average.",
        "Use binary_crossentropy with sigmoid outputs if several labels can apply at once.",
        Evidence("labels_per_sample", labels, 1.0),
        title="Single-label loss for multi-label targets",
    )


def binary_per_class(history: RunHistory, _: Signs) -> Match | None:
    """A binary cross-entropy per class, although each sample has exactly one class."""
    model, output = configuration(history), configuration(history).output
    if model.loss != "binary_crossentropy" or target_kind(history) != "one-hot" or output is None:
        return None
    units = output.units or 0
    if units < 3:  # with two, softmax and both losses are the same thing
        return None
    return loss_match(
        history, "info" if learns(history) else "warning", 0.6,
        f"binary_crossentropy judges each of the {units} classes alone, although each sample has "
        f"exactly one class. Predicting none of them is already right for {units - 1} of {units}, "
        "and 'accuracy' counts it that way.",
        f"Use categorical_crossentropy with softmax in {output.name}.",
        Evidence("target_classes", float(units), 3.0, side="at least"),
        title="Binary loss for exclusive classes",
    )


def distance_between_classes(history: RunHistory, signs: Signs) -> Match | None:
    """A squared error on classes works, but its gradient vanishes if the model is surely wrong.

    It is therefore no fault by itself. Only a run that does not learn is a reason to change it.
    """
    model, output = configuration(history), configuration(history).output
    kind = target_kind(history)
    if output is None or model.loss not in REGRESSION_LOSSES or kind not in ("one-hot", "binary"):
        return None
    if output.activation == "softmax" and output.units == 1:
        return None  # always 1, whatever the loss: see wrong-output-activation
    targets = columns_of(history, "target")
    outputs = columns_of(history, "prediction")
    squashed = output.activation in ("softmax", "sigmoid") or (
        outputs is not None and are_probabilities(outputs)
    )
    many = kind == "one-hot"
    good = learns(history)
    # Outputs of any size are compared with 0 and 1, so correct but large outputs are penalized.
    severity: Severity = "info"
    if not good and (not squashed or _stuck(signs) or _learned_nothing(history)):
        severity = "warning"
    right = (
        f"categorical_crossentropy with softmax in {output.name}" if many else
        f"binary_crossentropy with a sigmoid in {output.name}"
    )
    reason = (
        _slope_text(outputs, output.activation) if squashed else
        "it penalizes outputs beyond 0 and 1 even if the class is right"
    )
    confidence = (0.3 if squashed else 0.4) if good else (0.5 if squashed else 0.6)
    return loss_match(
        history, severity, confidence,
        f"{model.loss} is a distance between numbers, but the targets are "
        f"{'one-hot classes' if many else 'two classes, 0 and 1'}: {reason}.",
        f"Use {right}.",
        Evidence("binary_columns", float(targets.count if targets else 0)),
        title="The loss treats classes as numbers",
    )


def classes_as_one_number(history: RunHistory, _: Signs) -> Match | None:
    """Class numbers (0 to C - 1) that a single output must hit, with a distance as the loss.

    That orders the classes and puts class 3 between 2 and 4, although they may have nothing in
    common. Ratings and counts look the same, and a distance is right for them. Only the user knows
    whether the numbers are classes. The finding is therefore a warning only if little was learned,
    and if the numbers start at 0 and are equally frequent, as classes are and counts are not.
    """
    model, output = configuration(history), configuration(history).output
    targets = columns_of(history, "target")
    if output is None or output.units != 1 or model.loss not in REGRESSION_LOSSES:
        return None
    if targets is None or target_kind(history) != "numbers" or not whole_numbers(history):
        return None
    low, high = targets.lowest, targets.highest
    classes = int(high - low) + 1
    if low not in (0.0, 1.0) or not FEWEST_CLASSES <= classes <= MOST_CLASSES:
        return None
    even = math.sqrt((classes**2 - 1) / 12)
    flat = float(targets.overall[1][0]) / even
    good = learns(history)
    like_classes = low == 0 and abs(flat - 1) < EVEN
    return loss_match(
        history, "warning" if like_classes and not good else "info", 0.65 if like_classes else 0.5,
        f"The targets are the whole numbers {number(low, 6)} to {number(high, 6)}, and "
        f"{model.loss} treats them as amounts. If they are the numbers of {classes} classes, the "
        "model has to predict the class number itself, as if class 1 lay between 0 and "
        f"2.{FALLS if good else ''}",
        f"If they are classes, use Dense({int(high) + 1}, activation='softmax') instead of "
        f"{output.name}, with sparse_categorical_crossentropy. If they are amounts (counts, "
        "ratings), change nothing.",
        Evidence("target_classes", float(classes), float(FEWEST_CLASSES), side="at least"),
        Evidence("class_std_over_even", flat),
        title="Class numbers treated as amounts",
    )


def _slope_text(outputs: Columns | None, activation: str) -> str:
    """Why a distance learns slowly behind a sigmoid or softmax, and what shows it here.

    Its gradient is multiplied by the slope p (1 - p), which is at most a quarter. That of a
    cross-entropy is not. On the flat ends the slope is nearly zero; the text says so if outputs
    reach them.
    """
    squasher = activation if activation in ("softmax", "sigmoid") else "output"
    text = f"its gradient is multiplied by the slope of the {squasher}, at most a quarter"
    if outputs is None:
        return text
    late = slice(-max(1, len(outputs.steps) // 10), None)
    low, high = float(np.min(outputs.low[late])), float(np.max(outputs.high[late]))
    if not (math.isfinite(low) and math.isfinite(high)):
        return text
    # One of many classes may well be at 0 although no prediction is confident.
    if high > 1 - FLAT or (outputs.count == 1 and low < FLAT):
        text += " and nearly zero where the model is sure, be it right or wrong"
    return f"{text} (its outputs end at {number(low)} to {number(high)})"


def _learned_nothing(history: RunHistory) -> bool:
    """Whether almost nothing was learned, relative to the baseline or, if unknown, the start."""
    trajectory, baseline = loss_trajectory(history), baseline_loss(history)
    if trajectory is None or trajectory.observed < 30:
        return False
    return trajectory.fall < 0.2 if baseline is None else trajectory.end > 0.8 * baseline


def _stuck(signs: Signs) -> bool:
    return bool({"loss-not-decreasing", "constant-output", "zero-gradient"} & set(signs))
