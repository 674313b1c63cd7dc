"""Whole landscapes of real models: what comes out, and that the model never notices."""

from __future__ import annotations

import json
import random
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from tb_convergence.core.landscape import parse  # noqa: E402
from tb_convergence.experiments.loss_landscape import Landscape, landscape  # noqa: E402
from tb_convergence.experiments.loss_landscape.compute import LandscapeError  # noqa: E402
from tb_convergence.experiments.loss_landscape.directions import DirectionError  # noqa: E402
from tb_convergence.experiments.loss_landscape.path import PathError  # noqa: E402

pytestmark = pytest.mark.tensorflow

LAYERS = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(128, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 1)) + 0.1 * RNG.normal(size=(128, 1))).astype("float32")
LABELS = (Y[:, 0] > 0).astype("int32")


def linear(rate: float = 0.05, momentum: float = 0.0) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), LAYERS.Dense(1, use_bias=False)])
    model.compile(keras.optimizers.SGD(rate, momentum=momentum), "mean_squared_error")
    return model


def quiet(model: Any, data: Any = (X, Y), **options: Any) -> Landscape:
    return landscape(model, data, **{"progress": False, "curvature": False, **options})


def test_the_landscape_of_linear_regression_is_a_convex_bowl_of_known_sharpness() -> None:
    model = linear()
    model.fit(X, Y, epochs=30, verbose=0)
    found = quiet(model, curvature=True, points=25, radius=2.0)
    assert found.complete
    assert len(found.planes) == 3
    assert found.statistics["nonconvex_share"].values == (0.0, 0.0, 0.0)
    assert found.settings["level"] == pytest.approx(Y.var(), rel=1e-5)
    assert found.settings["end_loss"] == pytest.approx(model.evaluate(X, Y, verbose=0), rel=1e-5)
    hessian = 2 * X.T.astype("float64") @ X / len(X)
    true = float(np.linalg.eigvalsh(hessian)[-1])
    assert found.sharpness is not None
    spread = found.sharpness.largest
    # Halves of 128 samples: their spread has to cover the whole's value.
    assert min(spread.values) * 0.7 < true < max(spread.values) * 1.3
    assert found.sharpness.verdict == "acquitted"
    plane = found.planes[0]
    kernel = model.trainable_variables[0].numpy().astype("float64")
    center = plane.values["loss"][12, 12]
    assert center == pytest.approx(np.mean((X @ kernel - Y) ** 2), rel=1e-5)
    assert np.nanmin(plane.values["loss"]) >= center * 0.99


def test_momentum_is_not_judged_by_the_limit_of_gradient_descent() -> None:
    found = quiet(linear(momentum=0.9), curvature=True, points=9, pairs=1)
    assert found.sharpness is not None
    assert found.sharpness.verdict == "not decided"
    assert "without momentum" in found.sharpness.text


def test_another_seed_agrees_within_the_stated_spread() -> None:
    """Widths of a bowl in many random planes: two means, each with its standard error."""
    model = linear()
    model.fit(X, Y, epochs=30, verbose=0)
    first, second = (
        quiet(model, pairs=8, seed=seed, points=25, refine_to=None) for seed in (0, 100)
    )
    a, b = (one.statistics["roughness"] for one in (first, second))
    assert a.mean is not None
    assert b.mean is not None
    assert a.deviation is not None
    error = a.deviation * np.sqrt(2 / 8)
    assert abs(a.mean - b.mean) < 4 * error
    again = quiet(model, pairs=8, seed=0, points=25, refine_to=None)
    assert again.statistics["roughness"].values == a.values


class Counting(LAYERS.Layer):
    """Counts its calls in a raw variable, as hand-written layers do."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0, dtype=tf.int32)

    def call(self, x: Any) -> Any:
        self.calls.assign_add(1)
        return x


def busy_model() -> Any:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((4,))
    x = LAYERS.Dense(8)(inputs)
    x = LAYERS.BatchNormalization()(x)
    x = LAYERS.GaussianNoise(0.1)(LAYERS.ReLU()(x))
    x = Counting()(LAYERS.Dropout(0.3)(x))
    x = LAYERS.Reshape((4, 2))(x)
    x = LAYERS.GRU(3)(x)
    model = keras.Model(inputs, LAYERS.Dense(2, kernel_regularizer="l2")(x))
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
    )
    return model


def trained_on(between: Any) -> tuple[list[np.ndarray], dict[str, list[float]], tuple[Any, ...]]:
    """Train, do something between, train on; and what the process' random numbers are then."""
    model = busy_model()
    model.fit(X, LABELS, batch_size=32, epochs=2, verbose=0)
    between(model)
    history = model.fit(X, LABELS, batch_size=32, epochs=2, verbose=0).history
    drawn = (
        random.random(), float(np.random.rand()),
        float(keras.random.uniform(())), float(tf.random.uniform(())),
    )
    variables = [*model.variables, *model.optimizer.variables]
    raw = [layer.calls.numpy() for layer in model.layers if isinstance(layer, Counting)]
    return [np.array(v.numpy()) for v in variables] + raw, history, drawn


def test_training_goes_on_bit_for_bit_as_without_a_landscape() -> None:
    alone = trained_on(lambda model: None)
    watched = trained_on(
        lambda model: quiet(model, (X, LABELS), curvature=True, points=9, pairs=1)
    )
    for a, b in zip(alone[0], watched[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert alone[1] == watched[1]
    assert alone[2] == watched[2]


class StopError(Exception):
    pass


def test_a_landscape_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    model = linear()
    journal = tmp_path / "points.npz"

    def stop(done: int, total: int, what: str) -> None:
        if done > 200:
            raise StopError

    with pytest.raises(StopError):
        quiet(model, points=25, pairs=1, refine_to=None, resume=journal, progress=stop)
    assert journal.is_file()
    resumed = quiet(model, points=25, pairs=1, refine_to=None, resume=journal)
    whole = quiet(model, points=25, pairs=1, refine_to=None)
    assert 200 < resumed.settings["restored"] < 625
    np.testing.assert_array_equal(
        resumed.planes[0].values["loss"], whole.planes[0].values["loss"]
    )
    assert not journal.exists()


def test_points_of_other_weights_are_not_resumed(tmp_path: Path) -> None:
    journal = tmp_path / "points.npz"
    model = linear()
    quiet(model, points=9, pairs=1, resume=journal, budget=0.0)
    partial = quiet(model, points=9, pairs=1, resume=journal, budget=0.0)
    assert not partial.complete
    journal.write_bytes(b"")
    assert quiet(model, points=9, pairs=1, resume=journal).settings["restored"] == 0
    model.trainable_variables[0].assign_add(np.ones((4, 1), "f4"))
    assert quiet(model, points=9, pairs=1, resume=journal).settings["restored"] == 0


def test_points_of_other_sample_weights_are_not_resumed(tmp_path: Path) -> None:
    journal, kept = tmp_path / "points.npz", tmp_path / "kept.npz"

    def stop(done: int, total: int, what: str) -> None:
        if done > 200:
            raise KeyboardInterrupt

    model = linear()
    with pytest.raises(KeyboardInterrupt):
        quiet(model, points=25, pairs=1, refine_to=None, resume=journal, progress=stop)
    kept.write_bytes(journal.read_bytes())
    for weights, restored in ((np.arange(len(X), dtype="f4"), False), (None, True)):
        journal.write_bytes(kept.read_bytes())
        data = (X, Y) if weights is None else (X, Y, weights)
        found = quiet(model, data, points=25, pairs=1, refine_to=None, resume=journal)
        assert (found.settings["restored"] > 0) is restored


@pytest.mark.parametrize("kind", ["text", "array", "samples"])
def test_a_file_that_holds_no_points_is_kept(tmp_path: Path, kind: str) -> None:
    """`--resume` may name the wrong file: it would be replaced, and removed in the end."""
    file = tmp_path / "mine.npz"
    with file.open("wb") as stream:
        if kind == "text":
            stream.write(b"my notes")
        elif kind == "array":
            np.save(stream, np.arange(3))
        else:
            np.savez(stream, x=np.arange(3), y=np.arange(3))
    before = file.read_bytes()
    with pytest.raises(ValueError, match=r"something other than points.*name a new file"):
        quiet(linear(), points=9, pairs=1, resume=file)
    assert file.read_bytes() == before


def test_a_budget_of_nothing_is_reported_and_not_invented() -> None:
    found = quiet(linear(), points=9, pairs=2, budget=0.0)
    assert not found.complete
    assert all(np.isnan(plane.values["loss"]).all() for plane in found.planes)
    assert found.statistics == {}
    assert "the budget ran out" in found.summary()


def test_executors_give_the_same_landscape() -> None:
    model = busy_model()
    options: dict[str, Any] = {"points": 9, "pairs": 2}
    alone = quiet(model, (X, LABELS), **options)
    with ThreadPoolExecutor(2) as threads:
        threaded = quiet(model, (X, LABELS), executor=threads, **options)
    for a, b in zip(alone.planes, threaded.planes, strict=True):
        np.testing.assert_array_equal(a.values["loss"], b.values["loss"])


def plain_classifier() -> Any:
    keras.utils.set_random_seed(3)
    model = keras.Sequential([
        keras.Input((4,)), LAYERS.Dense(8), LAYERS.BatchNormalization(), LAYERS.Dense(2),
    ])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_a_process_gives_the_same_landscape() -> None:
    model = plain_classifier()
    options: dict[str, Any] = {"points": 9, "pairs": 2}
    alone = quiet(model, (X, LABELS), **options)
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        shipped = quiet(model, (X, LABELS), executor=processes, **options)
    for a, b in zip(alone.planes, shipped.planes, strict=True):
        np.testing.assert_allclose(a.values["loss"], b.values["loss"], rtol=1e-6)
        assert a.statistics == pytest.approx(b.statistics, nan_ok=True)


def test_a_line_between_two_models_meets_both() -> None:
    first, second = linear(), linear()
    second.fit(X, Y, epochs=20, verbose=0)
    found = quiet(first, other=second, dimensions=1, points=31)
    plane = found.planes[0]
    losses = dict(zip(np.round(plane.x, 6), plane.values["loss"], strict=True))
    assert losses[0.0] == pytest.approx(first.evaluate(X, Y, verbose=0), rel=1e-5)
    assert losses[1.0] == pytest.approx(second.evaluate(X, Y, verbose=0), rel=1e-4)


def test_a_plane_of_eigenvectors_bends_as_the_hessian_says() -> None:
    model = linear()
    found = quiet(model, directions="hessian", points=9, radius=0.5, refine_to=None)
    plane = found.planes[0]
    hessian = 2 * X.T.astype("float64") @ X / len(X)
    top = np.sort(np.linalg.eigvalsh(hessian))[::-1][:2]
    length = float(np.linalg.norm(model.trainable_variables[0].numpy()))
    loss = plane.values["loss"]
    step = (plane.x[1] - plane.x[0]) * length
    along = (loss[5, 4] - 2 * loss[4, 4] + loss[3, 4]) / step**2
    across = (loss[4, 5] - 2 * loss[4, 4] + loss[4, 3]) / step**2
    assert along == pytest.approx(top[0], rel=0.02)
    assert across == pytest.approx(top[1], rel=0.1)


def test_checkpoints_are_a_path(tmp_path: Path) -> None:
    model = plain_classifier()
    saver = keras.callbacks.ModelCheckpoint(str(tmp_path / "m-{epoch:d}.keras"))
    model.fit(X, LABELS, epochs=12, verbose=0, callbacks=[saver])
    before = [np.array(v.numpy()) for v in model.variables]
    found = quiet(model, (X, LABELS), path=tmp_path, points=13)
    path = found.planes[0].path
    assert path is not None
    assert path.exact
    # Eleven checkpoints before the end; the twelfth is the end itself, seen twice at (0, 0).
    assert len(path.x) == 13
    assert (path.x[-2], path.y[-2]) == pytest.approx((0, 0), abs=1e-6)
    assert path.x[0] > path.x[5] > path.x[9] > 0
    assert path.loss[0] is not None
    assert path.loss[-1] is not None
    assert path.loss[0] > path.loss[-1]
    assert sum(found.planes[0].explained) > 0.9
    for a, b in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(a, b.numpy())


def test_the_record_is_strict_json_that_a_reader_accepts() -> None:
    model = linear()
    model.trainable_variables[0].assign(np.full((4, 1), 1e19, "f4"))  # squares overflow
    found = quiet(model, points=9, pairs=1)
    text = json.dumps(found.document("a/b"), allow_nan=False)
    document = parse(text.encode())
    assert document["planes"][0]["values"]["loss"][0] is None
    assert document["statistics"]["finite_share"]["mean"] < 1


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"dimensions": 3}, LandscapeError, "expected 1"),
        ({"radius": -1.0}, LandscapeError, "positive"),
        ({"points": 4}, LandscapeError, "9 to 101"),
        ({"points": 500}, LandscapeError, "9 to 101"),
        ({"pairs": 0}, LandscapeError, "1 to 20"),
        ({"refine_to": 2.0}, LandscapeError, "fraction"),
        ({"directions": "pca"}, DirectionError, "random, path, between, hessian"),
        ({"directions": "path"}, DirectionError, "needs path="),
        ({"directions": "between"}, DirectionError, "needs other="),
        ({"other": [np.ones((4, 1), "f4")]}, DirectionError, "needs third="),
        ({"other": [np.ones((3, 1), "f4")], "dimensions": 1}, DirectionError, "same architecture"),
        ({"path": "/nowhere"}, PathError, "neither a folder with"),
        ({"path": 7}, PathError, "path is a int"),
    ],
)
def test_arguments_that_cannot_be_used(options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        quiet(linear(), **options)
