"""The check before training: what it finds, and that it leaves no trace whatever the model is."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from programs import MODELS, vectors

import tb_convergence


def compiled(keras: Any, name: str) -> tuple[Any, Any, Any]:
    keras.utils.set_random_seed(3)
    build, data = MODELS[name]
    x, y = data(np.random.default_rng(5))
    model = build(keras)
    model(x if not isinstance(x, list) else [part[:2] for part in x])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return model, x, y


def classifier(keras: Any, *layers: Any, loss: str = "binary_crossentropy") -> Any:
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", loss)
    return model


def batch(samples: int = 64) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(samples, 4)), rng.integers(0, 2, (samples, 1)).astype("float32")


@pytest.mark.parametrize("name", MODELS)
def test_the_model_and_every_generator_are_as_before(keras, name: str) -> None:
    tf = pytest.importorskip("tensorflow")
    model, x, y = compiled(keras, name)

    def state() -> list[Any]:
        variables = [*model.variables, *model.optimizer.variables, *model.metrics_variables]
        return [
            *(np.asarray(variable.numpy()).tobytes() for variable in variables),
            random.getstate(), str(np.random.get_state()), sorted(vars(model)),
            [sorted(vars(layer)) for layer in model.layers], model.train_function,
        ]

    before = state()
    first = tb_convergence.check(model, (x, y))
    assert state() == before
    assert str(tb_convergence.check(model, (x, y))) == str(first)
    # What is drawn next is what would have been drawn without the check.
    keras.utils.set_random_seed(9)
    expected = (tf.random.normal([3]).numpy(), np.random.rand(), random.random())
    keras.utils.set_random_seed(9)
    tb_convergence.check(model, (x, y))
    assert (tf.random.normal([3]).numpy() == expected[0]).all()
    assert (np.random.rand(), random.random()) == expected[1:]


def test_training_after_a_check_is_bit_identical(keras) -> None:
    def trained(checked: bool) -> list[np.ndarray]:
        model, x, y = compiled(keras, "dense")
        if checked:
            tb_convergence.check(model, (x, y))
        model.fit(x, y, batch_size=16, epochs=2, verbose=0)
        return [np.asarray(v.numpy()) for v in [*model.variables, *model.optimizer.variables]]

    for ours, theirs in zip(trained(True), trained(False), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda k: [k.layers.Dense(8, "relu"), k.layers.Dense(1, "relu")],
         "wrong-output-activation"),
        (lambda k: [k.layers.Dense(8), k.layers.Dense(8), k.layers.Dense(1, "sigmoid")],
         "wrong-hidden-activation"),
        (lambda k: [k.layers.Dense(8, "relu", kernel_initializer="zeros"),
                    k.layers.Dense(1, "sigmoid")], "poor-initialization"),
        (lambda k: [k.layers.Dense(8, "relu"), k.layers.Dropout(0.5), k.layers.Dense(1, "sigmoid")],
         "over-regularization"),
    ],
)
def test_faults_are_named_before_the_first_step(keras, make, expected: str) -> None:
    result = tb_convergence.check(classifier(keras, *make(keras)), batch())
    assert expected in [finding.id for finding in result]
    assert not result.ok
    assert expected in str(result)
    assert "try: " in str(result)


def test_a_sound_model_has_no_finding(keras) -> None:
    layers = keras.layers
    model = classifier(keras, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"))
    result = tb_convergence.check(model, batch())
    assert list(result) == []
    assert result.ok
    assert "nothing found" in repr(result)


def test_data_that_no_model_can_use_are_named(keras) -> None:
    layers = keras.layers
    model = classifier(keras, layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"))
    x, y = batch()
    raw = np.concatenate([x[:, :3], 1e4 * x[:, 3:]], axis=1)
    assert [f.id for f in tb_convergence.check(model, (raw, y))] == ["unnormalized-input"]
    gaps = np.where(np.arange(4) == 2, np.nan, x)
    assert tb_convergence.check(model, (gaps, y)).findings[0].id == "non-finite-input"
    assert tb_convergence.check(model, (x, 2 * y - 1)).findings[0].id == "wrong-loss"


def test_gradients_at_the_first_weights_are_judged(keras) -> None:
    """A layer whose output does not reach the loss has no gradient."""
    tf = pytest.importorskip("tensorflow")
    inputs = keras.Input((4,))
    lost = keras.layers.Lambda(tf.stop_gradient)(keras.layers.Dense(8, name="lost")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, "sigmoid")(lost))
    model.compile("adam", "binary_crossentropy")
    table = []

    def spy(history: Any) -> Any:
        table.append(history.tables["variables"])
        return spied(history)

    from tb_convergence.training.keras import check as module  # noqa: PLC0415

    spied = module.diagnose_history
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "diagnose_history", spy)
        tb_convergence.check(model, batch())
    missing = table[0].column("gradient_missing")[0]
    assert [row.layer for row, gone in zip(table[0].rows, missing, strict=True) if gone] == [
        "lost", "lost"
    ]


def test_what_is_recorded_agrees_with_an_independent_computation(keras) -> None:
    tf = pytest.importorskip("tensorflow")
    from tb_convergence.training.keras import check as module  # noqa: PLC0415
    from tb_convergence.training.keras.probe import probe  # noqa: PLC0415

    layers = keras.layers
    model = classifier(keras, layers.Dense(8, "relu"), layers.Dense(1, "sigmoid"))
    x, y = (tf.constant(part, tf.float32) for part in batch())
    table = module._tables(model, x, y, probe(model, x, y, None))["variables"]
    with tf.GradientTape() as tape:
        loss = keras.losses.BinaryCrossentropy()(y, model(x))
    expected = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for place, gradient in enumerate(expected):
        norm = float(np.linalg.norm(np.asarray(gradient, np.float64)))
        assert table.column("gradient_norm")[0, place] == pytest.approx(norm, rel=1e-5)


def test_a_dataset_and_a_structure_of_inputs_are_taken(keras) -> None:
    tf = pytest.importorskip("tensorflow")
    model, x, y = compiled(keras, "two-inputs")
    dataset = tf.data.Dataset.from_tensor_slices((tuple(x), y)).batch(16)
    assert tb_convergence.check(model, dataset).samples == 16
    assert tb_convergence.check(model, (x, y)).samples == len(y)


def test_only_so_many_samples_are_looked_at(keras) -> None:
    layers = keras.layers
    model = classifier(keras, layers.Dense(8, "relu"), layers.Dense(1, "sigmoid"))
    assert tb_convergence.check(model, batch(5000)).samples == 1024


def test_what_is_missing_is_said(keras) -> None:
    layers = keras.layers
    with pytest.raises(ValueError, match="not compiled"):
        tb_convergence.check(keras.Sequential([keras.Input((4,)), layers.Dense(1)]), batch())
    unbuilt = keras.Sequential([layers.Dense(1)])
    unbuilt.compile("adam", "mse")
    with pytest.raises(ValueError, match=r"keras\.Input"):
        tb_convergence.check(unbuilt, batch())
    model = classifier(keras, layers.Dense(1, "sigmoid"))
    with pytest.raises(ValueError, match="no samples"):
        tb_convergence.check(model, batch(0))


def test_the_shapes_of_a_batch_are_those_of_the_model(keras) -> None:
    """What fit would refuse, the check refuses in the same words."""
    x, _ = vectors(np.random.default_rng(2))
    model = classifier(keras, keras.layers.Dense(1, "sigmoid"))
    with pytest.raises(ValueError, match="incompatible"):
        tb_convergence.check(model, (x, np.zeros(len(x))))


def test_a_failure_is_told_by_its_cause(keras) -> None:
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((6,), dtype="int32"), layers.Embedding(10, 4), layers.Flatten(),
         layers.Dense(3, "softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    words = np.random.default_rng(4).integers(0, 10, (32, 6))
    result = tb_convergence.check(model, (words, np.arange(32) % 3))
    assert result.failure is None
    assert result.ok
    beyond = tb_convergence.check(model, (words + 5, np.arange(32) % 3))
    assert beyond.findings[0].id == "index-out-of-range"
    assert "raised an exception on this batch" in str(beyond)
    from_one = tb_convergence.check(model, (words, np.arange(32) % 3 + 1))
    assert from_one.findings[0].id == "wrong-labels"
    # What no finding accounts for is raised as it is.
    def loss(y: Any, p: Any) -> Any:
        raise ZeroDivisionError("planted")

    model.compile("adam", loss)
    with pytest.raises(ZeroDivisionError, match="planted"):
        tb_convergence.check(model, (words, np.arange(32) % 3))
