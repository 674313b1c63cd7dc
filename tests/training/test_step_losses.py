"""Losses of single steps from running means: against an independent oracle, and never invented."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.training.host.step_losses import KNOWN_TO, NEVER, StepLosses

LOSSES = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=200)


def means(losses: list[float]) -> list[float]:
    """As a metric of Keras adds them up: in float32."""
    total, found = np.float32(0.0), []
    for count, loss in enumerate(losses, 1):
        total = np.float32(total + np.float32(loss))
        found.append(float(total / np.float32(count)))
    return found


@given(LOSSES)
def test_single_losses_follow_from_running_means(losses: list[float]) -> None:
    follower = StepLosses("running mean")
    for mean, loss in zip(means(losses), losses, strict=True):
        follower.add({"loss": mean})
        if not math.isnan(follower.latest):
            assert follower.latest == pytest.approx(loss, rel=2 * KNOWN_TO)
    window = follower.take()
    assert window.first_nonfinite == NEVER
    if window.known == len(losses):
        assert window.highest == pytest.approx(max(losses), rel=2 * KNOWN_TO)
        assert window.lowest == pytest.approx(min(losses), rel=2 * KNOWN_TO)


@given(LOSSES, st.integers(0, 300), st.sampled_from(["running mean", "single", "unknown"]))
def test_the_first_nonfinite_step_is_exact(losses: list[float], place: int, kind: str) -> None:
    place %= len(losses)
    losses = [*losses[:place], math.nan, *losses[place:]]
    values = losses if kind == "single" else means(losses)
    follower = StepLosses(kind)  # type: ignore[arg-type]
    seen = []
    for value in values:
        follower.add({"loss": value})
        seen.append(follower.nonfinite)
    assert seen.index(True) == place
    assert follower.take().first_nonfinite == place


def test_a_loss_that_cancellation_ate_is_left_out() -> None:
    """A large beginning hides what comes after: 1e6 in the mean of a float32 leaves no 1e-3."""
    follower = StepLosses("running mean")
    for mean in means([1e6] + [1e-3] * 50):
        follower.add({"loss": mean})
    window = follower.take()
    assert window.known == 1
    assert window.highest == window.lowest == 1e6


@pytest.mark.parametrize("kind", ["running mean", "single"])
def test_rehearsed_losses_tell_what_the_values_are(kind: str) -> None:
    losses = np.random.default_rng(0).uniform(1.0, 2.0, 10).tolist()
    follower = StepLosses()
    for mean, loss in zip(means(losses), losses, strict=True):
        follower.add({"own": loss if kind == "single" else mean, "other_loss": 7.0})
        follower.compare(loss)
    assert follower.latest == pytest.approx(losses[-1], rel=1e-3)
    follower.take()
    follower.add({"own": math.inf, "other_loss": 7.0})
    assert follower.nonfinite
    assert follower.take().first_nonfinite == 10


def test_an_epoch_begins_anew() -> None:
    follower = StepLosses("running mean")
    for epoch in ([4.0, 2.0], [1.0, 3.0]):
        follower.begin_epoch()
        for mean in means(epoch):
            follower.add({"loss": mean})
    window = follower.take()
    assert (window.highest, window.lowest, window.known) == (4.0, 1.0, 4)


def test_several_batches_in_a_call_count_as_their_mean() -> None:
    follower = StepLosses("running mean")
    follower.add({"loss": 2.0}, 3)
    follower.add({"loss": 3.0}, 3)
    assert follower.latest == pytest.approx(4.0)
    assert follower.batches == 6
