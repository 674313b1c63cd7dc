"""The ids a label may have: the causes and cautions of the catalogue, which are a contract."""

from __future__ import annotations

from typing import Final

CAUSES: Final = (
    "learning-rate-too-high",
    "learning-rate-too-low",
    "clipping-hides-learning-rate",
    "unnormalized-input",
    "non-finite-input",
    "unscaled-target",
    "wrong-labels",
    "class-imbalance",
    "unshuffled-batches",
    "wrong-output-activation",
    "wrong-loss",
    "wrong-hidden-activation",
    "dead-relu",
    "poor-initialization",
    "over-regularization",
    "batch-norm-statistics",
    "batch-norm-masks-gradients",
    "too-deep-without-skip",
    "insufficient-capacity",
    "too-few-steps",
    "optimizer-mismatch",
    "nothing-trainable",
    "never-updated",
    "constant-loss",
)

NOT_TRAINED: Final = {
    "index-out-of-range": "TensorFlow raises on a CPU; what an accelerator makes of it differs",
}
"""Causes that no program of the zoo can have, and why."""
