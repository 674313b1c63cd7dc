"""Every result can be drawn, with what it holds, into axes that the user gives."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from tb_convergence.experiments import (
    Settings,
    ablate,
    check_data,
    doctor,
    gradient_check,
    landscape,
    lr_range_test,
    overfit_small_sample,
)

X, Y = models.data(0, 192)
QUIET = Settings(progress=False)


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(0)
    network = keras.Sequential([
        keras.Input((models.FEATURES,)), keras.layers.Dense(8, activation="relu"),
        keras.layers.BatchNormalization(), keras.layers.Dropout(0.2),
        keras.layers.Dense(models.CLASSES, activation="softmax")])
    network.compile(keras.optimizers.Adam(1e-5), "sparse_categorical_crossentropy")
    return network


def axes() -> Any:
    return Figure().add_subplot()


def test_a_range_test_shows_its_rates(model: Any) -> None:
    found = lr_range_test(model, X, Y, steps=30, seeds=(0,), compare=10, settings=QUIET)
    ax = found.plot(axes())
    assert ax.get_xscale() == "log"
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"in use: {1e-5:.2g}" in texts
    assert (found.suggested is not None) == any(text.startswith("suggested") for text in texts)


def test_a_ladder_has_a_bar_for_each_size(model: Any) -> None:
    found = overfit_small_sample(model, X, Y, settings=Settings(5.0, False))
    assert len(found.plot(axes()).patches) == len(found.rungs)


def test_an_ablation_has_a_line_for_each_change(model: Any) -> None:
    found = ablate(model, X, Y, changes=["without-dropout", "leaky-relu"], steps=8, seeds=(0, 1),
                   settings=QUIET)
    labels = [label.get_text() for label in found.plot(axes()).get_yticklabels()]
    assert sorted(labels) == sorted(effect.change.title for effect in found.effects)


def test_a_data_check_counts_its_issues() -> None:
    found = check_data(np.where(X > 2, np.nan, X), Y, settings=QUIET)
    heights = [patch.get_height() for patch in found.plot(axes()).patches]
    assert sum(heights) == len(found.issues) > 0


def test_a_gradient_check_shows_both_norms(model: Any) -> None:
    found = gradient_check(model, X, Y, settings=QUIET)
    (norms, without) = found.plot(axes()).lines
    np.testing.assert_array_equal(norms.get_ydata(), [one.norm for one in found.layers])
    assert len(without.get_ydata()) == len(found.layers)


def test_the_doctor_shows_what_was_tried_and_proven(model: Any) -> None:
    found = doctor(model, X, Y, epochs=4, settings=Settings(1e6, False, None, 800))
    ax = found.plot(axes())
    labels = [label.get_text() for label in ax.get_yticklabels()]
    tried = [one.change.title for one in found.candidates if one.value is not None]
    assert labels[0] == "unchanged"
    assert len(labels) == len(tried) + 1 + len(found.proofs)
    assert set(tried) <= set(labels)


def test_a_landscape_is_drawn_with_contours_and_as_a_line(model: Any) -> None:
    options: dict[str, Any] = {"pairs": 1, "curvature": False, "progress": False}
    plane = landscape(model, (X, Y), points=9, **options).plot(ax=axes())
    assert plane.collections
    line = landscape(model, (X, Y), dimensions=1, points=9, **options)
    (curve,) = line.plot(ax=axes()).lines
    assert len(curve.get_xdata()) == 9
