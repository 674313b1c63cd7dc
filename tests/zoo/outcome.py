"""From a recording to what was said of it: the diagnosis, and when the cause was first named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tb_convergence.core.diagnosis import Finding
from tb_convergence.core.diagnosis.timeline import timeline
from tb_convergence.core.history import RunHistory
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs
from zoo.task import Task

GRAVE = ("critical", "warning")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the diagnosis of one training came to.

    Attributes:
        task: which training.
        family, architecture: of its program.
        expected, also: as the program declares them; empty for a healthy one.
        findings: in the order they are reported.
        facts: how the training went (`zoo.recording`).
        first_report: step by which an expected cause had been reported; None for never.
        at_fault: what makes its label false, such as a healthy twin that did not train.
    """

    task: Task
    family: str
    architecture: str
    expected: tuple[str, ...]
    also: tuple[str, ...]
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]
    first_report: int | None = None
    at_fault: str = ""

    @property
    def causes(self) -> tuple[str, ...]:
        """Ids of causes and cautions that were reported, in the order of reading."""
        return tuple(f.id for f in self.findings if f.kind != "symptom")

    @property
    def first(self) -> str | None:
        """The cause a person reads first; where none is told, the first finding."""
        causes = (f.id for f in self.findings if f.kind == "cause")
        return next(causes, self.findings[0].id if self.findings else None)

    @property
    def found(self) -> bool:
        """Whether an expected id is anywhere among the findings."""
        return any(f.id in self.expected for f in self.findings)

    @property
    def found_first(self) -> bool:
        """Whether the cause a person reads first is an expected one."""
        return self.first in self.expected

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """Findings of warning or worse that are wrong.

        On a healthy run, all of them. On a sick one, causes that are neither expected nor also
        true, unless a better cause explains them; symptoms are observations, never wrong there.
        """
        grave = [f for f in self.findings if f.severity in GRAVE]
        if not self.task.sick:
            return tuple(grave)
        true = {*self.expected, *self.also}
        return tuple(
            f for f in grave if f.kind == "cause" and f.id not in true and f.explained_by is None
        )


def read(folder: Path) -> RunHistory:
    """The only run in `folder`."""
    with open_logdir(folder, "python") as source:
        runs = fold_runs(source.runs())
        if len(runs) != 1:
            raise ValueError(f"{folder}: {len(runs)} runs where one was recorded")
        return read_folded(source, runs[0])


def first_report(history: RunHistory, expected: tuple[str, ...]) -> int | None:
    """The earliest step at which what was recorded until then already names an expected cause.

    None where it never does, or only in passing: what a single look reports is not told.
    """
    steps = [episode.reported_step for episode in timeline(history) if episode.id in expected]
    return min(steps, default=None)
