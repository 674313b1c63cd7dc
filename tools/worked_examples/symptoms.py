"""Examples of symptoms: what is observed, whatever the cause."""

from __future__ import annotations

import histories as draw
import numpy as np

from tb_convergence.core.history import RunHistory
from worked_examples.drawing import (
    STEPS,
    Example,
    activations,
    data,
    learning,
    ramp,
    run,
    standing,
    variables,
    wobble,
)

AT = np.arange(STEPS)


def _nan_gradient() -> RunHistory:
    fraction = np.zeros((STEPS, 3))
    fraction[70:, 1] = 0.25
    fraction[71:] = 1.0
    loss = learning()
    loss[71:] = np.nan
    return run(loss, variables(gradient_nan_fraction=fraction))


def _diverging() -> RunHistory:
    return run(learning(2.3, 0.8) * ramp(1.0, 9.0, 60, 110))


def _overfitted() -> RunHistory:
    epochs = np.arange(1, 13) * 10
    part = np.linspace(0, 1, 12)
    return RunHistory(
        "example",
        scalars={
            "epoch_loss": draw.series("epoch_loss", 1.1 * np.exp(-3.2 * part), epochs, "step"),
            "validation_loss": draw.series(
                "validation_loss", 0.55 + 0.6 * np.exp(-6 * part) + 0.5 * part**2, epochs, "step"),
        },
    )


def _by_epoch(training: np.ndarray, validation: np.ndarray | None = None) -> RunHistory:
    """What Keras' own callback writes: scalars by epoch."""
    epochs = np.arange(len(training))
    scalars = {"epoch_loss": draw.series("epoch_loss", training, epochs, "epoch")}
    if validation is not None:
        scalars["validation_loss"] = draw.series("validation_loss", validation, epochs, "epoch")
    return RunHistory("example", scalars=scalars)


def _spiking() -> RunHistory:
    loss = learning(2.3, 0.6)
    loss[[52, 77, 96]] = (6.2, 7.9, 5.1)
    return run(loss)


def _oscillating() -> RunHistory:
    swing = 0.35 * (-1.0) ** np.arange(20) * wobble(34, 0.2)[:20]
    return _by_epoch(np.concatenate([[2.3, 1.9], 1.5 + swing]))


def _underfitted() -> RunHistory:
    start = np.exp(-np.arange(16) / 1.5)
    noise = 0.01 * np.random.default_rng(35).standard_normal((2, 16))
    return _by_epoch(1.72 + 0.5 * start + noise[0], 1.78 + 0.45 * start + noise[1])


def _out_of_proportion() -> RunHistory:
    ratio = np.array([0.26, 0.17, 0.05]) * wobble(36, 0.2, 3)
    return run(standing(), variables(update_ratio=ratio), rate=0.3,
               config={"optimizer": {"class": "Adam", "learning_rate": 0.3}})


def _growing_gradient() -> RunHistory:
    growth = ramp(0.5, 900.0, 25, 115)[:, None] * wobble(31, 0.15, 3) * np.array([1.0, 0.4, 0.1])
    layers = ("lstm", "lstm_1", "dense")
    return run(standing(), variables(layers, "tanh", gradient_norm=growth),
               activations(layers, "tanh"))


CONVOLUTIONS = tuple(f"conv_{i}" for i in range(1, 10))


def _shrinking_gradient() -> RunHistory:
    means = 0.008 * np.geomspace(3e-5, 1, 9) * wobble(32, 0.25, 9)
    table = variables(CONVOLUTIONS, gradient_mean_abs=means, gradient_norm=50 * means)
    return run(standing(), table, activations(CONVOLUTIONS))


def _zero_gradient() -> RunHistory:
    part = np.clip((AT - 30) / 20, 0, 1)
    zero = np.stack([np.full(STEPS, 0.3), 0.2 + 0.74 * part, 0.1 + 0.75 * part], 1)
    return run(standing(), variables(gradient_zero_fraction=zero))


def _saturated() -> RunHistory:
    part = np.clip((AT - 15) / 50, 0, 1)
    fraction = np.stack([0.1 + 0.75 * part, 0.05 + 0.3 * part, np.full(STEPS, np.nan)], 1)
    table = activations(activation="tanh", activation_saturated_fraction=fraction)
    return run(standing(), table)


def _constant() -> RunHistory:
    spread = ramp(0.2, 1e-9, 10, 60)
    table = data(a=("input", 0.0, 1.0), label=("target", 0.3, 0.45),
                 output=("prediction", 0.31, spread))
    return run(standing(0.61), table, config={"batch_size": 32})


def _frozen() -> RunHistory:
    update = 0.01 * wobble(33, 0.2, 3)
    update[:, 1] = 0.0
    return run(learning(), variables(update_norm=update))


SYMPTOMS: dict[str, Example] = {
    "non-finite-values": Example(
        "A custom layer that takes the square root of a number that becomes zero.", _nan_gradient),
    "loss-not-decreasing": Example(
        "A loss that stays where it began.", lambda: run(standing())),
    "loss-divergence": Example(
        "A loss that falls for half of the run and then explodes.", _diverging),
    "loss-spike": Example(
        "Three batches with an outlier each.", _spiking),
    "loss-oscillation": Example(
        "Two epochs of progress, then swings from side to side.", _oscillating),
    "underfitting": Example(
        "Sixteen epochs, with no progress in the last twelve.", _underfitted),
    "overfitting": Example(
        "A large model on little data, recorded by Keras' own callback: scalars only.",
        _overfitted),
    "exploding-gradient": Example(
        "A recurrent network on long sequences.", _growing_gradient),
    "vanishing-gradient": Example(
        "Nine convolutions without normalization.", _shrinking_gradient),
    "zero-gradient": Example(
        "Two layers that lose most of their gradient after step 30.", _zero_gradient),
    "saturated-activation": Example(
        "A tanh layer whose weights grow until its outputs are all 1 or -1.", _saturated),
    "constant-output": Example(
        "A classifier whose output becomes the same for every sample.", _constant),
    "update-ratio-out-of-range": Example(
        "Adam at 0.3: each step replaces a quarter of the first layer.", _out_of_proportion),
    "frozen-variable": Example(
        "A layer whose updates are lost: it gets a gradient, but its weights do not change.",
        _frozen),
}

