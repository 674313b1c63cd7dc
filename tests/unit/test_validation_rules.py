"""Overfitting, underfitting and too few steps as people log them: by step, by epoch, mixed."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory

STEPS, EPOCHS = 600, 30


def loud(history: RunHistory) -> list[str]:
    return [f.id for f in diagnose_history(history).findings if f.severity != "info"]


def found(history: RunHistory) -> list[str]:
    return [f.id for f in diagnose_history(history).findings]


def noisy(values: np.ndarray, scale: float = 0.01, seed: int = 3) -> np.ndarray:
    return values * np.exp(scale * np.random.default_rng(seed).standard_normal(len(values)))


AT = np.linspace(0, 1, EPOCHS)
TO_ZERO = noisy(2.3 * np.exp(-8 * AT))
CURVES: dict[str, tuple[np.ndarray, np.ndarray, bool]] = {
    # training and validation loss by epoch; whether that is an overfit
    "turns": (TO_ZERO, noisy(1 + 2 * np.abs(AT - 0.3)), True),
    "turns mildly": (
        TO_ZERO, noisy(np.where(AT < 0.3, 2.3 - 5 * AT, 0.8 + 0.25 * (AT - 0.3)), 0.005), True),
    # As 37 epochs of a public recommender's log: nothing but a slight, steady turn.
    "turns steadily": (
        noisy(0.6 + 0.4 * np.exp(-5 * AT)), noisy(0.8 + 0.3 * (AT - 0.4) ** 2, 0.001), True),
    "stands still": (TO_ZERO, noisy(0.9 + 1.4 * np.exp(-20 * AT)), True),
    "never better": (TO_ZERO, noisy(2.3 + 1.0 * AT), True),
    "both fall": (noisy(0.3 + 2 * np.exp(-6 * AT)), noisy(0.35 + 2 * np.exp(-6 * AT)), False),
    "both near zero": (TO_ZERO, noisy(0.03 + 2.3 * np.exp(-8 * AT)), False),
    "a good gap": (TO_ZERO, noisy(0.25 + 2 * np.exp(-8 * AT)), False),
    "dropout": (noisy(0.5 + 2 * np.exp(-6 * AT)), noisy(0.3 + 2 * np.exp(-6 * AT)), False),
    "one lucky validation": (
        noisy(1.5 - 0.7 * AT), np.where(np.arange(EPOCHS) == 9, 1.0, noisy(1.2 + 0 * AT)), False),
    # A validation loss of another kind: far below the training loss, and erratic.
    "another quantity": (
        noisy(0.11 + 0.1 * np.exp(-8 * AT)), 0.005 * np.exp(4.5 * AT), False),
    "still falling": (noisy(2.3 - 1.5 * AT), noisy(2.3 - 1.3 * AT), False),
}


def by_epoch(train: np.ndarray, val: np.ndarray) -> RunHistory:
    return draw.history(
        epoch_loss=draw.series("epoch_loss", train, axis="epoch"),
        validation_loss=draw.series("validation_loss", val, axis="epoch"),
    )


def by_step(train: np.ndarray, val: np.ndarray) -> RunHistory:
    """The loss of every step, and a validation each twentieth."""
    steps = np.arange(STEPS)
    loss = noisy(np.interp(steps, np.linspace(0, STEPS - 1, EPOCHS), train), 0.1, 4)
    at = np.arange(1, EPOCHS + 1) * (STEPS // EPOCHS) - 1
    return draw.history(
        loss=draw.series("loss", loss),
        validation_loss=draw.series("validation_loss", val, at),
    )


def mixed(train: np.ndarray, val: np.ndarray, clocked: bool = True) -> RunHistory:
    """The loss by step, the validation under the number of its epoch, as tutorials do."""
    history = by_step(train, val)
    written = history.scalars["validation_loss"].wall_times
    numbered = draw.series("validation_loss", val, np.arange(EPOCHS))
    numbered = replace(numbered, wall_times=written if clocked else np.zeros(EPOCHS))
    return draw.history(loss=history.scalars["loss"], validation_loss=numbered)


def without_clock(train: np.ndarray, val: np.ndarray) -> RunHistory:
    return mixed(train, val, clocked=False)


@pytest.mark.parametrize("write", [by_epoch, by_step, mixed, without_clock])
@pytest.mark.parametrize("name", CURVES)
def test_overfitting_is_found_however_it_was_logged(write, name: str) -> None:
    train, val, overfit = CURVES[name]
    assert ("overfitting" in loud(write(train, val))) == overfit


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_is_no_overfitting(seed: int) -> None:
    """A sound run whose validation wobbles by a tenth."""
    val = noisy(0.4 + 1.9 * np.exp(-8 * AT), 0.1, seed)
    train = noisy(0.3 + 2 * np.exp(-6 * AT), 0.02, seed + 100)
    assert "overfitting" not in loud(by_epoch(train, val))


def test_both_losses_high_and_still_is_underfitting() -> None:
    train, val = noisy(np.full(EPOCHS, 2.28), 0.004), noisy(np.full(EPOCHS, 2.31), 0.004, 5)
    train[0] = 2.32
    assert {"underfitting", "loss-not-decreasing"} & set(loud(by_epoch(train, val)))
    assert "overfitting" not in found(by_epoch(train, val))


def test_a_run_past_its_best_validation_is_not_told_to_go_on() -> None:
    train = 2.3 - 1.9 * AT
    assert "too-few-steps" in found(by_step(train, 2.3 - 1.5 * AT))
    turned = np.where(AT < 0.5, 2.3 - 1.5 * AT, 1.5 + 0.1 * AT)
    assert "too-few-steps" not in found(by_step(train, noisy(turned, 0.002)))


def test_a_loss_that_only_comes_back_from_a_bulge_is_not_told_to_go_on() -> None:
    steps = np.arange(STEPS)
    falling = 2.3 - 1.6 * steps / STEPS
    bulge = 0.5 + 1.8 * np.exp(-steps / 40) + 1.5 * np.exp(-((steps - 450) / 70) ** 2)
    assert "too-few-steps" in found(draw.history(draw.run_table(falling)))
    assert "too-few-steps" not in found(draw.history(draw.run_table(bulge)))


def test_a_bulge_that_ends_where_it_began_leaves_nothing_to_gain() -> None:
    """One cycle of the rate: within a percent of the level before it, each epoch a point."""
    epoch = np.arange(47)
    bulge = np.sin(np.pi * np.clip((epoch - 2) / 44, 0, 1)) ** 2
    loss = 0.2 * np.exp(-2.5 * epoch) + 0.0034 + 0.0036 * bulge
    run = draw.history(loss=draw.series("loss", loss, (epoch + 1) * 1684))
    assert "too-few-steps" not in found(run)


@pytest.mark.parametrize(("level", "stays"), [(0.6931, True), (0.62, False)])
def test_four_epochs_at_chance_are_enough_to_say_so(level: float, stays: bool) -> None:
    train = np.array([level + 0.002, level, level, level])
    run = by_epoch(train, np.full(4, level))
    assert ("loss-not-decreasing" in loud(run)) == stays


def test_a_slight_fall_at_every_validation_is_no_standstill() -> None:
    """A language model of a public log: 4 % in ten epochs, and lower at each of them."""
    train, val = np.linspace(5.29, 5.0, 10), np.linspace(5.21, 4.87, 10)
    assert "underfitting" not in found(by_epoch(train, val))
    crawling = 1.386 - 1e-5 * np.arange(10)  # too slight to count
    assert "underfitting" in loud(by_epoch(crawling, crawling))


def test_both_losses_at_rest_at_chance_is_underfitting_wherever_they_began() -> None:
    """The initial loss may lie above that of a model that ignores its input."""
    at_chance = np.log(2) + 0.15 * np.exp(-np.arange(40))
    assert "underfitting" in loud(by_epoch(at_chance, at_chance))
    better = at_chance - 0.05
    assert "underfitting" not in loud(by_epoch(better, better))


@pytest.mark.parametrize("every", [50, 1])
def test_epoch_means_outweigh_a_few_uneven_batches(every: int) -> None:
    """Lightning logs one batch of 50: with uneven batches, they hide what the means show."""
    steps = np.arange(0, 2450, every)
    single = 0.4 * np.exp(0.5 * np.random.default_rng(2).standard_normal(len(steps)))
    means = 0.249 + 0.15 * np.exp(-np.arange(10) / 2)
    run = draw.history(
        loss=draw.series("loss", single, steps),
        epoch_loss=draw.series("epoch_loss", means, np.arange(1, 11) * 245 - 1),
    )
    summary = diagnose_history(run).loss_summary
    assert ("fell from 0.399 to 0.25" in summary) == (every == 50)
    assert ("loss-not-decreasing" in loud(run)) == (every == 1)
