"""Steps of which no copy can be made: losses, variables and updates are recorded all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import programs
import pytest

from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

tf = pytest.importorskip("tensorflow")


def own_train_function(keras: Any) -> Any:
    """A train function that is not made of `train_step`, which would train something else."""

    class Own(keras.Sequential):
        def make_train_function(self, force: bool = False) -> None:
            @tf.function
            def function(iterator: Any) -> dict[str, Any]:
                x, y = next(iterator)
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.abs(self(x, training=True) - y))
                gradients = tape.gradient(loss, self.trainable_variables)
                self.optimizer.apply(gradients, self.trainable_variables)
                return {"loss": loss}

            self.train_function = function

    model = Own([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    return model


def eager(keras: Any) -> Any:
    """A step that asks tensors for their values."""

    class Told(keras.Sequential):
        largest = 0.0

        def train_step(self, data: Any) -> Any:
            self.largest = max(self.largest, float(tf.reduce_max(data[0])))
            return super().train_step(data)

    model = Told([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse", run_eagerly=True)
    return model


MODELS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "own train function": (own_train_function, "custom train function"),
    "eager": (eager, "cannot be traced again"),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_can_be_had_is_recorded(
    keras: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    build, reason = MODELS[name]
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(60, n)).astype("float32") for n in (3, 2))
    callback = ConvergenceCallback(tmp_path, every_n_steps=4)
    weights, returned = [], []
    noting = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: returned.append(float(logs["loss"]))
    )
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        for callbacks in ([noting], [callback]):
            keras.utils.set_random_seed(1)
            model = build(keras)
            data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
            model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
            weights.append(programs.weights(model))
    for expected, found in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert callback.disabled_reason is None
    (line,) = [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]
    assert "but no gradients" in line
    assert reason in line
    with open_logdir(tmp_path, "python") as source:
        (run,) = fold_runs(source.runs())
        history = read_folded(source, run)
    variables = history.tables["variables"]
    assert (variables.column("update_norm") > 0).all()
    assert np.isnan(variables.column("gradient_norm")).all()
    assert variables.steps[0] == 0
    # What no metric holds is the loss of the batch; else it is a mean since the epoch began.
    losses = np.reshape(returned, (2, 15))
    if name == "eager":
        totals = np.cumsum(np.ones(15)) * losses
        losses = np.diff(totals, axis=1, prepend=0.0)
    run = history.tables["run"]
    known = run.steps[1:]
    np.testing.assert_allclose(run.column("loss")[1:, 0], losses.ravel()[known], rtol=1e-3)
    assert not run.column("window_nonfinite_steps").any()


@pytest.mark.parametrize("name", MODELS)
def test_a_loss_that_is_not_finite_is_dated(keras: Any, tmp_path: Path, name: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    x[4 * 7 + 1] = np.nan
    keras.utils.set_random_seed(1)
    model = MODELS[name][0](keras)
    data = tf.data.Dataset.from_tensor_slices((x, x[:, :2])).batch(4)
    callback = ConvergenceCallback(tmp_path, every_n_steps=1)
    model.fit(data, epochs=1, shuffle=False, verbose=0, callbacks=[callback])
    with open_logdir(tmp_path, "python") as source:
        (run,) = fold_runs(source.runs())
        table = read_folded(source, run).tables["run"]
    assert table.steps.tolist() == list(range(15))
    bad = table.column("window_nonfinite_steps")[:, 0]
    np.testing.assert_array_equal(bad > 0, table.steps >= 7)
    assert table.column("first_nonfinite_age_steps")[7, 0] == 0
