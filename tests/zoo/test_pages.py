"""The pages that `make zoo` writes, from outcomes made by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from zoo import accuracy_page, first_contact
from zoo.outcomes import finding, outcome

OUTCOMES = [
    outcome(finding("dead-relu"), step=10),
    outcome(sick=False, at_fault="score 0.400, not 0.9"),
    outcome(finding("wrong-labels"), name="two", seed=1, family="data", expected="wrong-loss"),
    outcome(finding("dead-relu"), name="published/three", family="published"),
]


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(accuracy_page, "PAGE", tmp_path / "accuracy.md")
    monkeypatch.setattr(first_contact, "FOLDER", tmp_path / "first")
    accuracy_page.write(OUTCOMES, SimpleNamespace(seeds=[0, 1]))
    return (tmp_path / "accuracy.md").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "| expected cause reported | 1 of 2 = 50% [10%, 90%] |",
        "| one | dead-relu | 1/1 | 1/1 | - | - | 10 of 100 |",
        "| two | wrong-loss | 0/1 | 0/1 | wrong-labels | no twin | - |",
        "| published/three | dead-relu | 1/1 | 1/1 | - | no twin | - |",
        "| one:healthy:0 | score 0.400, not 0.9 |",
        "| 1 | 1 |",
        "| symmetry | poor-initialization | that rule covers units with equal initial weights |",
        "## Published cases: totals",
    ],
)
def test_the_page_says(page: str, line: str) -> None:
    assert line in page.splitlines()


def test_the_page_names_versions_and_whose_recordings_they_are(page: str) -> None:
    assert "tb_convergence " in page
    assert "seeds 0, 1; 4 trainings, all with earlier versions" in page


def test_first_contact_is_written_down_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_contact, "FOLDER", tmp_path / "first")
    assert first_contact.section() == ""
    first_contact.keep(OUTCOMES)
    text = first_contact.details()
    assert "| two | wrong-loss | 0/1 | 0/1 | wrong-labels | no twin |" in text
    assert "Label in doubt, but counted: one:healthy:0, score 0.400, not 0.9." in text
    with pytest.raises(FileExistsError):
        first_contact.keep(OUTCOMES[:1])
    assert first_contact.details() == text


def test_each_held_out_set_has_a_first_contact_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_contact, "FOLDER", tmp_path / "first")
    first_contact.keep(OUTCOMES[:1])
    first_contact.keep(OUTCOMES[2:3])
    text = first_contact.details()
    assert "| one | dead-relu | 1/1 |" in text
    assert "| two | wrong-loss | 0/1 |" in text
    assert text.count("\n1 programs; seed") == 2
    totals = [line for line in first_contact.section().splitlines() if line.startswith("| ")]
    assert len(totals) == 4, "a head, its rule, and a line for each set"
    assert any("1 of 1 = 100%" in line for line in totals)


def test_programs_of_a_set_that_are_met_later_have_a_record_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_contact, "FOLDER", tmp_path)
    later = outcome(finding("dead-relu"), name="later")
    first_contact.keep(OUTCOMES[:1])
    first_contact.keep([later])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layers-2.json", "layers.json"]
    with pytest.raises(FileExistsError, match="met before: later"):
        first_contact.keep([later, outcome(finding("dead-relu"), name="never met")])
    first_contact.keep_after([OUTCOMES[0], later])
    again = "1 programs of this set were recorded and diagnosed again, including 0 of the 0"
    assert first_contact.details().count(again) == 2


def test_what_came_after_stands_beside_the_first_contact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_contact, "FOLDER", tmp_path / "first")
    with pytest.raises(FileNotFoundError):
        first_contact.keep_after(OUTCOMES[2:3])
    first_contact.keep(OUTCOMES[2:3])
    page = "# Accuracy\n\n## First contact\n\nold\n\n## Leave one family out\n\nkept\n"
    before = first_contact.refreshed(page)
    assert "old" not in before
    assert before.endswith("## Leave one family out\n\nkept\n")
    assert first_contact.refreshed(before) == before
    assert "After the rules were corrected" not in first_contact.details()
    first_contact.keep_after(OUTCOMES[2:3])
    again = "1 programs of this set were recorded and diagnosed again, including 1 of the 1 with"
    assert again in first_contact.details()
    assert first_contact.refreshed(before) == before, "totals are those of the first contact"
