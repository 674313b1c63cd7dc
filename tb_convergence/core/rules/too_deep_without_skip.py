"""A deep plain stack of layers whose gradients shrink or grow from layer to layer."""

from __future__ import annotations

from typing import Final

from tb_convergence.core.diagnosis.configuration import (
    MERGING,
    NORMALIZING,
    Configuration,
    Layer,
    configuration,
)
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure

DEEP: Final = 12
ATTENTION_PARTS: Final = ("query", "key", "value", "attention_output")
"""Dense layers inside Keras' attention layers, where a path leads through two of them."""
WITHIN_ATTENTION: Final = frozenset({"EinsumDense", "Softmax", "Dropout"})


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    table, model = history.table("variables"), configuration(history)
    if table is None or not model.layers:
        return None
    sign = signs.get("vanishing-gradient") or signs.get("exploding-gradient")
    stuck = signs.get("loss-not-decreasing")
    attention = _attention(model)
    beside = {f"{name}/{part}" for name in attention for part in ("query", "key")}
    kernels = [row for row in table.rows_of("kernel") if table.rows[row].layer not in beside]
    kinds = {layer.kind for layer in model.layers}
    if len(kernels) < DEEP or kinds & (MERGING | NORMALIZING):
        return None
    # Unknown layers may contain connections that the configuration does not show.
    if any(layer.inputs is None and not _within(layer, attention) for layer in model.layers):
        return None
    evidence = Evidence("layers_in_a_row", float(len(kernels)), float(DEEP), side="at least")
    text = f"{len(kernels)} layers follow each other without skip connections or normalization"
    if sign is None:
        if learns(history) or loss_trajectory(history) is None:
            return None
        # Depth alone is only suspicious. With a constant loss, check it first.
        return Match(
            "warning" if stuck else "info", 0.65 if stuck else 0.45,
            f"{text}. The run {'learns nothing' if stuck else 'learns little'}.",
            0, history.last_step, (), (evidence,),
        )
    return Match(
        "info" if sign.severity == "info" else "warning",
        0.7,
        f"{text}.",
        0, sign.last_step, sign.layers,  # the stack is there from the beginning
        (evidence, *sign.evidence),
    )


def _attention(model: Configuration) -> set[str]:
    """Names of Keras' attention layers, which the model lists by parts; none has a skip inside."""
    parts: dict[str, set[str]] = {}
    for layer in model.layers:
        name, _, part = layer.name.rpartition("/")
        if name and layer.kind == "EinsumDense":
            parts.setdefault(name, set()).add(part)
    return {name for name, found in parts.items() if found == set(ATTENTION_PARTS)}


def _within(layer: Layer, attention: set[str]) -> bool:
    """Whether `layer` is part of one of `attention`. The softmax inside has a name of its own."""
    if not attention or layer.kind not in WITHIN_ATTENTION:
        return False
    return not layer.parameters or layer.name.rpartition("/")[0] in attention


RULE = Rule(
    id="too-deep-without-skip",
    kind="cause",
    title="Too deep without skip connections",
    needs=("gradient_mean_abs", "config"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "layers_in_a_row", high=DEEP,
            source=(
                "Plain stacks of more than about 20 layers degrade (He et al. 2016). Shrinking by "
                "a third per layer leaves a hundredth after twelve layers."
            ),
        ),
    ),
    measures=(
        Measure("layers_in_a_row", "layers in a row"),
    ),
    shows=("gradient_mean_abs", "gradient_norm"),
    explains=("vanishing-gradient", "exploding-gradient", "loss-not-decreasing", "zero-gradient",
              "dead-relu", "learning-rate-too-low", "update-ratio-out-of-range", "underfitting",
              "constant-output"),
    advice=(
        "Add skip connections (x + block(x)) around every two or three layers, with normalization "
        "layers between them. Or use fewer layers.",
    ),
    experiment="ablation: half the depth",
    falsified_by=("A stack of half the depth trains no better.",),
    references=("He et al. 2016, arXiv:1512.03385", "Glorot & Bengio 2010"),
)
