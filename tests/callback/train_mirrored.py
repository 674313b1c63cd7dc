"""Trains on two logical devices, observed and not, and leaves what came of it in a folder.

In a process of its own: logical devices are fixed when TensorFlow starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

import numpy as np
import tensorflow as tf

(device,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)

import keras  # noqa: E402

from tb_convergence.keras import ConvergenceCallback  # noqa: E402

BATCH, BATCHES = 16, 16
BAD = 16 * 11 + 9
"""This example is in batch 11, and there in the half of replica 1."""


def data(bad: bool) -> tuple[Any, Any]:
    x = np.random.default_rng(0).normal(size=(BATCH * BATCHES, 4)).astype("float32")
    y = x[:, :3].copy()
    if bad:
        x[BAD] = np.nan
    return x, y


def train(strategy: Any, callbacks: list[Any], bad: bool, optimizer: Any) -> list[Any]:
    keras.utils.set_random_seed(3)
    with strategy.scope():
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((4,)), layers.Dense(8), layers.BatchNormalization(), layers.ReLU(),
             layers.Dense(3)]
        )
        model.compile(optimizer(), "mse")
    x, y = data(bad)
    weights = [[np.asarray(variable.numpy()) for variable in model.variables]]
    model.fit(x, y, batch_size=BATCH, verbose=0, shuffle=False, callbacks=callbacks)
    variables = [*model.variables, *model.optimizer.variables]
    return [*weights, [np.asarray(variable.numpy()) for variable in variables]]


OPTIMIZERS = {
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9),
    "clipped": lambda: keras.optimizers.Adam(0.01, global_clipnorm=0.1),
    "scaled": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.05)),
}


def main(folder: Path) -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    for name, optimizer in OPTIMIZERS.items():
        bad = name == "clipped"
        start, plain = train(strategy, [], bad, optimizer)
        callback = ConvergenceCallback(folder / name, every_n_steps=20, watch_every_step=True)
        _, observed = train(strategy, [callback], bad, optimizer)
        assert callback.disabled_reason is None, callback.disabled_reason
        for number, (expected, found) in enumerate(zip(plain, observed, strict=True)):
            np.testing.assert_array_equal(found, expected, err_msg=f"{name} {number}")
        np.savez(folder / f"{name}.npz", *start)
    sparse = ConvergenceCallback(folder / "sparse", every_n_steps=4)
    _, plain = train(strategy, [], False, OPTIMIZERS["clipped"])
    _, observed = train(strategy, [sparse], False, OPTIMIZERS["clipped"])
    assert sparse.disabled_reason is None, sparse.disabled_reason
    for expected, found in zip(plain, observed, strict=True):
        np.testing.assert_array_equal(found, expected, err_msg="sparse")
    sys.stdout.write("trained alike\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
