"""SageMaker Debugger's built-in rules for deep learning, with the defaults of its documentation.

A plain reading of https://docs.aws.amazon.com/sagemaker/latest/dg/debugger-built-in-rules.html on
the statistics that our callback records: the rules themselves run only inside that service. Where
a rule needs a whole tensor, the nearest recorded statistic stands in, and its docstring says so.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tb_convergence.core.history import RunHistory, Table
from zoo.baselines.tool import Report, Tool

LARGE_RATIO, SMALL_RATIO = 10.0, 1e-8
"""WeightUpdateRatio: large_threshold, small_threshold."""
VANISHING = 1e-7
"""VanishingGradient: threshold, mean of absolute values."""
LOSS_STEPS, LOSS_PERCENT = 10, 0.1
"""LossNotDecreasing: num_steps, diff_percent."""
DEAD_UNITS = 0.5
"""DeadRelu: threshold_layer 50 %; threshold_inactivity 1 %, for which dead units stand in."""
SATURATED = 0.5
"""SaturatedActivation: threshold_layer 50 %."""
ZEROS = 1.0
"""AllZero: threshold 100 %."""
IMBALANCE = 10.0
"""ClassImbalance: threshold_imbalance, most over least frequent class."""
TOLERANCE, UNCHANGED = 1e-5, 3
"""UnchangedTensor: rtol, num_steps."""
OVERFIT = 0.1
"""Overfit: ratio_threshold of (validation - training) / training, in one epoch (patience 1)."""
MEAN = 0.2
"""CheckInputImages: threshold_mean, per channel of a batch of images."""


def run(history: RunHistory) -> list[Report]:
    """All reports of all rules."""
    found = list(_loss(history))
    variables, activations = history.table("variables"), history.table("activations")
    if variables is not None:
        found += _variables(variables)
    if activations is not None:
        found += _above(activations, "activation_dead_fraction", DEAD_UNITS, "DeadRelu")
        found += _above(activations, "activation_saturated_fraction", SATURATED,
                        "SaturatedActivation")
    inputs = history.table("inputs")
    if inputs is not None:
        found += _inputs(inputs)
    return found


def _at(table: Table, bad: np.ndarray, name: str) -> Iterator[Report]:
    """A report at the first record in which any row is bad."""
    records = np.flatnonzero(bad.any(axis=1))
    if len(records):
        yield Report(name, int(table.steps[records[0]]))


def _above(table: Table, column: str, limit: float, name: str) -> Iterator[Report]:
    if table.has(column):
        yield from _at(table, np.nan_to_num(table.column(column)) > limit, name)


def _variables(table: Table) -> Iterator[Report]:
    """Weights only: biases start at zero, for which the rules are not meant."""
    rows = table.rows_of("kernel")
    mean = table.column("gradient_mean_abs")[:, rows]
    yield from _at(table, mean < VANISHING, "VanishingGradient")
    with np.errstate(invalid="ignore"):
        ratio = table.column("update_ratio")[:, rows]
        yield from _at(table, ratio > LARGE_RATIO, "WeightUpdateRatio: large")
        yield from _at(table, ratio < SMALL_RATIO, "WeightUpdateRatio: small")
        same = ratio < TOLERANCE
        lasting = same[2:] & same[1:-1] & same[:-2]
    if len(lasting):
        bad = np.concatenate([np.zeros((UNCHANGED - 1, len(rows)), bool), lasting])
        yield from _at(table, bad, "UnchangedTensor")
    zero = table.column("gradient_zero_fraction")[:, rows]
    yield from _at(table, zero >= ZEROS, "AllZero")
    bad = (table.column("gradient_nan_fraction") > 0) | (table.column("gradient_inf_fraction") > 0)
    bad |= table.column("variable_nonfinite_fraction") > 0
    yield from _at(table, bad, "ExplodingTensor")


def _loss(history: RunHistory) -> Iterator[Report]:
    """LossNotDecreasing over ten steps: means of ten recorded losses stand in for single ones."""
    loss = history.series("loss")
    if loss is not None and len(loss) >= 2 * LOSS_STEPS:
        values = np.asarray(loss.values, np.float64)
        if not np.isfinite(values).all():
            step = loss.steps[int(np.flatnonzero(~np.isfinite(values))[0])]
            yield Report("ExplodingTensor", int(step))
        n = len(values) // LOSS_STEPS
        means = values[: n * LOSS_STEPS].reshape(n, LOSS_STEPS).mean(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            fall = 100 * (means[:-1] - means[1:]) / np.abs(means[:-1])
        bad = np.flatnonzero(~(fall > LOSS_PERCENT))
        if len(bad):
            at = (int(bad[0]) + 2) * LOSS_STEPS - 1
            yield Report("LossNotDecreasing", int(loss.steps[at]))
    training, validation = history.series("epoch_loss"), history.series("validation_loss")
    if training is not None and validation is not None and len(training) == len(validation):
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = (validation.values - training.values) / training.values
        bad = np.flatnonzero(ratio > OVERFIT)
        if len(bad):
            yield Report("Overfit", int(training.steps[bad[0]]))


def _inputs(table: Table) -> Iterator[Report]:
    rows = table.rows_of("input")
    if len(rows) == 1:
        # Images are recorded as one group: the rule is for them alone.
        yield from _at(table, np.abs(table.column("feature_mean")[:, rows]) > MEAN,
                       "CheckInputImages")
    targets = table.rows_of("target")
    if len(targets) == 1:
        mean = table.column("feature_mean")[:, targets[0]]
        low, high = (table.column(c)[:, targets[0]] for c in ("feature_min", "feature_max"))
        binary = bool(np.isin(low, (0, 1)).all() and np.isin(high, (0, 1)).all())
        positive = float(np.nanmean(mean)) if binary else 0.5
        if 0 < positive < 1 and max(positive, 1 - positive) / min(positive, 1 - positive) > (
            IMBALANCE
        ):
            yield Report("ClassImbalance", int(table.steps[-1]))


HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"
TOOL = Tool(
    "SageMaker Debugger's thresholds",
    "its built-in rules for deep learning at their documented defaults, on our statistics",
    run,
    means={
        "VanishingGradient": ("wrong-hidden-activation", "too-deep-without-skip"),
        "ExplodingTensor": (HIGH, "non-finite-input"),
        "LossNotDecreasing": (LOW, HIGH),
        "DeadRelu": ("dead-relu",),
        "SaturatedActivation": ("wrong-hidden-activation",),
        "WeightUpdateRatio: large": (HIGH,),
        "WeightUpdateRatio: small": (LOW,),
        "UnchangedTensor": (LOW,),
        "AllZero": ("dead-relu", "poor-initialization"),
        "ClassImbalance": ("class-imbalance",),
        "CheckInputImages": ("unnormalized-input",),
        "Overfit": (),
    },
    why={
        "VanishingGradient": "the causes its documentation gives",
        "ExplodingTensor": "NaN or Inf; counts for the usual causes",
        "LossNotDecreasing": "names no cause; counts for both rates",
        "DeadRelu": "the same",
        "SaturatedActivation": "the cause its documentation gives",
        "WeightUpdateRatio: large": "the cause its documentation gives",
        "WeightUpdateRatio: small": "the cause its documentation gives",
        "UnchangedTensor": "names no cause; counts for the usual one",
        "AllZero": "names no cause; counts for the usual ones",
        "ClassImbalance": "the same; only for binary labels, others are not recorded by class",
        "CheckInputImages": "the same; only for images",
        "Overfit": "not a cause in the catalog",
    },
)
