"""The loss does not measure what the model should do.

The rule fires on any of seven signs. (1) The loss never fits this output or these targets. (2)
Outputs and targets have different shapes, so the smaller one is repeated. (3) A loss that cannot be
negative is negative, or falls without bound. (4) The loss is NaN or infinite, although everything
that it is computed from is finite. (5) The value of the loss, compared with the moments of targets
and predictions, shows that the loss is summed instead of averaged, or that it compares every
prediction with every target. (6) The loss falls while the predictions move away from their targets.
(7) It falls while probabilities move away from the share of ones among the targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import loss_value
from tb_convergence.core.diagnosis.class_losses import (
    EVEN,
    FEWEST_CLASSES,
    FLAT,
    MOST_CLASSES,
    binary_per_class,
    classes_as_one_number,
    distance_between_classes,
    loss_match,
    one_class,
    several_labels,
)
from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    REGRESSION_LOSSES,
    SPARSE_LOSSES,
    configuration,
)
from tb_convergence.core.diagnosis.data import (
    columns_of,
)
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.objective import objective
from tb_convergence.core.diagnosis.output_heads import at_any_head
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, number_range

NEVER_NEGATIVE: Final = REGRESSION_LOSSES - {"log_cosh"} | CROSS_ENTROPIES
UNBOUNDED: Final = 10.0
BELOW_ZERO: Final = ("reinforcement", "adversarial", "several-losses")
"""Objectives among whose losses are some that fall below zero as they should."""
FAR: Final = 3.0
SATISFIED: Final = 0.1
OFF_MEAN: Final = loss_value.OFF_MEAN
VERY_FAR: Final = 10.0
RECURRENT: Final = frozenset({"LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "ConvLSTM2D"})

Check = Callable[[RunHistory, Signs], Match | None]


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return at_any_head(history, signs, _of_output)


def _of_output(history: RunHistory, signs: Signs) -> Match | None:
    checks: tuple[Check, ...] = (
        one_class, _no_distribution, _first_not_finite, _below_zero, _pairwise, _unequal_shapes,
        _summed, _leaves_the_targets, _pleased_by_a_constant,
        _rewards_the_opposite, several_labels, binary_per_class,
        distance_between_classes, classes_as_one_number,
    )
    return strongest(*(check(history, signs) for check in checks))


def _no_distribution(history: RunHistory, _: Signs) -> Match | None:
    """A cross-entropy has no lower bound if its targets are not probabilities."""
    model, targets = configuration(history), columns_of(history, "target")
    if targets is None or model.loss not in CROSS_ENTROPIES - SPARSE_LOSSES:
        return None
    low, high = targets.lowest, targets.highest
    if not (low < -0.01 or high > 1.01):
        return None
    signs_only = (low, high) == (-1.0, 1.0)
    advice = (
        "Encode the two classes as 0 and 1: y = (y + 1) / 2. Or use hinge with tanh."
        if signs_only else
        "For numbers, use mse (or mae, huber). For classes, use one column of 0 and 1 per class, "
        "or sparse_categorical_crossentropy with class indices."
    )
    match = loss_match(
        history, "critical", 0.93,
        f"{model.loss} expects targets in [0, 1], but these range from {number_range(low, high)}.",
        advice,
        Evidence("largest_target" if high > 1.01 else "smallest_target",
                 high if high > 1.01 else low, 1.0 if high > 1.01 else 0.0),
        ruins=True,
        title="Cross-entropy of targets outside [0, 1]",
    )
    # A loss without a lower bound falls faster and faster.
    return replace(match, explains=("learning-rate-too-high",))


def _first_not_finite(history: RunHistory, signs: Signs) -> Match | None:
    """Outputs, weights and data are finite but the loss is not, so the loss itself caused it."""
    bad, outputs = signs.get("non-finite-values"), columns_of(history, "prediction")
    model = configuration(history)
    # Keras' own cross-entropies clip before the logarithm, so if they fail, the outputs do.
    if model.from_logits or model.loss in CROSS_ENTROPIES:
        return None
    if bad is None or outputs is None or not bad.evidence:
        return None
    of_loss = bad.evidence[0].statistic == "nonfinite_loss" and bad.evidence[0].step is not None
    at = np.flatnonzero(outputs.steps == bad.evidence[0].step)
    if not of_loss or not len(at) or not np.isfinite(outputs.mean[at[0]]).all():
        return None
    low, high = float(outputs.low[at[0]].min()), float(outputs.high[at[0]].max())
    # Large outputs can make a loss overflow, but not a logarithm.
    if not (low <= 0 or high >= 1) or max(abs(low), abs(high)) > 1e15:
        return None
    step, kind = bad.evidence[0].step or 0, bad.evidence[0].detail
    # The logarithm is of p alone, or of 1 - p as well, which excludes p = 1.
    needed = "(0, 1]" if low <= 0 else "(0, 1)"
    match = loss_match(
        history, "critical", 0.8 if step <= 10 else 0.7,
        f"The outputs of step {step:,} are finite but lie between {number(low)} and "
        f"{number(high)}. The logarithm in this loss needs values in "
        f"{needed}{', so 0 is not allowed' if low == 0 else ''}. Therefore the loss is {kind}.",
        "Use Keras' own cross-entropy with from_logits=True on an output without activation. In a "
        "custom loss, clip probabilities to [1e-7, 1 - 1e-7] before the logarithm.",
        *((Evidence("smallest_prediction", low, 0.0, step, side="at most"),)
          if low <= 0 else ()),
        *((Evidence("largest_prediction", high, 1.0, step, side="at least"),)
          if high >= 1 else ()),
        first_step=step,
        title=f"The loss takes logarithms outside {needed}",
    )
    # Training drove the probabilities to exactly 0 or 1.
    driven = step > 0 and low >= 0 and high <= 1
    return replace(match, caused_by=("learning-rate-too-high",)) if driven else match


def _below_zero(history: RunHistory, _: Signs) -> Match | None:
    trajectory, model = loss_trajectory(history), configuration(history)
    if trajectory is None or trajectory.observed < 5:
        return None
    if objective(history).kind in BELOW_ZERO:
        return None
    size = max(abs(trajectory.start), 1.0)
    impossible = model.loss in NEVER_NEGATIVE and trajectory.end < -3 * trajectory.noise - 1e-6
    if not impossible and (model.loss in NEVER_NEGATIVE or trajectory.end > -UNBOUNDED * size):
        return None
    below = np.flatnonzero(trajectory.level < 0)
    text = (
        f"For targets in its range, {model.loss} is never negative, but here it is "
        f"{number(trajectory.end, 4)}."
        if impossible else
        f"The loss fell from {number(trajectory.start, 4)} to {number(trajectory.end, 4)} and has "
        "no lower bound, so a lower loss need not mean a better model."
    )
    return loss_match(
        history, "critical" if impossible else "warning", 0.85 if impossible else 0.6, text,
        "Check the sign of the loss and the range of the targets. A loss should be smallest when "
        "prediction and target agree.",
        Evidence("loss_end", trajectory.end, 0.0 if impossible else -UNBOUNDED * size,
                 int(trajectory.steps[-1])),
        first_step=int(trajectory.steps[below[0]]) if len(below) else 0,
        ruins=impossible,
        title="The loss falls below its minimum" if impossible else "The loss has no lower bound",
    )


def _pairwise(history: RunHistory, _: Signs) -> Match | None:
    found = loss_value.every_pair(history)
    if found is None:
        return None
    records, of, std_ratio = found
    outputs, targets = columns_of(history, "prediction"), columns_of(history, "target")
    match = loss_match(
        history, "critical", 0.9,
        f"In {'all' if records == of else f'{records:,} of'} {of:,} records the loss is exactly "
        "the mean squared difference between every prediction and every target of the batch, "
        "instead of each prediction and its own target: [N, 1] minus [N] gives [N, N]."
        + (f" The other {of - records:,} are inconclusive." if of > records else ""),
        "Give target and prediction the same shape before you compare them: y = tf.reshape(y, "
        "tf.shape(prediction)), or keras.losses.MeanSquaredError().",
        Evidence("pairwise_loss_records", float(records),
                 float(loss_value.RECORDS), side="at least", detail=f"of {of:,}"),
        Evidence("prediction_std_ratio", std_ratio),
        ruins=True,
        title="Loss broadcasts [N, 1] against [N]",
    )
    if outputs is None or targets is None:
        return match
    # The sign is that predictions move together while targets do not.
    return replace(match, layers=(*outputs.names, *targets.names))


def _unequal_shapes(history: RunHistory, _: Signs) -> Match | None:
    """One target per sample against several outputs, or one output against several targets.

    The loss repeats the one for each of the others, which is legal and hardly ever intended: most
    often return_sequences=True stayed in the last recurrent layer, or a Flatten is missing.
    """
    model, output = configuration(history), configuration(history).output
    if model.loss not in REGRESSION_LOSSES | {"binary_crossentropy"} or output is None:
        return None
    targets, outputs = _per_sample(model.target_shape), _per_sample(model.prediction_shape)
    if targets is None or outputs is None or targets == outputs or 1 not in (targets, outputs):
        return None
    good = learns(history)
    recurrent = [layer.name for layer in model.layers if layer.kind in RECURRENT]
    if outputs == 1:
        what = f"each of the {targets} targets of a sample with its single output"
        advice = f"Give {output.name} {targets} units: one output per target."
    else:
        what = f"the single target of a sample with each of its {outputs} outputs"
        advice = (
            f"Set return_sequences=False in {recurrent[-1]}, so that the model gives one output "
            "per sample." if recurrent and output.shape is not None and len(output.shape) > 2 else
            f"Give the model one output per sample: Flatten() or a pooling layer before "
            f"{output.name}, and one unit in it."
        )
    match = _match_of_shapes(history, good, what, targets, outputs, advice)
    return replace(match, explains=("wrong-labels", "insufficient-capacity"))


def _match_of_shapes(
    history: RunHistory, good: bool, what: str, targets: int, outputs: int, advice: str
) -> Match:
    return loss_match(
        history, "info" if good else "warning", 0.6 if good else 0.85,
        f"{configuration(history).loss} compares {what}, because their shapes differ and the "
        f"smaller one is repeated.{FALLS if good else ''}",
        advice,
        Evidence("outputs_per_sample", float(outputs), float(targets),
                 side="more than" if outputs > targets else "less than"),
        title="Outputs and targets differ in shape",
    )


def _per_sample(shape: tuple[int | None, ...] | None) -> int | None:
    """Numbers of one sample in a batch of this shape; None if that varies or is unknown."""
    if shape is None or any(size is None for size in shape[1:]):
        return None
    return math.prod(size or 1 for size in shape[1:])


def _summed(history: RunHistory, signs: Signs) -> Match | None:
    found = loss_value.summed(history)
    if found is None:
        return None
    factor, size = found
    suffers = bool({"loss-divergence", "non-finite-values", "exploding-gradient"} & set(signs))
    severity: Severity = "info" if learns(history) else "critical" if suffers else "warning"
    batch = f" of {size}" if size else ""
    # Adaptive steps do not depend on the gradient's size, SGD steps are proportional to it.
    plain = configuration(history).optimizer == "SGD"
    so = " (and so is each step of SGD)" if plain else ""
    match = loss_match(
        history, severity, 0.75 if suffers else 0.6 if plain else 0.55,
        f"The loss is summed over the batch{batch} instead of averaged, so it is about "
        f"{number(factor)} times the mean. The gradient is larger by the same factor{so}, and it "
        "grows with the batch size.",
        "Average over the batch (keras.ops.mean, reduction='sum_over_batch_size'), or divide the "
        f"learning rate by {number(factor, 2)}.",
        Evidence("loss_over_largest_mean", factor, loss_value.SUMMED),
        title="The loss is summed over the batch",
    )
    return replace(match, explains=("learning-rate-too-high", "dead-relu")) if plain else match


def _leaves_the_targets(history: RunHistory, _: Signs) -> Match | None:
    """A loss that falls while the predictions move away from the numbers they should match."""
    found, trajectory = loss_value.distance_from_targets(history), loss_trajectory(history)
    if found is None or trajectory is None or not trajectory.fell:
        return None
    begun, end, step = found
    if end < FAR or end < 2 * begun:
        return None
    far = end >= VERY_FAR
    return loss_match(
        history, "critical" if far else "warning", 0.85 if far else 0.7,
        f"The loss falls from {number(trajectory.start)} to {number(trajectory.end)} while the "
        "predictions move away from the targets. Measured in standard deviations of the targets, "
        f"they are at least {number(begun, 2)} away at first and {number(end)} at the end. A model "
        "that always predicts "
        "the mean is 1 away.",
        "Flip the sign of the loss: it should be smallest where prediction and target agree. "
        "Return the error itself, or the negative of a score that should grow.",
        Evidence("distance_from_targets", end, FAR, step, detail="at the end"),
        Evidence("distance_from_targets", begun, detail="at the start"),
        ruins=far,
        title="The loss rewards predictions far from the targets",
    )


def _pleased_by_a_constant(history: RunHistory, _: Signs) -> Match | None:
    """A custom loss that is nearly 0 although the output is a wrong constant.

    One output cannot match targets that differ, and the best constant is near their mean. So such a
    loss ignores a part of the targets, or is not computed from this output.
    """
    found, trajectory = loss_value.constant_off_the_mean(history), loss_trajectory(history)
    if found is None or trajectory is None or trajectory.observed < 30:
        return None
    if not 0 <= trajectory.end < SATISFIED * trajectory.start:
        return None
    output, target, off = found
    return loss_match(
        history, "critical", 0.85,
        f"The loss falls from {number(trajectory.start)} to {number(trajectory.end)}, although the "
        f"output is {number(output)} for every sample and the targets average {number(target)}. "
        "The loss does not penalize this answer, so it ignores a part of the targets.",
        "Check that the loss penalizes a miss of each kind of target. A log loss needs both terms, "
        "-mean(y * log(p) + (1 - y) * log(1 - p)); Keras' own binary_crossentropy has them.",
        Evidence("constant_off_mean", off, OFF_MEAN, int(trajectory.steps[-1])),
        ruins=True,
        title="A constant output satisfies the loss",
    )


def _rewards_the_opposite(history: RunHistory, _: Signs) -> Match | None:
    """A loss that falls while probabilities move away from the share of ones among the targets.

    A score (Dice, IoU, F1) that is returned as the loss is minimized, although it should grow.
    """
    found, trajectory = loss_value.means_apart(history), loss_trajectory(history)
    if found is None or trajectory is None or not trajectory.fell:
        return None
    (begun, share), (ended, target) = found
    apart = abs(ended - target)
    if apart < loss_value.OPPOSED or apart < abs(begun - share):
        return None
    if min(target, 0.5) <= ended <= max(target, 0.5):
        return None  # a loss that weighs the rare class as much as the other one moves there
    return loss_match(
        history, "critical", 0.8,
        f"The loss falls from {number(trajectory.start)} to {number(trajectory.end)} while the "
        f"predictions move away from the targets: they average {number(begun)} and the targets "
        f"{number(share)} at first, {number(ended)} and {number(target)} at the end.",
        "Flip the sign of the loss: a score that should grow, such as Dice, IoU or F1, becomes a "
        "loss as 1 - score. A loss should be smallest where prediction and target agree.",
        Evidence("means_apart", apart, loss_value.OPPOSED, int(trajectory.steps[-1]),
                 side="at least"),
        ruins=True,
        title="The loss rewards predictions that disagree with the targets",
    )


RULE = Rule(
    id="wrong-loss",
    kind="cause",
    title="The loss does not fit the task",
    needs=("config|loss",),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_below_zero", high=UNBOUNDED,
            source=(
                "Probability densities above 1 can make a loss negative, but only by a few times "
                "its initial size."
            ),
        ),
        Threshold(
            "constant_off_mean", high=OFF_MEAN,
            source=(
                "In standard deviations of the targets. For any loss that penalizes all errors "
                "alike, the best constant is nearer to the mean."
            ),
        ),
        Threshold(
            "means_apart", high=loss_value.OPPOSED,
            source=(
                "The mean absolute error is at least this distance. It must also be larger than "
                "at the start, where a sigmoid gives about 0.5. A loss that weighs the rare class "
                "more leads to a mean prediction between the mean target and 0.5."
            ),
        ),
        Threshold(
            "loss_end_over_start", low=SATISFIED, detail="(with a constant output)",
            source="Predicting a constant costs about as much as the initial loss.",
        ),
        Threshold(
            "distance_from_targets", high=FAR,
            source=(
                "Predicting the mean of the targets gives 1, and an untrained network about the "
                "same."
            ),
        ),
        Threshold(
            "distance_from_targets", high=VERY_FAR, detail="(the result is worthless)",
            source="Ten times the error of a model that ignores its input.",
        ),
        Threshold(
            "target_classes", high=FEWEST_CLASSES,
            source="Two classes have no order, so they do no harm as numbers.",
        ),
        Threshold(
            "target_classes", low=MOST_CLASSES, detail="(more are amounts)",
            source="With more values, the whole numbers are probably amounts, not classes.",
        ),
        Threshold(
            "class_std_over_even", high=EVEN, detail="(distance from 1)",
            source="Data sets with roughly equal classes differ by about a tenth.",
        ),
        Threshold(
            "distance_from_edge", low=FLAT,
            source="At this distance, the slope of a sigmoid is a 25th of its maximum.",
        ),
    ),
    measures=(
        Measure(
            "loss_below_zero", "depth of the loss below zero over its initial size",
            ("loss",),
        ),
        Measure(
            "constant_off_mean", "distance of a constant output from the mean of the targets",
            ("feature_mean",),
        ),
        Measure(
            "means_apart", "distance of the mean prediction from the mean target",
            ("feature_mean",),
        ),
        Measure(
            "distance_from_targets",
            "smallest distance of predictions from targets, in standard deviations of the targets",
            ("feature_mean",),
        ),
        Measure("class_std_over_even", "std of the class numbers over that of equally frequent "
                                       "ones",
                ("feature_std",), kind="target"),
        Measure("distance_from_edge", "distance of an output from 0 or 1", ("feature_max",)),
        Measure("outputs_per_sample", "outputs of a sample", limit="targets"),
        Measure("pairwise_loss_records", "records, {detail}, whose loss compares all pairs"),
        Measure("loss_over_largest_mean", "loss over the largest possible mean", ("loss",)),
        Measure("labels_per_sample", "labels per sample", kind="target"),
        Measure("binary_columns", "columns that hold only 0 and 1", kind="target"),
    ),
    shows=("loss",),
    explains=("constant-loss",
              "loss-not-decreasing", "non-finite-values", "loss-divergence", "constant-output",
              "zero-gradient", "exploding-gradient", "loss-oscillation", "loss-spike",
              "underfitting", "saturated-activation", "update-ratio-out-of-range",
              "learning-rate-too-low"),
    experiment="small-sample fit",
    falsified_by=(
        "The recorded targets are not those that the loss receives.",
        "The loss is intended, and a metric of the task improves with it.",
    ),
    false_alarms=(
        "A squared error on classes is sound but slow (Brier score). In a run that learns, it is "
        "only informational.",
        "Losses of log densities can be negative by a few units.",
    ),
    references=(
        "Golik, Doetsch & Ney 2013, Cross-Entropy vs. Squared Error Training, Interspeech",
        "Zhang et al. 2018, An Empirical Study on TensorFlow Program Bugs, ISSTA",
        "Schoop et al. 2021, UMLAUT, CHI",
    ),
)
