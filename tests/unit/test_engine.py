"""Ranking: one fault gives one story, and a cause never explains what came before it."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import Match, Rule, diagnose_history
from tb_convergence.core.history import RunHistory


def rule(
    name: str,
    kind: str = "symptom",
    *,
    severity: str = "warning",
    confidence: float = 0.5,
    step: int = 0,
    **more: tuple[str, ...],
) -> Rule:
    match = Match(severity, confidence, f"{name} happened", step, 99)
    return Rule(name, kind, name, (), lambda history, signs: match, **more)


def diagnose(*rules: Rule):
    return diagnose_history(RunHistory("drawn"), rules).findings


def test_worse_then_surer_then_earlier_cause_comes_first() -> None:
    found = diagnose(
        rule("mild", "cause", confidence=0.9),
        rule("late", "cause", severity="critical", confidence=0.8, step=9),
        rule("sure", "cause", severity="critical", confidence=0.9, step=20),
        rule("early", "cause", severity="critical", confidence=0.8, step=3),
    )
    assert [f.id for f in found] == ["sure", "early", "late", "mild"]


def test_a_cause_takes_its_symptoms_with_it() -> None:
    found = diagnose(
        rule("symptom", severity="critical", step=5),
        rule("stranger", severity="critical", step=5),
        rule("cause", "cause", step=2, explains=("symptom",)),
    )
    assert [f.id for f in found] == ["cause", "stranger", "symptom"]
    assert found[0].explains == ("symptom",)
    assert found[2].explained_by == "cause"


def test_information_never_stands_before_what_needs_action() -> None:
    found = diagnose(
        rule("note", "cause", severity="info", confidence=0.9),
        rule("trouble", severity="critical"),
    )
    assert [f.id for f in found] == ["trouble", "note"]


def test_what_came_before_is_not_explained() -> None:
    found = diagnose(rule("symptom", step=1), rule("cause", "cause", step=2, explains=("symptom",)))
    assert all(f.explained_by is None for f in found)


def test_two_causes_that_name_each_other_do_not_swallow_each_other() -> None:
    found = diagnose(
        rule("a", "cause", confidence=0.9, explains=("b",)),
        rule("b", "cause", confidence=0.5, explains=("a",)),
    )
    assert [f.explained_by for f in found] == [None, "a"]


@pytest.mark.parametrize(("confidence", "explained"), [(0.6, None), (0.8, "guess")])
def test_a_guess_explains_no_fact(confidence: float, explained: str | None) -> None:
    found = diagnose(
        rule("guess", "cause", confidence=confidence, explains=("fact",)),
        rule("fact", "cause", severity="critical", confidence=0.95),
    )
    assert {f.id: f.explained_by for f in found}["fact"] == explained


@pytest.mark.parametrize(("rival_step", "expected"), [(3, ["rival"]), (9, ["rival", "excluded"])])
def test_an_earlier_rival_excludes(rival_step: int, expected: list[str]) -> None:
    found = diagnose(
        rule("rival", "cause", severity="critical", step=rival_step),
        rule("excluded", "cause", step=5, excluded_by=("rival",)),
    )
    assert [f.id for f in found] == expected


def test_a_failing_rule_is_reported_and_hides_nothing(caplog) -> None:
    def fail(history, signs):
        raise ZeroDivisionError("planted")

    broken = Rule("broken", "symptom", "broken", (), fail)
    diagnosis = diagnose_history(RunHistory("drawn"), [broken, rule("other")])
    assert [f.id for f in diagnosis.findings] == ["other"]
    assert [item.id for item in diagnosis.not_evaluated] == ["broken"]
    assert "planted" in caplog.text


def test_too_few_records_are_counted_in_the_answer() -> None:
    one = replace(rule("needy"), needs=("loss",), at_least=5)
    history = draw.history(draw.run_table(np.ones(3)))
    (item,) = diagnose_history(history, [one]).not_evaluated
    assert item.needs == ("5 records of loss (has 3)",)


def test_a_rate_too_high_is_the_root_of_the_units_it_killed() -> None:
    """Updates are large from step 1, units are dead from step 3: the rate comes first."""
    length = 200
    base = draw.healthy(length)
    variables, activations = base.tables["variables"], base.tables["activations"]
    ratios = np.array(variables.low)
    ratios[:, :, variables.columns.index("update_ratio")] = 0.8
    dead = np.array(activations.low)
    dead[3:, :2, activations.columns.index("activation_dead_fraction")] = 1.0
    history = replace(
        base,
        tables={
            **base.tables,
            "variables": replace(variables, low=ratios, high=ratios),
            "activations": replace(activations, low=dead, high=dead),
            "run": draw.run_table(draw.flat(length)),
        },
    )
    found = diagnose_history(history).findings
    assert found[0].id == "learning-rate-too-high"
    assert {f.id: f.explained_by for f in found}["dead-relu"] == "learning-rate-too-high"


@pytest.mark.parametrize(("confidence", "expected"), [(0.6, "small-sample fit"), (0.95, "")])
def test_an_experiment_is_named_where_watching_does_not_decide(confidence, expected: str) -> None:
    unsure = replace(rule("guess", "cause", confidence=confidence), experiment="small-sample fit")
    (found,) = diagnose(unsure)
    assert found.experiment == expected
    match = Match("warning", confidence, "it happened", 0, 99, experiment="half the depth")
    (found,) = diagnose(replace(unsure, evaluate=lambda history, signs: match))
    assert found.experiment == (expected and "half the depth"), "the concrete one stands for it"


@pytest.mark.parametrize(
    ("second", "first"),
    [
        pytest.param({"severity": "critical"}, "sure", id="two causes"),
        pytest.param({"severity": "warning"}, "sure", id="of which one is mild"),
        pytest.param({"severity": "info"}, None, id="one cause and a notice"),
        pytest.param({"severity": "critical", "step": 5}, None, id="one explained by the other"),
        pytest.param({"severity": "critical", "kind": "symptom"}, None, id="cause and symptom"),
        pytest.param(None, None, id="one cause"),
    ],
)
def test_of_several_causes_one_is_the_first_to_mend(second: dict | None, first: str | None) -> None:
    sure = rule("sure", "cause", severity="critical", confidence=0.9, step=3, explains=("other",))
    rules = [sure]
    if second is not None:
        rules.append(rule("other", **{"kind": "cause", **second}))
    found = diagnose_history(RunHistory("drawn"), rules)
    assert (found.fix_first and found.fix_first.id) == first


def test_several_faults_each_tell_their_own_part() -> None:
    """Two roots with a symptom each, and one they share: it goes to the better cause only."""
    found = diagnose(
        rule("data", "cause", severity="critical", confidence=0.9,
             explains=("saturation", "standstill")),
        rule("output", "cause", severity="critical", confidence=0.8,
             explains=("constant", "standstill")),
        rule("saturation", step=2), rule("constant", step=3), rule("standstill", step=9),
    )
    told = {f.id: f.explained_by for f in found}
    assert [f.id for f in found[:2]] == ["data", "output"]
    assert told == {"data": None, "output": None, "saturation": "data", "constant": "output",
                    "standstill": "data"}


@pytest.mark.parametrize(("restates", "expected"), [((), None), (("ratio",), "rate")])
def test_the_same_in_other_words_is_explained_whenever_it_began(restates, expected) -> None:
    cause = replace(rule("rate", "cause", step=5, explains=("ratio",)), restates=restates)
    found = diagnose(cause, rule("ratio", step=1))
    assert {f.id: f.explained_by for f in found}["ratio"] == expected


def test_information_is_no_reason_for_what_needs_action() -> None:
    found = diagnose(
        rule("note", "cause", severity="info", confidence=0.9, explains=("fault",)),
        rule("fault", "cause", confidence=0.5),
    )
    assert {f.id: f.explained_by for f in found} == {"fault": None, "note": None}


@pytest.mark.parametrize("special", [True, False])
def test_a_rule_about_another_kind_of_training_does_not_apply(special: bool) -> None:
    """A healthy classifier has no reward: no check is left undecided for that."""
    one = replace(rule("about-rewards"), needs=("reward",), special=special)
    diagnosis = diagnose_history(RunHistory("drawn"), [one, rule("other")])
    assert [item.id for item in diagnosis.not_evaluated] == ([] if special else ["about-rewards"])
    assert (diagnosis.verdict.decided, diagnosis.verdict.applicable) == (1, 1 if special else 2)
