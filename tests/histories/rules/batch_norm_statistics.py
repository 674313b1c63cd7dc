"""Runs for `batch-norm-statistics`."""

from __future__ import annotations

import histories as draw
from histories.faults import configured, dense, model, with_loss
from tb_convergence.core.history import RunHistory

SCENE = "The normalization layer is called with training=False while the model is trained."


def fires() -> RunHistory:
    """The layer is fed, and its statistics are as new."""
    return _run("initial")


def silent() -> RunHistory:
    """The same layer moves them."""
    return _run("moved")


def _run(statistics: str) -> RunHistory:
    norm = {
        "name": "norm", "class": "BatchNormalization", "inputs": ["hidden"],
        "output_shape": [None, 8], "trainable": True, "moving_statistics": statistics,
    }
    layers = model(dense("hidden", "x"), norm, dense("out", "norm"))
    return configured(with_loss(draw.flat()), model=layers, batch_size=32)
