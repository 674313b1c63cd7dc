"""The copy of a step is a second trace: Python code of the user's runs once more, unnoticed."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.keras import ConvergenceCallback
from tb_convergence.training.keras import measuring, python_state
from tb_convergence.training.keras.python_state import attributes_kept, prints_dropped
from tests.training.event_records import read

tf = pytest.importorskip("tensorflow")


def noticing(keras: Any) -> Any:
    """A layer that counts, lists, names and prints whenever Python calls it."""

    class Noticing(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.count, self.calls, self.by_rank = 0, [], {"ranks": [[]]}
            self.kinds = set()

        def call(self, x: Any) -> Any:
            self.count += 1
            self.calls.append(self.count)
            self.by_rank["ranks"][0].append(len(x.shape))
            self.by_rank[f"call {self.count}"] = self.count
            self.kinds.add(self.count)
            self.latest = f"call {self.count}"
            print("called", self.count)
            return 2 * x

    return Noticing()


def test_what_a_layer_notices_is_what_it_notices_without_us(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests of the process may have left functions of Python in graphs.
    monkeypatch.setattr(python_state, "python_is_alone", lambda: True)
    x = np.ones((32, 3), "float32")
    seen = []
    for callbacks in ([], [ConvergenceCallback(tmp_path, every_n_steps=1)]):
        layer = noticing(keras)
        model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)])
        model.compile("adam", "mse")
        capsys.readouterr()
        model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=callbacks)
        assert all(callback.disabled_reason is None for callback in callbacks)
        found = [layer.count, list(layer.calls), layer.latest, set(layer.kinds)]
        ranks = [list(item) for item in layer.by_rank["ranks"]]
        seen.append([*found, sorted(layer.by_rank), ranks, capsys.readouterr().out])
    assert seen[0] == seen[1]
    assert seen[0][0] > 1


def test_nothing_of_another_thread_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    class Shared:
        count, items = 0, None

    shared = Shared()
    shared.items = []
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        go.wait()
        shared.items.append("theirs")
        sys.stdout.write("theirs\n")
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with attributes_kept([shared]), prints_dropped():
        shared.items.append("ours")
        sys.stdout.write("ours\n")
        go.set()
        done.wait()
    thread.join()
    assert "theirs" in shared.items
    assert capsys.readouterr().out == "theirs\n"


@pytest.mark.parametrize("jit", [False, True])
def test_own_initializers_are_recorded_from_the_first_step(
    keras: Any, tmp_path: Path, jit: bool
) -> None:
    calls = []

    class Own(keras.initializers.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            calls.append(shape)
            return 3 * keras.random.normal(shape, seed=4, dtype=dtype)

    class Scaled(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = tf.Variable(0.5, trainable=False)

        def call(self, x: Any) -> Any:
            return self.scale * x

    layers = keras.layers
    model = keras.Sequential(
        [Scaled(), layers.Dense(4, kernel_initializer=Own()),
         layers.Dense(1, kernel_initializer=lambda shape, dtype=None: tf.ones(shape, dtype) / 4)]
    )
    model.compile("sgd", "mse", jit_compile=jit)
    x = np.ones((32, 3), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    assert len(calls) == 1
    table = read(tmp_path).groups["variables"]
    assert table.steps[0] == 0
    expected = 3 * np.asarray(keras.random.normal((3, 4), seed=4))
    assert table.at(0, "variable_std")[0] == pytest.approx(expected.std(), rel=1e-4)
    assert table.at(0, "variable_norm")[2] == pytest.approx(0.5)


def test_a_variable_that_the_model_does_not_hold_hides_no_first_step(
    keras: Any, tmp_path: Path
) -> None:
    weight, calls = keras.Variable(1.0, trainable=False), tf.Variable(0)

    def loss(y: Any, prediction: Any) -> Any:
        weight.assign(0.5 * weight)
        calls.assign_add(1)
        return weight * keras.ops.mean((y - prediction) ** 2, -1)

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", loss)
    x = np.ones((32, 3), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    assert int(calls) == 8
    assert float(weight) == 2.0**-8
    run = read(tmp_path).groups["run"]
    assert run.steps == list(range(8))
    assert run.at(2, "loss") < 0.25 * run.at(0, "loss")


@pytest.mark.parametrize("built", [True, False])
def test_a_model_that_does_not_fit_twice_is_trained_without_us(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture, built: bool,
) -> None:
    monkeypatch.setattr(measuring, "SMALL_BYTES", 0)
    monkeypatch.setattr(measuring, "free_bytes", lambda: 20)
    x, weights = np.ones((32, 3), "float32"), []
    for callbacks in ([], [ConvergenceCallback(tmp_path)]):
        keras.utils.set_random_seed(1)
        inputs = [keras.Input((3,))] if built else []
        model = keras.Sequential([*inputs, keras.layers.Dense(4), keras.layers.Dense(1)])
        model.compile("adam", "mse")
        with caplog.at_level(logging.WARNING, logger="tb_convergence"):
            model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    for expected, found in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    (line,) = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert "MiB) do not fit a second time into the free memory" in line
