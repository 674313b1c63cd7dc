"""Gradients that are wrong, and gradients that batch normalization hides, are told from others."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import tensorflow as tf
from keras import layers
from test_untouched import assert_same, begun

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import gradient_check


@tf.custom_gradient
def _halved(x: Any) -> Any:
    return x, lambda upstream: 0.5 * upstream


class WrongGradient(layers.Layer):
    def call(self, x: Any) -> Any:
        return _halved(x)


def network(*middle: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((models.FEATURES,)), layers.Dense(16, activation="tanh"), *middle,
        layers.Dense(models.CLASSES)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_a_custom_layer_with_a_wrong_gradient_is_convicted() -> None:
    x, y = models.data()
    wrong = gradient_check(network(WrongGradient()), x, y)
    assert {one.name.split("/")[-1] for one in wrong.wrong} == {"kernel", "bias"}, str(wrong)
    assert len(wrong.wrong) == 2, "only what lies before the layer"
    right = gradient_check(network(), x, y)
    assert right.wrong == (), str(right)
    assert all(one.error < 0.05 for one in right.layers)
    assert right.verdicts == ()


def deep(normalized: bool, initializer: str) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((models.FEATURES,))])
    for _ in range(9):
        model.add(layers.Dense(16, kernel_initializer=initializer))
        if normalized:
            model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
    model.add(layers.Dense(models.CLASSES))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_batch_norm_that_hides_vanishing_gradients() -> None:
    x, y = models.data()
    tiny = keras.initializers.RandomNormal(stddev=0.05)
    hidden = gradient_check(deep(True, tiny), x, y)
    assert hidden.masked, str(hidden)
    assert hidden.verdicts[0].outcome == "confirmed"
    sound = gradient_check(deep(True, "he_normal"), x, y)
    assert not sound.masked, str(sound)
    assert sound.verdicts[0].outcome == "refuted"
    assert decode(encode(sound.record)).data["batch_norm"] is True


def test_it_leaves_no_trace() -> None:
    model = begun("nested", "adam", True)
    gradient_check(model, *models.data(2))
    assert_same(model, "nested", "adam", True)
    assert np.isfinite(model.get_weights()[0]).all()
