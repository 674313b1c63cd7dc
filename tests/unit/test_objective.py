"""What a training optimizes, and what is judged of it: healthy agents, GANs, flows draw nothing."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.objective import objective
from tb_convergence.core.diagnosis.paired_losses import paired_losses
from tb_convergence.core.history import RunHistory
from tb_convergence.core.scalar_tags import Role, ScalarTag

STEPS = np.arange(200)


def scalars(**values: np.ndarray) -> RunHistory:
    return draw.history(**{name: draw.series(name, array) for name, array in values.items()})


def with_roles(history: RunHistory, *roles: Role) -> RunHistory:
    tags = tuple(ScalarTag(f"tag{n}", "run", role, "read") for n, role in enumerate(roles))
    return replace(history, scalar_tags=tags)


def loud(history: RunHistory) -> list[str]:
    return [f.id for f in diagnose_history(history).findings if f.severity != "info"]


def noise(seed: int, size: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=size)


SCHEDULE = 0.5 * (1 + np.cos(np.pi * (STEPS % 80) / 80)) + 1e-3

CASES = {
    "supervised": (scalars(loss=draw.falling()), "minimized"),
    "reward": (scalars(loss=draw.flat(), reward=STEPS * 1.0), "reinforcement"),
    "agent's losses": (
        with_roles(scalars(loss=draw.flat()), "agent_loss", "agent_loss"),
        "reinforcement",
    ),
    "one loss of that name": (with_roles(scalars(loss=draw.flat()), "agent_loss"), "minimized"),
    "pair": (
        with_roles(scalars(loss=draw.flat()), "generator_loss", "discriminator_loss"),
        "adversarial",
    ),
    "half a pair": (with_roles(scalars(loss=draw.flat()), "generator_loss"), "minimized"),
    "critic's score": (scalars(loss=-30 * np.exp(-STEPS / 60.0) - 1), "no-floor"),
    "rounding": (scalars(loss=np.r_[draw.falling(199), -1e-9]), "minimized"),
    "harder": (scalars(loss=draw.falling(), curriculum=1.0 + STEPS // 50), "curriculum"),
    "one level": (scalars(loss=draw.falling(), curriculum=np.ones(200)), "minimized"),
    "ends in a cycle": (
        scalars(loss=draw.falling() + 0.5 * (STEPS >= 160), learning_rate=SCHEDULE[:170]),
        "cyclic-rate",
    ),
    "a cycle that the loss does not mind": (
        scalars(loss=draw.falling(), learning_rate=SCHEDULE[:170]), "minimized",
    ),
    "ends between cycles": (
        scalars(loss=draw.falling(), learning_rate=SCHEDULE[:160]),
        "minimized",
    ),
    "score rises with it": (
        scalars(loss=np.linspace(0.1, 9, 200), metric=STEPS * 1.0), "contradicted",
    ),
    "score rises and falls": (
        scalars(loss=np.linspace(0.1, 9, 200), metric=100.0 - np.abs(STEPS - 100)), "minimized",
    ),
    "score rises while it falls": (
        scalars(loss=draw.falling(), metric=STEPS * 1.0), "minimized",
    ),
    "decays": (scalars(loss=draw.falling(), learning_rate=0.99**STEPS), "minimized"),
    "warm-up": (
        scalars(loss=draw.falling(), learning_rate=np.minimum(1.0, (STEPS + 1) / 50)),
        "minimized",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_kinds(name: str) -> None:
    history, kind = CASES[name]
    found = objective(history)
    assert (found.kind, found.measures_progress) == (kind, kind == "minimized")
    assert bool(found.why) == (kind != "minimized")


@pytest.mark.parametrize("seed", range(20))
def test_healthy_trainings_whose_loss_does_not_fall_draw_nothing(seed: int) -> None:
    progress = 1 / (1 + np.exp(-(STEPS - 80) / 20.0))
    ppo = scalars(loss=0.03 + 0.05 * noise(seed), reward=200 * progress + noise(seed))
    dqn = scalars(
        loss=(0.02 + 4 * progress) * np.exp(0.3 * noise(seed)), reward=10 + 190 * progress
    )
    gan = with_roles(
        scalars(loss=1.386 + 0.05 * noise(seed)), "generator_loss", "discriminator_loss"
    )
    flow = scalars(loss=3 - 5 * (1 - np.exp(-STEPS / 40.0)) + 0.1 * noise(seed))
    diffusion = scalars(loss=0.03 + 0.97 * np.exp(-STEPS / 8.0) + 0.004 * np.abs(noise(seed)))
    for history in (ppo, dqn, gan, flow, diffusion):
        assert loud(history) == []


def test_what_is_wrong_whatever_the_objective_is_still_found() -> None:
    rewarded = scalars(loss=np.r_[draw.flat(100), np.full(100, np.nan)], reward=STEPS * 1.0)
    assert loud(rewarded)[0] == "non-finite-values"
    exploding = scalars(loss=-np.ones(200) + np.where(STEPS > 150, 10.0 ** (STEPS / 10.0), 0))
    assert "loss-divergence" in loud(exploding)


def test_the_verdict_says_that_the_loss_does_not_tell() -> None:
    history, _ = CASES["reward"]
    told = diagnose_history(history)
    assert told.verdict.state == "not-decided"
    assert "does not measure progress" in told.verdict.why
    waiting = {item.id: item.needs for item in told.not_evaluated}
    assert "a loss that measures progress" in waiting["loss-not-decreasing"][0]


def test_validation_is_paired_with_the_steps_since_the_one_before() -> None:
    history = draw.history(
        loss=draw.series("loss", [4.0, 3, 2, 1, np.nan, 1], [0, 10, 20, 30, 40, 50]),
        validation_loss=draw.series("validation_loss", [9.0, 8, 7, 6], [5, 30, 35, 50]),
    )
    paired = paired_losses(history)
    assert paired is not None
    assert paired.steps.tolist() == [5, 30, 50]
    np.testing.assert_array_equal(paired.training, [4.0, 2.0, np.nan])
    assert paired.validation.tolist() == [9.0, 8.0, 6.0]


def test_means_of_epochs_are_paired_where_they_were_recorded_together() -> None:
    history = draw.history(
        loss=draw.series("loss", np.zeros(100)),
        epoch_loss=draw.series("epoch_loss", [3.0, 2.0, 1.0], [9, 19, 29]),
        validation_loss=draw.series("validation_loss", [6.0, 5.0, 4.0], [9, 19, 29]),
    )
    paired = paired_losses(history)
    assert paired is not None
    assert paired.training.tolist() == [3.0, 2.0, 1.0]


def test_without_a_common_axis_nothing_is_paired() -> None:
    assert paired_losses(scalars(loss=draw.flat())) is None
    history = draw.history(
        loss=draw.series("loss", np.zeros(100)),
        validation_loss=draw.series("validation_loss", [6.0], [1], axis="epoch"),
    )
    assert paired_losses(history) is None
