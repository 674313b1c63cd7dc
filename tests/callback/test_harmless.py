"""The callback never changes a training: weights are bit-identical with and without it."""

from __future__ import annotations

import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from tb_convergence.keras import ConvergenceCallback
from tb_convergence.training.host import cadence as cadence_module
from tb_convergence.training.host import collector as collector_module
from tb_convergence.training.host import writer as writer_module
from tb_convergence.training.instep import snapshot as snapshot_module
from tb_convergence.training.keras import instrumented as session_module
from tb_convergence.training.keras import observer as observer_module

OPTIMIZERS = {
    "adam": lambda keras: keras.optimizers.Adam(1e-2),
    "momentum": lambda keras: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "clipnorm": lambda keras: keras.optimizers.SGD(0.05, clipnorm=0.1),
    "clipvalue": lambda keras: keras.optimizers.Adam(1e-2, clipvalue=0.01),
    "global-clipnorm": lambda keras: keras.optimizers.Adam(1e-2, global_clipnorm=0.1),
    "weight-decay": lambda keras: keras.optimizers.AdamW(1e-2, weight_decay=0.1),
    "moving-average": lambda keras: keras.optimizers.Adam(1e-2, use_ema=True),
    "schedule": lambda keras: keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(0.1, 12)
    ),
    "accumulation": lambda keras: keras.optimizers.Adam(1e-2, gradient_accumulation_steps=2),
}


def assert_harmless(keras: Any, tmp_path: Path, model: str, **settings: Any) -> None:
    """Weights are alike without us, watched at every step, and watched at every second one: the
    training then goes back and forth between Keras' function and ours."""
    without = programs.weights(programs.train(keras, model, [], **settings))
    for watched in (True, False):
        folder = tmp_path / str(watched)
        with pytest.MonkeyPatch.context() as patch:
            if not watched:
                patch.setattr(cadence_module, "DENSE_STEPS", 1)
            callback = ConvergenceCallback(
                folder, every_n_steps=2, watch_every_step=watched, gradient_histograms=True
            )
            observed = programs.weights(programs.train(keras, model, [callback], **settings))
        for first, second in zip(without, observed, strict=True):
            np.testing.assert_array_equal(first, second, strict=True)
        assert callback.disabled_reason is None
        assert any(path.stat().st_size > 1000 for path in folder.iterdir())


@pytest.mark.parametrize("model", programs.MODELS)
def test_every_kind_of_model(keras: Any, tmp_path: Path, model: str) -> None:
    assert_harmless(keras, tmp_path, model)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_kind_of_optimizer(keras: Any, tmp_path: Path, name: str) -> None:
    assert_harmless(keras, tmp_path, "dense", optimizer=lambda: OPTIMIZERS[name](keras))


@pytest.mark.parametrize(
    ("model", "name"),
    [("convolutional", "momentum"), ("residual", "momentum"), ("residual", "accumulation")],
)
def test_sums_and_products_keep_their_order(
    keras: Any, tmp_path: Path, model: str, name: str
) -> None:
    """TensorFlow merges products with their only consumer; we must not be a second one."""
    assert_harmless(keras, tmp_path, model, optimizer=lambda: OPTIMIZERS[name](keras))


@pytest.mark.parametrize(
    "compile_with",
    [{"jit_compile": True}, {"run_eagerly": True}, {"steps_per_execution": 3},
     {"jit_compile": True, "steps_per_execution": 2}],
    ids=["xla", "eager", "several-steps", "xla-several-steps"],
)
def test_every_way_to_run_the_step(keras: Any, tmp_path: Path, compile_with: dict) -> None:
    assert_harmless(keras, tmp_path, "dense", compile_with=compile_with)


@pytest.mark.parametrize(
    ("dtype", "model"),
    # Keras itself cannot add a penalty to a float64 loss: no regularizer there.
    [("mixed_float16", "dense"), ("mixed_bfloat16", "dense"), ("float64", "subclassed")],
)
def test_every_precision(keras: Any, tmp_path: Path, dtype: str, model: str) -> None:
    assert_harmless(keras, tmp_path, model, dtype=dtype)


STAGES = {
    "beginning": (session_module.Session, "__init__"),
    "layers": (observer_module.Observer, "_note_output"),
    "snapshot": (snapshot_module.Snapshot, "vector"),
    "observing": (observer_module.Observer, "patches"),
    "building": (observer_module.Observer, "_before"),
    "recording": (observer_module.Observer, "_after"),
    "looking": (collector_module.Collector, "look"),
    "writing": (writer_module.RunWriter, "table"),
    "configuration": (writer_module.RunWriter, "config"),
}
@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_of_ours_is_said_once_and_changes_nothing(
    keras: Any,
    tmp_path: Path,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    without = programs.weights(programs.train(keras, "dense", []))

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("planted fault")

    monkeypatch.setattr(*STAGES[stage], fail)
    callback = ConvergenceCallback(tmp_path, every_n_steps=1, watch_every_step=True)
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        model = programs.train(keras, "dense", [callback])
    for first, second in zip(without, programs.weights(model), strict=True):
        np.testing.assert_array_equal(first, second)
    assert "planted fault" in str(callback.disabled_reason)
    assert len([record for record in caplog.records if record.name == "tb_convergence"]) == 1


def test_an_unusable_folder_disables_and_nothing_else(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    callback = ConvergenceCallback(blocked / "run")
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        programs.train(keras, "dense", [callback], epochs=1)
    assert callback.disabled_reason
    assert len([record for record in caplog.records if record.name == "tb_convergence"]) == 1


def test_nothing_is_left_behind(keras: Any, tmp_path: Path) -> None:
    callback = ConvergenceCallback(tmp_path)
    model = programs.train(keras, "dense", [callback])
    for item in (model, model.optimizer, *model.layers):
        patched = {"call", "apply", "train_step", "compute_loss"} & set(vars(item))
        assert patched == set(), item
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])
    pickle.dumps(model)


def test_an_exception_in_the_training_is_the_users_own(keras: Any, tmp_path: Path) -> None:
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                raise KeyError("the user's own")

    model = programs.dense(keras)
    model.compile("adam", "mse")
    x, y = np.zeros((64, 12), "float32"), np.zeros((64, 4), "float32")
    callback = ConvergenceCallback(tmp_path)
    with pytest.raises(KeyError, match="the user's own"):
        model.fit(x, y, batch_size=16, verbose=0, callbacks=[callback, Stop()])
    # The next training works, observed or not.
    model.fit(x, y, batch_size=16, verbose=0)
    model.fit(x, y, batch_size=16, verbose=0, callbacks=[ConvergenceCallback(tmp_path / "b")])


@pytest.mark.parametrize(
    "arguments",
    [{"log_dir": ""}, {"log_dir": "x", "overhead": 0}, {"log_dir": "x", "overhead": 1.5},
     {"log_dir": "x", "every_n_steps": 0}],
)
def test_bad_arguments_are_refused_at_once(arguments: dict) -> None:
    with pytest.raises(ValueError, match=r"."):
        ConvergenceCallback(**arguments)
