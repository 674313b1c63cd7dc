"""The doctor proves a fix for sick programs, and finds nothing to fix in healthy ones."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import pytest
from keras import layers
from test_untouched import assert_same, begun

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import Settings, doctor


def patient(steps: int) -> Settings:
    """Limited by steps alone: how busy the machine is decides nothing."""
    return Settings(seconds=1e6, steps=steps)


def network(optimizer: Any, bias: float = 0.0) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((models.FEATURES,)),
        layers.Dense(32, activation="relu", bias_initializer=keras.initializers.Constant(bias)),
        layers.Dense(models.CLASSES, activation="softmax"),
    ])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("build", "scale", "finding"),
    [
        (lambda: network(keras.optimizers.Adam(1e-6)), 1.0, "learning-rate-too-low"),
        (lambda: network(keras.optimizers.SGD(0.01)), 3e3, "unnormalized-input"),
    ],
    ids=["rate too low", "inputs of thousands"],
)
def test_a_sick_program_is_brought_to_train(build: Any, scale: float, finding: str) -> None:
    x, y = models.data(0, 512)
    model = build()
    before = model.get_weights()
    found = doctor(model, x * scale + scale, y, epochs=12, settings=patient(4000))
    assert found.proven is not None, str(found)
    assert min(found.proven.after) > max(found.proven.before)
    assert min(found.proven.after) > 0.8
    outcomes = {one.finding: one.outcome for one in found.verdicts}
    assert outcomes[finding] == "confirmed", str(found)
    assert found.steps <= 4000, "the budget counts every step, also those of recording and proof"
    assert all(proof.separate for proof in found.proofs), "enough samples for a split of its own"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    read = decode(encode(found.record))
    assert read.kind == "doctor"
    assert read.data["proofs"][0]["after"] == list(found.proofs[0].after)


def test_a_healthy_program_has_nothing_to_fix() -> None:
    x, y = models.data(0, 512)
    found = doctor(network(keras.optimizers.Adam(5e-3)), x, y, epochs=20,
                   settings=patient(2500))
    assert found.proven is None, str(found)
    assert "Nothing to fix was found" in found.summary
    assert "confirmed" not in {one.outcome for one in found.verdicts}


def test_labels_without_meaning_are_not_cured() -> None:
    """No change helps, and that is the answer."""
    x, _ = models.data(0, 512)
    y = np.random.default_rng(0).integers(0, models.CLASSES, len(x))
    found = doctor(network(keras.optimizers.Adam(5e-3)), x, y, epochs=6,
                   settings=patient(1500))
    assert found.proven is None, str(found)
    assert "Nothing helped" in found.summary


def test_the_doctor_leaves_no_trace() -> None:
    model = begun("Subclassed", "adam", True)
    doctor(model, *models.data(2), epochs=1, settings=patient(200))
    assert_same(model, "Subclassed", "adam", True)


def test_overfitting_is_treated_and_proven() -> None:
    """Sixty noisy samples, which 64 x 64 units learn by heart: the held-out loss doubles."""
    random = np.random.default_rng(0)
    x = random.normal(size=(460, 20)).astype("float32")
    y = (x[:, 0] + x[:, 1] + 1.2 * random.normal(size=460) > 0).astype("float32")
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), layers.Dense(64, "relu"),
                              layers.Dense(64, "relu"), layers.Dense(1, "sigmoid")])
    model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
    found = doctor(model, x[:60], y[:60], validation_data=(x[60:], y[60:]), batch_size=20,
                   epochs=60, settings=patient(3500))
    assert found.findings[0].id == "overfitting"
    assert found.proven is not None, str(found)
    assert {change.id for change in found.proven.changes} <= {
        "early-stopping", "with-penalty", "with-dropout"}
    assert found.task is None, "losses are compared: accuracy hardly shows overfitting"
    assert max(map(abs, found.proven.after)) < min(map(abs, found.proven.before))
    assert {one.finding: one.outcome for one in found.verdicts}["overfitting"] == "confirmed"
