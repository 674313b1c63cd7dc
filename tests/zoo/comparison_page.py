"""Writes docs/comparison.md: other tools and published thresholds on the same recordings."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from zoo import tables
from zoo.baselines import losslint_tool, sagemaker, thedeepchecker, trainpulse_tool
from zoo.baselines.tool import Tool, first_reports
from zoo.cache import ROOT, Cache, versions
from zoo.figures import Share, share
from zoo.outcome import GRAVE, Outcome, read

PAGE = ROOT / "docs" / "comparison.md"

TOOLS: dict[str, Tool] = {
    "losslint": losslint_tool.TOOL,
    "trainpulse": trainpulse_tool.TOOL,
    "": sagemaker.TOOL,
    "-": thedeepchecker.TOOL,
}
"""By the package it needs; those of ours need none."""

INTRODUCTION = """# Comparison

This page compares tb_convergence with other tools on the recordings of the zoo (see
[accuracy](accuracy.md)). `make zoo ARGS=--compare` writes it.

losslint and trainpulse run as published, with their default settings. They receive the scalars that
a user would log. SageMaker Debugger's rules run only inside that service, and TheDeepChecker needs
TensorFlow 1. We re-implemented these two in a simple form: we apply their published thresholds, as
we read them, to the statistics that our callback records. These statistics contain more than a log
of scalars. All tools see the same steps, those that the callback recorded.

The comparison favors tb_convergence in one respect: its authors knew most of these programs when
they wrote its rules.

* *Reports on sick runs*: the tool reports anything at all.
* *Names the cause*: at least one report counts for an expected cause.
* *Names it first*: the earliest report counts for an expected cause.
* *Silent on healthy runs*: the tool reports nothing at all. For tb_convergence, findings of
  severity *info* do not count as reports. Every report of the other tools counts, whatever its
  severity.

Intervals are 95% Wilson intervals.

A tool that reports symptoms does not name causes. To be fair, each of its reports counts for the
causes that its message or documentation names, or else for the usual causes of that symptom. If a
report counts for several causes, any of them is a hit. The tables below list these causes. A
finding of tb_convergence counts only for its own id.
"""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one tool said of one training: its names in the order of their first step."""

    outcome: Outcome
    names: tuple[str, ...]
    means: tuple[frozenset[str], ...]

    @property
    def names_cause(self) -> bool:
        """Whether any report speaks for an expected cause."""
        return any(ids & set(self.outcome.expected) for ids in self.means)

    @property
    def names_first(self) -> bool:
        """Whether the earliest report does."""
        return bool(self.means) and bool(self.means[0] & set(self.outcome.expected))


def judged(tool: Tool, outcomes: Sequence[Outcome], histories: dict[str, Any]) -> list[Judged]:
    """`tool` on every recording."""
    result = []
    for outcome in outcomes:
        names = tuple(r.name for r in first_reports(tool.run(histories[str(outcome.task)])))
        unknown = set(names) - set(tool.means)
        if unknown:
            raise ValueError(f"{tool.name}: no meaning for {sorted(unknown)[0]!r}")
        result.append(Judged(outcome, names, tuple(frozenset(tool.means[n]) for n in names)))
    return result


def ours(outcomes: Sequence[Outcome]) -> list[Judged]:
    """tb_convergence in the same form: findings of warning or worse, in the order of reading."""
    result = []
    for outcome in outcomes:
        ids = tuple(f.id for f in outcome.findings if f.severity in GRAVE)
        result.append(Judged(outcome, ids, tuple(frozenset({id_}) for id_ in ids)))
    return result


def _row(name: str, listed: Sequence[Judged]) -> tuple[str, ...]:
    sick = [j for j in listed if j.outcome.task.sick and j.outcome.expected]
    healthy = [j for j in listed if not j.outcome.task.sick]

    def of(some: Sequence[Judged], hits: int) -> str:
        return str(Share(hits, len(some)))

    return (
        name,
        of(sick, sum(bool(j.names) for j in sick)),
        of(sick, sum(j.names_cause for j in sick)),
        of(sick, sum(j.names_first for j in sick)),
        str(share((j.outcome for j in healthy), lambda o: not _names(healthy, o))),
    )


def _names(listed: Sequence[Judged], outcome: Outcome) -> tuple[str, ...]:
    return next(j.names for j in listed if j.outcome is outcome)


def write(outcomes: Sequence[Outcome], cache: Cache, options: Any) -> None:
    """Run every tool that is there, print one table, and write the page."""
    histories = {str(o.task): read(cache.path(o.task)) for o in outcomes}
    head = ("tool", "reports on sick runs", "names the cause", "names it first",
            "silent on healthy runs")
    rows, missing, used = [_row("tb_convergence", ours(outcomes))], [], []
    for package, tool in TOOLS.items():
        if package.strip("-") and find_spec(package) is None:
            missing.append(f"{tool.name} is left out: pip install {package}")
            continue
        used.append(tool)
        rows.append(_row(tool.name, judged(tool, outcomes, histories)))
    sys.stdout.write("\n" + tables.as_text(rows, head) + "\n" + "".join(f"{m}\n" for m in missing))
    if options.no_write or options.only:
        return
    about = ", ".join(f"{name} {version}" for name, version in versions().items())
    seeds = ", ".join(map(str, options.seeds))
    published = sorted({o.task.name for o in outcomes if o.task.published})
    text = [
        INTRODUCTION,
        f"Written on {time.strftime('%Y-%m-%d', time.gmtime())}; {about}; seeds {seeds}; "
        f"{len(outcomes)} trainings"
        + (f", including {len(published)} published cases.\n" if published else ".\n"),
        tables.as_markdown(rows, head) + "\n",
        *(f"{line}\n" for line in missing),
        "## How reports are read\n",
    ]
    for tool in used:
        text.append(f"### {tool.name}\n\n{tool.about[0].upper()}{tool.about[1:]}.\n")
        lines = [(name, ", ".join(ids) or "none", tool.why[name])
                 for name, ids in tool.means.items()]
        text.append(tables.as_markdown(lines, ("its report", "counts for", "reason")) + "\n")
    PAGE.write_text("\n".join(text).rstrip() + "\n")
