"""A table of the page of benchmarks can be measured anew without the others."""

from __future__ import annotations

from benchmarks.report import Table, document, merged


def table(title: str, value: str) -> Table:
    return Table(title, f"About {title}.", ("a", "b"), [(value, "1")])


def test_a_table_takes_the_place_of_the_one_of_its_title() -> None:
    old = document([table("First", "x"), table("Second", "y")], ["Date: old", "Machine: old"])
    new = merged(old, [table("First", "new"), table("Third", "z")], ["Date: today", "Machine: m"])
    assert new.startswith("# ")
    titles = [line for line in new.splitlines() if line.startswith("## ")]
    assert titles == ["## First", "## Second", "## Third"]
    assert "| new | 1 |" in new
    assert "| x | 1 |" not in new
    assert "| y | 1 |" in new
    assert "* Date: old" in new, "what was not measured anew keeps its date"
    assert new.count("Date: today. Machine: m.") == 2


def test_merging_again_changes_no_other_table() -> None:
    old = document([table("First", "x"), table("Second", "y")], ["Date: old"])
    once = merged(old, [table("First", "new")], ["Date: today"])
    assert merged(once, [table("First", "new")], ["Date: today"]) == once
