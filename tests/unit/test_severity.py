"""Severity is what became of the run: worthless, held back, or well all the same."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import Match, Rule, diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import RULES

N = 200
NAMED = {"loss-divergence", "loss-not-decreasing", "non-finite-values"}
EFFECTS = tuple(rule for rule in RULES if rule.id in NAMED)


def oddity(severity: str = "warning", *, ruins: bool = False, **more: tuple[str, ...]) -> Rule:
    match = Match(severity, 0.6, "odd", 0, N, ruins=ruins)
    return Rule("odd", "cause", "odd", (), lambda history, signs: match, **more)


def severity(history: RunHistory, rule: Rule) -> str:
    found = diagnose_history(history, [rule, *EFFECTS]).findings
    return next(finding.severity for finding in found if finding.id == "odd")


def run(loss: np.ndarray, **config: object) -> RunHistory:
    return draw.history(draw.run_table(loss), config=config)


def rising(steps: int, times: float) -> np.ndarray:
    """A loss of 1 that ends `times` as high after as many steps."""
    return np.concatenate([np.ones(10), np.geomspace(1, times, steps)])


def bump(height: float) -> np.ndarray:
    """A loss that is thrown up at the start and falls far below it afterward."""
    loss = draw.falling(N)
    loss[3:12] = height
    return loss


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (draw.flat(N), "critical"),
        (draw.falling(N), "warning"),
        (bump(30.0), "warning"),
        (draw.flat(60), "warning"),  # too few to say so
        (rising(190, 50.0), "critical"),
        (np.r_[draw.falling(N), np.full(5, np.nan)], "critical"),
        (np.r_[draw.falling(N), np.nan, draw.falling(50, 0.1, 0.1)], "warning"),  # skipped
    ],
    ids=["flat", "falls", "bump", "short", "rises", "nan", "one nan"],
)
def test_the_loss_decides(loss: np.ndarray, expected: str) -> None:
    for given in ("warning", "critical"):
        assert severity(run(loss), oddity(given)) == expected


@pytest.mark.parametrize("loss", [draw.flat(N), draw.falling(N)])
def test_what_asks_for_nothing_stays_information(loss: np.ndarray) -> None:
    assert severity(run(loss), oddity("info")) == "info"


def test_a_cause_is_as_severe_as_what_it_explains() -> None:
    guess = oddity("info", explains=("loss-not-decreasing",))
    assert severity(run(draw.flat(N)), guess) == "critical"


def test_what_ruins_a_run_is_critical_though_the_loss_falls() -> None:
    assert severity(run(draw.falling(N)), oddity(ruins=True)) == "critical"


@pytest.mark.parametrize("given", ["warning", "critical"])
def test_without_a_loss_the_rule_decides(given: str) -> None:
    assert severity(RunHistory("drawn"), oddity(given)) == given


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (draw.flat(N), "warning"),
        (rising(5, 8.0), "warning"),
        (rising(60, 8.0), "critical"),
        (rising(5, 1e9), "critical"),
        (np.r_[draw.falling(N), np.nan], "critical"),
    ],
    ids=["flat", "bump", "lasting rise", "blown up", "nan"],
)
def test_of_a_run_that_goes_on_only_what_cannot_mend_itself_is_critical(
    loss: np.ndarray, expected: str
) -> None:
    planned = run(loss, epochs=10, steps_per_epoch=1000)
    for history in (planned, replace(run(loss), growing=True)):
        assert severity(history, oddity()) == expected


@pytest.mark.parametrize(("spread", "expected"), [(0.3, "critical"), (2.3, "warning")])
def test_a_loss_that_stands_still_is_held_against_ignorance(spread: float, expected: str) -> None:
    """A squared error of 0.2 is more than knowing nothing of a variance of 0.09, not of 5.3."""
    targets = draw.table(
        "inputs", draw.features("y", kind="target"),
        {"feature_mean": np.full(N, 0.5), "feature_std": np.full(N, spread),
         "feature_min": np.zeros(N), "feature_max": np.full(N, 0.97)},
    )
    loss = draw.flat(N, level=0.2, noise=1e-4)
    tables = (draw.run_table(loss), targets)
    history = draw.history(*tables, config={"loss": {"name": "mse"}})
    assert severity(history, oddity()) == expected
    better = draw.series("validation_loss", np.linspace(0.09, 0.03, 8), axis="epoch")
    learned = draw.history(*tables, config={"loss": {"name": "mse"}}, validation_loss=better)
    assert severity(learned, oddity()) == "warning"


@pytest.mark.parametrize(("confidence", "expected"), [(0.5, "warning"), (0.51, "critical")])
def test_a_guess_is_by_itself_at_most_a_warning(confidence: float, expected: str) -> None:
    """Though the run learned nothing."""
    match = Match("warning", confidence, "odd", 0, N)
    rule = Rule("odd", "cause", "odd", (), lambda history, signs: match)
    findings = diagnose_history(run(draw.flat(N)), [rule, *EFFECTS]).findings
    severities = {finding.id: finding.severity for finding in findings}
    assert severities == {"odd": expected, "loss-not-decreasing": "critical"}


def test_a_guess_is_as_severe_as_what_it_explains() -> None:
    """One story has one severity: how sure its cause is, the confidence says."""
    match = Match("warning", 0.3, "odd", 0, N)
    rule = Rule("odd", "cause", "odd", (), lambda history, signs: match,
                explains=("loss-not-decreasing",))
    findings = diagnose_history(run(draw.flat(N)), [rule, *EFFECTS]).findings
    assert {finding.id: finding.severity for finding in findings} == {
        "odd": "critical", "loss-not-decreasing": "critical",
    }


def test_a_guess_is_no_more_in_a_run_of_which_nothing_else_is_known() -> None:
    match = Match("critical", 0.4, "odd", 0, N)
    rule = Rule("odd", "cause", "odd", (), lambda history, signs: match)
    assert severity(RunHistory("drawn"), rule) == "warning"
