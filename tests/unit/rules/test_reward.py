"""A reward that collapses is found; healthy agents, whose rewards are noisy too, draw nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.finding import Finding
from tb_convergence.core.history import RunHistory
from tb_convergence.core.scalar_tags import ScalarTag

N = 600
T = np.arange(N) / N
Reward = Callable[[np.random.Generator], np.ndarray]


def learned(middle: float = 0.25, width: float = 0.05) -> np.ndarray:
    return 1 / (1 + np.exp(-(T - middle) / width))


def moving_average(values: np.ndarray, window: int = 50) -> np.ndarray:
    total = np.cumsum(np.r_[0.0, values])
    first = np.maximum(0, np.arange(1, N + 1) - window)
    return np.asarray((total[1:] - total[first]) / (np.arange(1, N + 1) - first))


def dip(at: float, width: float) -> np.ndarray:
    return np.asarray(np.exp(-(((T - at) / width) ** 2)))


HEALTHY: dict[str, Reward] = {
    "on-policy": lambda g: 20 + 480 * learned() + 40 * g.normal(size=N),
    "its moving average": lambda g: moving_average(20 + 480 * learned() + 90 * g.normal(size=N)),
    "costs": lambda g: -1400 + 1250 * learned() + 90 * g.normal(size=N),
    "noise in proportion": lambda g: (20 + 200 * learned()) * np.exp(0.5 * g.normal(size=N)),
    "a dip in the middle": lambda g: (
        20 + 200 * learned() * (1 - 0.9 * dip(0.6, 0.05)) + 20 * g.normal(size=N)
    ),
    "a late dip that recovers": lambda g: (
        20 + 200 * learned() * (1 - 0.8 * dip(0.88, 0.02)) + 20 * g.normal(size=N)
    ),
    "a drawdown of a third": lambda g: (
        20 + 200 * learned() * (1 - 0.35 * (T > 0.8)) + 20 * g.normal(size=N)
    ),
    "nothing learned": lambda g: 22 + 6 * g.normal(size=N),
    "success or not": lambda g: (g.uniform(size=N) < 0.05 + 0.9 * learned()).astype(float),
    "hardly ever a success": lambda g: (g.uniform(size=N) < 0.02).astype(float),
    "a plateau below the best": lambda g: (
        100 * learned() - 15 * learned(0.7, 0.02) + 5 * g.normal(size=N)
    ),
}

SICK: dict[str, Reward] = {
    "collapse": lambda g: 20 + 480 * learned() * (T < 0.65) + 40 * g.normal(size=N),
    "its moving average": lambda g: moving_average(
        20 + 480 * learned() * (T < 0.65) + 60 * g.normal(size=N), 30
    ),
    "of costs": lambda g: -1400 + 1250 * learned() * (T < 0.65) + 60 * g.normal(size=N),
    "of success": lambda g: (
        g.uniform(size=N) < 0.05 + 0.93 * learned() * (T < 0.6)
    ).astype(float),
    "slow": lambda g: (
        20 + 200 * learned() * np.clip(1 - 1.4 * np.clip(T - 0.6, 0, 1) / 0.4, 0, 1)
        + 15 * g.normal(size=N)
    ),
    "from the start": lambda g: 200 * np.exp(-T / 0.25) + 8 * g.normal(size=N),
}


def run(reward: np.ndarray, **more: np.ndarray) -> RunHistory:
    loss = 0.3 + 0.05 * np.random.default_rng(9).normal(size=len(reward))
    series = {name: draw.series(name, values) for name, values in more.items()}
    return draw.history(
        loss=draw.series("loss", loss), reward=draw.series("reward", reward), **series
    )


def found(history: RunHistory) -> Finding | None:
    findings = diagnose_history(history).findings
    return next((one for one in findings if one.id == "reward-collapse"), None)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_agent_draws_nothing(name: str) -> None:
    for seed in range(20):
        assert found(run(HEALTHY[name](np.random.default_rng(seed)))) is None, seed


@pytest.mark.parametrize("name", SICK)
def test_a_collapse_is_found(name: str) -> None:
    missed = [s for s in range(20) if found(run(SICK[name](np.random.default_rng(s)))) is None]
    assert len(missed) <= 3, missed


def test_it_is_dated_where_the_reward_was_lost() -> None:
    finding = found(run(SICK["collapse"](np.random.default_rng(1))))
    assert finding is not None
    assert finding.severity == "warning"
    assert abs(finding.first_step - 0.65 * N) <= N / 20
    assert diagnose_history(run(SICK["collapse"](np.random.default_rng(1)))).verdict.state == "sick"


def test_rewards_of_a_task_that_became_harder_are_not_compared() -> None:
    reward = SICK["collapse"](np.random.default_rng(1))
    assert found(run(reward, curriculum=np.floor(3 * T))) is None
    assert found(run(reward, curriculum=np.ones(N))) is not None


@pytest.mark.parametrize(("tag", "silent"), [
    ("Self-play/ELO", True), ("self_play/score", True), ("elo", True), ("model/velocity", False),
])
def test_rewards_against_oneself_are_not_compared(tag: str, silent: bool) -> None:
    history = run(SICK["collapse"](np.random.default_rng(1)))
    history = replace(history, scalar_tags=(ScalarTag(tag, "r", "metric", "spare"),))
    assert (found(history) is None) == silent


def test_few_and_undefined_rewards_are_not_judged() -> None:
    reward = SICK["collapse"](np.random.default_rng(1))
    assert found(run(reward[::20])) is None
    assert found(run(np.where(np.arange(N) % 20, np.nan, reward))) is None
    assert found(run(np.full(N, np.inf))) is None
