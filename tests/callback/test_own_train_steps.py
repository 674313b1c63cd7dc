"""Train steps of the user's own: several optimizers, no compute_loss, several optimizer calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.diagnosis.objective import objective
from tb_convergence.core.history import RunHistory
from tb_convergence.keras import ConvergenceCallback
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

BATCH, BATCHES = 16, 12


def read(logdir: Path) -> RunHistory:
    with open_logdir(logdir, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def gan_class(keras: Any, tf: Any) -> Any:
    class Gan(keras.Model):
        """Two networks, two optimizers, losses of its own; `compile` takes no optimizer."""

        def __init__(self) -> None:
            super().__init__()
            dense = keras.layers.Dense
            self.generator = keras.Sequential(
                [keras.Input((3,)), dense(8, "relu", name="g1"), dense(4, name="g2")]
            )
            self.discriminator = keras.Sequential(
                [keras.Input((4,)), dense(8, "relu", name="d1"), dense(1, name="d2")]
            )
            self.judge = keras.losses.BinaryCrossentropy(from_logits=True)

        def compile(self, d_optimizer: Any, g_optimizer: Any, **settings: Any) -> None:
            super().compile(optimizer=None, **settings)
            self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

        def train_step(self, real: Any) -> Any:
            noise = tf.random.stateless_normal([BATCH, 3], [1, 2])
            labels = tf.concat([tf.ones([BATCH, 1]), tf.zeros([BATCH, 1])], 0)
            fake = self.generator(noise)
            with tf.GradientTape() as tape:
                d_loss = self.judge(labels, self.discriminator(tf.concat([fake, real], 0)))
            weights = self.discriminator.trainable_weights
            self.d_optimizer.apply_gradients(
                zip(tape.gradient(d_loss, weights), weights, strict=True)
            )
            with tf.GradientTape() as tape:
                g_loss = self.judge(tf.zeros([BATCH, 1]), self.discriminator(self.generator(noise)))
            weights = self.generator.trainable_weights
            self.g_optimizer.apply_gradients(
                zip(tape.gradient(g_loss, weights), weights, strict=True)
            )
            return {"d_loss": d_loss, "g_loss": g_loss}

    return Gan


def train_gan(keras: Any, callbacks: list[Any], **settings: Any) -> tuple[Any, Any, list[Any]]:
    tf = pytest.importorskip("tensorflow")
    keras.utils.set_random_seed(3)
    gan = gan_class(keras, tf)()
    first, second = keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.01, momentum=0.9)
    gan.compile(first, second, **settings)
    real = np.random.default_rng(0).normal(size=(BATCH * BATCHES, 4)).astype("float32")
    losses: list[Any] = []
    steps = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda _, logs: losses.append((logs["d_loss"], logs["g_loss"]))
    )
    gan.fit(real, batch_size=BATCH, verbose=0, shuffle=False, callbacks=[*callbacks, steps])
    variables = [*gan.variables, *first.variables, *second.variables]
    return gan, losses, [np.asarray(variable.numpy()) for variable in variables]


@pytest.mark.parametrize("watched", [True, False], ids=["every step", "records only"])
@pytest.mark.parametrize("settings", [{}, {"run_eagerly": True}], ids=["graph", "eager"])
def test_a_gan_is_recorded_apart(
    keras: Any, tmp_path: Path, settings: dict[str, Any], watched: bool
) -> None:
    _, losses, plain = train_gan(keras, [], **settings)
    callback = ConvergenceCallback(tmp_path, every_n_steps=4, watch_every_step=watched)
    gan, observed_losses, observed = train_gan(keras, [callback], **settings)
    assert callback.disabled_reason is None
    assert losses == observed_losses
    for expected, found in zip(plain, observed, strict=True):
        np.testing.assert_array_equal(found, expected)
    history = read(tmp_path)
    assert history.skipped == ()
    variables, run = history.tables["variables"], history.tables["run"]
    layers = [row.layer for row in variables.rows]
    assert sorted(set(layers)) == [
        "discriminator: d1", "discriminator: d2", "generator: g1", "generator: g2",
    ]
    assert np.isfinite(variables.column("gradient_norm")).all()
    assert run.steps.tolist() == [*range(10), 11]
    named = {row.name: index for index, row in enumerate(run.rows)}
    for place, name in enumerate(("discriminator: run", "generator: run")):
        recorded = run.column("loss")[:, named[name]]
        # Keras reports the mean since the epoch began: the first step's is its own.
        assert recorded[0] == pytest.approx(float(losses[0][place]), rel=1e-6)
    assert run.column("learning_rate")[0].tolist() == pytest.approx([0.01, 0.01])
    unseen = run.column("window_unwatched_steps").sum(axis=0)
    assert unseen.tolist() == ([0.0, 0.0] if watched else [1.0, 1.0])
    assert set(history.config["optimizers"]) == {"discriminator", "generator"}
    assert "optimizer" not in history.config
    for item in (gan, gan.d_optimizer, gan.g_optimizer):
        assert "apply" not in vars(item)


def test_a_step_without_compute_loss_has_the_loss_its_tape_saw(keras: Any, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    original = tf.GradientTape.gradient

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.out = keras.layers.Dense(1, name="out")

        def call(self, x: Any) -> Any:
            return self.out(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(tf.square(self(x, training=True) - y))
                scaled = self.optimizer.scale_loss(loss)
            gradients = tape.gradient(scaled, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"own": loss}

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(32, 3)).astype("float32"), rng.normal(size=(32, 1)).astype("float32")
    model = Own()
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e-3)))
    model(x)
    kernel, bias = (value.astype(np.float64) for value in model.get_weights())
    callback = ConvergenceCallback(tmp_path)
    model.fit(x, y, batch_size=32, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    assert tf.GradientTape.gradient is original
    history = read(tmp_path)
    error = x @ kernel + bias - y
    run, variables = history.tables["run"], history.tables["variables"]
    assert run.column("loss")[0, 0] == pytest.approx(np.sum(error**2), rel=1e-5)
    gradient = np.linalg.norm(2 * x.T @ error)
    assert variables.column("gradient_norm")[0, 0] == pytest.approx(gradient, rel=1e-5)
    assert [row.layer for row in variables.rows] == ["out", "out"]


@pytest.mark.parametrize("shared", [True, False], ids=["one loss", "two losses"])
def test_one_optimizer_called_for_two_parts(keras: Any, tmp_path: Path, shared: bool) -> None:
    """Each part is recorded; the step is the optimizer's own count. The loss is judged where it is
    that of both parts."""
    tf = pytest.importorskip("tensorflow")

    class Halves(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first = keras.layers.Dense(3, name="first")
            self.second = keras.layers.Dense(1, name="second")

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

        def train_step(self, data: Any) -> Any:
            x, y = data
            with tf.GradientTape(persistent=True) as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
                other = loss if shared else 2.0 * loss
            for part, own in ((self.first, loss), (self.second, other)):
                weights = part.trainable_variables
                self.optimizer.apply(tape.gradient(own, weights), weights)
            return {"loss": loss}

    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    model = Halves()
    model(x)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer, "mse")
    callback = ConvergenceCallback(tmp_path)
    model.fit(x, x[:, :1], batch_size=16, verbose=0, callbacks=[callback])
    assert callback.disabled_reason is None
    history = read(tmp_path)
    assert objective(history).kind == ("minimized" if shared else "several-losses")
    assert "one optimizer" in objective(history).why or shared
    assert history.config["optimizer"]["class"] == "SGD"
    variables = history.tables["variables"]
    assert {row.layer for row in variables.rows} == {"first: first", "second: second"}
    assert np.isfinite(variables.column("update_norm")[:4]).all()
