"""Dropout, noise and random changes of images: what acts only in training."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import N, data, dense, model, outputs, with_loss

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row


def loud(history: RunHistory) -> list[str]:
    return [f.id for f in diagnose_history(history).findings if f.severity != "info"]


def recurrent(rate: float, training: float, validation: float) -> RunHistory:
    """An LSTM with dropout on targets of variance 1, and its losses at the end."""
    history = data({"mean": [0.0], "std": [1.0], "min": [-2.0], "max": [2.0]},
                   outputs(0.0, 0.5, -1.0, 1.0))
    loss = draw.falling(start=1.1, end=training)
    steps = np.arange(19, N, 20)
    epoch = draw.table("epoch", (Row("epoch", "epoch", "epoch"),), {
        "epoch_loss": loss[steps], "validation_loss": np.linspace(1.0, validation, len(steps)),
    }, steps)
    cell = {"name": "lstm", "class": "LSTM", "inputs": ["a"], "recurrent_activation": "sigmoid",
            "activation": "tanh", "dropout": rate, "recurrent_dropout": rate,
            "output_shape": [None, 64], "units": 64}
    config = {"model": model(cell, dense("out", "lstm", "linear", 1)), "loss": {"name": "mse"}}
    history = replace(history, config=config, tables={**history.tables, "epoch": epoch})
    return with_loss(loss, history)


@pytest.mark.parametrize(
    ("rate", "training", "validation", "found"),
    [
        (0.8, 0.92, 0.4, True),
        (0.8, 0.92, 0.9, False),  # both are high: something else is wrong
        (0.2, 0.92, 0.4, False),
        (0.8, 0.3, 0.1, False),  # it learns
    ],
)
def test_noise_that_hides_the_training_data(
    rate: float, training: float, validation: float, found: bool
) -> None:
    assert ("over-regularization" in loud(recurrent(rate, training, validation))) == found


def images(kind: str, loss: np.ndarray) -> RunHistory:
    """A layer of the given kind before a classifier of four classes, whose outputs differ."""
    columns = np.linspace(0.23, 0.27, 4).tolist()
    history = data(
        {"mean": [0.25] * 4, "std": [0.433] * 4, "min": [0.0] * 4, "max": [1.0] * 4},
        {"mean": columns, "std": columns, "min": [0.1] * 4, "max": [0.6] * 4},
    )
    layers = [{"name": "shift", "class": kind, "inputs": ["a"]},
              dense("first", "shift"), dense("last", "first", "softmax", 4)]
    tables = {group: table for group, table in history.tables.items() if group != "epoch"}
    config = {"model": model(*layers), "loss": {"name": "categorical_crossentropy"}}
    return with_loss(loss, replace(history, tables=tables, config=config))


STILL = draw.flat(level=float(np.log(4)), noise=0.005)


@pytest.mark.parametrize(
    ("kind", "loss", "found"),
    [
        ("RandomTranslation", STILL, True),
        ("RandomTranslation", draw.falling(start=1.4, end=0.3), False),
        ("Rescaling", STILL, False),
    ],
)
def test_random_changes_before_a_model_that_learns_nothing(
    kind: str, loss: np.ndarray, found: bool
) -> None:
    assert ("over-regularization" in loud(images(kind, loss))) == found


def test_another_sign_outweighs_a_guess_about_random_changes() -> None:
    history = images("RandomTranslation", STILL)
    table = history.tables["variables"]
    values = np.array(table.low)
    values[:, :, table.columns.index("update_ratio")] = 1e-7
    slow = replace(table, low=values, high=values)
    history = replace(history, tables={**history.tables, "variables": slow})
    assert "over-regularization" not in loud(history)
    assert "learning-rate-too-low" in loud(history)
