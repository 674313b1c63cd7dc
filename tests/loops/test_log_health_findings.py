"""What is said of runs that were logged by hand, every few steps and not always as documented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import tb_convergence
from tb_convergence import close_health, log_health
from tb_convergence.core.diagnosis.finding import Finding


def logged(
    folder: Path, loss: np.ndarray, every: int, scale: float, first_update: float
) -> dict[str, Finding]:
    """Findings by id of three layers whose first update is `first_update` times their size."""
    rng = np.random.default_rng(0)
    weights = {f"fc{n}.weight": scale * rng.normal(size=(16, 16)) for n in range(3)}
    for number, value in enumerate(loss):
        size = first_update if number == 0 else 1e-3
        log_health(
            folder, number * every, loss=float(value), variables=weights, learning_rate=0.1,
            gradients={name: 0.1 * rng.normal(size=(16, 16)) for name in weights},
            updates={name: size * array for name, array in weights.items()},
        )
    close_health(folder)
    (run,) = tb_convergence.diagnose(folder)
    return {finding.id: finding for finding in run.findings}


@pytest.mark.parametrize("every", [1, 5, 100])
def test_steps_between_records_are_counted(tmp_path: Path, every: int) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 60)
    found = logged(tmp_path, 2.3 + noise, every, 0.25, 1e-3)
    assert f"After {59 * every + 1:,} steps the loss" in found["loss-not-decreasing"].summary


def test_a_first_loss_that_is_not_finite_is_no_work_of_an_update(tmp_path: Path) -> None:
    """The first update is as large as the weights, but the loss was infinite before it."""
    loss = np.full(40, 1.6)
    loss[0] = np.inf
    found = logged(tmp_path, loss, 5, 0.25, 1.0)
    assert "learning-rate-too-high" not in found
    assert "before any update" in found["non-finite-values"].advice[0]


@pytest.mark.parametrize(("first_update", "said"), [(1e-3, True), (1.0, False)])
def test_weights_after_a_huge_first_update_do_not_show_how_they_began(
    tmp_path: Path, first_update: float, said: bool
) -> None:
    noise = np.random.default_rng(1).normal(0, 0.01, 60)
    found = logged(tmp_path, 2.3 + noise, 1, 20.0, first_update)
    assert ("poor-initialization" in found) == said
