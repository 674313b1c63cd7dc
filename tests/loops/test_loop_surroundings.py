"""What a loop may be part of: loss scaling, saving, `fit` with a step of one's own, replicas."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records

from tb_convergence import ConvergenceRecorder

tf = pytest.importorskip("tensorflow")


def small(keras: Any) -> Any:
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(2, name="only")])


def batches(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(count, 16, 5)).astype("float32")
    return list(zip(x, rng.normal(size=(count, 16, 2)).astype("float32"), strict=True))


@pytest.mark.parametrize("compiled", [False, True])
def test_scaled_gradients_are_recorded_unscaled(
    keras: Any, tmp_path: Path, compiled: bool
) -> None:
    model = small(keras)
    oracle = records.Regression(*model.get_weights(), rate=0.1)
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=1024.0)
    variables = model.trainable_variables
    with ConvergenceRecorder(tmp_path, model) as recorder:

        @tf.function(jit_compile=compiled)
        def step(x: Any, y: Any) -> None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
                scaled = optimizer.scale_loss(loss)
            recorder.apply(optimizer, tape.gradient(scaled, variables), loss=loss)

        for x, y in batches(3):
            step(x, y)
    assert recorder.disabled_reason is None
    history = records.only(tmp_path)
    for number, (x, y) in enumerate(batches(3)):
        records.assert_told(history, number, oracle.step(x, y))


def test_models_are_saved_and_restored_as_before(keras: Any, tmp_path: Path) -> None:
    model, optimizer = small(keras), keras.optimizers.Adam(0.1)
    with ConvergenceRecorder(tmp_path / "logs", model) as recorder:

        @tf.function
        def step(x: Any, y: Any) -> None:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((model(x) - y) ** 2)
            recorder.apply(optimizer, tape.gradient(loss, model.trainable_variables), loss=loss)

        for x, y in batches(3):
            step(x, y)
        model.save(tmp_path / "model.keras")
        tf.saved_model.save(model, str(tmp_path / "saved"))
        checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
        path = checkpoint.write(str(tmp_path / "checkpoint"))
        names = [name for name, _ in tf.train.list_variables(path)]
        step(*batches(1)[0])  # and the training goes on
    assert recorder.disabled_reason is None
    assert not [name for name in names if "convergence" in name or "mailbox" in name]
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_weights()[0].shape == (5, 2)


@pytest.mark.parametrize("compiled", [False, True])
def test_a_train_step_of_ones_own_in_fit(keras: Any, tmp_path: Path, compiled: bool) -> None:
    class Own(keras.Model):
        def __init__(self, recorder: Any) -> None:
            super().__init__()
            self.only = keras.layers.Dense(2, name="only")
            self.recorders = (recorder,)

        def call(self, x: Any) -> Any:
            return self.only(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean((self(x) - y) ** 2)
            gradients = tape.gradient(loss, self.trainable_variables)
            if self.recorders[0] is None:
                self.optimizer.apply(gradients, self.trainable_variables)
            else:
                self.recorders[0].apply(
                    self.optimizer, gradients, self.trainable_variables, loss=loss
                )
            return {"loss": loss}

    x, y = (np.concatenate(part) for part in zip(*batches(6), strict=True))
    weights = []
    for recorder in (None, ConvergenceRecorder(tmp_path, [], every_n_steps=4)):
        keras.utils.set_random_seed(2)
        model = Own(recorder)
        model.compile(keras.optimizers.Adam(0.01), jit_compile=compiled)
        model.fit(x, y, batch_size=16, epochs=3, verbose=0, shuffle=False)
        weights.append(model.get_weights())
    assert recorder is not None
    recorder.close()
    assert recorder.disabled_reason is None
    for first, second in zip(*weights, strict=True):
        np.testing.assert_array_equal(first, second, strict=True)
    assert records.only(tmp_path).tables["run"].steps.tolist() == [*range(10), 12, 16]


def test_one_recorder_in_an_ordinary_and_in_a_compiled_step(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    variable = tf.Variable([2.0])
    with (
        caplog.at_level(logging.WARNING, logger="tb_convergence"),
        ConvergenceRecorder(tmp_path, [variable]) as recorder,
    ):

        def step() -> None:
            with recorder.step([variable * 1.0]):
                variable.assign_sub(0.5 * variable)

        tf.function(step)()
        tf.function(step, jit_compile=True)()
        tf.function(step)()
    assert variable.numpy() == [0.25]
    assert len(caplog.records) == 1
    assert "create one for each" in caplog.text


REPLICAS = """
import sys, json
import tensorflow as tf, keras
from tb_convergence import ConvergenceRecorder
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.SGD(0.1)
recorder = ConvergenceRecorder(sys.argv[1], model) if sys.argv[1] else None

def replica(x):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(model(x) ** 2)
    gradients = tape.gradient(loss, model.trainable_variables)
    if recorder is None:
        optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    else:
        recorder.apply(optimizer, gradients, loss=loss)

@tf.function
def step(x):
    strategy.run(replica, (x,))

for _ in range(3):
    step(tf.ones([4, 2]))
print(json.dumps([w.tolist() for w in model.get_weights()]))
"""


def test_a_recorder_made_outside_the_scope_records_all_replicas(tmp_path: Path) -> None:
    found = []
    for folder in (str(tmp_path / "logs"), ""):
        done = subprocess.run(
            [sys.executable, "-c", REPLICAS, folder], capture_output=True, text=True, check=False,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        assert done.returncode == 0, done.stderr
        found.append((json.loads(done.stdout), done.stderr.count("stops recording")))
    assert found[0] == (found[1][0], 0)
    tables = records.only(tmp_path / "logs").tables
    assert [row.name for row in tables["replicas"].rows] == ["replica 0", "replica 1"]
    assert tables["variables"].steps.tolist() == [0, 1, 2]
