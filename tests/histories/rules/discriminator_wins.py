"""Runs for `discriminator-wins`."""

from __future__ import annotations

import numpy as np

import histories as draw
from tb_convergence.core.history import RunHistory

SCENE = "The discriminator of a GAN learns five thousand times as fast as the generator."


def fires() -> RunHistory:
    """Its loss falls to 1e-5 within a tenth of the run, and the generator's grows to 12."""
    return _run(1e-5, 12.0)


def silent() -> RunHistory:
    """A strong discriminator that the generator still fools: losses of 0.2 and 3."""
    return _run(0.2, 3.0)


def _run(discriminator: float, generator: float) -> RunHistory:
    steps = np.arange(300)
    rng = np.random.default_rng(5)
    share = np.exp(-steps / 20.0)
    noise = np.exp(0.2 * rng.normal(size=(2, 300)))
    first, second = (
        noise[0] * (discriminator + (1.386 - discriminator) * share),
        noise[1] * (generator + (0.693 - generator) * share),
    )
    return draw.history(
        loss=draw.series("loss", first, steps),
        discriminator_loss=draw.series("discriminator_loss", first, steps),
        generator_loss=draw.series("generator_loss", second, steps),
    )
