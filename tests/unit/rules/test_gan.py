"""Generative adversarial networks: a discriminator that wins is found, healthy duels are not."""

from __future__ import annotations

import histories as draw
import numpy as np
import pytest
from histories.faults import ids

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory

N = 200
T = np.arange(N)
RANDOM = np.random.default_rng(1)


def duel(generator: np.ndarray, discriminator: np.ndarray) -> RunHistory:
    def noisy(values: np.ndarray) -> np.ndarray:
        return np.asarray(values * np.exp(0.15 * RANDOM.normal(size=len(values))))

    losses = {"generator_loss": noisy(generator), "discriminator_loss": noisy(discriminator)}
    return draw.history(
        loss=draw.series("loss", losses["discriminator_loss"]),
        **{name: draw.series(name, values) for name, values in losses.items()},
    )


def moved(start: float, end: float, steps: float = 10.0) -> np.ndarray:
    return end + (start - end) * np.exp(-T / steps)


def later(values: np.ndarray) -> np.ndarray:
    return np.where(T < 40, 0.0, np.roll(values, 40))


@pytest.mark.parametrize(("generator", "discriminator"), [
    (moved(0.7, 14, 30), moved(1.39, 1e-6, 3)),
    (moved(0.7, 8, 30), 1.39 * np.exp(-T / 15)),
    (moved(0.4, 0.99), moved(0.5, 1e-4)),  # squared errors
    (moved(0.0, 3.0), moved(2.0, 1e-3)),  # hinge
    (later(moved(0.7, 9)), later(moved(1.39, 1e-4))),  # VQGAN: the discriminator joins later
])
def test_a_discriminator_that_is_sure_of_all(
    generator: np.ndarray, discriminator: np.ndarray
) -> None:
    history = duel(generator, discriminator)
    assert ids(history) == ["discriminator-wins"]
    assert diagnose_history(history).verdict.state == "sick"


@pytest.mark.parametrize(("generator", "discriminator"), [
    (moved(0.7, 15, 100), moved(1.39, 5e-3, 20)),  # right with 99.5 %
    (moved(0.7, 100), np.where(T == 0, 1.39, 20)),  # a rate of 1: wrong as often as right
])
def test_a_discriminator_that_the_generator_may_catch_up_with(
    generator: np.ndarray, discriminator: np.ndarray
) -> None:
    (finding,) = diagnose_history(duel(generator, discriminator)).findings
    assert (finding.id, finding.severity) == ("discriminator-wins", "info")


@pytest.mark.parametrize(("generator", "discriminator"), [
    (moved(0.7, 0.9), moved(1.39, 1.2)),
    (moved(0.7, 4.5), moved(1.39, 0.15)),  # strong, but fooled at times
    (moved(45, 12), moved(1.39, 1e-3)),  # pix2pix: the reconstruction still improves
    (moved(120, 30), moved(1.0, 0.3)),  # a vocoder: features and spectra in the generator's loss
    (moved(0.7, 40), moved(8, -30)),  # WGAN: no floor
    (np.where(T < 150, 0.0, 0.7), np.where(T < 150, 0.0, 1.0)),  # joins late
    (moved(0.7, 14, 30)[:30], moved(1.39, 1e-6, 3)[:30]),  # too short
    (np.where((T > 60) & (T < 120), 9, 0.8), np.where((T > 60) & (T < 120), 1e-3, 1.2)),
])
def test_other_duels(generator: np.ndarray, discriminator: np.ndarray) -> None:
    history = duel(generator, discriminator)
    assert ids(history) == []
    assert diagnose_history(history).verdict.state != "nothing-found"
