"""Findings as one self-contained page: no script, nothing loaded from elsewhere, light and dark.

Everything foreign passes through `_text`; a content security policy forbids all that the page does
not need, so that even a fault here could run nothing. The page is plain ASCII, whatever encoding
the shell writes a file in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from tb_convergence.cli.drawing import svg
from tb_convergence.cli.drawing.chart import Chart, Picture
from tb_convergence.cli.drawing.decisive import decisive
from tb_convergence.cli.drawing.series import loss_picture
from tb_convergence.cli.formats.html_style import STYLE
from tb_convergence.cli.questions import questions
from tb_convergence.cli.wording import (
    about,
    amount,
    finding_steps,
    headline,
    leading,
    limit_text,
    place,
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
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.severity import SEVERITY_MARKS, VERDICT_MARKS, VERDICT_WORDS

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_VERDICTS: Final[dict[State, str]] = {
    "sick": "critical", "nothing-found": "healthy", "not-decided": "info", "too-early": "info",
}
"""Class of each verdict; only "nothing found" is green."""
SHOWN_SKIPPED: Final = 20
SHOWN_LAYERS: Final = 12


def escaped_html(text: str) -> str:
    """HTML that shows exactly `text`, as content and within quotes."""
    return escape(printable(text), quote=True)


_text: Final = escaped_html


def report(runs: Sequence[RunDiagnosis], sections: Sequence[str]) -> str:
    """The page; `sections` are the results of `section` for each of `runs`."""
    total = totals(tuple(runs))
    body = [
        "<h1>Convergence</h1>",
        f"<p>{_text(total)}.</p>",
        *(_table(runs) if len(runs) > 1 else ()),
        *(f'<section id="run-{index}">{section}</section>'
          for index, section in enumerate(sections)),
    ]
    return document(f"Convergence: {total}", body)


def document(title: str, body: Iterable[str]) -> str:
    """A whole page; `body` is HTML, `title` any text."""
    page = "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{_text(title)}</title>",
            f"<style>{STYLE}</style></head><body><main>",
            *body,
            "</main></body></html>",
        ]
    )
    return page.encode("ascii", "xmlcharrefreplace").decode("ascii") + "\n"


def _table(runs: Sequence[RunDiagnosis]) -> Iterable[str]:
    yield "<table><thead><tr><th>run<th>worst<th>first finding<th>from step</tr></thead><tbody>"
    for index, run in enumerate(runs):
        first = leading(run)
        yield (
            f'<tr><td><a href="#run-{index}">{_text(run.run)}</a><td>{_badge(run)}'
            f"<td>{_text(headline(run))}"
            f'<td class="number">{f"{first.first_step:,}" if first else ""}</tr>'
        )
    yield "</tbody></table>"


def _badge(run: RunDiagnosis) -> str:
    if run.last_step < 0:
        return '<span class="info">? no data</span>'
    state = run.verdict.state
    if run.severity is not None and state == "sick":
        return f'<span class="{run.severity}">{SEVERITY_MARKS[run.severity]} {run.severity}</span>'
    return f'<span class="{_VERDICTS[state]}">{VERDICT_MARKS[state]} {VERDICT_WORDS[state]}</span>'


def section(run: RunDiagnosis, history: RunHistory | None) -> str:
    """One run: its loss, its findings with their evidence, and what was not evaluated."""
    parts = [f"<h2>{_text(run.run)} <small>{_text(reached(run))}</small></h2>"]
    loss = None
    if history is not None:
        first = leading(run)
        loss = loss_picture(history, first.first_step if first else None)
    if loss is not None:
        parts.append(f'<figure>{svg.inline(loss)}</figure>')
    state = run.verdict.state
    if run.last_step < 0:
        parts.append(f"<p>{_text(headline(run))}</p>")
    elif state != "sick":
        parts.append(f'<p class="{_VERDICTS[state]}">{VERDICT_MARKS[state]} '
                     f"{_text(verdict_text(run))}</p><p>{_text(run.verdict.why)}</p>")
        if run.loss_summary:
            parts.append(f"<p>{_text(run.loss_summary)}</p>")
    parts += [f"<p>{_text(change)}</p>" for change in run.trainable_changes]
    for finding in run.findings:
        if finding.explained_by is None:
            parts += _finding(finding, run, history, loss)
    parts += [f"<p>{_text(question)}.</p>" for question in questions(run)]
    parts += _not_evaluated(run)
    parts += _skipped(run)
    return "\n".join(parts)


def _finding(
    finding: Finding, run: RunDiagnosis, history: RunHistory | None, loss: Chart | None
) -> Iterable[str]:
    unit = unit_of(run)
    yield f'<article class="{finding.severity}">'
    yield (
        f"<h3>{SEVERITY_MARKS[finding.severity]} {_text(finding.title)}</h3>"
        f'<p class="about"><code>{_text(finding.id)}</code>, {_text(about(finding, run))}, '
        f"{_text(finding_steps(finding, unit))}</p>"
        f"<p>{_text(finding.summary)}</p>"
    )
    if finding.advice:
        yield "<h4>Try</h4>" + _list(finding.advice)
    if finding.experiment:
        yield f"<p>What would decide it: {_text(finding.experiment)}.</p>"
    if finding.command:
        yield f"<p><code>{_text(finding.command)}</code></p>"
    if finding.tested is not None:
        word = finding.tested.outcome.capitalize()
        yield f"<p><strong>{word}:</strong> {_text(finding.tested.reason)}</p>"
    picture = None if history is None else decisive(history, finding)
    if picture is not None and not _is_the_same(picture, loss):
        yield f"<figure>{svg.inline(picture)}</figure>"
    yield from _evidence(finding, unit)
    effects = [other for other in run.findings if other.explained_by == finding.id]
    if effects:
        yield "<h4>This explains</h4><ul>"
        for other in effects:
            yield (f"<li><code>{_text(other.id)}</code> ({_text(other.severity)}, "
                   f"{_text(finding_steps(other, unit))}): {_text(other.summary)}</li>")
        yield "</ul>"
    for title, texts in (("What would prove this wrong", finding.falsified_by),
                         ("References", finding.references)):
        if texts:
            yield f"<details><summary>{title}</summary>{_list(texts)}</details>"
    yield "</article>"


def _is_the_same(picture: Picture, loss: Chart | None) -> bool:
    """Whether `picture` is the loss that the head of the run already shows."""
    return (
        isinstance(picture, Chart) and loss is not None and picture.limit is None
        and (picture.title, picture.onset) == (loss.title, loss.onset)
    )


def _list(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(text)}</li>" for text in texts) + "</ul>"


def _evidence(finding: Finding, unit: str) -> Iterable[str]:
    if finding.layers:
        names = ", ".join(finding.layers[:SHOWN_LAYERS])
        more = len(finding.layers) - SHOWN_LAYERS
        yield f"<p>Layers: {_text(names)}{f' and {more} more' if more > 0 else ''}</p>"
    if not finding.evidence:
        return
    yield ("<table><thead><tr><th>seen<th>value<th>suspect if<th>where</tr></thead><tbody>")
    for item in finding.evidence[:SHOWN_LAYERS]:
        value = amount(item.value, item.unit)
        yield (f'<tr><td>{_text(item.name)}<td class="number">{value}'
               f'<td class="number">{limit_text(item)}<td>{_text(place(item, unit))}</tr>')
    yield "</tbody></table>"


def _not_evaluated(run: RunDiagnosis) -> Iterable[str]:
    if not run.not_evaluated:
        return
    yield f"<details><summary>Not evaluated: {unjudged(run)}</summary><ul>"
    for item in run.not_evaluated:
        yield f"<li><code>{_text(item.id)}</code> needs {_text(', '.join(item.needs))}</li>"
    yield "</ul>"
    for recipe in run.recipes:
        code = "\n".join(recipe.lines)
        yield f"<h4>To record it, with {_text(recipe.title)}</h4><pre>{escape(code)}</pre>"
    yield "</details>"


def _skipped(run: RunDiagnosis) -> Iterable[str]:
    if not run.skipped:
        return
    yield f"<details><summary>{_text(skipped_text(run))}</summary><ul>"
    for item in run.skipped[:SHOWN_SKIPPED]:
        where = "" if item.step is None else f", step {item.step:,}"
        yield f"<li>{_text(item.tag or 'run')}{where}: {_text(item.reason)}</li>"
    yield "</ul></details>"
