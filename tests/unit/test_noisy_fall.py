"""Whether a noisy loss falls: simulated losses of which the truth is known."""

from __future__ import annotations

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis.noisy_fall import noisy_fall
from tb_convergence.core.rules import loss_not_decreasing


def simulated(length: int, fall: float, noise: float, seed: int, how: str = "exp") -> np.ndarray:
    """Losses with multiplicative noise of the standard deviation `noise` around a falling level."""
    draws = np.random.default_rng(seed).gamma(noise**-2, noise**2, length)
    steps = np.arange(length)
    part = 1 - np.exp(-3 * steps / length) if how == "exp" else np.log(steps + 1)
    return (1 - fall * part / part[-1]) * draws


def flat(values: np.ndarray) -> bool:
    found = loss_not_decreasing.RULE.evaluate(
        draw.history(loss=draw.series("loss", values)), {}
    )
    return found is not None and found.severity != "info"


@pytest.mark.parametrize("how", ["exp", "power"])
def test_falling_losses_are_not_called_flat(how: str) -> None:
    """Falls of a third, from hardly to barely visible; at most one of a hundred may fail."""
    wrong = [
        (length, noise, seed)
        for length in (50, 300, 3000)
        for noise in (0.1, 0.3, 1.0)
        for seed in range(12)
        if flat(simulated(length, 1 / 3, noise, seed, how))
    ]
    assert len(wrong) <= 1, wrong


@pytest.mark.parametrize(("length", "noise"), [(60, 0.02), (600, 0.1), (6000, 0.3)])
def test_flat_losses_are_found_where_the_noise_allows_it(length: int, noise: float) -> None:
    found = [flat(simulated(length, 0.0, noise, seed)) for seed in range(20)]
    assert sum(found) >= 16


def test_a_fall_in_the_first_steps_counts() -> None:
    values = 1 + 0.05 * np.random.default_rng(0).standard_normal(600)
    values[:5] = 2.0
    history = draw.history(loss=draw.series("loss", values))
    fall = noisy_fall(history)
    assert fall is not None
    assert fall.early
    assert fall.shown
    assert not flat(values)


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5, [np.nan] * 50])
def test_too_few_losses_have_no_thirds(values: list[float]) -> None:
    history = draw.history(loss=draw.series("loss", np.array(values)))
    assert noisy_fall(history) is None
