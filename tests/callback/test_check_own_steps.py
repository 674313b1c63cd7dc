"""The check before training, of models with a train step of their own and of several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tb_convergence


def found(model: Any, batch: Any) -> dict[str, str]:
    return {f.id: f.severity for f in tb_convergence.check(model, batch).findings}


@pytest.mark.parametrize("everything", [True, False])
def test_variables_that_no_optimizer_is_given_are_named(keras, everything: bool) -> None:
    tf = pytest.importorskip("tensorflow")

    class Autoencoder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
            self.decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(6)])

        def call(self, x: Any, training: bool = False) -> Any:
            return self.decoder(self.encoder(x))

        def train_step(self, data: Any) -> dict[str, Any]:
            x, y = data
            own = self.trainable_variables if everything else self.decoder.trainable_variables
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(y - self(x, training=True)))
            self.optimizer.apply_gradients(zip(tape.gradient(loss, own), own, strict=True))
            return {"loss": loss}

    keras.utils.set_random_seed(1)
    model = Autoencoder()
    x = np.random.default_rng(0).normal(size=(64, 6)).astype("float32")
    model(x)
    model.compile(keras.optimizers.Adam(1e-2))
    before = [v.numpy().copy() for v in model.variables]
    assert ("never-updated" in found(model, (x, x))) != everything
    assert all((old == v.numpy()).all() for old, v in zip(before, model.variables, strict=True))


def test_a_frozen_model_is_told_before_it_trains(keras) -> None:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, "sigmoid")])
    model.trainable = False
    model.compile("adam", "binary_crossentropy")
    x = np.ones((32, 4), "float32")
    assert found(model, (x, x[:, :1])) == {"nothing-trainable": "critical"}


def test_a_frozen_model_is_told_of_after_it_was_fitted(keras, tmp_path) -> None:
    from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.trainable = False
    model.compile("sgd", "mse")
    x = np.ones((64, 4), "float32")
    with pytest.warns(UserWarning, match="trainable"):
        model.fit(x, x[:, :1], verbose=0, callbacks=[ConvergenceCallback(tmp_path)])
    (run,) = tb_convergence.diagnose(tmp_path)
    assert [finding.id for finding in run.findings] == ["nothing-trainable"]
    assert run.verdict.state == "sick"


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_an_output_that_the_loss_leaves_out_is_told(keras, weight: float) -> None:
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(8, "relu")(inputs)
    outputs = {name: keras.layers.Dense(1, name=name)(hidden) for name in ("a", "b")}
    model = keras.Model(inputs, outputs)
    model.compile("adam", {"a": "mse", "b": "mse"}, loss_weights={"a": 1.0, "b": weight})
    rng = np.random.default_rng(2)
    x = rng.normal(size=(64, 4)).astype("float32")
    said = found(model, (x, {"a": x[:, :1], "b": x[:, 1:2]}))
    assert said.get("zero-gradient") == (None if weight else "warning")


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_nested_model_is_judged_like_a_flat_one(keras, activation: str) -> None:
    def flat() -> list[Any]:
        return [keras.Input((8,)), keras.layers.Dense(16, "relu")]

    x = np.random.default_rng(0).normal(size=(256, 8)).astype("float32")
    y = (x[:, :1] > 0).astype("float32")
    said = []
    for layers in (flat(), [keras.Input((8,)), keras.Sequential(flat(), name="base")]):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([*layers, keras.layers.Dense(1, activation)])
        model.compile("adam", "binary_crossentropy")
        said.append(found(model, (x, y)))
    assert said[0] == said[1]
    assert ("wrong-output-activation" in said[0]) == (activation == "softmax")
