"""Weights start where they cannot learn: all equal, or far from the scale that fits their layer.

Units of a hidden layer that start equal stay equal, because their gradients are the same. Scales
are compared with Glorot's sqrt(2 / (fan_in + fan_out)). Those of He and LeCun differ from it by a
factor of less than two.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis import data
from tb_convergence.core.diagnosis.configuration import CROSS_ENTROPIES, configuration
from tb_convergence.core.diagnosis.data import columns_of, feature_scales, target_kind
from tb_convergence.core.diagnosis.dead_starts import start_of
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.saturated_starts import HALF, saturated
from tb_convergence.core.diagnosis.training_progress import FALLS, learns
from tb_convergence.core.history import NoStatisticError, RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.schema import Row
from tb_convergence.core.text.numbers import number, percent, rounded
from tb_convergence.core.text.phrases import counted, listed

FACTOR: Final = 10.0
OVERCONFIDENT: Final = 2.0
LARGE_INPUT: Final = data.LARGE_INPUT
MANY_CLASSES: Final = 1000
SATURATING: Final = 3.0
EQUAL: Final = 1e-6
MOVED: Final = 0.3
BOUNDS: Final = ("low", "high")
"""First update over weight norm above which the weights after it no longer show how they began."""


DEFAULT: Final = "glorot_uniform (the default)"
INITIALIZERS: Final = {"relu": "he_normal", "relu6": "he_normal", "leaky_relu": "he_normal",
                "elu": "he_normal", "gelu": "he_normal", "silu": "he_normal",
                "swish": "he_normal", "selu": "lecun_normal"}
"""Initializers for the activations that Glorot's does not suit."""


def fans(row: Row) -> tuple[int, int] | None:
    """Inputs and outputs of one unit, from a kernel `[*space, in, out]`; None for other shapes."""
    if len(row.shape) < 2 or min(row.shape) < 1:
        return None
    space = math.prod(row.shape[:-2])
    return space * row.shape[-2], space * row.shape[-1]


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None or not len(table.steps):
        return None
    # A model that is built by its first batch is first recorded at the second.
    if int(table.steps[0]) > 1:
        raise NoStatisticError("weights of the first step", "variables")
    rows = table.rows_of("kernel")
    std, mean = table.column("variable_std")[0], table.column("variable_mean")[0]
    zero = _all_zero(table, rows)
    constant, scaled, saturating = [], [], {}
    for row in rows:
        fan = fans(table.rows[row])
        if fan is None and row in zero:
            constant.append(row)
        if fan is None or not np.isfinite(std[row]) or math.prod(table.rows[row].shape) < 4:
            continue
        if _may_be_updated(history, table, row):
            continue
        if std[row] <= 0 or std[row] <= EQUAL * abs(mean[row]):  # the mean may be undefined
            # Only the last layer may start at zero, because its inputs differ.
            if row != rows[-1] or mean[row] != 0:
                constant.append(row)
            continue
        ratio = float(std[row]) / math.sqrt(2 / sum(fan))
        flat = saturated(history, table.rows[row].layer) if ratio >= SATURATING else None
        if flat is not None and flat[0] >= HALF:
            saturating[row] = flat
        if ratio < 1 and start_of(history, table.rows[row].layer).size >= 1 / FACTOR:
            continue  # its inputs are large, so that its outputs are not small
        if row in saturating or not 1 / FACTOR <= ratio <= FACTOR:
            scaled.append((row, ratio))
    benign = learns(history)
    layers = [table.rows[row].layer for row in constant]
    if constant and len(rows) > 1:
        severity: Severity = "info" if benign else "critical"
        return Match(
            severity, 0.95,
            _equal(table, constant, mean) + _zero_last_layer_text(table, constant, std, mean)
            + (FALLS if benign else ""),
            0, history.last_step, tuple(layers),
            tuple(item for row in constant for item in _one_value(table, row, std, mean)),
            _advice(table, constant),
            title="Weights initialized to equal values",
        )
    if not scaled:
        found = _overconfident(history) or _not_selfnormalizing(history)
        if found is None and rows and not any(table.rows[row].shape for row in rows):
            # Histograms and `log_health` of bare arrays: no fan, so no scale to compare with.
            raise NoStatisticError("shapes of the weights", "variables")
        return found
    row, ratio = max(scaled, key=lambda pair: abs(math.log(pair[1])))
    sure = 0.6 + 0.25 * (abs(math.log10(ratio)) - 1)
    if saturating:
        sure = max(sure, 0.75)
    match = Match(
        "info" if benign else "warning",
        (0.6 if saturating else 0.35) if benign else min(0.9, sure),
        f"The weights of {table.rows[row].layer} start with a standard deviation of "
        f"{number(std[row])}, {_times(ratio)} what Glorot's initializer gives "
        f"({number(float(std[row]) / ratio, 2)}).{_saturated_text(table, saturating)}"
        f"{FALLS if benign else ''}",
        0, history.last_step, tuple(table.rows[r].layer for r, _ in scaled),
        tuple(Evidence("std_over_glorot", value, _limit(value, r in saturating),
                       int(table.steps[0]), table.rows[r].layer)
              for r, value in scaled),
        _advice(table, [r for r, _ in scaled]),
        title=f"Weights initialized too {'large' if ratio > 1 else 'small'}",
    )
    # Units that start on the flat ends pass on no gradient, whatever their activation.
    return replace(match, explains=("wrong-hidden-activation",)) if saturating else match


def _limit(ratio: float, saturating: bool) -> float:
    if saturating and ratio < FACTOR:
        return SATURATING
    return FACTOR if ratio > 1 else 1 / FACTOR


def _saturated_text(table: Table, saturating: Mapping[int, tuple[float, float]]) -> str:
    """A sentence on the layers whose units start on flat ends; "" without one."""
    if not saturating:
        return ""
    row = max(saturating, key=lambda one: saturating[one][0])
    first, last = saturating[row]
    return (
        f" In the first step {percent(first)} of the outputs of {table.rows[row].layer} lie on the "
        f"flat ends of its {table.rows[row].activation}, and {percent(last)} do at the end."
    )


def _all_zero(table: Table, rows: list[int]) -> list[int]:
    """Kernels before the last, where histograms show that every kernel starts at zero; else none.

    A histogram does not tell a kernel from the scale of a normalization, which may start at zero or
    one. But a network whose every kernel is zero has no other weights to learn with.
    """
    if len(rows) < 2:
        return []
    size = np.hypot(
        table.column("variable_std", "high")[0, rows],
        np.fmax(*(np.abs(table.column("variable_mean", bound)[0, rows]) for bound in BOUNDS)),
    )
    return rows[:-1] if bool((size == 0).all()) else []


def _may_be_updated(history: RunHistory, table: Table, row: int) -> bool:
    """Whether the first record may hold the weights after the first update instead of before it.

    `log_health` asks its caller for the weights before the update and cannot check them, and a
    record of the second step holds those after the first. This matters only if the updates are
    large relative to the weights, which then no longer show how they began.
    """
    run = history.table("run")
    before = int(table.steps[0]) == 0 and (run is None or run.has("window_steps"))
    if before or not table.has("update_ratio"):
        return False
    return float(table.column("update_ratio", "high")[0, row]) > MOVED


def _one_value(table: Table, row: int, std: Values, mean: Values) -> list[Evidence]:
    """Std of weights that all have one value, and that value."""
    layer = table.rows[row].layer
    limit = EQUAL * abs(float(mean[row])) if np.isfinite(mean[row]) else 0.0
    first = int(table.steps[0])
    items = [Evidence("variable_std", float(std[row]), limit, first, layer,
                      side="at most" if limit else "exactly")]
    if np.isfinite(mean[row]):
        items.append(Evidence("variable_mean", float(mean[row]), None, first, layer))
    return items


def _advice(table: Table, rows: list[int]) -> tuple[str, ...]:
    """The initializer that suits the activation of each layer, one line per initializer."""
    layers: dict[str, dict[str, None]] = {}
    for row in rows:
        start = INITIALIZERS.get(table.rows[row].activation, DEFAULT)
        layers.setdefault(start, {})[table.rows[row].layer] = None
    return tuple(
        f"Initialize {listed(list(names))} with {start}, biases at zero."
        for start, names in layers.items()
    )


def _equal(table: Table, constant: list[int], mean: Values) -> str:
    names = [table.rows[row].layer for row in constant]
    where = ", ".join(names[:3])
    if len(names) > 3:
        where += f" and {counted(len(names) - 3, 'more layer')}"
    values = sorted({rounded(float(mean[row])) for row in constant if np.isfinite(mean[row])})
    at = "at one value"
    if values == [0.0]:
        at = "at zero"
    elif len(values) == 1:
        at = f"at the same value ({number(values[0], 6)})"
    elif values:
        at = f"at one value per layer ({number(values[0], 6)} to {number(values[-1], 6)})"
    return (
        f"All weights in {where} start {at}, so their units are copies of each other and stay so."
    )


def _zero_last_layer_text(table: Table, constant: list[int], std: Values, mean: Values) -> str:
    """Why the last layer is not blamed although it starts at zero as well; "" if it does not."""
    last = table.rows_of("kernel")[-1]
    if last in constant or not (std[last] <= 0 and mean[last] == 0):
        return ""
    name = table.rows[last].layer
    if table.has("gradient_zero_fraction") and (
        float(table.column("gradient_zero_fraction", "low")[0, last]) >= 1
    ):
        return (
            f" {name} starts at zero too. That is harmless in a last layer, but the layer gets no "
            "gradient while the layers before it output zeros."
        )
    return f" {name} starts at zero too, which is harmless in a last layer."


def _overconfident(history: RunHistory) -> Match | None:
    """A classifier whose first loss is twice ln C or more.

    An untrained classifier has a loss of ln C. One that starts at twice that is confident and
    wrong, so its outputs start too large.
    """
    trajectory, outputs = loss_trajectory(history), columns_of(history, "prediction")
    inputs, model = history.table("inputs"), configuration(history)
    if trajectory is None or outputs is None or inputs is None or int(trajectory.steps[0]) != 0:
        return None
    if model.loss not in CROSS_ENTROPIES or outputs.count > MANY_CLASSES:
        return None
    if model.output is None or model.output.activation not in ("softmax", "sigmoid"):
        return None  # the loss is not that of probabilities
    scales = np.hypot(*feature_scales(inputs, inputs.rows_of("input")))
    # With large inputs, any weights give large outputs: see unnormalized-input.
    if not len(scales) or not float(scales.max()) < LARGE_INPUT:
        return None
    if target_kind(history) == "numbers":
        return None
    even = math.log(max(2, outputs.count))
    times = float(trajectory.level[0]) / even
    if any(layer.rate is not None and layer.rate >= 0.5 for layer in model.layers):
        return None  # dropout scales up the remaining outputs
    if not times >= OVERCONFIDENT or any(layer.penalty for layer in model.layers):
        return None
    benign = learns(history)
    return Match(
        "info" if benign else "warning", 0.35 if benign else 0.5,
        f"The first loss is {number(trajectory.level[0])}, {number(times, 2)} times that of an "
        "untrained "
        f"model ({number(even)}): the outputs start large and wrong.",
        0, history.last_step, (model.output.name,),
        (Evidence("first_loss_over_uniform", times, OVERCONFIDENT, 0, side="at least"),),
        title="Outputs start too large",
        shows=("activation_std",),
    )


def _not_selfnormalizing(history: RunHistory) -> Match | None:
    """SELU keeps mean 0 and variance 1 only with LeCun's normal initializer."""
    found = [
        layer for layer in configuration(history).layers
        if layer.activation == "selu" and layer.initializer not in ("", "LecunNormal")
    ]
    if not found or learns(history):
        return None
    names = tuple(layer.name for layer in found)
    return Match(
        "info", 0.4,
        f"{', '.join(names[:4])} {'use' if len(names) > 1 else 'uses'} selu with "
        f"{found[0].initializer}, but selu keeps the scale only with lecun_normal.",
        0, max(0, history.last_step), names,
        (Evidence("layer_count", float(len(names)), 0.0,
                  detail="layers with selu and another initializer"),),
        (f"Give {', '.join(names[:4])} kernel_initializer='lecun_normal'.",),
        title="SELU without lecun_normal",
    )


def _times(ratio: float) -> str:
    return f"{number(ratio)} times" if ratio > 1 else f"1/{number(1 / ratio)} of"


RULE = Rule(
    id="poor-initialization",
    kind="cause",
    title="The weights are badly initialized",
    needs=("variable_std", "variable_mean"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "std_over_glorot", high=FACTOR, detail="(or below its inverse)",
            source="The variance of a layer is then wrong by a factor of a hundred.",
        ),
        Threshold(
            "small_preactivation_rms", low=1 / FACTOR, detail="(of a layer with small weights)",
            source=(
                "On large inputs, small weights give pre-activations of the usual size and do no "
                "harm."
            ),
        ),
        Threshold(
            "std_over_glorot", high=SATURATING, detail="(of a layer that starts saturated)",
            source=(
                "Pre-activations then have a standard deviation of about 3, and the slope of a "
                "tanh has fallen to a hundredth at 3 (Glorot & Bengio 2010)."
            ),
        ),
        Threshold(
            "activation_saturated_fraction", high=HALF, detail="in the first record",
            source="Half of the units then pass on hardly any gradient from the beginning.",
        ),
        Threshold(
            "first_loss_over_uniform", high=OVERCONFIDENT,
            source=(
                "Karpathy 2019: verify the loss at initialization. The limit is 100% above ln C."
            ),
        ),
        Threshold("input_size", low=LARGE_INPUT, source=(
            "Larger inputs explain large outputs by themselves (see unnormalized-input)."
        )),
        Threshold(
            "classes", low=MANY_CLASSES,
            source="Models of large vocabularies start above ln C for other reasons (rare words).",
        ),
        Threshold(
            "update_ratio", low=MOVED, detail="of the first record, if your code wrote it",
            source=(
                "After a larger update, the recorded weights no longer show the initialization."
            ),
        ),
        Threshold(
            "std_over_mean", low=EQUAL,
            source="Entries that differ by less are one constant (float32 resolves 6e-8).",
        ),
    ),
    measures=(
        Measure("input_size", "RMS of the largest feature", ("feature_rms",)),
        Measure("small_preactivation_rms", "RMS of the first pre-activations"),
        Measure("classes", "classes"),
        Measure("std_over_mean", "std over the mean", ("variable_std",)),
        Measure("first_loss_over_uniform", "first loss over ln C", ("loss",)),
        Measure("std_over_glorot", "std over that of Glorot's initializer", ("variable_std",)),
    ),
    shows=("variable_norm", "activation_std"),
    explains=("loss-not-decreasing", "vanishing-gradient", "exploding-gradient", "zero-gradient",
              "saturated-activation", "dead-relu", "constant-output", "non-finite-values",
              "loss-divergence", "learning-rate-too-high", "update-ratio-out-of-range",
              "loss-spike", "underfitting",
              "learning-rate-too-low"),
    advice=(
        "Use the default glorot_uniform, or he_normal with ReLU, and zero biases.",
        "Use lecun_normal with SELU. For embeddings and special models, follow their paper.",
    ),
    experiment="ablation: with the default initializers",
    falsified_by=("The run started from trained weights, or step 0 is not its first step.",),
    false_alarms=("Residual branches may start at zero on purpose in their last layer.",),
    references=(
        "Glorot & Bengio 2010",
        "He et al. 2015, arXiv:1502.01852",
        "Klambauer et al. 2017, arXiv:1706.02515",
    ),
)
