"""`keep_last_finite=True`: what is written when the loss breaks, and that Keras goes on from it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

BAD = 53


def data(bad: bool) -> Any:
    x = np.random.default_rng(0).normal(size=(2 * 80, 3)).astype("float32")
    if bad:
        x[2 * BAD] = np.nan
    return x


def network(keras: Any) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.BatchNormalization(),
         keras.layers.Dropout(0.1, seed=2), keras.layers.Dense(2)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def fit(model: Any, x: Any, callbacks: list[Any], **settings: Any) -> None:
    model.fit(x, np.ones((len(x), 2)), batch_size=2, shuffle=False, verbose=0,
              callbacks=callbacks, **settings)


def test_the_state_is_written_and_trains_on(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain, recorded = network(keras), network(keras)
    fit(plain, data(bad=True), [], epochs=2)
    callback = ConvergenceCallback(tmp_path, every_n_steps=10, keep_last_finite=True)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        fit(recorded, data(bad=True), [callback], epochs=2)
    assert callback.disabled_reason is None
    for expected, found in zip(programs.weights(plain), programs.weights(recorded), strict=True):
        np.testing.assert_array_equal(found, expected)
    folder = tmp_path / "last_finite"
    state = json.loads((folder / "state.json").read_text())
    assert state["step"] == 50
    assert state["batch_step"] == 80 + BAD
    (line,) = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert str(folder) in line

    with np.load(folder / "batch.npz") as batch:
        np.testing.assert_array_equal(batch["tensor_0"], data(bad=True)[2 * BAD : 2 * BAD + 2])

    # Keras alone: the weights and the optimizer are those of a training of fifty steps.
    expected = network(keras)
    fit(expected, data(bad=False)[: 2 * 50], [])
    again = network(keras)
    again.optimizer.build(again.trainable_variables)
    again.load_weights(folder / "model.weights.h5")
    for first, second in zip(expected.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)

    with open_logdir(tmp_path, "python") as source:
        (run,) = fold_runs(source.runs())
        history = read_folded(source, run)
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert "last_finite" in " ".join(finding.advice)
    assert f"{80 + BAD}" in finding.summary


def test_nothing_is_written_of_a_sound_training(keras: Any, tmp_path: Path) -> None:
    fit(network(keras), data(bad=False), [ConvergenceCallback(tmp_path, keep_last_finite=True)])
    assert not (tmp_path / "last_finite").exists()


def test_a_state_too_large_is_said_and_not_kept(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from tb_convergence.training.keras import last_finite  # noqa: PLC0415

    monkeypatch.setattr(last_finite, "MOST_BYTES", 100)
    callback = ConvergenceCallback(tmp_path, keep_last_finite=True)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        fit(network(keras), data(bad=True), [callback])
    assert callback.disabled_reason is None
    (line,) = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert "the limit is" in line
    assert not (tmp_path / "last_finite").exists()


def test_a_folder_that_cannot_be_made_ends_the_recording_alone(
    keras: Any, tmp_path: Path
) -> None:
    (tmp_path / "last_finite").write_text("a file")
    plain, recorded = network(keras), network(keras)
    fit(plain, data(bad=True), [])
    callback = ConvergenceCallback(tmp_path, keep_last_finite=True)
    fit(recorded, data(bad=True), [callback])
    for expected, found in zip(programs.weights(plain), programs.weights(recorded), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert callback.disabled_reason is not None


@pytest.mark.parametrize("option", ["keep_last_finite", "trajectory"])
def test_files_beside_the_log_need_a_local_folder(option: str) -> None:
    """`gs:` would become a folder here, where nobody looks for them."""
    with pytest.raises(ValueError, match=f"{option}=True .*gs://bucket/run"):
        ConvergenceCallback("gs://bucket/run", **{option: True})
