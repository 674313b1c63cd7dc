"""A NaN in one gradient at one step between two records: told by its exact step and variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

PLANTS, INTERVAL = 100, 10
FIRST = 2 * INTERVAL


def read(logdir: Path) -> RunHistory:
    with open_logdir(logdir, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def planted_model(keras: Any, **settings: Any) -> Any:
    """Its gradients become NaN where the data say so, and its optimizer leaves NaN alone."""
    tf = pytest.importorskip("tensorflow")

    class Forgiving(keras.optimizers.SGD):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            finite = tf.where(tf.math.is_finite(gradient), gradient, tf.zeros_like(gradient))
            super().update_step(finite, variable, learning_rate)

    class Planted(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.parts = [keras.layers.Dense(3, name=f"part{number}") for number in range(3)]

        def call(self, x: Any) -> Any:
            for part in self.parts:
                x = part(x)
            return x

        def train_step(self, data: Any) -> Any:
            (x, place), y = data
            with tf.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients = tape.gradient(loss, self.trainable_variables)
            gradients = [
                gradient + tf.where(place[0] == index, float("nan"), 0.0)
                for index, gradient in enumerate(gradients)
            ]
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"loss": loss}

    keras.utils.set_random_seed(1)
    model = Planted()
    model(np.zeros((1, 3), "float32"))
    model.compile(Forgiving(0.01), "mse", **settings)
    return model


def planted(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(step, variable) of `count` NaNs: one in every interval, never at a step that is due."""
    rng = np.random.default_rng(seed)
    steps = FIRST + INTERVAL * np.arange(count) + rng.integers(1, INTERVAL, count)
    return steps, rng.integers(0, 6, count)


def fit(model: Any, steps: np.ndarray, variables: np.ndarray, callbacks: list[Any]) -> None:
    batches, size = int(steps[-1]) + INTERVAL, 2
    x = np.random.default_rng(0).normal(size=(batches * size, 3)).astype("float32")
    place = np.full(batches, -1)
    place[steps] = variables
    model.fit((x, np.repeat(place, size)), x, batch_size=size, verbose=0, shuffle=False,
              callbacks=callbacks)


@pytest.mark.parametrize(
    "settings", [{}, {"steps_per_execution": 5}], ids=["graph", "several steps an execution"]
)
def test_windows_tell_a_hundred_of_a_hundred(
    keras: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """All in one training: the first is recorded in full, the others by their window's columns."""
    steps, variables = planted(seed=7, count=PLANTS)
    callback = ConvergenceCallback(tmp_path, every_n_steps=INTERVAL, watch_every_step=True)
    fit(planted_model(keras, **settings), steps, variables, [callback])
    assert callback.disabled_reason is None
    history = read(tmp_path)
    run, table = history.tables["run"], history.tables["variables"]
    age = run.column("first_nonfinite_age_steps")[:, 0]
    records = np.flatnonzero(np.isfinite(age))
    assert (run.steps[records] - age[records]).tolist() == steps.tolist()
    bad = table.column("window_nonfinite_steps")[records]
    assert bad.argmax(axis=1).tolist() == variables.tolist()
    assert (bad.sum(axis=1) == 1).all()
    assert run.column("window_nonfinite_steps").sum() == PLANTS
    assert run.steps[records][0] == steps[0], "a record of its own, though none was due"
    first = table.column("gradient_nan_fraction")[records[0]]
    assert first.argmax() == variables[0]
    assert first.sum() == 1.0
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == steps[0]
    assert finding.layers == (table.rows[variables[0]].layer,)


def test_the_first_of_a_run_is_recorded_in_full_wherever_it_falls(
    keras: Any, tmp_path: Path
) -> None:
    """The recorder is made to forget after each, so that each is the first: a hundred snapshots."""
    steps, variables = planted(seed=8, count=PLANTS)
    callback = ConvergenceCallback(tmp_path, every_n_steps=INTERVAL, watch_every_step=True)

    def forget(batch: int, logs: Any) -> None:
        if batch % INTERVAL == INTERVAL - 1:
            callback._session._collectors[0].read()
            callback._session.sites[0].recorder.marks.assign([-1, -1, -1, -1])

    model = planted_model(keras)
    forgetting = keras.callbacks.LambdaCallback(on_train_batch_end=forget)
    fit(model, steps, variables, [callback, forgetting])
    assert callback.disabled_reason is None
    table = read(tmp_path).tables["variables"]
    places = {int(step): index for index, step in enumerate(table.steps)}
    for step, variable in zip(steps.tolist(), variables.tolist(), strict=True):
        assert step in places, "no record of that step"
        fractions = table.column("gradient_nan_fraction")[places[step]]
        assert np.flatnonzero(fractions).tolist() == [variable]
        assert fractions[variable] == 1.0
        norms = table.column("gradient_norm")[places[step]]
        assert np.isnan(norms[variable])
        assert np.isfinite(np.delete(norms, variable)).all()


@pytest.mark.parametrize("where", ["output", "gradient"])
def test_the_first_tensor_to_go_bad_is_named(keras: Any, tmp_path: Path, where: str) -> None:
    """At one step an entry of the input is 0: its logarithm is no number, its root has no slope."""

    class Bent(keras.layers.Layer):
        def build(self, shape: Any) -> None:
            self.scale = self.add_weight(shape=(1,), initializer="ones", name="scale")

        def call(self, x: Any) -> Any:
            bent = keras.ops.log if where == "output" else keras.ops.sqrt
            return bent(x * self.scale)

    keras.utils.set_random_seed(1)
    first = keras.layers.Dense(3, kernel_initializer="identity", trainable=False, name="first")
    model = keras.Sequential(
        [keras.Input((3,)), first, Bent(name="bent"), keras.layers.Dense(1, name="last")]
    )
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    x = np.random.default_rng(0).uniform(1.0, 2.0, (40 * 4, 3)).astype("float32")
    x[4 * 23] = 0.0
    callback = ConvergenceCallback(tmp_path, every_n_steps=INTERVAL, watch_every_step=True)
    model.fit(x, x[:, :1], batch_size=4, verbose=0, shuffle=False, callbacks=[callback])
    history = read(tmp_path)
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 23
    named = "the output of bent" if where == "output" else "the gradient of"
    assert named in finding.summary
    assert "bent" in finding.summary
    run = history.tables["run"]
    loss = run.column("loss")[run.steps.tolist().index(23), 0]
    assert np.isfinite(loss) == (where == "gradient")
