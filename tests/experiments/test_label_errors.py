"""Labels that were flipped are found; clean labels are left alone."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
import pytest

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import Settings, label_errors

CLASSES = 3


def blobs(flipped: int) -> tuple[Any, Any, set[int]]:
    """Three groups that overlap a little, and labels of which some are those of the next group."""
    random = np.random.default_rng(0)
    y = np.arange(300) % CLASSES
    x = (3.0 * np.eye(CLASSES)[y] + random.normal(size=(300, CLASSES))).astype("float32")
    rows = random.choice(300, flipped, replace=False)
    noisy = y.copy()
    noisy[rows] = (noisy[rows] + 1) % CLASSES
    return x, noisy, set(rows.tolist())


def network() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Dense(16, activation="relu"),
                              keras.layers.Dense(CLASSES)])
    model.compile(keras.optimizers.Adam(1e-2),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_flipped_labels_are_found_and_clean_ones_are_not() -> None:
    pytest.importorskip("cleanlab")
    x, y, wrong = blobs(24)
    model = network()
    before = model.get_weights()
    found = label_errors(model, x, y, epochs=8, settings=Settings(progress=False))
    rows = {one.row for one in found.suspects}
    assert len(rows & wrong) >= 0.75 * len(wrong), str(found)
    assert len(rows & wrong) >= 0.75 * len(rows), str(found)
    margins = [one.margin for one in found.suspects]
    assert margins == sorted(margins)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    read = decode(encode(found.record))
    assert [issue["id"] for issue in read.data["issues"]] == ["label-errors"]
    assert [one["row"] for one in read.data["suspects"]] == [
        one.row for one in found.suspects[:20]]
    assert f"{len(rows)} of 300 labels" in found.summary

    clean = label_errors(network(), *blobs(0)[:2], epochs=8, settings=Settings(progress=False))
    assert len(clean.suspects) < 0.05 * 300, str(clean)


def test_what_it_needs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ImportError, match=r"\[labels\]"):
        label_errors(network(), *blobs(0)[:2])


def test_targets_that_are_no_classes_are_refused() -> None:
    pytest.importorskip("cleanlab")
    x, _, _ = blobs(0)
    model = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="these targets are values"):
        label_errors(model, x, x.sum(1))
    with pytest.raises(ValueError, match="folds is 1"):
        label_errors(network(), *blobs(0)[:2], folds=1)
