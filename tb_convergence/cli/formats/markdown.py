"""Findings as GitHub-flavored Markdown, fit for a comment on a pull request.

Names come from event files, and a comment is a place where text acts: `@name` calls a person,
`#1` links an issue, a bare address becomes a link, and any of Markdown's signs may break the table.
`escaped` makes all of that plain text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tb_convergence.cli.questions import questions
from tb_convergence.cli.wording import (
    about,
    evidence_text,
    finding_steps,
    headline,
    leading,
    printable,
    reached,
    skipped_text,
    totals,
    unit_of,
    unjudged,
)
from tb_convergence.core.diagnosis.finding import Finding, RunDiagnosis
from tb_convergence.core.text.severity import SEVERITY_MARKS, VERDICT_MARKS, VERDICT_WORDS

_BREAK: Final = "\u200b"
"""A space of no width: behind @ and # it keeps the sign visible and takes its effect away."""
_SPECIAL: Final = {
    **{sign: "\\" + sign for sign in "\\`*_{}[]~|"},
    "$": "&#36;", "&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@" + _BREAK, "#": "\\#" + _BREAK,
}
_NUMBERED: Final = re.compile(r"\d{1,9}[.)]")
MAX_CHARACTERS: Final = 60_000
"""GitHub refuses a comment of more than 65,536."""


def escaped(text: str) -> str:
    """`text` as Markdown that shows exactly it: one line, without effect.

    >>> escaped("a_b*c | <i>")
    'a\\\\_b\\\\*c \\\\| &lt;i&gt;'
    """
    plain = inside(text)
    if plain[:1] in ("-", "+", "=", "!") or _NUMBERED.match(plain):
        # At the beginning of a line these make lists and headings.
        plain = f"&#{ord(plain[0])};{plain[1:]}"
    return plain


def inside(text: str) -> str:
    """The same for text that does not begin a line, as in a table."""
    plain = "".join(_SPECIAL.get(c, c) for c in printable(text).strip())
    return plain.replace("://", "&#58;//").replace("www.", "www&#46;")


def report(runs: Sequence[RunDiagnosis]) -> str:
    """A table of the runs, then their findings. It says how much does not fit into a comment.
    """
    parts = ["### Convergence", escaped(totals(tuple(runs))) + ".", _table(runs)]
    size, left_out = sum(map(len, parts)), 0
    for run in runs:
        section = _section(run)
        if not section:
            continue
        if size + len(section) > MAX_CHARACTERS:
            left_out += 1
            continue
        parts.append(section)
        size += len(section)
    if left_out:
        parts.append(f"The details of {left_out} more runs do not fit into a comment; "
                     "`--format html` has them.")
    return "\n\n".join(parts) + "\n"


def _table(runs: Sequence[RunDiagnosis]) -> str:
    lines = ["| run | | first finding | from step |", "|---|---|---|---:|"]
    size, shown = 0, 0
    for run in runs:
        first = leading(run)
        if run.severity is not None and run.verdict.state == "sick":
            mark, state = SEVERITY_MARKS[run.severity], str(run.severity)
        elif run.last_step >= 0:
            mark, state = VERDICT_MARKS[run.verdict.state], VERDICT_WORDS[run.verdict.state]
        else:
            mark, state = "?", ""
        what = escaped(headline(run)) + (f" (`{first.id}`)" if first else "")
        since = f"{first.first_step:,}" if first else ""
        lines.append(f"| {escaped(run.run)} | {mark} {state} | {what} | {since} |")
        size += len(lines[-1])
        if size > MAX_CHARACTERS / 2:
            break
        shown += 1
    if shown < len(runs):
        lines[-1] = f"| and {len(runs) - shown} more | | | |"
    return "\n".join(lines)


def _section(run: RunDiagnosis) -> str:
    """The details of one run, folded; "" if there is nothing to add to the table."""
    lines = [line for finding in run.findings if finding.explained_by is None
             for line in _finding(finding, run)]
    lines += [f"* {escaped(question)}" for question in questions(run)]
    if run.skipped:
        lines.append(f"* {escaped(skipped_text(run))}")
    if not lines:
        return ""
    if unjudged(run):
        lines.append(f"* {unjudged(run)}: `tb-convergence diagnose -v` lists them.")
    for recipe in run.recipes[:1]:
        lines += [f"* To record it, with {recipe.title}:", "", "  ```python",
                  *(f"  {code}" for code in recipe.lines), "  ```"]
    title = f"{_html(run.run)} ({reached(run)}): {_html(headline(run))}"
    return "\n".join(
        ["<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>"]
    )


def _html(text: str) -> str:
    """Text within an HTML line, where Markdown's own escapes would be shown."""
    signs = {**{c: f"&#{ord(c)};" for c in _SPECIAL}, "@": "@" + _BREAK, "#": "&#35;" + _BREAK}
    plain = "".join(signs.get(c, c) for c in printable(text))
    return plain.replace("://", "&#58;//").replace("www.", "www&#46;")


def _finding(finding: Finding, run: RunDiagnosis) -> list[str]:
    lines = [
        f"* {SEVERITY_MARKS[finding.severity]} **{escaped(finding.title)}** (`{finding.id}`, "
        f"{about(finding, run)}, {finding_steps(finding, unit_of(run))})  ",
        f"  {escaped(finding.summary)}",
    ]
    lines += [f"  * Try: {escaped(text)}" for text in finding.advice]
    if finding.experiment:
        lines.append(f"  * Decide by: {escaped(finding.experiment)}")
    if finding.command:
        lines.append(f"  * Run: `{finding.command}`")
    if finding.tested is not None:
        word = finding.tested.outcome.capitalize()
        lines.append(f"  * {word}: {escaped(finding.tested.reason)}")
    lines += [
        f"  * Seen: {escaped(evidence_text(item, unit_of(run)))}" for item in finding.evidence[:3]
    ]
    lines += [
        f"  * Explains `{other.id}`: {escaped(other.summary)}"
        for other in run.findings if other.explained_by == finding.id
    ]
    return lines
