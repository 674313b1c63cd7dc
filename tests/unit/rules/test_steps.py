"""The size and number of steps: learning rate, optimizer, clipping, and too few steps."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import (
    SLOW,
    N,
    cause,
    changed,
    configured,
    dense,
    diverging,
    high_rate,
    ids,
    low_rate,
    model,
    nan_gradient,
    with_loss,
)

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.step_size import path_length
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import percent


@pytest.mark.parametrize("limits", [{"clipnorm": 0.01}, {"clipvalue": 0.001}])
def test_every_form_of_clipping_is_seen(limits: dict) -> None:
    history = configured(optimizer={"class": "SGD", **limits})
    assert ids(history) == ["clipping-hides-learning-rate"]


def test_a_smooth_slow_fall_hints_at_the_rate() -> None:
    """Undiminished and without noise: not at rest, however little it fell."""
    finding = cause(low_rate(2e-3, SLOW), "learning-rate-too-low")
    assert (finding.severity, finding.experiment) == ("info", "LR range test")
    far = low_rate(8e-3, SLOW)  # 1.6 times a layer's own size in all: not held back by the rate
    assert "learning-rate-too-low" not in ids(far)


def test_plain_descent_on_attention_is_a_hint_where_little_is_learned() -> None:
    layers = model({"name": "mha", "class": "MultiHeadAttention"}, dense("o", "mha"))
    slow = with_loss(draw.falling(end=1.5))
    for optimizer, found in (({"class": "SGD", "momentum": 0.0}, True),
                             ({"class": "SGD", "momentum": 0.9}, False),
                             ({"class": "Adam"}, False)):
        history = configured(slow, model=layers, optimizer=optimizer)
        assert ("optimizer-mismatch" in ids(history)) == found


@pytest.mark.parametrize(
    ("loss", "epsilon", "found"),
    [(draw.flat(), 1.0, True), (draw.flat(), 1e-7, False), (draw.falling(), 1.0, False)],
)
def test_an_epsilon_that_outweighs_the_gradients(loss, epsilon: float, found: bool) -> None:
    history = low_rate(1e-5, loss)
    config = {"optimizer": {"class": "Adam", "epsilon": epsilon}}
    said = [f for f in diagnose_history(replace(history, config=config)).findings
            if f.id == "optimizer-mismatch"]
    assert bool(said) == found
    assert all("epsilon=1" in f.summary for f in said)


@pytest.mark.parametrize(
    ("first", "died", "found"), [(0.6, 0.9, True), (0.2, 0.9, False), (0.6, 0.3, False)]
)
def test_a_start_that_was_lost_is_told_though_the_loss_falls(first, died, found: bool) -> None:
    ratio = np.full(N, 0.01)
    ratio[0] = first
    norm = np.full(N, 27.0)
    norm[0] = 8.0
    dead_units = np.full((N, 3), 0.1)
    dead_units[100:, 0] = died
    dead_units[:, 2] = np.nan
    history = changed("variables", update_ratio=ratio, variable_norm=norm)
    history = changed("activations", history, activation_dead_fraction=dead_units)
    said = [f for f in diagnose_history(history).findings if f.id == "learning-rate-too-high"]
    assert [f.severity for f in said] == ["info"] * found


@pytest.mark.parametrize(
    ("steps", "ratio", "expected"),
    [
        (1800, 5e-5, ("learning-rate-too-low", "critical")),  # 9 % in all
        (1800, 1e-3, ("insufficient-capacity", "critical")),  # it moved, and rests: a guess
        (40, 1.5e-3, ("too-few-steps", "warning")),  # 6 % in all
        (150, 2e-3, None),
    ],
)
def test_training_that_has_hardly_begun(steps: int, ratio: float, expected) -> None:
    """The loss stands still, and no layer can have moved far: that says nothing of the labels."""
    base = draw.healthy(steps)
    history = changed("variables", base, update_ratio=np.full(steps, ratio))
    first = diagnose_history(with_loss(draw.flat(steps), history)).first_cause
    assert (first and (first.id, first.severity)) == expected
    if first and first.id == "insufficient-capacity":
        assert "% of its start" in first.summary  # what ignorance gets is not known here


@pytest.mark.parametrize(
    ("zero", "ratio", "cut", "told"),
    [
        pytest.param(0.1, 1.5e-3, 0, True, id="few steps"),
        pytest.param(1.0, 0.0, 0, False, id="no gradient"),
        pytest.param(1.0, 0.0, 3, False, id="no gradient any more"),
        pytest.param([1.0, 0.1, 0.1], 1.5e-3, 0, True, id="others move"),
        pytest.param(0.1, 0.0, 0, False, id="steps of length 0"),
    ],
)
def test_what_cannot_move_has_not_had_too_few_steps(zero, ratio, cut: int, told: bool) -> None:
    steps = 40
    zeros, ratios = np.full((steps, 3), 0.1), np.full((steps, 3), 1.5e-3)
    zeros[cut:], ratios[cut:] = zero, ratio
    history = changed("variables", draw.healthy(steps), gradient_zero_fraction=zeros,
                      update_ratio=ratios)
    found = ids(with_loss(draw.flat(steps), history))
    assert ("zero-gradient" in found) == (np.max(zero) == 1)
    assert ("too-few-steps" in found) == told


def test_a_loss_that_falls_without_any_gradient_is_not_told_to_go_on() -> None:
    falls = with_loss(np.linspace(2.3, 0.5, N))
    assert "too-few-steps" in ids(falls)
    assert "too-few-steps" not in ids(
        changed("variables", falls, gradient_zero_fraction=np.ones((N, 3))))


@pytest.mark.parametrize(
    ("steps", "part", "first"), [(200, "quarter", 150), (56, "half", 28)]
)
def test_where_a_loss_that_still_falls_was_judged_is_said(
    steps: int, part: str, first: int
) -> None:
    """The step is none where something sets in: the loss fell as fast before. The end is amiss."""
    finding = cause(with_loss(np.linspace(2.3, 0.5, steps), draw.healthy(steps)), "too-few-steps")
    assert (finding.first_step, finding.last_step) == (steps - 1, steps - 1)
    assert f"In the last {part} of the run, from step {first} on, the loss" in finding.summary


def test_a_run_that_turned_nan_is_not_told_to_go_on() -> None:
    loss = np.linspace(2.3, 0.5, N)
    assert "too-few-steps" in ids(with_loss(loss))
    loss[-3:] = np.nan
    assert "too-few-steps" not in ids(with_loss(loss))


@pytest.mark.parametrize(("steps", "tau"), [(50, 8), (100, 18), (150, 25)])
def test_a_loss_that_has_come_to_rest_is_not_said_to_fall(steps: int, tau: float) -> None:
    """The last half of a short run fell by a fifth, but its last quarter by less than a tenth."""
    rng = np.random.default_rng(0)
    loss = 0.3 + 2 * np.exp(-np.arange(steps) / tau) + rng.normal(0, 0.006, steps)
    diagnosis = diagnose_history(with_loss(loss, draw.healthy(steps)))
    assert "has plateaued" in diagnosis.loss_summary
    assert "too-few-steps" not in {finding.id for finding in diagnosis.findings}


def test_a_short_run_that_falls_as_fast_as_before_has_not_settled() -> None:
    """A twentieth of 46 steps falls by less than its noise, but each quarter by as much as ever."""
    rng = np.random.default_rng(1)
    loss = np.linspace(2.33, 1.72, 46) + rng.normal(0, 0.03, 46)
    history = changed("variables", draw.healthy(46), update_ratio=np.full(46, 4.2e-3))
    first = diagnose_history(with_loss(loss, history)).first_cause
    assert first is not None
    assert first.id == "too-few-steps"


def test_a_rise_is_not_called_a_fall_of_nothing() -> None:
    finding = cause(low_rate(2e-6, np.linspace(2.0, 2.1, N)), "learning-rate-too-low")
    (evidence,) = [item for item in finding.evidence if item.statistic == "loss_fall"]
    assert evidence.value == pytest.approx(-0.047, abs=0.002)  # mean of the last tenth, 2.095
    assert f"rose by {percent(-evidence.value)}" in finding.summary
    assert "it rose" in evidence.name


def test_the_onset_and_the_peak_of_too_large_updates_are_both_shown() -> None:
    ratio = np.full((N, 3), 0.02)
    ratio[9:, 2], ratio[12, :2] = 0.12, (1.0, 7.0)
    base = with_loss(diverging(), changed("variables", draw.healthy(N), update_ratio=ratio))
    finding = cause(base, "learning-rate-too-high")
    names = [row.layer for row in base.tables["variables"].rows]
    shown = [(e.step, e.layer, round(e.value, 3), e.limit) for e in finding.evidence[:2]]
    assert shown == [(12, names[1], 7.0, 0.1), (9, names[2], 0.12, 0.1)]
    assert finding.first_step == 9
    assert "(step 12; first above 0.1 times at step 9, in output)" in finding.summary
    assert finding.layers == (names[1], names[2], names[0]), "fastest, begun first, the others"
    (loss,) = [e for e in finding.evidence if e.statistic == "loss_end_over_start"]
    # The last tenth, and the step that begins it.
    assert loss.value == pytest.approx(np.mean(diverging()[-21:]) / 2.3, rel=1e-4)


def killed(rate: float) -> RunHistory:
    """Three steps of `rate` times the weights, and then nothing: no gradient is left, though Adam
    moves the first two layers for 60 steps more, and the last one a little to the end.
    """
    ratio = np.full((N, 3), rate)
    ratio[3:] = 0.0
    ratio[3:63, :2], ratio[3:, 2] = 1e-5, 2e-5
    zero = np.full((N, 3), 1.0)
    zero[:3], zero[:, 2] = 0.1, 0.9
    zero[:3, 2] = 0.1
    loss = np.r_[0.69, 480.0, 20.0, draw.flat(N - 3, 0.7, 0.01)]
    history = with_loss(loss, changed("variables", update_ratio=ratio, gradient_zero_fraction=zero))
    return configured(history, optimizer={"class": "Adam", "learning_rate": 1.0})


def test_a_network_that_too_large_steps_killed_does_not_lack_rate() -> None:
    history = killed(5.0)
    finding = cause(history, "learning-rate-too-high")
    assert "learning-rate-too-low" not in ids(history)
    first, second, last = (row.layer for row in history.tables["variables"].rows)
    gone = f"most of the gradient of {first}, {second} and {last} is exactly zero, since step 3."
    assert gone in finding.summary
    assert f"Momentum kept moving {first} and {second} until step 62." in finding.summary


@pytest.mark.parametrize(("rate", "found"), [(2e-3, False), (2e-5, True)])
def test_the_rate_of_a_network_that_died_is_judged_by_its_steps_before(
    rate: float, found: bool
) -> None:
    """Of whatever it died: steps of a healthy size were not too small."""
    history = killed(rate)
    history = replace(history, tables={
        **history.tables, "run": draw.run_table(draw.flat(N, 0.7, 0.001))})
    assert ("learning-rate-too-low" in ids(history)) == found


def test_a_path_is_as_long_as_the_steps_that_were_recorded() -> None:
    """One step of five times its size does not show in the median of many small ones."""
    ratio = np.full((N, 3), 1e-4)
    small = changed("variables", update_ratio=ratio)
    assert path_length(small) == pytest.approx(0.02)
    ratio[0, 1] = 5.0
    assert path_length(changed("variables", update_ratio=ratio)) == pytest.approx(5.0199)


def test_the_fastest_layer_is_named_first_and_the_step_before_the_harm() -> None:
    ratio = np.full((N, 3), 0.02)
    ratio[:70], ratio[69] = (0.2, 0.5, 0.3), (0.4, 7.0, 0.9)
    ratio[70:] = 1e17
    history = nan_gradient(70)
    finding = cause(changed("variables", history, update_ratio=ratio), "learning-rate-too-high")
    first, second, last = (row.layer for row in history.tables["variables"].rows)
    assert finding.layers == (second, last, first)
    assert finding.evidence[0].layer == second
    began = f"first above 0.1 times at step 0, in {second}"
    assert f"7 times its own size (step 69; {began})" in finding.summary
    assert "appeared at step 70" in finding.summary


def test_no_run_is_told_that_its_rate_is_too_high_and_too_low() -> None:
    """Large steps at the start and the end, and hardly any in between: the large ones did harm."""
    ratio = np.full((N, 3), 2e-5)
    history = with_loss(draw.flat(), changed("variables", update_ratio=ratio))
    assert "learning-rate-too-low" in ids(history)
    ratio[[0, -3, -2, -1]] = 0.5
    history = with_loss(draw.flat(), changed("variables", update_ratio=ratio))
    assert "learning-rate-too-high" in ids(history)
    assert "learning-rate-too-low" not in ids(history)


@pytest.mark.parametrize(("start", "told"), [(0.5, [20.0]), (0.0, [])])
def test_a_loss_that_was_thrown_up_is_held_against_its_start_where_that_is_positive(
    start: float, told: list[float]
) -> None:
    loss = np.r_[np.full(3, start), np.full(20, 10.0), np.full(N - 23, 1.0)]
    history = high_rate(0.5, loss)
    finding = cause(history, "learning-rate-too-high")
    shown = [item.value for item in finding.evidence if item.statistic == "highest_loss_over_start"]
    assert shown == pytest.approx(told)


def test_a_first_validation_after_most_was_learned_is_not_chance() -> None:
    """Five epochs, the first of which made nearly all of the fall: the first validation is good."""
    epochs = draw.history(
        loss=draw.series("loss", [0.1, 0.0038, 0.0037, 0.0036, 0.0035]),
        validation_loss=draw.series("validation_loss", [0.0047, 0.0059, 0.0056, 0.0046, 0.0047]),
    )
    assert "overfitting" not in ids(epochs)
    at_chance = draw.history(
        loss=draw.series("loss", [2.3, 1.2, 0.6, 0.3, 0.1]),
        validation_loss=draw.series("validation_loss", [2.3, 2.4, 2.5, 2.3, 2.6]),
    )
    assert "overfitting" in ids(at_chance)


def test_zeros_before_the_training_are_no_loss() -> None:
    """A replay buffer fills first: 0 is what the program logs until it trains."""
    loss = np.r_[np.zeros(12), 1.2 + 0.1 * np.random.default_rng(2).normal(size=60)]
    assert "loss-divergence" not in ids(draw.history(loss=draw.series("loss", loss)))


def test_a_loss_that_came_down_and_went_back_is_not_said_to_stand() -> None:
    noise = 0.05 * np.random.default_rng(2).normal(size=400)
    loss = np.where(np.arange(400) < 340, 1.4 + 0.6 * np.exp(-np.arange(400) / 15), 2.2) + noise
    (finding,) = diagnose_history(draw.history(loss=draw.series("loss", loss))).findings
    assert finding.id == "loss-not-decreasing"
    assert "had fallen to 1." in finding.summary
