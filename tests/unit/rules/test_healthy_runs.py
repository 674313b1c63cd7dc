"""Healthy runs that look like a faulty one in a single respect, and must not alarm."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import (
    N,
    cause,
    classes,
    configured,
    data,
    dense,
    dropout,
    ids,
    labeled,
    model,
    outputs,
    with_loss,
    without_epochs,
)

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row

STEPS = np.arange(600)
RANDOM = np.random.default_rng(3)


def loud(history: RunHistory) -> list[str]:
    return [f.id for f in diagnose_history(history).findings if f.severity != "info"]


def validated(history: RunHistory, training: np.ndarray, validation: np.ndarray) -> RunHistory:
    """The run with an epoch of 20 steps."""
    steps = np.arange(19, N, 20)
    epoch = draw.table("epoch", (Row("epoch", "epoch", "epoch"),), {
        "epoch_loss": training[steps], "validation_loss": validation[steps],
    }, steps)
    history = replace(history, tables={**history.tables, "epoch": epoch})
    return with_loss(training, history)


@pytest.mark.parametrize("values", [
    np.where(STEPS < 30, 1 - STEPS / 30, 0.0),  # a hinge loss of separable classes
    np.maximum(0.7 * np.exp(-STEPS / 3), 1.19e-7),  # the smallest cross-entropy of Keras
])
def test_a_solved_task_is_no_explosion(values: np.ndarray) -> None:
    verdict = diagnose_history(draw.history(loss=draw.series("loss", values))).verdict
    assert "explosion" not in verdict.why


@pytest.mark.parametrize(("value", "found"), [
    (0.693, False), (0.6931, False), (12.3456, False), (0.69140625, False), (0.69314718, True),
])
def test_equal_validation_losses_of_a_program_that_rounds(value: float, found: bool) -> None:
    training = 0.69 + 0.02 * RANDOM.normal(size=600)
    validation = np.full(6, np.float32(value), np.float64)
    history = draw.history(
        loss=draw.series("loss", training),
        validation_loss=draw.series("validation_loss", validation, np.arange(99, 600, 100)),
    )
    assert ("never-updated" in ids(history)) == found


def test_a_log_of_losses_acquits_no_output_activation() -> None:
    """It shows neither the activation nor the targets."""
    steps = 40 * np.arange(15) + 39
    accuracy = draw.series("validation_metric", 0.9 - 0.8 * np.exp(-np.arange(15.0)), steps)
    history = draw.history(
        loss=draw.series("loss", 0.3 + 2 * np.exp(-STEPS / 50)),
        validation_metric=replace(accuracy, source="val_acc"),
    )
    missing = {item.id for item in diagnose_history(history).not_evaluated}
    assert {"wrong-output-activation", "never-updated"} <= missing


def test_a_generator_whose_loss_has_a_term_of_growing_weight() -> None:
    steps = np.arange(200)
    noise = np.exp(0.1 * RANDOM.normal(size=(2, 200)))
    discriminator, generator = 1.3 * noise[0], noise[1] * np.linspace(2, 20, 200)
    history = draw.history(
        loss=draw.series("loss", discriminator, steps),
        discriminator_loss=draw.series("discriminator_loss", discriminator, steps),
        generator_loss=draw.series("generator_loss", generator, steps),
    )
    assert ids(history) == []


@pytest.mark.parametrize(("largest", "found"), [(1.0, False), (0.05, True)])
def test_rare_ones_are_no_tiny_inputs(largest: float, found: bool) -> None:
    """One-hot vectors of 5,000 words: the RMS of the most frequent is 0.014."""
    inputs = draw.table("inputs", draw.features("a", "b"), {
        "feature_mean": np.full((N, 2), 2e-4), "feature_std": np.full((N, 2), 0.014),
        "feature_min": np.zeros((N, 2)), "feature_max": np.full((N, 2), largest),
    })
    base = draw.healthy()
    history = replace(base, tables={**base.tables, "inputs": inputs})
    assert ("unnormalized-input" in loud(with_loss(draw.flat(), history))) == found


def heavy(training: float, validation: float, kind: str = "Dropout") -> RunHistory:
    """Half of 256 units dropped, targets of variance 1, and the losses at the end."""
    history = data({"mean": [0.0], "std": [1.0], "min": [-2.0], "max": [2.0]},
                   outputs(0.0, 0.5, -1.0, 1.0))
    layers = model(dense("hidden", "a", units=256), dropout("drop", "hidden", 256),
                   dense("out", "drop", "linear", 1))
    history = replace(history, config={"model": layers, "loss": {"name": kind}})
    return validated(history, draw.falling(start=max(1.1, 2 * training), end=training),
                     draw.falling(start=1.0, end=validation))


@pytest.mark.parametrize(("training", "validation", "found"), [
    (0.9, 0.35, True),
    (0.6, 0.1, False),  # strong augmentation, and a model that does well
    (0.9, 0.1, False),
    (1.4, 0.5, False),  # the training loss weighs classes
])
def test_noise_in_training_beside_a_good_validation(
    training: float, validation: float, found: bool
) -> None:
    assert ("over-regularization" in ids(heavy(training, validation, "mse"))) == found


def test_dropout_of_the_inputs_of_a_recurrent_layer_leaves_its_units() -> None:
    cell = {"name": "gru", "class": "GRU", "inputs": ["x"], "recurrent_activation": "sigmoid",
            "dropout": 0.5, "output_shape": [None, 16], "units": 16}
    history = configured(with_loss(draw.flat()), model=model(cell, dense("out", "gru")))
    assert "over-regularization" not in ids(history)


@pytest.mark.parametrize("known", [False, True])
def test_a_low_training_loss_does_not_excuse_sorted_batches(known: bool) -> None:
    """Where each batch holds one class, the model follows the batches."""
    history = data({"mean": [0.5], "std": [0.1], "min": [0.0], "max": [1.0]},
                   outputs(0.5, 0.5, 0.0, 1.0), **classes("mse", "linear"))
    table = history.tables["inputs"]
    row = next(i for i, row in enumerate(table.rows) if row.kind == "target")
    values = np.array(table.low)
    values[:, row, table.columns.index("feature_mean")] = np.arange(N) % 2
    tables = {**history.tables, "inputs": replace(table, low=values, high=values)}
    history = replace(history, tables=without_epochs(tables))
    low = draw.falling(start=0.3, end=1e-4, noise=1e-5)
    history = validated(history, low, low) if known else with_loss(low, history)
    found = cause(history, "unshuffled-batches")
    assert (found.severity == "info") == ("learns well" in found.summary) == known


@pytest.mark.parametrize("epochs", [8, 20])
def test_two_classes_are_guessed_at_ln_2(epochs: int) -> None:
    """A guess of two classes that is right in 53% has the loss of one that is right in half."""
    loss = 0.69 + 4 * np.exp(-STEPS / 8) + 0.01 * RANDOM.normal(size=600)
    steps = np.linspace(20, 599, epochs).astype(int)
    accuracy = draw.series("validation_metric", 0.53 + 0.01 * np.cos(steps), steps)
    history = draw.history(loss=draw.series("loss", loss),
                           validation_metric=replace(accuracy, source="val_acc"))
    finding = cause(history, "loss-not-decreasing")
    assert "has a loss of 0.6931" in finding.summary


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_constant_gradient_of_the_same_data_is_not_clipped(noise: float) -> None:
    """That of an absolute error, while all residuals have one sign: each loss is a little lower."""
    loss = np.linspace(2.3, 2.28, N) + noise * RANDOM.normal(size=N)
    base = draw.healthy()
    table = base.tables["variables"]
    values = np.array(table.low)
    values[:, :, table.columns.index("update_ratio")] = 1e-6
    run = draw.run_table(loss, gradient_global_norm=np.full(N, 0.5))
    history = configured(replace(base, tables={
        **base.tables, "run": run, "variables": replace(table, low=values, high=values),
    }), optimizer={"class": "SGD", "learning_rate": 1e-5})
    assert ("clipping-hides-learning-rate" in ids(history)) == (noise > 0)


@pytest.mark.parametrize(("end", "found"), [(0.42, False), (0.9, True)])
def test_weights_of_the_rare_class_reward_no_opposite(end: float, found: bool) -> None:
    """The bias starts at the share of ones, and a loss of one's own weighs these 20 times."""
    history = data(labeled(0.05), outputs(0.05, 0.1, 0.0, 1.0), **classes("weighted", "sigmoid"))
    table = history.tables["inputs"]
    row = next(i for i, row in enumerate(table.rows) if row.kind == "prediction")
    values = np.array(table.low)
    values[:, row, table.columns.index("feature_mean")] = np.linspace(0.05, end, N)
    inputs = replace(table, low=values, high=values)
    history = replace(history, tables={**history.tables, "inputs": inputs})
    history = with_loss(draw.falling(start=2.9, end=0.4, noise=1e-3), history)
    assert ("wrong-loss" in ids(history)) == found


@pytest.mark.parametrize(("accuracy", "wobble", "found"), [
    (0.88, 0.004, False),
    (0.88, 0.0, True),  # one answer for all
    (0.34, 0.004, True),
])
def test_validation_of_trained_weights_is_not_at_chance(
    accuracy: float, wobble: float, found: bool
) -> None:
    """Fine-tuning fits the training data, and the validation stays as good as it was."""
    epochs = np.arange(99, 600, 50)
    history = draw.history(
        loss=draw.series("loss", 0.02 + 0.33 * np.exp(-STEPS / 150)
                         + 0.01 * np.abs(RANDOM.normal(size=600))),
        validation_loss=draw.series("validation_loss", 0.36 + 0.005 * np.cos(epochs), epochs),
        validation_metric=replace(draw.series(
            "validation_metric", accuracy + wobble * np.sin(epochs), epochs), source="val_acc"),
    )
    titles = {f.title for f in diagnose_history(history).findings}
    assert ("Validation is no better than chance" in titles) == found
