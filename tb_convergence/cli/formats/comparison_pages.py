"""Two runs side by side as Markdown for a comment, and as one self-contained page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from tb_convergence.cli.formats.comparison_parts import Part, parts
from tb_convergence.cli.formats.html import document, escaped_html
from tb_convergence.cli.formats.markdown import MAX_CHARACTERS, escaped, inside
from tb_convergence.cli.wording import reached
from tb_convergence.core.comparison import Comparison

SHOWN: Final = 40
"""Lines of a table in a comment; the page has all of them."""


def markdown(comparison: Comparison, names: tuple[str, str]) -> str:
    """The comparison as GitHub-flavored Markdown, short enough for a comment."""
    written = ["### Convergence, two runs", _runs_markdown(comparison, names)]
    size = sum(map(len, written))
    for part in parts(comparison):
        section = _section_markdown(part)
        size += len(section)
        if size > MAX_CHARACTERS:
            written.append("The rest does not fit into a comment; `--format html` has it.")
            break
        written.append(section)
    return "\n\n".join(written) + "\n"


def _runs_markdown(comparison: Comparison, names: tuple[str, str]) -> str:
    lines = [
        f"* **{letter}** {escaped(name)} ({reached(run)})"
        for letter, name, run in zip(
            "AB", names, (comparison.first, comparison.second), strict=True
        )
    ]
    return "\n".join(lines)


def _section_markdown(part: Part) -> str:
    lines = [f"**{_capital(part.title)}**", ""]
    lines += [f"{escaped(_capital(note))}.  " for note in part.notes]
    if part.head:
        lines += [_line(part.head), _line(["---"] * len(part.head))]
        lines += [_line([inside(cell) for cell in row]) for row in part.rows[:SHOWN]]
    if len(part.rows) > SHOWN:
        lines += ["", f"and {len(part.rows) - SHOWN:,} more"]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def html(comparison: Comparison, names: tuple[str, str]) -> str:
    """The comparison as a page of its own: no script, nothing loaded from elsewhere."""
    runs = (comparison.first, comparison.second)
    body = ["<h1>Convergence, two runs</h1>"]
    body += [
        f"<p><b>{letter}</b> {escaped_html(name)} <small>{escaped_html(reached(run))}</small></p>"
        for letter, name, run in zip("AB", names, runs, strict=True)
    ]
    for part in parts(comparison):
        body += _section_html(part)
    return document(f"Convergence: {' and '.join(names)}", body)


def _section_html(part: Part) -> Iterable[str]:
    yield f"<h2>{_capital(part.title)}</h2>"
    for note in part.notes:
        yield f"<p>{escaped_html(_capital(note))}.</p>"
    if part.head:
        yield f"<table><thead>{_row_html('th', part.head)}</thead><tbody>"
        yield from (_row_html("td", row) for row in part.rows)
        yield "</tbody></table>"


def _row_html(cell: str, texts: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escaped_html(text)}' for text in texts)}</tr>"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
