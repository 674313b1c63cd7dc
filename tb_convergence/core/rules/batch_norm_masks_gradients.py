"""Activations look healthy behind batch normalization although the gradients below it are bad."""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.table_columns import median_over_time
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number
from tb_convergence.core.text.phrases import counted

MASKED: Final = 1e-2
CORRUPT: Final = ("vanishing-gradient", "exploding-gradient", "zero-gradient")


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    layers = [
        layer.name for layer in configuration(history).layers if layer.kind == "BatchNormalization"
    ]
    found = [signs[name] for name in CORRUPT if name in signs and signs[name].severity != "info"]
    if not layers:
        return None
    if not found:
        return _masked_below(history, layers)
    sign = min(found, key=lambda match: match.first_step)
    return Match(
        "info", 0.5,
        f"Batch normalization keeps the activations in range ({counted(len(layers), 'layer')}), so "
        "they do not reveal the bad gradients.",
        sign.first_step, sign.last_step, tuple(layers),
        (Evidence("batch_norm_layers", float(len(layers))), *sign.evidence[:3]),
    )


def _masked_below(history: RunHistory, layers: list[str]) -> Match | None:
    """Kernels before the first normalization layer get a hundredth of the gradient of those after
    it.
    """
    table = history.table("variables")
    if table is None or not table.has("gradient_mean_abs") or learns(history):
        return None
    order = [layer.name for layer in configuration(history).layers]
    at = order.index(layers[0])
    kernels = [row for row in table.rows_of("kernel") if table.rows[row].layer in order]
    before = [row for row in kernels if order.index(table.rows[row].layer) < at]
    after = [row for row in kernels if order.index(table.rows[row].layer) > at]
    if len(before) < 2 or not after or len(table.steps) < 5:
        return None
    means = median_over_time(table.column("gradient_mean_abs")[:, [*before, *after]])
    if not np.isfinite(means).all() or float(np.min(means[len(before):])) <= 0:
        return None
    ratio = float(np.max(means[: len(before)]) / np.min(means[len(before):]))
    if ratio >= MASKED:
        return None
    return Match(
        "info", 0.5,
        f"{layers[0]} keeps its output in range, which hides how little gradient reaches the "
        f"{len(before)} layers before it: {number(ratio, 2)} of the gradient after it.",
        int(table.steps[0]), int(table.steps[-1]), tuple(layers),
        (Evidence("gradient_ratio_across_batch_norm", ratio, MASKED),),
    )


RULE = Rule(
    id="batch-norm-masks-gradients",
    kind="caution",
    title="Batch normalization hides bad gradients",
    needs=("gradient_norm", "config"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "gradient_ratio_across_batch_norm", low=MASKED,
            source="Healthy stacks stay within a factor of ten (Glorot & Bengio 2010).",
        ),
    ),
    measures=(
        Measure("batch_norm_layers", "batch normalization layers"),
        Measure(
            "gradient_ratio_across_batch_norm",
            "largest mean |g| before batch normalization over smallest after it",
            ("gradient_mean_abs",),
        ),
    ),
    shows=("gradient_norm",),
    advice=("Remove the batch normalization layers and check the gradients again.",),
    experiment="ablation: without batch normalization",
    falsified_by=("The gradients are just as bad without batch normalization.",),
    references=("Wang 2020, When the Loss Won't Converge", "Ioffe & Szegedy 2015"),
)
