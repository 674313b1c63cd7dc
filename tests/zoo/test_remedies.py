"""Advice that is followed word by word: on a small model, and what no pattern reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zoo.program import Training

pytestmark = pytest.mark.tensorflow


def training() -> Training:
    import keras  # noqa: PLC0415 - slow

    model = keras.Sequential([
        keras.Input((3,)), keras.layers.Dense(4, activation="sigmoid", name="hidden"),
        keras.layers.Dropout(0.9), keras.layers.Dense(1, name="last"),
    ])
    model.compile(keras.optimizers.SGD(2.0, momentum=0.9, global_clipnorm=1e-4), "mse")
    x = np.random.default_rng(1).standard_normal((40, 3)) * 50 + 200
    x[3, 1] = np.nan
    return Training(model, x, x[:, :1] * 2 + 1000.0, lambda trained: float(np.mean(trained(x[:2]))))


def followed(advice: str, layers: tuple[str, ...] = ()) -> Any:
    from zoo.remedies import apply  # noqa: PLC0415 - imports Keras

    return apply(training(), advice, layers)


@pytest.mark.parametrize(
    ("advice", "seen", "wanted"),
    [
        ("Lower the learning rate: SGD(0.003, momentum=0.9) instead of SGD(2, momentum=0.9).",
         lambda t: float(t.model.optimizer.learning_rate), 0.003),
        ("Set global_clipnorm=2 instead of 1e-4: only outliers are larger. Steps are then about "
         "1,000 times as long, so lower the rate as well: SGD(0.02, momentum=0.9) instead of "
         "SGD(2, momentum=0.9).",
         lambda t: (t.model.optimizer.global_clipnorm, float(t.model.optimizer.learning_rate)),
         (2.0, 0.02)),
        ("Set activation='relu' in hidden.", lambda t: t.model.layers[0].activation.__name__,
         "relu"),
        ("Remove the dropout and fit the training data first.",
         lambda t: t.model.layers[1].rate, 0.0),
        ("Train longer: epochs=12 or more instead of 2.", lambda t: t.epochs, 12),
        ("Leave out the samples that hold NaN or Inf: keep = ...", lambda t: len(t.x), 39),
        ("Weight the classes: fit(..., class_weight={0: 0.5, 1: 25}), or draw batches",
         lambda t: t.class_weight, {0: 0.5, 1: 25}),
        ("Initialize hidden with glorot_uniform (the default), biases at zero.",
         lambda t: float(np.abs(t.model.layers[0].bias.numpy()).max()), 0.0),
    ],
)
def test_advice_is_done(advice: str, seen: Any, wanted: Any) -> None:
    assert seen(followed(advice)) == pytest.approx(wanted)


def test_scaled_targets_are_turned_back_for_the_judge() -> None:
    changed = followed("Standardize the targets: train on (y - 1400) / 100, the validation "
                       "targets likewise, and turn predictions back with p * 100 + 1400.")
    assert float(np.nanmean(changed.y)) == pytest.approx((np.nanmean(training().y) - 1400) / 100)
    raw = float(np.mean(changed.model(changed.x[:2])))
    assert changed.judge(changed.model) == pytest.approx(raw * 100 + 1400, rel=1e-4)


def test_what_a_person_has_to_decide_is_left_alone() -> None:
    assert followed("Inspect some pairs of inputs and labels.") is None
