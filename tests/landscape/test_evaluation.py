"""Losses on a surface against NumPy twins of whole networks, and the Hessian against known ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from tb_convergence.experiments.loss_landscape.chance import chance_level  # noqa: E402
from tb_convergence.experiments.loss_landscape.directions import filter_norms, random_pair  # noqa: E402
from tb_convergence.experiments.loss_landscape.evaluation import (  # noqa: E402
    EvaluationError,
    Surface,
    accuracy_for,
    loss_of,
)
from tb_convergence.experiments.loss_landscape.samples import SamplesError, batches_of  # noqa: E402
from tb_convergence.experiments.loss_landscape.sharpness import lanczos  # noqa: E402
from tb_convergence.experiments.loss_landscape.variables import filter_axes  # noqa: E402

pytestmark = pytest.mark.tensorflow

LAYERS = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(96, 5)).astype("float32")
Y = RNG.normal(size=(96, 3)).astype("float32")
LABELS = RNG.integers(0, 3, 96).astype("int32")
POINTS = RNG.uniform(-1, 1, (7, 2)).astype("float32")


def surface_of(model: Any, y: Any, loss: Any, batch: int = 96, **options: Any) -> Surface:
    function, name = loss_of(model, loss)
    metrics = accuracy_for(name, function)
    return Surface(model, function, metrics, batches_of((X, y), 96, batch), **options)


def moved(surface: Surface, point: np.ndarray, vectors: Any) -> list[np.ndarray]:
    return [
        w.astype("float64") + point[0] * a + point[1] * b
        for w, a, b in zip(surface.weights(), *vectors, strict=True)
    ]


def directions_for(model: Any) -> Any:
    weights = [v.numpy() for v in model.trainable_variables]
    return random_pair(weights, filter_axes(model), 3).vectors


def test_a_linear_network_is_the_quadratic_it_should_be() -> None:
    model = keras.Sequential([keras.Input((5,)), LAYERS.Dense(3)])
    surface = surface_of(model, Y, "mean_squared_error", batch=32)
    vectors = directions_for(model)
    expected = []
    for point in POINTS:
        kernel, bias = moved(surface, point, vectors)
        expected.append(np.mean((X @ kernel + bias - Y) ** 2))
    np.testing.assert_allclose(surface.at(POINTS, vectors)[:, 0], expected, rtol=1e-5)


def batch_norm_twin(surface: Surface, point: np.ndarray, vectors: Any, batch: int) -> float:
    """Dense, batch normalization with the batch's own statistics, softmax: in NumPy, float64."""
    kernel, bias, gamma, beta, last, offset = moved(surface, point, vectors)
    x = surface.training.x.reshape(-1, 5).astype("float64")
    labels = surface.training.y.reshape(-1)
    losses = []
    for start in range(0, len(x), batch):
        h = x[start : start + batch] @ kernel + bias
        h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-3) * gamma + beta
        logits = np.maximum(h, 0) @ last + offset
        logits -= logits.max(-1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        losses.append(-logs[np.arange(len(h)), labels[start : start + batch]].mean())
    return float(np.mean(losses))


def normalized_network(activation: str = "relu") -> Any:
    keras.utils.set_random_seed(4)
    return keras.Sequential([
        keras.Input((5,)), LAYERS.Dense(8), LAYERS.BatchNormalization(),
        LAYERS.Activation(activation),
        LAYERS.Dropout(0.5), LAYERS.Dense(3),
    ])


SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def test_batch_normalization_is_re_estimated_from_each_batch_and_dropout_is_off() -> None:
    model = normalized_network()
    surface = surface_of(model, LABELS, SPARSE, batch=48)
    vectors = directions_for(model)
    assert surface.normalized == 1
    expected = [batch_norm_twin(surface, point, vectors, 48) for point in POINTS]
    np.testing.assert_allclose(surface.at(POINTS, vectors)[:, 0], expected, rtol=1e-4)


def test_kept_statistics_are_those_of_evaluate() -> None:
    model = normalized_network()
    model.compile("sgd", SPARSE, metrics=["accuracy"])
    model.fit(X, LABELS, epochs=2, verbose=0)
    surface = surface_of(model, LABELS, SPARSE, batch_norm="kept")
    found = surface.at(np.zeros((1, 2)), directions_for(model))[0]
    np.testing.assert_allclose(found, model.evaluate(X, LABELS, verbose=0), rtol=1e-5)


def test_validation_uses_the_statistics_of_the_training_samples_at_that_point() -> None:
    """A validation batch of one sample would normalize itself to zero."""
    model = normalized_network()
    one = batches_of((X[:1], LABELS[:1]), 1, 1)
    surface = surface_of(model, LABELS, SPARSE, validation=one)
    vectors = directions_for(model)
    point = POINTS[0]
    kernel, bias, gamma, beta, last, offset = moved(surface, point, vectors)
    h = X @ kernel + bias
    h = (X[:1] @ kernel + bias - h.mean(0)) / np.sqrt(h.var(0) + 1e-3) * gamma + beta
    logits = (np.maximum(h, 0) @ last + offset)[0]
    expected = np.log(np.exp(logits).sum()) - logits[LABELS[0]]
    found = dict(zip(surface.names, surface.at(point[None], vectors)[0], strict=True))
    assert found["validation_loss"] == pytest.approx(expected, rel=1e-4)


class FineTuned(keras.Model):
    """Calls its normalization for inference, whatever it is called for."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = LAYERS.Dense(4), LAYERS.Dense(3)
        self.norm = LAYERS.BatchNormalization()

    def call(self, x: Any, training: Any = None) -> Any:
        return self.out(self.norm(self.hidden(x), training=False))


def test_a_layer_that_does_not_train_on_batches_keeps_its_statistics() -> None:
    """A program that calls it for inference is respected, and so is a freeze."""
    tuned = FineTuned()
    tuned(X[:2])
    assert surface_of(tuned, LABELS, SPARSE).normalized == 0
    frozen = normalized_network()
    frozen.layers[1].trainable = False
    assert surface_of(frozen, LABELS, SPARSE).normalized == 0


def test_layers_are_their_own_again_afterward() -> None:
    model = normalized_network()
    surface = surface_of(model, LABELS, SPARSE)
    surface.at(POINTS[:1], directions_for(model))
    layer = model.layers[1]
    assert "call" not in vars(layer)
    assert layer.momentum == 0.99
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0)


def test_the_hessian_of_linear_regression_is_known() -> None:
    model = keras.Sequential([keras.Input((5,)), LAYERS.Dense(1, use_bias=False)])
    surface = surface_of(model, Y[:, :1], "mean_squared_error", batch=32)
    samples = batches_of((X, Y[:, :1]), 96, 32)
    hessian = 2 * X.T.astype("float64") @ X / len(X)
    product = surface.hessian_product(samples)
    vector = np.arange(5.0)
    np.testing.assert_allclose(product(vector), hessian @ vector, rtol=1e-5)
    found = lanczos(product, 5, tolerance=0.0)
    expected = np.linalg.eigvalsh(hessian)
    assert found.largest == pytest.approx(expected[-1], rel=1e-4)
    assert found.smallest == pytest.approx(expected[0], rel=1e-3)


def test_the_hessian_of_a_network_agrees_with_differences_of_gradients() -> None:
    """Gradients of Keras' own forward pass, at weights assigned to the model."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential([
        keras.Input((5,)), LAYERS.Dense(8), LAYERS.BatchNormalization(),
        LAYERS.Activation("tanh"), LAYERS.Dense(3),
    ])
    surface = surface_of(model, LABELS, SPARSE)
    product = surface.hessian_product(surface.training)
    weights = surface.weights()
    generator = np.random.default_rng(1)
    way = [generator.standard_normal(w.shape).astype("float32") for w in weights]

    def gradient(step: float) -> np.ndarray:
        for variable, w, d in zip(model.trainable_variables, weights, way, strict=True):
            variable.assign(w + step * d)
        with tf.GradientTape() as tape:
            loss = SPARSE(surface.training.y[0], model(surface.training.x[0], training=True))
        found = tape.gradient(loss, [v.value for v in model.trainable_variables])
        return np.concatenate([g.numpy().ravel().astype("float64") for g in found])

    h = 2e-3
    expected = (gradient(h) - gradient(-h)) / (2 * h)
    got = product(np.concatenate([d.ravel() for d in way]).astype("float64"))
    np.testing.assert_allclose(got, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (lambda: LAYERS.Dense(4), (6,), [(1,), None]),
        (lambda: LAYERS.Conv2D(4, 3), (8, 8, 2), [(3,), None]),
        (lambda: LAYERS.Conv2DTranspose(4, 3), (8, 8, 2), [(2,), None]),
        (lambda: LAYERS.DepthwiseConv2D(3), (8, 8, 2), [(2, 3), None]),
        (lambda: LAYERS.SeparableConv2D(4, 3), (8, 8, 2), [(2, 3), (3,), None]),
        (lambda: LAYERS.LSTM(3), (5, 2), [(1,), (1,), None]),
        (lambda: LAYERS.GRU(3), (5, 2), [(1,), (1,), None]),
        (lambda: LAYERS.LayerNormalization(axis=[1, 2]), (5, 2), [None, None]),
        (lambda: LAYERS.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de"), (4, 5),
         [(1, 2), None]),
    ],
)
def test_what_a_filter_is(layer: Any, shape: tuple[int, ...], axes: list[Any]) -> None:
    inputs = keras.Input(shape)
    assert list(filter_axes(keras.Model(inputs, layer()(inputs)))) == axes


def test_tokens_are_the_filters_of_an_embedding_and_heads_those_of_attention() -> None:
    inputs = keras.Input((4,), dtype="int32")
    embedded = LAYERS.Embedding(10, 6)(inputs)
    model = keras.Model(inputs, LAYERS.MultiHeadAttention(2, 3)(embedded, embedded))
    by_name = {
        v.path.split("/", 1)[1]: axes
        for v, axes in zip(model.trainable_variables, filter_axes(model), strict=True)
    }
    assert by_name.pop("embeddings") == (0,)
    kernels = {name: axes for name, axes in by_name.items() if name.endswith("kernel")}
    assert sorted(kernels.values()) == [(1, 2), (1, 2), (1, 2), (2,)]
    assert all(axes is None for name, axes in by_name.items() if name.endswith("bias"))


def test_filters_of_a_trained_kernel_have_the_norms_of_their_columns() -> None:
    kernel = RNG.normal(size=(3, 3, 2, 4))
    expected = [np.linalg.norm(kernel[..., k]) for k in range(4)]
    np.testing.assert_allclose(filter_norms(kernel, (3,)).ravel(), expected)


@pytest.mark.parametrize(
    ("loss", "y", "level"),
    [
        (SPARSE, LABELS, np.log(3)),
        ("sparse_categorical_crossentropy", LABELS, np.log(3)),
        ("categorical_crossentropy", np.eye(3, dtype="f4")[LABELS], np.log(3)),
        ("mean_squared_error", Y, Y.astype("f8").var(0).mean()),
        ("mse", Y, Y.astype("f8").var(0).mean()),
        (keras.losses.MeanAbsoluteError(), Y, np.abs(Y - np.median(Y, 0)).mean()),
        ("binary_crossentropy", (Y > 0).astype("f4"), np.log(2)),
        ("poisson", np.abs(Y), None),
    ],
)
def test_the_loss_of_guessing(loss: Any, y: Any, level: float | None) -> None:
    model = keras.Sequential([keras.Input((5,)), LAYERS.Dense(3)])
    function, name = loss_of(model, loss)
    found, reason = chance_level(name, function, batches_of((X, y), 96, 48), model)
    assert found == (None if level is None else pytest.approx(level, rel=1e-5))
    assert reason


def test_samples_come_from_what_people_have() -> None:
    whole = batches_of((X, LABELS), 96, 50)
    assert (whole.batch, whole.count) == (48, 96)
    assert sorted(whole.x[..., 0].ravel()) == sorted(X[:, 0])
    weighted = batches_of((X, LABELS, np.arange(96.0)), 40, 40)
    place = np.flatnonzero((weighted.x[0, 7] == X).all(-1))[0]
    assert weighted.weights[0, 7] == place
    assert weighted.y[0, 7] == LABELS[place]
    data = tf.data.Dataset.from_tensor_slices((X, LABELS)).batch(20)
    first = batches_of(data, 50, 100)
    np.testing.assert_array_equal(first.x[0], X[:50])
    tree = batches_of(({"a": X, "b": Y}, LABELS), 30, 10)
    assert tree.x["a"].shape == (3, 10, 5)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (X, "ndarray; expected"),
        ((X, LABELS[:5]), "differ in length"),
        ((X[:0], LABELS[:0]), "no samples"),
        (tf.data.Dataset.from_tensor_slices((X, LABELS)), "single samples"),
        (tf.data.Dataset.from_tensor_slices(X).batch(5), r"expected batches \(x, y\)"),
    ],
)
def test_other_data_is_refused_in_one_clear_line(data: Any, words: str) -> None:
    with pytest.raises(SamplesError, match=words):
        batches_of(data, 10, 10)


def test_models_that_cannot_be_evaluated_say_what_to_do() -> None:
    unbuilt = keras.Sequential([LAYERS.Dense(3)])
    with pytest.raises(EvaluationError, match="has no loss: compile it"):
        loss_of(unbuilt)
    with pytest.raises(EvaluationError, match="build or train it first"):
        surface_of(unbuilt, LABELS, SPARSE)
    with pytest.raises(EvaluationError, match="several losses"):
        loss_of(unbuilt, {"a": "mse"})
