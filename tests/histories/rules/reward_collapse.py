"""Runs for `reward-collapse`."""

from __future__ import annotations

import numpy as np

import histories as draw
from tb_convergence.core.history import RunHistory

SCENE = "The learning rate of a policy gradient agent stays high after it has learned to balance."


def fires() -> RunHistory:
    """The agent learns, keeps its reward for a while, and loses it at two thirds of the run."""
    return _run(12.0)


def silent() -> RunHistory:
    """The same agent loses a tenth of it: no more than exploration costs."""
    return _run(165.0)


def _run(end: float) -> RunHistory:
    steps = np.arange(300)
    rng = np.random.default_rng(5)
    reward = 10 + 180 / (1 + np.exp(-(steps - 80) / 15.0))
    reward = np.where(steps > 210, end + (reward - end) * np.exp(-(steps - 210) / 12.0), reward)
    return draw.history(
        loss=draw.series("loss", 0.4 + 0.05 * rng.normal(size=300), steps),
        reward=draw.series("reward", reward + 6 * rng.normal(size=300), steps),
    )
