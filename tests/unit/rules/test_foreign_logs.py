"""What logs that other programs wrote show: accuracies beside the loss, schedules, histograms."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import ids
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.finding import Finding
from tb_convergence.core.diagnosis.metric_evidence import guessing
from tb_convergence.core.history import RunHistory
from tb_convergence.core.scalar_tags import ScalarTag

N = 600
RANDOM = np.random.default_rng(0)


def logged(loss: np.ndarray, **more: np.ndarray) -> RunHistory:
    """Scalars of a training loop: the loss and the rate by step, validation by epoch of 40 steps.
    """
    series = {"loss": draw.series("loss", loss)}
    for name, values in more.items():
        steps = np.arange(len(values))
        if name.startswith("validation"):
            steps = 40 * steps + 39
        source = "val/acc" if name == "validation_metric" else name
        series[name] = replace(draw.series(name, values, steps=steps), source=source)
    return draw.history(**series)


def found(history: RunHistory, id_: str) -> Finding:
    return next(one for one in diagnose_history(history).findings if one.id == id_)


def noisy(level: np.ndarray, noise: float = 0.05) -> np.ndarray:
    return np.asarray(level + noise * RANDOM.normal(size=len(level)))


LEARNED = noisy(0.3 + 2 * np.exp(-np.arange(N) / 60), 0.03)
RISING = 0.95 - 0.8 * np.exp(-np.arange(15) / 2)


@pytest.mark.parametrize(("classes", "start"), [(2, 6.0), (5, 9.0), (10, 12.0), (100, 40.0)])
def test_an_accuracy_at_chance_unmasks_a_loss_that_fell(classes: int, start: float) -> None:
    chance = np.log(classes)
    loss = noisy(1.02 * chance + start * np.exp(-np.arange(N) / 8), 0.01 * chance)
    accuracy = 1 / classes + 0.1 / classes * np.sin(np.arange(15) * 2)
    history = logged(loss, validation_metric=accuracy, validation_loss=np.full(15, 1.03 * chance))
    finding = found(history, "loss-not-decreasing")
    assert finding.title == "The loss stays at chance level"
    assert "val/acc" in finding.summary
    # Without the accuracy, nothing tells this loss from one that fell.
    assert ids(logged(loss)) == []


def test_one_answer_for_all_of_two_classes() -> None:
    """The accuracy is the share of the frequent class, and the loss its entropy."""
    share = 0.6293706
    entropy = float(-share * np.log(share) - (1 - share) * np.log(1 - share))
    loss = noisy(entropy + 5 * np.exp(-np.arange(N) / 8), 0.02)
    constant = logged(loss, validation_metric=np.full(15, share),
                      validation_loss=np.full(15, entropy))
    assert "loss-not-decreasing" in ids(constant)
    swapping = np.where(np.arange(15) % 3 == 1, 1 - share, share)
    assert "loss-not-decreasing" in ids(logged(loss, validation_metric=swapping))
    # A small validation set scores the same for many epochs, too. The loss is then far lower.
    small = logged(LEARNED, validation_metric=np.full(15, 0.9),
                   validation_loss=np.full(15, 0.45))
    assert ids(small) == []


@pytest.mark.parametrize("accuracy", [
    RISING,
    np.full(15, 0.97),  # trained weights
    0.45 + 0.02 * np.sin(np.arange(15)),  # 100 classes: the loss is far from -ln 0.45
    100 * RISING,
])
def test_healthy_accuracies_say_nothing_against_the_loss(accuracy: np.ndarray) -> None:
    loss = np.linspace(1, 0.3, 15)
    history = logged(LEARNED, validation_metric=accuracy, validation_loss=loss)
    assert guessing(history) is None
    verdict = diagnose_history(history).verdict
    assert verdict.state == "nothing-found"


def test_a_learned_loss_is_no_loss_of_guesses_whatever_its_accuracy() -> None:
    """2.2 at an accuracy of 0.45 on 100 classes."""
    loss = noisy(2.2 + 2.4 * np.exp(-np.arange(N) / 20))
    history = logged(loss, validation_metric=0.45 + 0.01 * np.sin(np.arange(15)))
    assert ids(history) == []


def test_no_green_where_a_metric_did_not_rise() -> None:
    """A run is not green for a loss that fell if the metric of the task stayed where it was."""
    flat = 0.31 + 0.01 * np.cos(np.arange(15))
    history = logged(noisy(0.7 + 5 * np.exp(-np.arange(N) / 8)), validation_metric=flat,
                     validation_loss=np.full(15, 0.8))
    verdict = diagnose_history(history).verdict
    assert (verdict.state, "val/acc did not rise" in verdict.why) == ("not-decided", True)
    rising = replace(history, scalars={
        **history.scalars,
        "validation_metric": replace(history.scalars["validation_metric"], values=RISING),
    })
    assert diagnose_history(rising).verdict.state == "nothing-found"


def test_no_green_over_an_explosion_that_ended_in_a_plateau() -> None:
    """Ten orders of magnitude in two epochs, and nothing in the 58 that follow."""
    epochs = np.arange(60)
    loss = np.where(epochs == 0, 2e10, np.where(epochs == 1, 1e3, 3.29))
    validation = np.where(epochs == 0, 5e6, 3.25) + 0.01 * np.cos(epochs)
    exploded = draw.history(loss=draw.series("loss", loss),
                            validation_loss=draw.series("validation_loss", validation))
    verdict = diagnose_history(exploded).verdict
    assert (verdict.state, "explosion" in verdict.why) == ("not-decided", True)
    # A fit without noise falls as far, but not at once.
    exact = 1e4 * np.exp(-epochs / 3) + 1e-6
    fits = draw.history(loss=draw.series("loss", exact),
                        validation_loss=draw.series("validation_loss", exact))
    assert diagnose_history(fits).verdict.state == "nothing-found"


def test_no_green_in_the_middle_of_a_fall() -> None:
    steps = np.arange(60)
    falling = 2.0 - 0.00025 * steps**2
    history = draw.history(loss=draw.series("loss", falling),
                           validation_loss=draw.series("validation_loss", falling + 0.1))
    verdict = diagnose_history(history).verdict
    assert (verdict.state, "still falling" in verdict.why) == ("not-decided", True)


HARDLY = noisy(2.275 + 0.03 * np.exp(-np.arange(N) / 15), 0.01)
STEPS = np.arange(N)


def test_a_schedule_that_ends_before_the_loss_falls() -> None:
    dies = 0.1 * 0.3 ** (STEPS // 10)
    finding = found(logged(HARDLY, learning_rate=dies), "learning-rate-too-low")
    assert finding.title == "The learning rate decays too soon"
    assert finding.severity != "info"


def test_a_schedule_that_ends_before_the_first_fall() -> None:
    """ExponentialLR(gamma=0.8), stepped by batch and not by epoch."""
    flat = noisy(np.full(N, 2.29), 0.01)
    finding = found(logged(flat, learning_rate=1e-3 * 0.8**STEPS), "learning-rate-too-low")
    assert finding.title == "The learning rate decays too soon"


def test_epochs_that_count_as_steps_are_judged_by_the_accuracy() -> None:
    epochs = np.arange(20)
    series = {
        "loss": draw.series("loss", 2.5 + 0.03 * np.cos(epochs)),
        "validation_metric": replace(
            draw.series("validation_metric", 0.1 + 0.005 * np.sin(3 * epochs)), source="val/acc"
        ),
    }
    assert ids(draw.history(**series)) == ["loss-not-decreasing"]


def test_a_validation_loss_that_falls_further_than_the_recorded_loss() -> None:
    """Random training labels beside clean validation labels."""
    history = logged(noisy(2.28 - 0.0003 * STEPS), validation_loss=np.linspace(2.25, 1.6, 15))
    verdict = diagnose_history(history).verdict
    assert (verdict.state, "fell by only" in verdict.why) == ("not-decided", True)


@pytest.mark.parametrize(("loss", "rate"), [
    (LEARNED, 0.1 * 0.3 ** (STEPS // 10)),  # learned all the same
    (HARDLY, 0.1 * 0.5 * (1 + np.cos(np.pi * STEPS / N))),  # ends with the run
    (HARDLY, np.where(STEPS < 60, 0.1, 0.01)),  # a tenth is left
    # ReduceLROnPlateau follows a loss that never began to fall.
    (noisy(np.full(N, 2.3), 0.002), 0.1 * 0.1 ** (STEPS // 20)),
])
def test_other_schedules_are_not_blamed(loss: np.ndarray, rate: np.ndarray) -> None:
    titles = {one.title for one in diagnose_history(logged(loss, learning_rate=rate)).findings}
    assert "The learning rate decays too soon" not in titles


@pytest.mark.parametrize(("hparams", "blamed"), [
    ({"lr": "1e-06"}, True),
    ({"optimizer/learning_rate": "3e-8", "batch": "32"}, True),
    ({"lr": "0.001"}, False),
    ({"lr": "1e-7", "head.lr": "0.01"}, False),  # which of the two, nobody knows
    ({"lr": "auto"}, False),
    ({}, False),
])
def test_a_rate_among_the_hyperparameters(hparams: dict[str, str], blamed: bool) -> None:
    flat = logged(noisy(np.full(N, 2.3), 0.01))
    assert ("learning-rate-too-low" in ids(replace(flat, hparams=hparams))) == blamed
    assert "learning-rate-too-low" not in ids(replace(logged(LEARNED), hparams=hparams))


def test_a_rate_among_the_hyperparameters_that_is_too_high() -> None:
    """Advice names no rate of a schedule that nobody logged."""
    diverged = logged(noisy(2.3 + 0.5 * STEPS))
    for rate, blamed in (("5.0", True), ("1.0", False), ("0.001", False)):
        history = replace(diverged, hparams={"lr": rate})
        assert ("learning-rate-too-high" in ids(history)) == blamed
    assert "learning-rate-too-high" not in ids(replace(logged(LEARNED), hparams={"lr": "5.0"}))


def weights(changes: tuple[bool, ...], gradient: tuple[float, ...]) -> RunHistory:
    """Histograms of kernels of norm 4, of which some never change, and a loss that stands still."""
    records, rows = 40, len(changes)
    moves = np.where(changes, 0.01, 0.0) * np.arange(records)[:, None]
    size = (4.0 + moves).astype(np.float32)
    low, high = 0.95 * size, 1.05 * size
    columns = ("gradient_norm", "variable_norm", "variable_mean", "variable_std")
    slopes = np.broadcast_to(np.array(gradient, np.float32), (records, rows))
    table = draw.table(
        "variables", draw.kernels(*(f"fc{index}" for index in range(rows))),
        dict(zip(columns, (slopes, low, 0.01 * low, 0.1 * low), strict=True)),
    )
    bounds = np.stack([slopes, high, 0.01 * high, 0.1 * high], axis=2)
    table = replace(table, high=bounds, source="histograms")
    return draw.history(table, loss=draw.series("loss", noisy(np.full(records, 2.3), 0.001)))


def test_weights_whose_histograms_are_identical_were_never_updated() -> None:
    history = weights((False, False), (0.5, 0.3))
    finding = found(history, "never-updated")
    assert "No weight changed" in finding.summary
    assert finding.severity != "info"
    some = found(weights((False, True), (0.5, 0.3)), "never-updated")
    assert some.layers == ("fc0",)


@pytest.mark.parametrize("history", [
    weights((True, True), (0.5, 0.3)),
    weights((False, True), (0.0, 0.3)),  # a frozen layer has no gradient
    weights((False, True), (1e-6, 0.3)),  # a vanishing one changes nothing that float32 can hold
])
def test_weights_at_rest_for_another_reason(history: RunHistory) -> None:
    assert "never-updated" not in ids(history)


def test_a_run_without_a_loss_says_so() -> None:
    history = RunHistory("metrics", scalar_tags=(ScalarTag("acc/val", ".", "metric", "spare"),))
    assert "No loss was recorded" in diagnose_history(history).verdict.why
    assert "Nothing could be read" in diagnose_history(RunHistory("empty")).verdict.why


VALUES = st.lists(
    st.floats(width=32) | st.sampled_from([0.0, 0.5, 1.0, 2.3, float("nan"), 1e30, 50.0]),
    min_size=1, max_size=60,
)


@given(
    st.dictionaries(
        st.sampled_from([
            "loss", "epoch_loss", "validation_loss", "validation_metric", "metric",
            "generator_loss", "discriminator_loss", "learning_rate",
        ]),
        VALUES, min_size=1,
    ),
    st.dictionaries(st.sampled_from(["lr", "a/learning_rate"]), st.text(max_size=6), max_size=2),
    st.integers(1, 40),
)
@settings(max_examples=150)
def test_any_scalars_can_be_judged(
    scalars: dict[str, list[float]], hparams: dict[str, str], every: int
) -> None:
    """Whatever a program logged, each rule answers, and no text holds a number that is none."""
    series = {
        name: replace(
            draw.series(name, values, np.arange(len(values)) * (every if "val" in name else 1)),
            source="val/acc" if "metric" in name else name,
        )
        for name, values in scalars.items()
    }
    diagnosis = diagnose_history(replace(draw.history(**series), hparams=hparams))
    for finding in diagnosis.findings:
        assert 0 <= finding.confidence <= 1
        assert finding.first_step <= finding.last_step
