"""Batch normalization keeps the outputs in range while the gradients beneath it are corrupt."""

from __future__ import annotations

from typing import Final

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.history import RunHistory

CORRUPT: Final = ("vanishing-gradient", "exploding-gradient", "zero-gradient")


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    layers = [
        layer.name for layer in configuration(history).layers if layer.kind == "BatchNormalization"
    ]
    found = [signs[name] for name in CORRUPT if name in signs and signs[name].severity != "info"]
    if not layers or not found:
        return None
    sign = min(found, key=lambda match: match.first_step)
    return Match(
        "info", 0.5,
        f"{len(layers)} batch normalization layers hold the outputs in range, so that the corrupt "
        "gradients do not show in them.",
        sign.first_step, sign.last_step, tuple(layers),
        (Evidence("batch normalization layers", float(len(layers))), *sign.evidence[:3]),
    )


RULE = Rule(
    id="batch-norm-masks-gradients",
    kind="caution",
    title="Batch normalization hides what the gradients show",
    needs=("gradient_norm", "config"),
    evaluate=_evaluate,
    advice=("Repeat the gradient check with the batch normalization layers removed.",),
    disproof=("The same gradients are corrupt without batch normalization, and no better.",),
    references=("Wang 2020, When the Loss Won't Converge", "Ioffe & Szegedy 2015"),
)
