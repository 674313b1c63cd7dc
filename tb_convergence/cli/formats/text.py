"""Findings for the terminal: per run its causes with their symptoms beneath, then the rest."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from typing import Final

from tb_convergence.cli.questions import questions
from tb_convergence.cli.wording import (
    about,
    evidence_text,
    printable,
    reached,
    skipped_text,
    totals,
    unit_of,
    unjudged,
    verdict_text,
)
from tb_convergence.core.diagnosis.finding import Finding, RunDiagnosis
from tb_convergence.core.diagnosis.verdict import State
from tb_convergence.core.text.severity import SEVERITY_MARKS, VERDICT_MARKS

_COLORS: Final = {
    "critical": "31", "warning": "33", "info": "34", "healthy": "32", "faint": "2", "strong": "1",
}

_VERDICTS: Final[dict[State, str]] = {
    "sick": "critical", "nothing-found": "healthy", "not-decided": "strong", "too-early": "strong",
}
"""Color of each verdict; only "nothing found" is green."""

NOTHING_READ: Final = (
    "This run has no loss, histogram, or recording that could be read. If TensorBoard shows "
    "scalars of this run, "
    "try --loader python: TensorBoard's data server reads only float32 scalars."
)
"""What is said of a run without any data."""


class Page:
    """Collects lines; knows the width and whether color may be used."""

    def __init__(self, color: bool = False, width: int | None = None) -> None:
        self.lines: list[str] = []
        self._color = color
        self._width = width or min(100, max(60, shutil.get_terminal_size().columns))

    def paint(self, text: str, style: str) -> str:
        """`text` in the color of `style`, where color may be used."""
        return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if self._color else text

    def line(self, text: str = "") -> None:
        """Add one line unchanged; foreign text in it must be printable already."""
        self.lines.append(text)

    def wrapped(self, label: str, text: str, indent: int) -> None:
        """Add foreign or long text, made printable; later lines are indented below the first."""
        first = " " * indent + label
        self.lines.extend(
            textwrap.wrap(
                printable(text), self._width, initial_indent=first,
                subsequent_indent=" " * len(first), break_on_hyphens=False,
            )
        )

    def text(self) -> str:
        """All lines, with one end each."""
        return "\n".join(self.lines) + "\n"


def report(
    runs: Sequence[RunDiagnosis],
    *,
    color: bool = False,
    verbose: bool = False,
    width: int | None = None,
) -> str:
    """The whole report; `verbose` adds evidence, references, and what was not evaluated.

    `width` is that of the terminal, between 60 and 100 columns, unless given.
    """
    page = Page(color, width)
    for run in runs:
        _run(page, run, verbose)
    if len(runs) > 1:
        page.wrapped("", totals(tuple(runs)), 0)
    return page.text()


def _run(page: Page, run: RunDiagnosis, verbose: bool) -> None:
    page.line(f"{printable(run.run)}  {page.paint(f'({reached(run)})', 'faint')}")
    if run.last_step >= 0:
        mark = VERDICT_MARKS[run.verdict.state]
        page.line("  " + page.paint(f"{mark} {verdict_text(run)}", _VERDICTS[run.verdict.state]))
    if run.verdict.state != "sick" and run.last_step >= 0:
        page.wrapped("", run.verdict.why, 4)
        if run.loss_summary:
            page.wrapped("", run.loss_summary, 4)
    for change in run.trainable_changes:
        page.wrapped("", change, 4)
    for finding in run.findings:
        if finding.explained_by is None:
            _finding(page, finding, run, verbose)
    asked = questions(run)
    for question in asked:
        page.wrapped("? ", question, 2)
    if run.last_step < 0 and not asked and not run.skipped:
        page.wrapped("", NOTHING_READ, 2)
    if run.skipped:
        page.wrapped("", skipped_text(run), 2)
    if verbose and run.not_evaluated:
        _not_evaluated(page, run)
    elif run.not_evaluated:
        more = ", with the code that records the data" if run.recipes else ""
        them = "it" if len(run.not_evaluated) == 1 else "them"
        page.line("  " + page.paint(f"{unjudged(run)} (-v lists {them}{more})", "faint"))
    page.line()


def _finding(page: Page, finding: Finding, run: RunDiagnosis, verbose: bool) -> None:
    mark = page.paint(f"{SEVERITY_MARKS[finding.severity]} {finding.id}", finding.severity)
    page.line(f"  {mark}  {page.paint(about(finding, run), 'faint')}")
    page.wrapped("", finding.summary, 4)
    for evidence in finding.evidence if verbose else ():
        page.wrapped("seen: ", evidence_text(evidence, unit_of(run)), 4)
    for advice in finding.advice:
        page.wrapped("try: ", advice, 4)
    if finding.experiment:
        page.wrapped("decide by: ", finding.experiment, 4)
    if finding.command:
        page.wrapped("run: ", finding.command, 4)
    if finding.tested is not None:
        page.wrapped(f"{finding.tested.outcome}: ", finding.tested.reason, 4)
    for sign in finding.falsified_by if verbose else ():
        page.wrapped("wrong if: ", sign, 4)
    for reference in finding.references if verbose else ():
        page.wrapped("see: ", reference, 4)
    for other in run.findings:
        if other.explained_by == finding.id:
            page.wrapped("explains ", f"{other.id}: {other.summary}", 4)


def _not_evaluated(page: Page, run: RunDiagnosis) -> None:
    page.line(f"  not evaluated ({len(run.not_evaluated)} rules):")
    for item in run.not_evaluated:
        page.wrapped("- ", f"{item.id} needs {', '.join(item.needs)}", 4)
    for recipe in run.recipes:
        page.line(f"    to record it, with {recipe.title}:")
        for code in recipe.lines:
            page.line(f"        {code}")
