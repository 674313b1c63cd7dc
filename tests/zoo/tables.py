"""The one table of the zoo, as text for a terminal and as Markdown for docs/accuracy.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from zoo.outcome import Outcome

SHOWN = 3
"""Ids of one cell: a program on which everything fires need not list everything."""

HEAD = ("case", "expected", "named first", "found", "wrong", "on the healthy twin",
        "first report")


def rows(outcomes: Sequence[Outcome]) -> list[tuple[str, ...]]:
    """One row per program, over its seeds; controls without a fault have no expected cause."""
    result = []
    for name in dict.fromkeys(outcome.task.name for outcome in outcomes):
        sick = [o for o in outcomes if o.task.name == name and o.task.sick]
        healthy = [o for o in outcomes if o.task.name == name and not o.task.sick]
        result.append(
            (
                name,
                " or ".join(sick[0].expected) if sick else "nothing",
                _of(sum(o.found_first for o in sick), sick),
                _of(sum(o.found for o in sick), sick),
                _counted(id_ for o in sick for id_ in _beside(o)),
                _counted(f.id for o in healthy for f in o.alarms) if healthy else "no twin",
                _moments(sick),
            )
        )
    return result


def _beside(outcome: Outcome) -> list[str]:
    """What a person reads first where that is not expected, and wrong causes beside it."""
    wrong = [finding.id for finding in outcome.alarms]
    first = outcome.first
    if outcome.found_first or first is None or first in wrong:
        return wrong
    return [first, *wrong]


def _of(hits: int, listed: Sequence[Outcome]) -> str:
    return f"{hits}/{len(listed)}" if listed else "-"


def _counted(ids: Iterable[str]) -> str:
    counts = Counter(ids)
    named = [f"{id_} x{n}" if n > 1 else id_ for id_, n in counts.most_common(SHOWN)]
    more = [f"{len(counts) - SHOWN} more"] if len(counts) > SHOWN else []
    return ", ".join([*named, *more]) or "-"


def _moments(sick: Sequence[Outcome]) -> str:
    steps = [o.first_report for o in sick]
    if not any(step is not None for step in steps):
        return "-"
    total = max(int(o.facts["steps"]) for o in sick)
    told = ", ".join("never" if step is None else str(step) for step in steps)
    return f"{told} of {total}"


def as_text(table: Sequence[tuple[str, ...]], head: Sequence[str] = HEAD) -> str:
    """Aligned columns."""
    widths = [max(len(row[i]) for row in [tuple(head), *table]) for i in range(len(head))]
    lines = [tuple(head), tuple("-" * width for width in widths), *table]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_markdown(table: Sequence[tuple[str, ...]], head: Sequence[str] = HEAD) -> str:
    """A Markdown table; ids in code style would make it unreadable, so they stay plain."""
    lines = [head, ["---"] * len(head), *table]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
