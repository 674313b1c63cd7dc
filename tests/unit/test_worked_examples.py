"""The examples of the documentation: each fires its rule, and its picture shows what decided."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import document  # noqa: E402
from worked_examples import EXAMPLES  # noqa: E402

from tb_convergence.cli.drawing import svg  # noqa: E402
from tb_convergence.cli.drawing.chart import Chart, Profile  # noqa: E402
from tb_convergence.cli.drawing.decisive import MEASURES, STATISTICS, decisive  # noqa: E402
from tb_convergence.cli.drawing.series import limit_of  # noqa: E402
from tb_convergence.core.diagnosis import diagnose_history  # noqa: E402
from tb_convergence.core.measures import find  # noqa: E402
from tb_convergence.core.rules import RULES  # noqa: E402

IDS = sorted(EXAMPLES)


@pytest.mark.parametrize("id_", IDS)
def test_the_example_fires_its_rule(id_: str) -> None:
    history = EXAMPLES[id_].history()
    diagnosis = diagnose_history(history)
    assert id_ in [finding.id for finding in diagnosis.findings]
    failed = [item for item in diagnosis.not_evaluated if "a fix" in item.needs[0]]
    assert failed == []


@pytest.mark.parametrize("id_", [rule.id for rule in RULES if rule.kind == "cause"])
def test_a_cause_is_the_first_thing_said_of_its_example(id_: str) -> None:
    if id_ not in EXAMPLES:
        pytest.skip("the check of the documentation names it")
    first = diagnose_history(EXAMPLES[id_].history()).first_cause
    assert first is not None
    assert first.id == id_


@pytest.mark.parametrize("id_", IDS)
def test_the_picture_is_drawn_and_small(id_: str) -> None:
    pictures = document.pictures_of(id_, EXAMPLES[id_])
    assert pictures, "no numbers of this example can be drawn"
    source = svg.standalone(pictures)
    ElementTree.fromstring(source)
    assert len(source) < 12_000
    assert source == svg.standalone(document.pictures_of(id_, EXAMPLES[id_]))
    finding = document.finding_of(id_, EXAMPLES[id_])
    if any(isinstance(picture, Chart) for picture in pictures):
        assert re.search(rf">from (step|epoch) {finding.first_step:,}<", source)


LIMIT_IS_THE_START = {"loss-not-decreasing"}
"""Where the line drawn is no threshold, but the level that the loss should have left."""


WITHOUT_LINE = {
    "batch-norm-statistics", "constant-loss", "constant-output", "discriminator-wins",
    "frozen-variable",
    "loss-oscillation", "loss-spike",
    "never-updated", "non-finite-input", "non-finite-values", "nothing-trainable", "overfitting",
    "reward-collapse", "too-deep-without-skip", "too-few-steps", "underfitting",
    "vanishing-gradient", "wrong-hidden-activation",
}
"""Pictures that show no threshold: what counts is a course, a comparison, or a marked place."""


def test_the_other_pictures_show_a_threshold() -> None:
    drawn = {id_: decisive(EXAMPLES[id_].history(), document.finding_of(id_, EXAMPLES[id_]))
             for id_ in IDS}
    without = {id_ for id_, one in drawn.items() if one is None or one.limit is None}
    without -= LIMIT_IS_THE_START
    assert without == WITHOUT_LINE


@pytest.mark.parametrize("id_", sorted(set(IDS) - LIMIT_IS_THE_START - WITHOUT_LINE))
def test_the_series_lies_on_the_side_of_its_threshold_that_was_accused(id_: str) -> None:
    history, finding = EXAMPLES[id_].history(), document.finding_of(id_, EXAMPLES[id_])
    picture = decisive(history, finding)
    assert picture is not None
    assert picture.limit is not None
    accused = next(item for item in finding.evidence if limit_of(item) is not None)
    above = accused.value > accused.limit
    if isinstance(picture, Chart):
        first = picture.lines[0]
        since = np.asarray(first.low)[first.steps >= finding.first_step]
        drawn = [float(np.median(since))]
    else:
        drawn = [v for v, m in zip(picture.values, picture.marked, strict=True) if m]
    assert drawn
    assert all((value > picture.limit.value) == above for value in drawn)


@pytest.mark.parametrize("id_", ["wrong-hidden-activation", "vanishing-gradient"])
def test_a_profile_marks_the_layers_of_the_finding(id_: str) -> None:
    history, finding = EXAMPLES[id_].history(), document.finding_of(id_, EXAMPLES[id_])
    picture = decisive(history, finding)
    assert isinstance(picture, Profile)
    marked = [n for n, m in zip(picture.names, picture.marked, strict=True) if m]
    assert tuple(marked) == finding.layers


def test_pictures_are_of_measures_that_there_are() -> None:
    own = {measure.id for rule in RULES for measure in rule.measures}
    assert [id_ for id_ in MEASURES if id_ not in own and find(id_) is None] == []
    assert [id_ for id_ in STATISTICS if find(id_) is None] == []


def test_a_rule_without_an_example_is_named_with_the_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(EXAMPLES, "dead-relu")
    assert document.main(["--check"]) == 1
    error = capsys.readouterr().err
    assert "dead-relu has no worked example: add one to tools/worked_examples/causes.py" in error


def test_an_example_that_fires_no_more_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(EXAMPLES, "dead-relu", EXAMPLES["loss-not-decreasing"])
    assert document.main(["--check"]) == 1
    assert "dead-relu does not fire on its worked example" in capsys.readouterr().err


def test_the_page_shows_report_and_picture_of_every_rule() -> None:
    page = (ROOT / "docs" / "diagnoses.md").read_text(encoding="utf-8")
    for id_ in IDS:
        section = page.split(f"\n### {id_}\n")[1].split("\n### ")[0]
        assert re.search(rf"```\nexample  \(.*{id_}.*```", section, re.DOTALL), id_
        assert f"(images/diagnoses/{id_}.svg)" in section
