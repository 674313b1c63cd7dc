"""Two runs for each rule: one where it fires, and one just below its limit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import histories as draw
from histories.faults import (
    RISING,
    SLOW,
    STUCK_HIGH,
    N,
    batches,
    classes,
    clipped,
    configured,
    data,
    dead,
    deep,
    diverging,
    embedded,
    epochs,
    forgotten,
    frozen,
    growing,
    high_rate,
    imbalanced,
    labels,
    low_rate,
    nan_gradient,
    nan_input,
    normalized,
    output,
    outputs,
    penalized,
    plain_stack,
    plateau,
    predictions,
    resting,
    saturated,
    scaled,
    spiking,
    started,
    swinging,
    targets,
    unmoved,
    unvarying,
    uphill,
    with_loss,
    zeros,
)
from histories.rules import cases
from tb_convergence.core.history import RunHistory

CASES: dict[str, tuple[Callable[[], RunHistory], Callable[[], RunHistory]]] = {
    # id: (where it fires, just below)
    "learning-rate-too-high": (
        lambda: high_rate(0.3, diverging()),
        lambda: high_rate(0.05, diverging()),
    ),
    "learning-rate-too-low": (
        lambda: low_rate(2e-5, SLOW),
        lambda: low_rate(2e-3, SLOW + 0.001 * (-1.0) ** np.arange(N)),
    ),
    "unnormalized-input": (lambda: scaled(12.0), lambda: scaled(9.0)),
    "non-finite-input": (lambda: nan_input(0.01), lambda: nan_input(0.0)),
    "wrong-hidden-activation": (lambda: deep(1e-5), lambda: deep(1e-5, "relu")),
    "dead-relu": (lambda: dead(0.8, draw.flat()), lambda: dead(0.45, draw.flat())),
    "non-finite-values": (lambda: nan_gradient(70), lambda: nan_gradient(None)),
    "loss-not-decreasing": (
        lambda: with_loss(draw.flat()),
        lambda: with_loss(draw.flat() - np.linspace(0, 0.3, N)),
    ),
    "loss-divergence": (
        lambda: with_loss(diverging()),
        lambda: with_loss(np.concatenate([draw.falling(150), np.full(50, 0.3)])),
    ),
    "overfitting": (
        lambda: epochs(RISING, STUCK_HIGH),
        lambda: epochs([1.0, 0.6, 0.5, 0.5, 0.52, 0.51, 0.53, 0.55], STUCK_HIGH),
    ),
    "exploding-gradient": (lambda: growing(500.0), lambda: growing(30.0)),
    "vanishing-gradient": (lambda: deep(1e-6, "relu"), lambda: deep(1e-2, "relu")),
    "zero-gradient": (lambda: zeros(0.8), lambda: zeros(0.6)),
    "saturated-activation": (lambda: saturated(0.7), lambda: saturated(0.45)),
    "clipping-hides-learning-rate": (lambda: clipped(0.1), lambda: clipped(0.8)),
    "unscaled-target": (
        lambda: configured(targets(0, 900, mean=400.0, std=100.0), loss={"name": "mse"}),
        lambda: configured(targets(0, 900, mean=40.0, std=10.0), loss={"name": "mse"}),
    ),
    "wrong-labels": (lambda: labels(10.0), lambda: labels(9.0)),
    "unshuffled-batches": (lambda: batches(0.1), lambda: batches(0.7)),
    "wrong-output-activation": (
        lambda: output("sigmoid", 0.0, 1.3),
        lambda: output("sigmoid", 0.0, 1.0),
    ),
    "poor-initialization": (lambda: started(5.0), lambda: started(2.0)),
    "over-regularization": (lambda: penalized(0.1), lambda: penalized(0.001)),
    "too-deep-without-skip": (lambda: plain_stack(16), lambda: plain_stack(8)),
    "too-few-steps": (
        lambda: with_loss(np.linspace(2.3, 0.5, N)),
        lambda: with_loss(draw.falling()),
    ),
    "optimizer-mismatch": (lambda: uphill(0.01), lambda: uphill(0.2)),
    "batch-norm-masks-gradients": (
        lambda: normalized("BatchNormalization"),
        lambda: normalized("LayerNormalization"),
    ),
    "constant-output": (lambda: predictions(0.0), lambda: predictions(0.01)),
    "frozen-variable": (lambda: unmoved(0.0), lambda: unmoved(1e-9)),
    "nothing-trainable": (lambda: frozen(0), lambda: frozen(1)),
    "never-updated": (lambda: forgotten("hidden_0"), lambda: forgotten("hidden_1")),
    "constant-loss": (lambda: unvarying(1e-7), lambda: unvarying(1e-3)),
    "index-out-of-range": (lambda: embedded(99.0), lambda: embedded(100.0)),
    "wrong-loss": (
        lambda: data(outputs(0.4, 0.5, 0.0, 3.0), {}, **classes("binary_crossentropy")),
        lambda: data(outputs(0.4, 0.3, 0.0, 1.0), {}, **classes("binary_crossentropy")),
    ),
    "class-imbalance": (lambda: imbalanced(0.05), lambda: imbalanced(0.15)),
    "insufficient-capacity": (lambda: plateau(0.077), lambda: plateau(0.068)),
    "loss-spike": (lambda: spiking(8.0), lambda: spiking(4.0)),
    "loss-oscillation": (lambda: swinging(0.4), lambda: swinging(0.05)),
    "underfitting": (lambda: resting(0.24), lambda: resting(0.22)),
    "update-ratio-out-of-range": (
        lambda: low_rate(0.15, draw.flat()),
        lambda: low_rate(0.09, draw.flat()),
    ),
}
CASES.update({id_: (case.fires, case.silent) for id_, case in cases().items()})
