"""Examples of causes and cautions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tb_convergence.core.history import RunHistory
from worked_examples.drawing import (
    LAYERS,
    STEPS,
    Example,
    activations,
    altered,
    data,
    dense,
    learning,
    network,
    ramp,
    run,
    spaced,
    stack,
    standing,
    variables,
    wobble,
)

AT = np.arange(STEPS)


def _rate_too_high() -> RunHistory:
    ratio = ramp(0.03, 0.45, 20, 70)[:, None] * wobble(4, 0.1, 3) * np.array([1.0, 0.8, 0.4])
    loss = learning(2.3, 1.4) * ramp(1.0, 60.0, 42, 119)
    return run(loss, variables(update_ratio=ratio), rate=0.5,
               config={"optimizer": {"class": "SGD", "learning_rate": 0.5}})


def _rate_too_low() -> RunHistory:
    loss = np.linspace(2.31, 2.295, STEPS) * wobble(5, 0.001)
    return run(loss, variables(update_ratio=4e-6 * wobble(4, 0.2, 3)), rate=1e-6,
               config={"optimizer": {"class": "Adam", "learning_rate": 1e-6}})


def _clipped() -> RunHistory:
    norm = ramp(1.4, 0.7, 0, 119) * wobble(6, 0.25)
    return run(learning(2.3, 1.9), rate=0.1, gradient_global_norm=norm,
               config={"optimizer": {"class": "SGD", "learning_rate": 0.1,
                                     "global_clipnorm": 0.1}})


def _unnormalized() -> RunHistory:
    table = data(age=("input", 38.6 + wobble(11), 13.6), education=("input", 10.1, 2.6),
                 capital_gain=("input", 1078.0 * wobble(12, 0.3), 7385.0),
                 hours=("input", 40.4, 12.3))
    return run(standing(0.7), table)


def _nan_in_data() -> RunHistory:
    table = data(age=("input", 0.0, 1.0), income=("input", 0.0, 1.0))
    holes = np.where(np.isin(AT, (40, 71, 72, 98)), 2 / 64, 0.0)
    loss = learning()
    loss[40:] = np.nan
    return run(loss, altered(table, 1, feature_nan_fraction=holes))


def _unscaled_target() -> RunHistory:
    table = data(rooms=("input", 0.0, 1.0), distance=("input", 0.0, 1.0),
                 price=("target", 206_000.0 * wobble(13, 0.03), 115_000.0))
    loss = 5.6e10 * wobble(14, 0.02)
    return run(loss, table, config=network(
        dense("hidden", "x"), dense("out", "hidden", "linear", 1), loss={"name": "mse"}))


def _sorted_batches() -> RunHistory:
    label = (AT // 12 % 2).astype(float)
    mixed = AT % 12 == 11
    table = data(a=("input", 0.0, 1.0),
                 label=("target", np.where(mixed, 0.5, label), np.where(mixed, 0.5, 0.05)))
    loss = np.where(AT % 12 < 2, 1.1, 0.45) * wobble(15, 0.1)
    return run(loss, table, config={"batch_size": 32})


def _sigmoid_for_a_number() -> RunHistory:
    table = data(a=("input", 0.0, 1.0), price=("target", 6.2 + 0.3 * np.log(wobble(16)), 2.4))
    return run(standing(31.0), table, config=network(
        dense("hidden", "x"), dense("out", "hidden", "sigmoid", 1), loss={"name": "mse"}))


SIGMOIDS = tuple(f"dense_{i}" for i in range(1, 8))


def _sigmoids() -> RunHistory:
    means = 0.01 * np.geomspace(1e-5, 1, len(SIGMOIDS)) * wobble(17, 0.2, len(SIGMOIDS))
    table = variables(SIGMOIDS, "sigmoid", gradient_mean_abs=means, gradient_norm=60 * means)
    return run(standing(), table, activations(SIGMOIDS, "sigmoid"))


def _dead_units() -> RunHistory:
    dead = np.stack([ramp(0.1, 0.3, 20, 60), ramp(0.15, 0.97, 15, 60), np.full(STEPS, np.nan)], 1)
    return run(standing(), activations(activation_dead_fraction=dead))


def _large_weights() -> RunHistory:
    table = variables(variable_std=np.array([3.1, 0.125, 0.125]))
    return run(standing(140.0), table)


def _penalty() -> RunHistory:
    layers = [{**layer, "kernel_regularizer": {"class": "L2", "config": {"l2": 0.05}}}
              for layer in stack(LAYERS)]
    norm = np.tile(ramp(9.0, 5.5, 0, 90)[:, None], (1, 3))
    loss = 2.3 * wobble(18, 0.02) + 3 * 0.05 * norm[:, 0] ** 2
    return run(loss, variables(variable_norm=norm), config=network(*layers))


DEEP = tuple(f"dense_{i:02d}" for i in range(1, 21))


def _deep() -> RunHistory:
    means = 0.01 * np.geomspace(2e-5, 1, len(DEEP)) * wobble(19, 0.3, len(DEEP))
    table = variables(DEEP, gradient_mean_abs=means, gradient_norm=60 * means)
    return run(standing(), table, activations(DEEP), config=network(*stack(DEEP)))


def _stopped_early() -> RunHistory:
    return run(np.linspace(2.3, 0.7, STEPS) * wobble(20, 0.03))


def _uphill() -> RunHistory:
    loss = 0.7 * np.exp(np.linspace(0, 3, STEPS)) * wobble(21, 0.03)
    return run(loss, variables(update_ratio=4e-3 * wobble(22, 0.2, 3)),
               config={"optimizer": {"class": "SGD", "learning_rate": 0.01}})


def _words_beyond() -> RunHistory:
    table = altered(data(words=("input", 1900.0, 1400.0)), 0, feature_min=0.0,
                    feature_max=np.floor(9_990 + 9 * wobble(31, 0.3)))
    layer = {"name": "embedding", "class": "Embedding", "input_dim": 5_000, "inputs": ["input"]}
    return run(learning(0.7, 0.55), table, config=network(layer))


def _labels_from_one() -> RunHistory:
    table = data(pixel=("input", 0.0, 1.0), label=("target", 5.5, 2.9))
    largest = np.where(np.random.default_rng(23).random(STEPS) < 0.9, 10.0, 9.0)
    table = altered(table, 1, feature_max=largest, feature_min=1.0)
    return run(standing(), table, config=network(
        dense("hidden", "x"), dense("out", "hidden", "softmax", 10),
        loss={"name": "sparse_categorical_crossentropy"}))


def _two_classes(loss: str, activation: str = "sigmoid") -> dict[str, object]:
    layers = (dense("hidden", "x"), dense("out", "hidden", activation, 1))
    return {**network(*layers, loss={"name": loss}), "batch_size": 64}


def _rare_class() -> RunHistory:
    share = np.full(STEPS, 0.03)
    spread = np.sqrt(share * (1 - share))
    table = data(amount=("input", 0.0, 1.0), fraud=("target", share, spread),
                 output=("prediction", 0.03, 0.001))
    edges = {"feature_min": 0.0, "feature_max": 1.0}
    entropy = -(0.03 * np.log(0.03) + 0.97 * np.log(0.97))
    loss = entropy * (1 + 3 * np.exp(-np.arange(STEPS) / 6)) * wobble(25, 0.01)
    return run(loss, altered(altered(table, 1, **edges), 2, feature_min=0.028, feature_max=0.032),
               config=_two_classes("binary_crossentropy"))


def _minus_one() -> RunHistory:
    table = altered(data(a=("input", 0.0, 1.0), label=("target", 0.0, 1.0)), 1,
                    feature_min=-1.0, feature_max=1.0)
    loss = 0.7 - 12 * np.linspace(0, 1, STEPS) ** 2 + 0.1 * np.log(wobble(26))
    return run(loss, table, config=_two_classes("binary_crossentropy"))


def _plateau() -> RunHistory:
    table = altered(data(a=("input", 0.0, 1.0), price=("target", 0.0, 1.0)), 1,
                    feature_min=-2.5, feature_max=3.1)
    loss = 0.85 + 0.6 * np.exp(-np.arange(STEPS) / 8)
    return spaced(run(loss * wobble(27, 0.01), table, config=_two_classes("mse", "linear")), 4)


def _all_frozen() -> RunHistory:
    layers = tuple(
        {**layer, "trainable": False, "parameters": 4160, "trainable_parameters": 0}
        for layer in stack(LAYERS)
    )
    whole = run(standing(0.693), config=network(*layers))
    return replace(whole, tables={"run": whole.tables["run"]})


def _half_trained() -> RunHistory:
    layers = tuple(
        {**layer, "trainable": True, "parameters": count, "trainable_parameters": count}
        for layer, count in zip(stack(("encoder", "code", "decoder", "image")),
                                (4160, 195, 256, 4225), strict=True)
    )
    trained = variables(("decoder", "image"))
    return run(learning(0.18, 0.06), trained, config=network(*layers))


def _clipped_loss() -> RunHistory:
    table = data(a=("input", 0.1 * np.log(wobble(28)), 1.0), label=("target", 0.5, 0.5))
    return run(np.ones(STEPS), table)


def _batch_norm() -> RunHistory:
    zero = np.stack([np.full(STEPS, 0.3), 0.82 * wobble(24, 0.02), np.full(STEPS, 0.1)], 1)
    layers = (dense("dense", "x"), {"name": "norm", "class": "BatchNormalization",
                                    "inputs": ["dense"]}, dense("dense_1", "norm"),
              dense("dense_2", "dense_1"))
    return run(standing(), variables(gradient_zero_fraction=zero), config=network(*layers))


CAUSES: dict[str, Example] = {
    "learning-rate-too-high": Example(
        "A small classifier, trained with SGD at a rate of 0.5.", _rate_too_high),
    "learning-rate-too-low": Example(
        "The same classifier with Adam at 1e-6, where 1e-3 was meant.", _rate_too_low),
    "clipping-hides-learning-rate": Example(
        "SGD at 0.1 seemed stable, but only with `global_clipnorm=0.1`.", _clipped),
    "unnormalized-input": Example(
        "Raw census data: years, hours and dollars side by side.", _unnormalized),
    "non-finite-input": Example(
        "A column with missing values that were read as NaN.", _nan_in_data),
    "index-out-of-range": Example(
        "A vocabulary of 10,000 words, and an embedding with rows for 5,000.", _words_beyond),
    "nothing-trainable": Example(
        "A discriminator that was frozen inside a GAN, then trained by itself.", _all_frozen),
    "never-updated": Example(
        "A train step that applies gradients to the decoder's variables only.", _half_trained),
    "constant-loss": Example(
        "A loss clipped at 1, below its initial value.", _clipped_loss),
    "unscaled-target": Example(
        "House prices in dollars, predicted with a squared error.", _unscaled_target),
    "unshuffled-batches": Example(
        "A file sorted by class, read in order.", _sorted_batches),
    "wrong-output-activation": Example(
        "A price in thousands, predicted by a sigmoid.", _sigmoid_for_a_number),
    "wrong-hidden-activation": Example(
        "Seven dense layers with a sigmoid each.", _sigmoids),
    "dead-relu": Example(
        "Large steps at the start pushed the units of the second layer below zero for good.",
        _dead_units),
    "poor-initialization": Example(
        "A first layer drawn from `RandomNormal(stddev=3)`.", _large_weights),
    "over-regularization": Example(
        "`L2(0.05)` on every kernel: the loss falls, but only because the penalty falls.",
        _penalty),
    "too-deep-without-skip": Example(
        "Twenty dense ReLU layers in a row.", _deep),
    "too-few-steps": Example(
        "A run of 120 steps that ended while the loss was falling fast.", _stopped_early),
    "optimizer-mismatch": Example(
        "A custom training step that flips the sign of the gradient.", _uphill),
    "wrong-labels": Example(
        "Ten classes whose labels run from 1 to 10.", _labels_from_one),
    "class-imbalance": Example(
        "Three of a hundred payments are fraud, and the model predicts 3% for all of them.",
        _rare_class),
    "wrong-loss": Example(
        "A binary cross-entropy with two classes encoded as -1 and 1.", _minus_one),
    "insufficient-capacity": Example(
        "A small regression whose loss plateaus at 85% of the variance of the targets, with "
        "everything else healthy.", _plateau),
    "batch-norm-masks-gradients": Example(
        "A network with batch normalization, in which most gradients of a layer are zero.",
        _batch_norm),
}
