"""The loss of guessing: the level below which a network has learned anything."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np

from tb_convergence.experiments.loss_landscape.evaluation import Loss
from tb_convergence.experiments.loss_landscape.samples import Batches


def chance_level(
    name: str, function: Loss, batches: Batches, model: Any
) -> tuple[float | None, str]:
    """The level and how it was found; None if the loss is of no known kind.

    * cross entropy over C classes: ln C, as in the paper's discussion of basins;
    * binary cross entropy: ln 2;
    * squared and absolute errors: that of the best constant prediction.
    """
    kind = "".join(part.capitalize() for part in name.split("_"))
    if type(function).__name__ not in ("function", "type"):
        kind = type(function).__name__
    targets = keras.tree.flatten(batches.y)
    if kind.endswith("CategoricalCrossentropy") or kind == "Sparsecategoricalcrossentropy":
        outputs = keras.tree.flatten(model.output_shape) if _has_shape(model) else []
        classes = outputs[-1] if outputs and isinstance(outputs[-1], int) else (
            int(np.max(targets[0])) + 1 if kind.startswith("Sparse") else targets[0].shape[-1]
        )
        if classes < 2:
            return None, "only one class"
        return math.log(classes), f"ln {classes}, a constant prediction"
    if kind == "BinaryCrossentropy":
        return math.log(2), "ln 2, a constant prediction"
    if kind in ("MeanSquaredError", "Mse", "MSE") and len(targets) == 1:
        flat = targets[0].reshape(batches.count, -1).astype(np.float64)
        return float(flat.var(axis=0).mean()), "variance of the targets, a constant prediction"
    if kind in ("MeanAbsoluteError", "Mae", "MAE") and len(targets) == 1:
        flat = targets[0].reshape(batches.count, -1).astype(np.float64)
        away = np.abs(flat - np.median(flat, axis=0)).mean()
        return float(away), "mean distance from the median, a constant prediction"
    return None, "the loss of a constant prediction is unknown for this loss; pass level="


def _has_shape(model: Any) -> bool:
    try:
        return model.output_shape is not None
    except (AttributeError, ValueError):
        return False
