"""The verdict on a run: green only on evidence, never on silence."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import RULES
from tb_convergence.core.schema import Row


def state(history: RunHistory) -> str:
    return diagnose_history(history).verdict.state


def logged(loss: np.ndarray, **more: np.ndarray) -> RunHistory:
    """Plain scalars by step, as a training loop writes them."""
    named = {"loss": loss, **more}
    return draw.history(**{name: draw.series(name, values) for name, values in named.items()})


def without(*groups: str) -> RunHistory:
    base = draw.healthy()
    return replace(base, tables={k: v for k, v in base.tables.items() if k not in groups})


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        (draw.healthy(), "nothing-found"),
        (without("epoch"), "nothing-found"),  # gradients judged
        (without("variables", "activations", "inputs"), "nothing-found"),  # validation judged
        (without("variables", "activations", "inputs", "epoch"), "not-decided"),
        (without("run", "epoch"), "not-decided"),  # histograms without a loss
        (RunHistory("empty"), "not-decided"),
        (logged(draw.falling()), "not-decided"),
        (logged(np.array([2.0, 1.0])), "too-early"),
        (logged(np.array([2.0])), "too-early"),
        (draw.healthy(10), "too-early"),
        (draw.history(draw.run_table(draw.flat(60))), "sick"),
        (draw.history(draw.run_table(draw.flat(25))), "too-early"),
        (logged(np.full(50, np.nan)), "sick"),
    ],
    ids=[
        "healthy", "no validation", "no gradients", "loss alone", "no loss", "empty", "a scalar",
        "two records", "one record", "ten steps", "flat", "flat so far", "nan",
    ],
)
def test_states(history: RunHistory, expected: str) -> None:
    assert state(history) == expected


def test_decided_counts_the_checks_that_had_their_data() -> None:
    for history in (draw.healthy(), without("variables"), RunHistory("empty")):
        diagnosis = diagnose_history(history)
        verdict = diagnosis.verdict
        # None of these runs has a reward or adversaries.
        assert verdict.applicable == sum(not rule.special for rule in RULES)
        assert verdict.decided == verdict.applicable - len(diagnosis.not_evaluated)


def test_a_note_does_not_make_a_run_sick() -> None:
    loss = draw.falling(200, 2.3, 2.25, 0.001) - np.arange(200) / 100
    history = draw.history(draw.run_table(loss))
    diagnosis = diagnose_history(history)
    assert {finding.severity for finding in diagnosis.findings} <= {"info"}
    assert diagnosis.verdict.state != "sick"


FALLING = [2.0 * 0.8**step for step in range(40)]


def test_a_loss_that_falls_and_validates_is_green() -> None:
    values = np.array(FALLING)
    assert state(logged(values, validation_loss=values, epoch_loss=values)) == "nothing-found"


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.floats(-10, 10), min_size=1, max_size=40) | st.builds(
        lambda noise: [value + change for value, change in zip(FALLING, noise, strict=False)],
        st.lists(st.floats(-0.3, 0.3), min_size=1, max_size=40),
    ),
    st.booleans(),
)
@example(FALLING, True)
@example(FALLING, False)
@example(FALLING[:4], True)
def test_never_green_unless_the_loss_fell_and_something_else_was_judged(
    loss: list[float], validated: bool
) -> None:
    values = np.array(loss)
    more = {"validation_loss": values, "epoch_loss": values} if validated else {}
    history = logged(values, **more)
    if state(history) == "nothing-found":
        assert validated
        assert len(values) >= 5
        assert values[-max(1, len(values) // 10):].mean() < values[:3].max()


def validated(train: np.ndarray, validation: np.ndarray) -> RunHistory:
    return draw.history(
        epoch_loss=draw.series("epoch_loss", train, axis="epoch"),
        validation_loss=draw.series("validation_loss", validation, axis="epoch"),
    )


EPOCHS = np.arange(24)
FELL = 0.5 + 2 * np.exp(-EPOCHS / 4)
SWINGS = 1 + 0.25 * (-1.0) ** EPOCHS


@pytest.mark.parametrize(("train", "validation", "says"), [
    (FELL, FELL, ""),
    # Public logs that were green: a rate so high that validation jumps, one that rises again
    # without a rule that explains it, a loss that has hardly moved.
    (FELL, (FELL + 0.5) * SWINGS, "up and down"),
    (FELL, np.where(EPOCHS < 20, FELL, 0.8), "times its lowest"),
    (2.0 - 0.01 * EPOCHS, 2.1 - 0.01 * EPOCHS, "fell by only"),
    # Logged too rarely to show the first fall of the training loss; validation shows it.
    (np.linspace(1.0, 0.9, 24), 0.95 + np.exp(-EPOCHS / 4), ""),
    # Swings near zero are the noise of a solved problem.
    (FELL, 0.02 * SWINGS + 3 * np.exp(-EPOCHS), ""),
])
def test_no_green_over_a_validation_loss_that_is_not_good(
    train: np.ndarray, validation: np.ndarray, says: str
) -> None:
    verdict = diagnose_history(validated(train, validation)).verdict
    assert verdict.state == ("not-decided" if says else "nothing-found")
    assert says in verdict.why


def test_no_green_over_a_validation_loss_that_became_nan() -> None:
    validation = np.where(EPOCHS < 12, FELL, np.nan)
    verdict = diagnose_history(logged(FELL, validation_loss=validation)).verdict
    assert verdict.state == "not-decided"
    assert "not finite since step 12" in verdict.why


def test_an_epoch_without_validation_is_no_validation_that_became_nan() -> None:
    """`validation_freq=2`: the recorder's table of epochs is empty in every other one."""
    validation = np.where(np.arange(24) % 2 == 0, FELL, np.nan)
    table = draw.table("epoch", (Row("epoch", "", "epoch"),), {
        "epoch_loss": FELL, "validation_loss": validation,
    })
    verdict = diagnose_history(draw.history(table)).verdict
    assert "not finite" not in verdict.why
