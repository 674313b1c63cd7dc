"""Advice is in the words of the framework that wrote the run, and Keras' only for Keras' runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.framework_advice import WORDINGS, Wording, fitted
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import (
    RULES,
    learning_rate_too_low,
    non_finite_values,
    poor_initialization,
)
from tb_convergence.core.scalar_tags import Framework

ONLY_KERAS = re.compile(
    r"Keras|keras\.|restore_best_weights|global_clipnorm|ConvergenceRecorder|watch_every_step"
    r"|compile\(|\bfit\("
)
FRAMEWORKS = get_args(Framework)
EPOCHS = np.arange(40)


def overfit() -> RunHistory:
    validation = 0.4 + 2 * np.exp(-EPOCHS / 4) + 0.05 * np.clip(EPOCHS - 10, 0, None)
    return draw.history(
        loss=draw.series("loss", 2 * np.exp(-EPOCHS / 6.0)),
        validation_loss=replace(
            draw.series("validation_loss", validation), source="valid/cost"
        ),
    )


def spiked() -> RunHistory:
    loss = 2 * np.exp(-np.arange(300) / 60.0) + 0.2
    loss[200] = 40.0
    return draw.history(loss=draw.series("loss", loss))


def not_finite() -> RunHistory:
    return draw.history(loss=draw.series("loss", np.r_[draw.falling(60), np.full(20, np.nan)]))


def still_falling() -> RunHistory:
    return draw.history(loss=draw.series("loss", np.linspace(5, 2, 60)))


def standing() -> RunHistory:
    return draw.history(loss=draw.series("loss", draw.flat(200)))


def exploded() -> RunHistory:
    return draw.history(loss=draw.series("loss", np.r_[draw.falling(60), np.full(60, 90.0)]))


SICK = (overfit, spiked, not_finite, still_falling, standing, exploded)


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "keras"])
def test_no_other_framework_is_given_advice_for_keras(framework: Framework) -> None:
    said = []
    for make in SICK:
        found = diagnose_history(replace(make(), framework=framework)).findings
        assert found, make.__name__
        said += [piece for one in found for piece in (one.summary, *one.advice)]
    assert [piece for piece in said if ONLY_KERAS.search(piece)] == []


def test_keras_keeps_its_own_words() -> None:
    (found,) = diagnose_history(replace(overfit(), framework="keras")).findings
    assert any("restore_best_weights=True" in piece for piece in found.advice)


def test_a_callback_watches_the_scalar_that_the_run_logs() -> None:
    (found,) = diagnose_history(replace(overfit(), framework="lightning")).findings
    assert any('ModelCheckpoint(monitor="valid/cost")' in piece for piece in found.advice)


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda one: one.keras[:30])
def test_each_wording_stands_in_the_advice_of_a_rule(wording: Wording) -> None:
    """A rule whose advice is reworded must be reworded here too."""
    advice = [piece for rule in RULES for piece in rule.advice]
    advice += non_finite_values._record_more_advice(RunHistory("r"))
    advice += [learning_rate_too_low.LOWERED, poor_initialization.DEFAULT]
    assert any(wording.keras in piece for piece in advice)
    assert not ONLY_KERAS.search(wording.any)
    assert wording.keras not in fitted((wording.keras,), RunHistory("r"))[0]
