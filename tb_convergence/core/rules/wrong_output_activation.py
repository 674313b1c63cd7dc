"""The output layer cannot produce what the loss asks of it.

Four forms: targets outside the range of the output's activation; a softmax over a single unit,
which is always 1; an activation that squashes what the loss squashes again (or that nobody
squashes); and ReLU in front of a softmax, which throws half of the logits away.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    SPARSE_LOSSES,
    Configuration,
    Layer,
    configuration,
)
from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory

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
MARGIN: Final = 0.05
"""Part of the targets' own range by which they may leave the activation's: rounding."""


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    model = configuration(history)
    output = model.output
    if output is None:
        return None
    return (
        _single_softmax(history, output)
        or _twice(history, model, output)
        or _cut_logits(history, model, output)
        or _out_of_reach(history, model, output)
    )


def _match(
    history: RunHistory,
    output: Layer,
    confidence: float,
    text: str,
    advice: str,
    evidence: tuple[Evidence, ...] = (),
    severity: Severity = "critical",
) -> Match:
    return Match(
        severity, confidence, text, 0, max(0, history.last_step), (output.name,), evidence,
        (advice,),
    )


def _single_softmax(history: RunHistory, output: Layer) -> Match | None:
    if output.activation != "softmax" or output.units != 1:
        return None
    return _match(
        history, output, 0.97,
        f"{output.name} is a softmax over one unit: its output is always 1, whatever the input.",
        "Use activation='sigmoid' with binary_crossentropy for two classes, or no activation for a "
        "number.",
        (Evidence("units of the softmax", 1.0, 2.0, None, output.name),),
    )


def _twice(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    squashing = output.activation in ("softmax", "sigmoid")
    if model.from_logits and squashing:
        return _match(
            history, output, 0.9,
            f"{output.name} applies {output.activation}, and the loss (from_logits=True) applies "
            "it again.",
            f"Remove the activation of {output.name}, or set from_logits=False.",
            severity="warning",
        )
    logits = model.loss in CROSS_ENTROPIES and output.activation == "linear"
    if logits and output.kind == "Dense" and not model.from_logits:
        return _match(
            history, output, 0.9,
            f"{output.name} has no activation, and {model.loss} expects probabilities.",
            f"Pass from_logits=True to the loss, or give {output.name} "
            f"{'sigmoid' if model.loss.startswith('binary') else 'softmax'}.",
        )
    return None


def _cut_logits(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    before = model.before(output)
    bare = output.kind in ("Softmax", "Activation") and output.activation in ("softmax", "sigmoid")
    if not bare or before is None or before.activation not in ("relu", "relu6"):
        return None
    return _match(
        history, before, 0.85,
        f"{before.name} applies {before.activation} to the logits of the {output.activation}: "
        "negative evidence is thrown away, and units that fall below zero get no gradient.",
        f"Remove the activation of {before.name}.",
    )


def _out_of_reach(history: RunHistory, model: Configuration, output: Layer) -> Match | None:
    table = history.table("inputs")
    reach = RANGES.get(output.activation)
    if table is None or reach is None or model.loss in SPARSE_LOSSES:
        return None
    rows = table.rows_of("target")
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
    return _match(
        history, output, 0.9,
        f"{output.name} ({output.activation}) can give values from {reach[0]:g} to {reach[1]:g}; "
        f"the targets go from {low:.4g} to {high:.4g}.",
        f"Remove the activation of {output.name} (a number needs none), or scale the targets into "
        "its range.",
        (Evidence("smallest target" if beyond else "largest target", low if beyond else high,
                  reach[0] if beyond else reach[1], None, output.name),),
    )


def _edge(values: np.ndarray, choose: np.ufunc) -> float | None:
    finite = values[np.isfinite(values)]
    return float(choose.reduce(finite)) if len(finite) else None


RULE = Rule(
    id="wrong-output-activation",
    kind="cause",
    title="Output activation and targets do not fit",
    needs=("config",),
    evaluate=_evaluate,
    explains=("loss-not-decreasing", "zero-gradient", "constant-output", "non-finite-values",
              "saturated-activation", "loss-divergence", "dead-relu"),
    disproof=("The targets recorded are not what the loss compares the output with.",),
    references=("Schoop et al. 2021, UMLAUT, CHI", "Zhang et al. 2021, AutoTrainer, ICSE"),
)
