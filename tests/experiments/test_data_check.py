"""Each check convicts data with one thing wrong, and acquits the same data without it."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import pytest
import tensorflow as tf

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import check_data


def classes(count: int = 600, kinds: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Clusters: neighbors share a class."""
    random = np.random.default_rng(0)
    y = random.integers(0, kinds, count)
    centers = np.random.default_rng(1).normal(size=(kinds, 8))
    return (centers[y] + 0.3 * random.normal(size=(count, 8))).astype("float32"), y


def ids(found: Any) -> set[str]:
    return {issue.id for issue in found.issues if issue.severity != "info"}


def network(outputs: int = 4) -> Any:
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(outputs, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_healthy_data_have_no_issue() -> None:
    x, y = classes()
    found = check_data(x[:500], y[:500], validation_data=(x[500:], y[500:]), model=network())
    assert found.issues == (), str(found)
    assert {one.outcome for one in found.verdicts} == {"refuted"}
    assert decode(encode(found.record)).verdicts == found.verdicts


def spoiled(x: np.ndarray, y: np.ndarray, what: str) -> tuple[Any, Any, Any]:
    held = None
    if what == "non-finite":
        x[3, 2] = np.nan
    elif what == "scale":
        x[:, 1] = 1e4 + 500 * x[:, 1]
    elif what == "constant-columns":
        x[:] = 1.0
    elif what == "outliers":
        x[7, 0] = 1e3
    elif what == "validation-scale":
        held = (x * 255, y)
    elif what == "labels-out-of-range":
        y = y + 1
    elif what == "labels-divided":
        y = (y / 255).astype("float32")
    elif what == "one-label":
        y = np.ones_like(y)
    elif what == "imbalance":
        y = np.where(np.arange(len(y)) % 100 == 0, y, 0)
    elif what == "leak":
        held = (x[:100], y[:100])
    return x, y, held


@pytest.mark.parametrize(
    "what", ["non-finite", "scale", "constant-columns", "outliers", "validation-scale",
             "labels-out-of-range", "labels-divided", "one-label", "imbalance", "leak"])
def test_what_is_wrong_is_named(what: str) -> None:
    x, y, held = spoiled(*classes(), what)
    found = check_data(x, y, validation_data=held, model=network())
    assert what in ids(found), str(found)
    assert what not in ids(check_data(*classes(), model=network()))


def test_order_is_looked_at_where_nobody_shuffles() -> None:
    x, y = classes()
    rows = np.argsort(y, kind="stable")
    ordered = tf.data.Dataset.from_tensor_slices((x[rows], y[rows])).batch(32)
    mixed = tf.data.Dataset.from_tensor_slices((x, y)).batch(32)
    assert "ordered" in ids(check_data(ordered))
    assert "ordered" not in ids(check_data(mixed))
    assert "ordered" not in ids(check_data(x[rows], y[rows])), "fit shuffles arrays"


def test_labels_out_of_step_are_asked_about() -> None:
    x, y = classes()
    rows = np.random.default_rng(2).permutation(len(y))
    assert any(issue.id == "out-of-step" for issue in check_data(x, y[rows]).issues)
    assert not any(issue.id == "out-of-step" for issue in check_data(x, y).issues)


def test_token_ids_beyond_the_embedding() -> None:
    model = keras.Sequential([
        keras.Input((5,), dtype="int32"), keras.layers.Embedding(50, 4), keras.layers.Flatten(),
        keras.layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    tokens = np.random.default_rng(0).integers(0, 50, (300, 5)).astype("int32")
    y = np.random.default_rng(1).integers(0, 4, 300)
    assert "token-ids" not in ids(check_data(tokens, y, model=model))
    from tb_convergence.experiments.data_check import _tokens  # noqa: PLC0415
    from tb_convergence.experiments.sample import gather  # noqa: PLC0415

    assert [issue.id for issue in _tokens(gather(tokens + 20, y), model)] == ["token-ids"]


def test_the_normalizer_gives_mean_0_and_deviation_1() -> None:
    x, y = classes()
    found = check_data(100 + 50 * x, y)
    after = np.asarray(found.normalizers[0](100 + 50 * x))
    np.testing.assert_allclose(after.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(after.std(0), 1, atol=1e-3)


def test_models_are_left_alone() -> None:
    model = models.compiled("sequential")
    before = model.get_weights()
    check_data(*models.data(), model=model)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
