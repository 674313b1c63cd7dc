"""Outcomes made by hand, for the tests of what is counted and written."""

from __future__ import annotations

from typing import Any

from tb_convergence.core.diagnosis import Finding
from zoo.outcome import Outcome
from zoo.task import Task


def finding(id_: str, kind: Any = "cause", severity: Any = "warning", **more: Any) -> Finding:
    """A finding with nothing but its name, kind and severity, and what `more` says."""
    facts: dict[str, Any] = {"confidence": 0.8, "summary": "", "explained_by": None, **more}
    return Finding(
        id=id_, kind=kind, severity=severity, title=id_, first_step=0, last_step=9, layers=(),
        evidence=(), explains=(), advice=(), falsified_by=(), references=(), **facts,
    )


def outcome(
    *findings: Finding, sick: bool = True, expected: str = "dead-relu", seed: int = 0,
    family: str = "layers", also: tuple[str, ...] = (), step: int | None = None,
    name: str = "one", at_fault: str = "",
) -> Outcome:
    """What was said of one training of 100 steps."""
    return Outcome(
        Task(name, sick, seed), family, "dense", (expected,) if sick else (), also,
        findings, {"steps": 100, "score": 0.5, "recorder": "other"}, step, at_fault,
    )
