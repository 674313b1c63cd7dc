"""The wording of each rule's finding is reviewed as text: `make snapshots` writes it anew."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import snapshots


def test_the_wording_of_findings_is_as_reviewed() -> None:
    assert snapshots.differences() == "", "read it, then: make snapshots"


def test_a_changed_word_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stored = tmp_path / "findings.txt"
    stored.write_text(
        snapshots.findings().replace("The loss", "A loss"), encoding="utf-8"
    )
    monkeypatch.setattr(snapshots, "SNAPSHOT", stored)
    shown = snapshots.differences().splitlines()
    assert any(line.startswith("-") and "A loss" in line for line in shown)
    assert any(line.startswith("+") and "The loss" in line for line in shown)
