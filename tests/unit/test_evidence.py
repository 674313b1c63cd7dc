"""Evidence is data: every id that a rule names exists, and says what to draw."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tb_convergence.core.diagnosis import Evidence, Rule, diagnose_history
from tb_convergence.core.diagnosis.catalogue import CatalogueError, catalogue
from tb_convergence.core.diagnosis.threshold import Healthy, Threshold
from tb_convergence.core.measures import MEASURES, Measure, find
from tb_convergence.core.rules import RULES

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from worked_examples import EXAMPLES  # noqa: E402

CORE = ROOT / "tb_convergence" / "core"
IDS = {rule.id for rule in RULES}
NO_RULES = {
    "one-hot", "multi-hot", "nothing-found", "not-decided", "too-early", "no-floor", "cyclic-rate",
    "several-losses",
}
"""Strings with hyphens in `core` that name no rule: kinds of targets, verdicts, kinds of losses."""


def rule(**given: object) -> Rule:
    """A rule that is in order but for what is `given`."""
    fine: dict[str, object] = {
        "id": "mine", "kind": "symptom", "title": "Mine", "needs": ("loss",),
        "evaluate": lambda history, signs: None,
    }
    return Rule(**{**fine, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(("given", "message"), [
    ({"explains": ("dead-rellu",)},
     "explains names 'dead-rellu', which is not a rule: 'dead-relu'?"),
    ({"explains": ("dead-relu",), "restates": ("loss-spike",)}, "which explains does not"),
    ({"restates": ("los-spike",)}, "restates names 'los-spike', which is not a rule"),
    ({"excluded_by": ("none",)}, "excluded_by names 'none'"),
    ({"needs": ("los",)}, "needs names 'los', which is not a statistic"),
    ({"needs": ("config|los",)}, "needs names 'los'"),
    ({"shows": ("gradient_nrom",)}, "shows names 'gradient_nrom'"),
    ({"measures": (Measure("a", "a", ("no_column",)),)}, "'no_column' in `of`, which is not a"),
    ({"measures": (Measure("loss_end", "end"),)}, "measure 'loss_end' already exists"),
    ({"measures": (Measure("a", "a"), Measure("a", "b"))}, "measure 'a' already exists"),
    ({"measures": (Measure("a", "a", reading=True),)}, "is a reading, but `of` names no statistic"),
    ({"thresholds": (Threshold("no_number", high=1.0),)}, "thresholds names 'no_number'"),
    ({"thresholds": (Threshold("loss"),)}, "the threshold of 'loss' has neither low nor high"),
    ({"healthy": (Healthy("no_column", lambda history, table: {}),)}, "healthy names 'no_column'"),
    ({"id": "Mine"}, "lower-case words joined by hyphens"),
    ({"kind": "rule"}, "it is one of cause, symptom, caution"),
    ({"title": ""}, "title is empty"),
    ({"id": "dead-relu"}, "two rules have the id 'dead-relu'"),
])
def test_a_wrong_id_cannot_be_built(given: dict[str, object], message: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(message)):
        catalogue([rule(**given)], beside=RULES)


def test_rules_in_order_are_returned_in_their_order() -> None:
    mine = rule(explains=("dead-relu",), shows=("loss", "a"), measures=(Measure("a", "a"),))
    assert catalogue([mine], beside=RULES) == (mine,)
    assert catalogue(RULES) == RULES


def strings(text: str) -> Iterator[str]:
    """Constants of a module that look like ids of rules."""
    for node in ast.walk(ast.parse(text)):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and re.fullmatch(r"[a-z]+(-[a-z]+)+", value):
            yield value


def test_every_id_in_the_code_is_a_rule() -> None:
    """Ids stand in more places than a rule's declaration: in matches, and in what they look for."""
    found = {
        name for path in (*(CORE / "rules").glob("*.py"), *(CORE / "diagnosis").glob("*.py"))
        for name in strings(path.read_text(encoding="utf-8"))
    }
    assert found - NO_RULES <= IDS, found - NO_RULES - IDS
    assert len(found & IDS) > 25


def evidence_calls(path: Path) -> Iterator[str]:
    """Ids of the pieces of evidence that a module makes, where they are written out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Evidence":
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and "_" in str(part.value):
                    yield str(part.value)


@pytest.mark.parametrize("rule", RULES, ids=lambda one: one.id)
def test_every_piece_of_evidence_is_of_something_known(rule: Rule) -> None:
    path = CORE / "rules" / f"{rule.id.replace('-', '_')}.py"
    unknown = {id_ for id_ in evidence_calls(path) if find(id_, rule.measures) is None}
    assert not unknown


def test_evidence_of_every_example_has_words_and_something_shows_it() -> None:
    for id_, example in EXAMPLES.items():
        for finding in diagnose_history(example.history()).findings:
            for item in finding.evidence:
                assert item.measure is not None, (id_, finding.id, item)
                assert "{" not in item.name
                assert not item.name.endswith(" ")


def test_every_measure_is_used() -> None:
    text = "".join(
        path.read_text(encoding="utf-8") for folder in ("rules", "diagnosis")
        for path in (CORE / folder).glob("*.py")
    )
    assert [one.id for one in MEASURES if f'"{one.id}"' not in text] == []
    for rule_ in RULES:
        # Once where it is declared, and once in evidence: of the rule, or of what it shares.
        assert [one.id for one in rule_.measures if text.count(f'"{one.id}"') < 2] == []


SHOWN_FIRST = {
    "non-finite-input": "feature_nan_fraction",
    "wrong-output-activation": "feature_max",
    "unnormalized-input": "feature_rms",
    "class-imbalance": "feature_mean",
    "index-out-of-range": "feature_max",
    "dead-relu": "activation_dead_fraction",
    "non-finite-values": "gradient_norm",
    "learning-rate-too-high": "update_ratio",
    "vanishing-gradient": "gradient_mean_abs",
}


@pytest.mark.parametrize("id_", SHOWN_FIRST)
def test_what_shows_a_finding_follows_from_its_evidence(id_: str) -> None:
    findings = diagnose_history(EXAMPLES[id_].history()).findings
    (found,) = (one for one in findings if one.id == id_)
    assert found.shows[0] == SHOWN_FIRST[id_]


def test_words_and_units_come_from_the_measure() -> None:
    assert Evidence("gradient_zero_fraction", 0.5).unit == "fraction"
    assert Evidence("gradient_norm", 0.5).unit is None
    assert Evidence("loss_fall", 0.5).unit == "fraction"
    assert Evidence("loss_fall", -50.0).unit is None, "fiftyfold is not read in per cent"
    assert Evidence("fastest_update_ratio", 0.1, detail="layer").name.endswith("fastest layer")
    assert Evidence("target_rms", 0.1).name == "target rms", "of a rule: its own words come later"
    assert Evidence("smallest_target", -1.0).kind == "target"


def test_a_rule_s_own_measure_reaches_the_finding() -> None:
    from tb_convergence.core.diagnosis import Match  # noqa: PLC0415

    def evaluate(history: object, signs: object) -> Match:
        return Match("warning", 0.9, "s", 0, 1, (), (Evidence("wobble", 0.25, 0.1),))

    wobble = Measure("wobble", "wobble of the loss", ("loss",), "fraction")
    mine = rule(evaluate=evaluate, measures=(wobble,), shows=("loss",))
    history = EXAMPLES["loss-spike"].history()
    (found,) = diagnose_history(history, [mine]).findings
    (item,) = found.evidence
    assert (item.name, item.unit) == ("wobble of the loss", "fraction")
    assert found.shows == ("loss",)
    unnamed = replace(mine, measures=())
    (found,) = diagnose_history(history, [unnamed]).findings
    assert [item.name for item in found.evidence] == ["wobble"]
