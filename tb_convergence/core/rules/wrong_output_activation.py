"""The output layer cannot produce what the loss needs.

The rule recognizes targets outside the range of the output activation, a softmax over a single unit
(whose output is always 1), a softmax for targets that do not add up to 1, and an activation that
both the layer and the loss apply, or neither of them. It also recognizes a ReLU before a softmax,
which discards half of the logits. The configuration shows such a ReLU, and so do probabilities that
are exactly equal. Without a configuration, the floor of the loss shows a softmax that is applied
twice.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    REGRESSION_LOSSES,
    SPARSE_LOSSES,
    Configuration,
    Layer,
    configuration,
)
from tb_convergence.core.diagnosis.data import (
    are_probabilities,
    baseline_loss,
    columns_of,
    target_kind,
)
from tb_convergence.core.diagnosis.end_states import ONE_OUTPUT, EndState
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.output_heads import at_any_head
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.softmax_twice import ABOVE, ACCURATE, STEEP, softmax_twice
from tb_convergence.core.diagnosis.training_progress import FALLS, LEARNS, SOLVED, learns, solved
from tb_convergence.core.history import NoStatisticError, RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, number_range

RANGES: Final = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, math.inf),
    "exponential": (0.0, math.inf),
}
NO_PROBABILITY: Final = frozenset(
    {"linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "tanh",
     "softplus", "softsign", "exponential"}
)
"""Activations whose values are not probabilities, as a cross-entropy needs them."""
CUTS: Final = frozenset({"relu", "relu6"})
COMPUTES: Final = frozenset(
    {"Dense", "Activation", "Softmax", "ReLU", "LeakyReLU", "Conv1D", "Conv2D", "Conv3D",
     "Conv1DTranspose", "Conv2DTranspose", "TimeDistributed"}
)
"""Output layers whose results nothing but their own activation changes."""
GRAVE: Final = 0.25
TIED_RECORDS: Final = 3
BESIDE: Final = 0.9
MARGIN: Final = 0.05


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    if not history.config:
        return _floor_of_two(history)
    return at_any_head(history, signs, _of_output)


def _floor_of_two(history: RunHistory) -> Match | None:
    """Two softmaxes, where only losses and accuracies were logged."""
    twice = softmax_twice(history)
    if twice is None:
        raise NoStatisticError("config", "run")  # that one fault is absent acquits nothing
    return Match(
        "warning", 0.65,
        f"The loss stays at {number(twice.loss)}, although {twice.source} is "
        f"{number(twice.accuracy, 3)}. That fits a softmax that is applied twice: over "
        f"{twice.classes} classes, the cross-entropy then cannot fall below ln(1 + "
        f"{twice.classes - 1}/e) = {number(twice.floor)}, and each wrong answer adds about 1.",
        0, max(0, history.last_step), (),
        (
            Evidence("loss_over_floor", twice.loss - twice.floor - (1 - twice.accuracy), ABOVE),
            Evidence("accuracy", twice.accuracy, ACCURATE, side="at least"),
        ),
        (
            "Give the loss the logits: remove the softmax at the end of the model (PyTorch's "
            "CrossEntropyLoss and TensorFlow's from_logits=True apply their own), or compute "
            "NLLLoss from log_softmax.",
        ),
        title="Softmax is applied twice",
    )


def _of_output(history: RunHistory, _: Signs) -> Match | None:
    model = configuration(history)
    output = model.output
    if output is None:
        return None
    return strongest(
        _single_softmax(history, output),
        _applied_twice(history, model, output),
        _cut_by_output(history, model, output),
        _cut_logits(history, model, output),
        _equal_probabilities(history, output),
        _out_of_reach(history, model, output),
        _targets_without_unit_sum(history, output),
        _not_exclusive(history, model, output),
    )


def _match(
    history: RunHistory,
    output: Layer,
    confidence: float,
    text: str,
    advice: str,
    evidence: tuple[Evidence, ...] = (),
    severity: Severity = "critical",
    title: str = "",
    ruins: bool = False,
) -> Match:
    return Match(
        severity, confidence, text, 0, max(0, history.last_step), (output.name,), evidence,
        (advice,), title, ruins,
    )


def _single_softmax(history: RunHistory, output: Layer) -> Match | None:
    if output.activation != "softmax" or output.units != 1:
        return None
    match = _match(
        history, output, 0.97,
        f"{output.name} is a softmax over one unit, so its output is always 1, whatever the input."
        + _beside_the_output(history),
        "For two classes, use activation='sigmoid' with binary_crossentropy. For a number, use no "
        "activation.",
        (Evidence("output_units", 1.0, 2.0, None, output.name, detail="softmax"),),
        title="Softmax over a single unit", ruins=True,
    )
    return replace(match, state=EndState(ONE_OUTPUT, 0))


def _beside_the_output(history: RunHistory) -> str:
    """Why the loss falls although the output is constant; "" if it does not.

    The loss of a constant output changes only with the class shares of the batches, and never falls
    below the baseline. If the recorded loss fell below that, or by more than half without a penalty
    that explains it, it was not computed from the output: with TensorFlow, Keras computes
    cross-entropies from the input of the softmax.
    """
    trajectory, least = loss_trajectory(history), baseline_loss(history)
    model = configuration(history)
    outputs = columns_of(history, "prediction")
    if trajectory is None or least is None or outputs is None or not outputs.constant:
        return ""
    penalized = any(layer.penalty > 0 for layer in model.layers)
    if trajectory.fall <= LEARNS or (penalized and not trajectory.end < BESIDE * least):
        return ""
    text = (
        f" The loss still falls from {number(trajectory.start)} to {number(trajectory.end, 2)}, "
        "which a constant output cannot cause: it is not computed from this output"
    )
    if {"keras", "tensorflow"} <= set(model.frameworks) and model.loss in CROSS_ENTROPIES:
        text += " but, as Keras does, from the values before the softmax"
    return text + ". The predictions stay 1."


def _applied_twice(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    squashing = output.activation in ("softmax", "sigmoid")
    if model.from_logits and squashing:
        return _match(
            history, output, 0.9,
            f"{output.name} applies {output.activation}, and the loss (from_logits=True) applies "
            "it again.",
            f"Remove the activation of {output.name}, or set from_logits=False.",
            severity="info" if _recoverable(output) else "warning",
            title="Output activation applied twice",
        )
    before = model.before(output)
    bare = output.kind in ("Softmax", "Activation")
    if squashing and bare and before is not None and before.activation in ("softmax", "sigmoid"):
        return _match(
            history, output, 0.9,
            f"{before.name} applies {before.activation}, and {output.name} applies "
            f"{output.activation} to the result, which leaves nearly equal values.",
            f"Remove the activation of {before.name}.",
            title="Output activation applied twice",
        )
    if model.loss in CROSS_ENTROPIES and output.activation in NO_PROBABILITY:
        if model.from_logits or output.kind not in COMPUTES:
            return None
        what = f"applies {output.activation}" if output.activation != "linear" else (
            "has no activation")
        match = _match(
            history, output, 0.9,
            f"{output.name} {what}, but {model.loss} expects probabilities.",
            f"Use {'sigmoid' if model.loss.startswith('binary') else 'softmax'} in {output.name}, "
            "or no activation and from_logits=True in the loss.",
            severity="info" if solved(history) else "critical",
            title="Cross-entropy without probabilities",
        )
        # The slope of the logarithm is 1 / p, so outputs at or below 0 make steps of any length.
        match = replace(match, explains=("learning-rate-too-high",))
        # If the targets are no probabilities either, or have one class, no activation helps.
        targets = columns_of(history, "target")
        none = targets is not None and not (targets.lowest >= -0.01 and targets.highest <= 1.01)
        alone = output.units == 1 and not model.loss.startswith("binary")
        return replace(match, caused_by=("wrong-loss",)) if none or alone else match
    return None


def _cut_by_output(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    """A ReLU before a loss that takes logits: half of the logits are out of reach."""
    if not model.from_logits or output.activation not in CUTS:
        return None
    if model.loss not in CROSS_ENTROPIES:
        return None
    return _match(
        history, output, 0.85,
        f"{output.name} applies {output.activation} to the logits that the loss takes. This "
        "discards negative evidence, and logits below zero get no gradient.",
        f"Remove the activation of {output.name}.",
        title="Output activation cuts the logits",
    )


def _recoverable(output: Layer) -> bool:
    """Whether Keras finds the logits again, as it does for an activation given by its name.

    It does not for a layer that applies another layer at each time step.
    """
    return output.kind in COMPUTES - {"TimeDistributed"}


def _cut_logits(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    before = model.before(output)
    bare = output.kind in ("Softmax", "Activation") and output.activation in ("softmax", "sigmoid")
    if not bare or before is None or before.activation not in ("relu", "relu6"):
        return None
    return _match(
        history, before, 0.85,
        f"{before.name} applies {before.activation} to the logits of the {output.activation}. This "
        "discards negative evidence, and units below zero get no gradient.",
        f"Remove the activation of {before.name}.",
        title="Output activation cuts the logits",
    )


def _out_of_reach(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    table = history.table("inputs")
    reach = RANGES.get(output.activation)
    if table is None or reach is None or model.loss in SPARSE_LOSSES:
        return None
    rows = table.rows_of("target")
    if model.loss not in REGRESSION_LOSSES | CROSS_ENTROPIES and len(rows) != output.units:
        return None  # a loss of one's own may take the target as an index
    if not rows or not (table.has("feature_min") and table.has("feature_max")):
        return None
    low = _edge(table.column("feature_min")[:, rows], np.fmin)
    high = _edge(table.column("feature_max")[:, rows], np.fmax)
    if low is None or high is None:
        return None
    slack = MARGIN * max(high - low, 1e-12)
    if low >= reach[0] - slack and high <= reach[1] + slack:
        return None
    beyond = low < reach[0] - slack
    out = max(reach[0] - low, high - reach[1], 0.0) / max(high - low, 1e-12)
    # A few targets out of reach cost little. A quarter of their range out of reach, or a loss that
    # needs a probability, makes the fit impossible.
    severity: Severity = "critical"
    if out < GRAVE and model.loss in REGRESSION_LOSSES and learns(history):
        severity = "info"
    return _match(
        history, output, 0.9,
        f"{output.name} ({output.activation}) can output values from "
        f"{number_range(*reach) if math.isfinite(reach[1]) else f'{number(reach[0], 6)} up'}, but "
        f"the targets range from {number_range(low, high)}.",
        f"Remove the activation of {output.name} (a number needs none), or scale the targets into "
        "its range.",
        (Evidence("smallest_target" if beyond else "largest_target", low if beyond else high,
                  reach[0] if beyond else reach[1]),),
        severity,
        title="Targets outside the output's range",
    )


def _equal_probabilities(history: RunHistory, output: Layer) -> Match | None:
    """Probabilities that are equal to the last digit in every sample: their logits were cut at 0.

    The moments show it: two columns with the same mean, std and extremes in every batch. A softmax
    gives that only for equal logits, and distinct units are never equal by chance.
    """
    outputs = columns_of(history, "prediction")
    if outputs is None or outputs.count < 3 or not are_probabilities(outputs):
        return None
    if len(outputs.steps) < TIED_RECORDS or outputs.count != len(outputs.names):
        return None
    last = slice(-TIED_RECORDS, None)
    stats = np.stack([part[last] for part in (outputs.mean, outputs.std, outputs.low,
                                              outputs.high)])
    if not np.isfinite(stats).all() or not (outputs.mean[last] > 1e-6).any():
        return None
    # Columns that are always 0 are merely confident; ties must be of informative values.
    lively = (outputs.mean[last] > 1e-6).all(axis=0)
    kinds = np.unique(stats.reshape(-1, outputs.count)[:, lively], axis=1).shape[1]
    tied = int(lively.sum()) - kinds + 1
    if tied < 2 or kinds == lively.sum():
        return None
    return _match(
        history, output, 0.85,
        f"{tied} of the {outputs.count} probabilities of {output.name} are equal to the last digit "
        "in every batch. Their logits are cut off at the same value, as by a ReLU before the "
        "softmax.",
        f"Apply no activation to the logits of {output.name} before the softmax.",
        (Evidence("tied_outputs", float(tied), 2.0, None, output.name,
                  side="at least"),),
        title="Output activation cuts the logits",
    )


def _targets_without_unit_sum(history: RunHistory, output: Layer) -> Match | None:
    """Softmax outputs add up to 1, so targets that do not are out of reach."""
    if output.activation != "softmax" or (output.units or 0) < 2:
        return None
    targets = columns_of(history, "target")
    if targets is None or targets.count != output.units or not np.isfinite(targets.mean).all():
        return None
    total = float(np.mean(targets.sums))
    if abs(total - 1) < 0.05:
        return None
    several = target_kind(history) == "multi-hot"
    advice = (
        f"Use sigmoid in {output.name} with binary_crossentropy, which predicts each label "
        "independently." if several else f"For numbers, use no activation in {output.name}."
    )
    return _match(
        history, output, 0.85,
        f"The outputs of {output.name} (softmax) add up to 1 for every sample, but its targets add "
        f"up to {number(total)}.", advice,
        (Evidence("target_sum", total, 1.0, side="other than"),),
        title="Softmax, but targets do not add up to 1",
    )


def _not_exclusive(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    """Sigmoids, although each sample has exactly one class.

    Keras divides by their sum, so training works, but only that division separates the classes.
    """
    exclusive = CROSS_ENTROPIES - {"binary_crossentropy"}
    if output.activation not in ("sigmoid", "hard_sigmoid") or model.loss not in exclusive:
        return None
    if (output.units or 0) < 2:
        return None
    benign = learns(history)
    return _match(
        history, output, 0.5 if benign else 0.7,
        f"{output.name} outputs {output.units} independent probabilities (sigmoid), but "
        f"{model.loss} expects one distribution over the classes.{FALLS if benign else ''}",
        f"Use softmax in {output.name}.",
        (Evidence("output_units", float(output.units or 0), 1.0, None, output.name,
                  detail="sigmoid"),),
        "info" if benign else "warning",
        title="Sigmoids for exclusive classes",
    )


def _edge(values: np.ndarray, choose: np.ufunc) -> float | None:
    finite = values[np.isfinite(values)]
    return float(choose.reduce(finite)) if len(finite) else None


RULE = Rule(
    id="wrong-output-activation",
    kind="cause",
    title="Output activation does not fit the targets",
    needs=("config|loss|epoch_loss",),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "targets_out_of_reach", high=GRAVE,
            source="A sigmoid misses half of the range of standardized targets.",
        ),
        Threshold(
            "records", high=TIED_RECORDS, detail="with equal outputs",
            source="In a single batch, outputs may be equal for another reason.",
        ),
        Threshold(
            "loss_over_baseline", low=BESIDE, detail="(of a constant output)",
            source=(
                "A constant output cannot have a lower loss. The margin allows for the class "
                "shares of batches."
            ),
        ),
        Threshold(
            "loss_over_baseline", low=SOLVED, detail="(without probabilities: then only info)",
            source="Little is left to improve. The validation loss must be below twice that.",
        ),
        Threshold(
            "targets_out_of_reach", high=MARGIN, detail="(rounding)",
            source="A smaller part is rounding.",
        ),
        Threshold(
            "loss_over_floor", low=ABOVE,
            source="Sure answers lie at the floor. The margin allows for less certain ones.",
        ),
        Threshold(
            "loss_fall_per_accuracy", low=STEEP, detail="(with a gain of accuracy of 0.1)",
            source=(
                "With two softmaxes, the loss is less than 1 above its floor, so it falls little. "
                "With a single softmax, it falls by 2.5 or more per unit of accuracy. If it stays "
                "high all the same, another term, such as a penalty, is the reason."
            ),
        ),
        Threshold(
            "accuracy", high=ACCURATE,
            source="With a single softmax, few answers are right at such a loss.",
        ),
    ),
    measures=(
        Measure(
            "targets_out_of_reach", "part of the targets' range that is out of reach",
            ("feature_max",), "fraction",
        ),
        Measure("tied_outputs", "outputs that are always equal", kind="prediction"),
        Measure(
            "loss_over_floor", "loss above the floor of two softmaxes, less the share of wrong "
                               "answers", ("loss",),
        ),
        Measure("accuracy", "accuracy at the end", (), "fraction"),
        Measure(
            "loss_fall_per_accuracy", "fall of the validation loss over the gain of accuracy",
            ("validation_loss",),
        ),
        Measure("target_sum", "sum of a sample's targets", kind="target"),
    ),
    shows=("activation_zero_fraction", "activation_saturated_fraction", "activation_batch_std"),
    explains=("constant-loss",
              "loss-not-decreasing", "zero-gradient", "constant-output", "non-finite-values",
              "saturated-activation", "loss-divergence", "dead-relu", "underfitting",
              "learning-rate-too-low",
              "update-ratio-out-of-range"),
    falsified_by=(
        "The recorded targets are not those that the loss receives.",
        "The model returns logits, of which some are above 1 or below 0.",
    ),
    false_alarms=(
        "Labels that are smoothed so much that their entropy is the floor of two softmaxes (0.4 "
        "for ten classes).",
    ),
    references=("Schoop et al. 2021, UMLAUT, CHI", "Zhang et al. 2021, AutoTrainer, ICSE"),
)
