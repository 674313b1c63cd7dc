"""`rules` and `explain`: whole, true to the rules, and of help with a misspelt id."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from tb_convergence import cli
from tb_convergence.cli import account, catalogue
from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.rules import RULES, dead_relu, zero_gradient

Read = pytest.CaptureFixture[str]


def printed(capsys: Read, *command: str) -> str:
    assert cli.main([*command]) == 0
    return capsys.readouterr().out


def test_the_list_holds_every_rule(capsys: Read) -> None:
    text = printed(capsys, "rules")
    for rule in RULES:
        assert f"  {rule.id} " in text
        assert rule.title in text
    assert text.index("causes: what to fix") < text.index("symptoms: what was observed")


def test_the_json_list_is_the_declarations(capsys: Read) -> None:
    document = json.loads(printed(capsys, "rules", "--format", "json"))
    assert document["schema"] == 1
    found = {item["id"]: item for item in document["rules"]}
    assert list(found) == [rule.id for rule in RULES]
    high = found["learning-rate-too-high"]
    assert high["kind"] == "cause"
    assert high["needs"] == [["update_ratio", "gradient_norm"], ["loss", "epoch_loss"]]
    assert "loss-divergence" in high["explains"]


def test_the_markdown_list_is_a_table(capsys: Read) -> None:
    lines = printed(capsys, "rules", "--format", "markdown").splitlines()
    assert len(lines) == 2 + len(RULES)
    assert all(line.count("|") == 5 for line in lines)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_an_explanation_says_all_that_the_rule_declares(rule: Rule, capsys: Read) -> None:
    text = " ".join(printed(capsys, "explain", rule.id).split())
    said = [rule.title, *rule.falsified_by, *rule.false_alarms, *rule.references, *rule.advice,
            *account.story(rule), *rule.explains, *rule.excluded_by, rule.experiment]
    for words in said:
        assert " ".join(words.split()) in text
    for need in rule.needs:
        for name in need.split("|"):
            assert name in text


def test_thresholds_are_the_rules_own_with_their_sources() -> None:
    found = {item.name: item for item in account.thresholds(dead_relu.RULE)}
    assert found["fraction"].value == str(dead_relu.FRACTION)
    assert "TheDeepChecker" in found["fraction"].source
    assert found["records"].value == str(dead_relu.RECORDS)
    zero = {item.name: item for item in account.thresholds(zero_gradient.RULE)}
    assert "(1 - 1/4)^8" in zero["small batch"].source


def test_without_its_source_a_rule_is_explained_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(module: ModuleType) -> str:
        raise OSError(f"no source of {module}")

    monkeypatch.setattr(account.inspect, "getsource", absent)
    text = catalogue.explanation(dead_relu.RULE)
    assert "thresholds" not in text
    assert "Lu et al. 2019" in text


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("dead-rellu", "did you mean 'dead-relu'"),
        ("vanishing", "did you mean 'vanishing-gradient'"),
        ("\x1b[31m", "there are 'learning-rate-too-high'"),
        ("x" * 100_000, "there are"),
    ],
)
def test_a_misspelt_id(wanted: str, words: str, capsys: Read) -> None:
    assert cli.main(["explain", wanted]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert words in captured.err
    assert "\x1b" not in captured.err
    assert len(captured.err) < 600


def test_every_rule_tells_its_story() -> None:
    for rule in RULES:
        assert account.story(rule), f"{sys.modules[rule.evaluate.__module__]} has no docstring"
