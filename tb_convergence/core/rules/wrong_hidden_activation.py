"""Hidden activations that do not let the gradient through, or none at all.

Two forms: a deep stack of sigmoid or tanh layers whose gradients vanish, and a stack of dense
layers without any non-linearity, which is one linear map however deep it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import median_over_time
from tb_convergence.core.history import RunHistory, Table

SQUASHING: Final = frozenset({"sigmoid", "tanh", "hard_sigmoid", "softsign", "softmax"})
AT_LEAST_LAYERS: Final = 3
"""Squashing hidden layers before their product of slopes matters: 0.25^3 is about 1/64."""


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return _squashed(history, signs) or _linear(history)


def _squashed(history: RunHistory, signs: Signs) -> Match | None:
    table = history.table("variables")
    sign = signs.get("vanishing-gradient") or signs.get("saturated-activation")
    if table is None or sign is None:
        return None
    kernels = table.rows_of("kernel")[:-1]
    rows = [row for row in kernels if table.rows[row].activation in SQUASHING]
    if len(rows) < AT_LEAST_LAYERS or len(rows) < len(kernels) / 2:
        return None
    activation = table.rows[rows[0]].activation
    first, last = table.rows[rows[0]].layer, table.rows[rows[-1]].layer
    evidence = [Evidence(f"hidden layers with {activation}", float(len(rows)), AT_LEAST_LAYERS)]
    factor = _factor_per_layer(table, rows)
    if factor is not None:
        evidence.append(Evidence("change of mean |g| per layer towards the input", factor, 0.3))
    evidence.extend(sign.evidence)
    return Match(
        severity="critical" if sign.severity == "critical" else "warning",
        confidence=min(0.95, sign.confidence + 0.05),
        summary=(
            f"{len(rows)} hidden layers from {first} to {last} use {activation}: each passes on "
            "only a fraction of the gradient, so the first layers hardly learn."
        ),
        first_step=sign.first_step,
        last_step=sign.last_step,
        layers=tuple(table.rows[row].layer for row in rows),
        evidence=tuple(evidence),
        advice=(
            f"Use activation='relu' with kernel_initializer='he_normal' in {first} ... {last}.",
            "If the activation must stay, use glorot_uniform initialization, fewer layers, skip "
            "connections or normalization layers.",
        ),
    )


def _factor_per_layer(table: Table, rows: list[int]) -> float | None:
    """Geometric mean of the ratio of mean |g| of neighbouring layers, towards the input."""
    if not table.has("gradient_mean_abs"):
        return None
    means = median_over_time(table.column("gradient_mean_abs")[:, rows])
    if len(means) < 2 or not (np.isfinite(means).all() and (means > 0).all()):
        return None
    return float((means[0] / means[-1]) ** (1 / (len(means) - 1)))


def _linear(history: RunHistory) -> Match | None:
    model = configuration(history)
    names = tuple(dict.fromkeys(_linear_layers(model)))
    dense = [layer for layer in model.layers if layer.kind == "Dense"]
    if not names or len(names) < len(dense) - 1:
        # A single linear layer can be meant (a low-rank bottleneck): then nothing is said.
        return None
    return Match(
        severity="warning",
        confidence=0.7,
        summary=(
            f"No hidden dense layer has a non-linearity ({', '.join(names[:4])}): together with "
            "the output layer they are one linear map."
        ),
        first_step=0,
        last_step=max(0, history.last_step),
        layers=names,
        evidence=(Evidence("hidden layers without a non-linearity", float(len(names)), 0.0),),
        advice=(f"Give {', '.join(names[:4])} activation='relu'.",),
    )


def _linear_layers(model: Configuration) -> list[str]:
    """Dense layers whose linear output goes straight into another dense layer."""
    pairs = ((model.source(layer), layer) for layer in model.layers if layer.kind == "Dense")
    return [
        before.name
        for before, _ in pairs
        if before is not None and before.kind == "Dense" and before.activation in ("", "linear")
    ]


RULE = Rule(
    id="wrong-hidden-activation",
    kind="cause",
    title="Wrong activation in the hidden layers",
    needs=("gradient_mean_abs|activation_saturated_fraction|config",),
    evaluate=_evaluate,
    explains=("vanishing-gradient", "saturated-activation", "loss-not-decreasing",
              "zero-gradient", "learning-rate-too-low", "constant-output"),
    advice=("Use ReLU in hidden dense and convolutional layers.",),
    disproof=("The first layers' weights move as fast as the last ones', relative to their size.",),
    false_alarms=("Gated recurrent cells use sigmoid and tanh by design and are not counted.",),
    references=(
        "Glorot & Bengio 2010",
        "Glorot, Bordes & Bengio 2011, Deep Sparse Rectifier Neural Networks",
    ),
)
