"""`rules` and `explain`: whole, true to the rules, and of help with a misspelt id."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

from tb_convergence import cli
from tb_convergence.cli import account, catalogue
from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.rules import RULES, dead_relu

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
    assert high["needs"] == [
        ["update_ratio", "gradient_norm", "learning_rate", "hparams"], ["loss", "epoch_loss"]
    ]
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
    first, *_ = account.thresholds(dead_relu.RULE)
    assert first[:2] == ("dead units", f"above {dead_relu.FRACTION:.0%}")
    assert "TheDeepChecker" in first[2]
    text = catalogue.explanation(dead_relu.RULE)
    assert "records in a row at the end of the run: at least 5" in " ".join(text.split())


def test_every_number_of_a_rule_is_declared_with_its_source() -> None:
    """A number in a rule's file that decides something stands among its thresholds."""
    for rule in RULES:
        module = sys.modules[rule.evaluate.__module__]
        numbers = {
            name: value for name, value in vars(module).items()
            if name.isupper() and name[0] != "_" and isinstance(value, (int, float))
        }
        body = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")).body
        own = {
            node.target.id for node in body
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        declared = {v for item in rule.thresholds for v in (item.low, item.high)}
        lacking = {n for n, value in numbers.items() if n in own and value not in declared}
        assert not lacking, (rule.id, lacking)


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
