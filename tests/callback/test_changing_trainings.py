"""Trainings that change on the way: frozen, compiled again, resumed, their folder deleted."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.history import RunHistory
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs
from tb_convergence.training.host import writer as writer_module

BATCH, BATCHES = 8, 5


def read(logdir: Path) -> RunHistory:
    with open_logdir(logdir, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def words() -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 20, (BATCH * BATCHES, 3)), rng.normal(size=(BATCH * BATCHES, 1))


def network(keras: Any) -> Any:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            layers.Embedding(20, 4, name="words"),
            layers.Flatten(),
            layers.Dense(6, "relu", name="body"),
            layers.Dense(1, name="head"),
        ]
    )
    model.get_layer("body").trainable = False
    model.compile("adam", "mse")
    return model


def fit(model: Any, callbacks: list[Any], **settings: Any) -> None:
    x, y = words()
    model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks, **settings)


def values(model: Any) -> list[Any]:
    return [np.asarray(v.numpy()) for v in (*model.variables, *model.optimizer.variables)]


def same(first: list[Any], second: list[Any]) -> None:
    for expected, found in zip(first, second, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_frozen_then_unfrozen(keras: Any, tmp_path: Path) -> None:
    """Two calls of fit with one callback; compiling again makes an optimizer that counts anew."""

    def train(callbacks: list[Any]) -> Any:
        model = network(keras)
        fit(model, callbacks)
        model.get_layer("body").trainable = True
        model.compile("adam", "mse")
        fit(model, callbacks)
        return model

    callback = ConvergenceCallback(tmp_path)
    same(values(train([])), values(train([callback])))
    assert callback.disabled_reason is None
    table = read(tmp_path).tables["variables"]
    assert table.steps.tolist() == list(range(2 * BATCHES)), "steps go on"
    body = [place for place, row in enumerate(table.rows) if row.layer == "body"]
    norms = table.column("gradient_norm")
    assert len(body) == 2
    assert np.isnan(norms[:BATCHES, body]).all(), "was frozen"
    assert np.isfinite(norms[BATCHES:, body]).all()
    others = [place for place in range(len(table.rows)) if place not in body]
    assert np.isfinite(norms[:, others]).all()


def test_sparse_and_missing_gradients(keras: Any, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")

    class Unused(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.lost = self.add_weight(shape=(3,), name="lost")

        def call(self, x: Any) -> Any:
            return x

    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((3,), dtype="int32"), layers.Embedding(20, 4), layers.Flatten(), Unused(),
         layers.Dense(1)]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = words()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(x[:BATCH], y[:BATCH], model(x[:BATCH], training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert isinstance(gradients[0], tf.IndexedSlices)
    full = tf.convert_to_tensor(gradients[0]).numpy().astype(np.float64)
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        fit(model, [ConvergenceCallback(tmp_path)])
    table = read(tmp_path).tables["variables"]
    assert table.column("gradient_missing")[0].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert np.isnan(table.column("gradient_norm")[0, 1])
    assert table.column("update_norm")[0, 1] == 0.0
    assert table.column("gradient_norm")[0, 0] == pytest.approx(np.linalg.norm(full), rel=1e-5)
    zeros = table.column("gradient_zero_fraction")[0, 0]
    assert zeros == pytest.approx(np.mean(full == 0), abs=1e-6)


def test_compiled_anew_while_it_trains(keras: Any, tmp_path: Path) -> None:
    class Again(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 0:
                self.model.get_layer("body").trainable = True
                self.model.compile("sgd", "mse")
                self.model.make_train_function()

    plain, observed = network(keras), None
    fit(plain, [Again()], epochs=2)
    callback = ConvergenceCallback(tmp_path)
    observed = network(keras)
    fit(observed, [callback, Again()], epochs=2)
    same(values(plain), values(observed))
    assert callback.disabled_reason is None
    table = read(tmp_path).tables["variables"]
    assert table.steps.tolist() == list(range(2 * BATCHES))
    assert np.isfinite(table.column("gradient_norm")[BATCHES:]).all()


def test_a_training_resumed_from_an_earlier_step(keras: Any, tmp_path: Path) -> None:
    """The optimizer's count goes back, as that of a checkpoint does: those steps are made anew."""
    model = network(keras)
    fit(model, [ConvergenceCallback(tmp_path, every_n_steps=1)])
    before = read(tmp_path).tables["run"].column("loss")[:, 0]
    model.optimizer.iterations.assign(2)
    fit(model, [ConvergenceCallback(tmp_path, every_n_steps=1)], epochs=2)
    run = read(tmp_path).tables["run"]
    assert run.steps.tolist() == list(range(2 + 2 * BATCHES))
    after = run.column("loss")[:, 0]
    assert after[:2].tolist() == before[:2].tolist()
    assert (after[2:BATCHES] != before[2:]).all()


def test_its_folder_is_deleted(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer_module, "LOOK_SECONDS", 0.6)
    monkeypatch.setattr(writer_module, "FLUSH_SECONDS", 0.02)
    folder = tmp_path / "run"

    class Delete(keras.callbacks.Callback):
        steps = 0

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.steps += 1
            if self.steps == BATCHES and folder.exists():
                shutil.rmtree(folder)
            if self.steps >= BATCHES and callback.model is self.model:
                time.sleep(0.1)

    callback = ConvergenceCallback(folder, every_n_steps=1)
    plain = network(keras)
    fit(plain, [], epochs=4)
    observed = network(keras)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        fit(observed, [callback, Delete()], epochs=4)
    same(values(plain), values(observed))
    assert callback.disabled_reason is None
    messages = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert len(messages) == 1
    assert "the event file has disappeared" in messages[0]
    history = read(folder)
    assert history.tables["run"].steps[-1] == 4 * BATCHES - 1
    assert history.config["optimizer"]["class"] == "Adam", "written again into the new file"


def test_a_changed_set_of_trained_variables_is_told(keras: Any, tmp_path: Path) -> None:
    """Frozen by a callback in the second epoch, low-rank weights between two calls of fit."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, name="base"), layers.Dense(1, name="head")]
    )
    model.compile("sgd", "mse")
    freeze = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(model.layers[0], "trainable", epoch != 1)
    )
    x, y = np.ones((20, 3), "float32"), np.ones((20, 1), "float32")
    callback = ConvergenceCallback(tmp_path)
    model.fit(x, y, batch_size=2, epochs=2, verbose=0, callbacks=[callback, freeze])
    model.layers[1].enable_lora(2)
    model.compile("sgd", "mse")
    model.fit(x, y, batch_size=2, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    first, second = read(tmp_path).config["trainable_changes"]
    assert (first["step"], first["now_trained"]) == (10, [])
    assert [path.split("/")[-2:] for path in first["no_longer_trained"]] == [
        ["base", "kernel"], ["base", "bias"],
    ]
    assert second["step"] == 20
    assert [path.split("/")[-1] for path in second["now_trained"]] == [
        "lora_kernel_a", "lora_kernel_b",
    ]
    assert [path.split("/")[-2:] for path in second["no_longer_trained"]] == [["head", "kernel"]]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_first_step_of_a_model_that_its_first_batch_builds_is_recorded(
    keras: Any, tmp_path: Path, optimizer: str
) -> None:
    """Its weights are drawn inside the traced step; a twin that is built before has the same."""
    data = words()

    def unbuilt() -> Any:
        keras.utils.set_random_seed(2)
        layers = keras.layers
        return keras.Sequential([layers.Embedding(20, 4), layers.LSTM(5), layers.Dense(1)])

    twin, model = unbuilt(), unbuilt()
    twin.build((None, 3))
    model.compile(optimizer, "mse")
    model.fit(*data, batch_size=BATCH, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    table = read(tmp_path).tables["variables"]
    assert int(table.steps[0]) == 0
    np.testing.assert_allclose(
        table.column("variable_std")[0], [v.numpy().std() for v in twin.trainable_variables],
        rtol=1e-5, atol=1e-7,
    )
    assert np.isfinite(table.column("gradient_norm")[0]).all()
