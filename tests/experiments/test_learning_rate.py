"""The range test convicts rates that are far off, acquits usual ones, and else gives no answer."""

from __future__ import annotations

from typing import Any

import keras
import models
import numpy as np
import pytest

from tb_convergence.core.experiments import decode, encode
from tb_convergence.experiments import Settings, lr_range_test, range_curve


def network(optimizer: Any, **options: Any) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((models.FEATURES,)),
        keras.layers.Dense(32, activation="relu", **options),
        keras.layers.Dense(models.CLASSES, activation="softmax", **options),
    ])
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


def outcomes(found: Any) -> dict[str, str]:
    return {verdict.finding: verdict.outcome for verdict in found.verdicts}


def test_rates_are_convicted_and_acquitted() -> None:
    """One network, one curve for each optimizer; what differs is the rate in use."""
    x, y = models.data()
    high, low = "learning-rate-too-high", "learning-rate-too-low"
    for rate, too_high, too_low in ((1e-3, "refuted", "refuted"), (1e-7, "refuted", "confirmed"),
                                    (8.0, "confirmed", "refuted")):
        found = lr_range_test(network(keras.optimizers.Adam(rate)), x, y, seeds=(0,))
        told = outcomes(found)
        assert told[high] == too_high, (rate, str(found))
        if rate == 1e-3:
            assert told[low] != "confirmed", str(found)
        else:
            assert told[low] == too_low, (rate, str(found))
        assert found.suggested is not None
        assert 1e-4 < found.suggested < 0.3
        assert found.highest_stable is not None
        assert found.highest_stable > found.suggested


def test_a_network_that_cannot_learn_gets_no_rate() -> None:
    negative = keras.initializers.Constant(-5.0)
    model = network("adam", kernel_initializer="zeros", bias_initializer=negative)
    x, _ = models.data()
    y = np.arange(len(x)) % models.CLASSES  # balanced: there are no shares of classes to learn
    found = lr_range_test(model, x, y, seeds=(0, 1))
    assert found.suggested is None
    assert "no answer" not in str(found)
    assert "does not fall significantly" in found.why_none
    assert set(outcomes(found).values()) == {"refuted"}


def test_clipping_is_taken_away_for_a_second_sweep() -> None:
    x, y = models.data()
    model = network(keras.optimizers.SGD(5.0, clipnorm=0.05))
    found = lr_range_test(model, x, y, seeds=(0,))
    assert found.unclipped is not None
    assert found.unclipped.highest_stable is not None
    assert outcomes(found)["clipping-hides-learning-rate"] == "confirmed"
    assert model.optimizer.clipnorm == 0.05


def test_time_and_interrupts_end_it_with_what_there_is() -> None:
    x, y = models.data()
    model = network("adam")
    found = lr_range_test(model, x, y, seeds=(0, 1, 2), settings=Settings(seconds=0.0))
    assert found.ended == "out of time"
    assert found.verdicts == ()

    def interrupt(done: int, total: int, what: str) -> None:
        if done >= 100:
            raise KeyboardInterrupt

    before = model.get_weights()
    found = lr_range_test(model, x, y, settings=Settings(progress=interrupt))
    assert found.ended == "interrupted"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_the_record_is_what_a_reader_gets() -> None:
    x, y = models.data()
    found = lr_range_test(network("adam"), x, y, steps=30, seeds=(0,))
    read = decode(encode(found.record))
    assert read.kind == "lr_range_test"
    assert read.verdicts == found.verdicts
    assert read.data["suggested"] == found.suggested


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="expected 0 < low < high"):
        lr_range_test(network("adam"), *models.data(), low=1.0, high=0.1)


def test_a_curve_is_cut_where_it_diverges() -> None:
    rates = np.geomspace(1e-4, 1.0, 60)
    losses = np.where(rates < 0.1, 1.0 - 0.5 * np.clip(np.log10(rates) + 3, 0, 1), 50.0)
    curve = range_curve.curve_of(rates, losses)
    assert curve.diverged
    assert curve.rates[-1] < 0.2
    assert range_curve.falls(curve)


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_is_no_fall(seed: int) -> None:
    losses = 2.3 + 0.3 * np.random.default_rng(seed).normal(size=100)
    curve = range_curve.curve_of(np.geomspace(1e-6, 10, 100), losses)
    assert range_curve.suggest(curve) is None
    assert range_curve.highest_stable(curve) is None
