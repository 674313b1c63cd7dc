"""What a comparison of two runs says, as sections of notes and tables: written by every format.

Texts are as they come from the runs; each format makes them harmless in its own way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from tb_convergence.cli.wording import unit_of
from tb_convergence.core.comparison import Comparison, Difference, FindingChange, LossComparison
from tb_convergence.core.statistics import BY_NAME
from tb_convergence.core.text.numbers import number, percent, rounded
from tb_convergence.core.text.severity import SEVERITY_MARKS

TITLES: Final = {name: statistic.title for name, statistic in BY_NAME.items()}

SETTINGS: Final = "settings that differ"
FINDINGS: Final = "findings"
LOSS: Final = "loss"
STATISTICS: Final = "statistics that differ, B against A"


@dataclass(frozen=True, slots=True)
class Part:
    """One section.

    Attributes:
        title: as in the text report.
        notes: sentences.
        head: of the table; empty without one.
        rows: as many cells as `head` has.
    """

    title: str
    notes: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def parts(comparison: Comparison) -> tuple[Part, ...]:
    """The sections, in the order to read them in."""
    return (
        _settings(comparison), _findings(comparison), Part(LOSS, loss_notes(comparison.loss)),
        _statistics(comparison),
    )


def _settings(comparison: Comparison) -> Part:
    notes = settings_notes(comparison)
    if notes:
        return Part(SETTINGS, notes)
    rows = tuple((item.name, setting(item.first), setting(item.second))
                 for item in comparison.settings or ())
    return Part(SETTINGS, (), ("setting", "A", "B"), rows)


def settings_notes(comparison: Comparison) -> tuple[str, ...]:
    """Why no setting is listed; empty if some are."""
    if comparison.settings is None:
        return ("unknown: at least one run recorded no configuration",)
    return () if comparison.settings else ("none of the recorded ones",)


def setting(text: str | None) -> str:
    """A setting's value, or that there is none."""
    return "not set" if text is None else text


def _findings(comparison: Comparison) -> Part:
    notes = findings_notes(comparison)
    changes = (*comparison.findings, *comparison.shared)
    rows = tuple(
        (f"{mark(change)} {change.title}", *(side for _, side in sides(change, comparison)))
        for change in changes
    )
    return Part(FINDINGS, notes if not rows else (), ("finding", "A", "B") if rows else (), rows)


def findings_notes(comparison: Comparison) -> tuple[str, ...]:
    """A note that no finding differs; empty if one does."""
    if comparison.findings:
        return ()
    return ("the same in both" if comparison.first.findings else "none in either",)


def worst(change: FindingChange) -> str:
    """The worse severity of the two."""
    said = (change.first, change.second)
    return next((s for s in ("critical", "warning", "info") if s in said), "info")


def mark(change: FindingChange) -> str:
    """The sign of the worse severity."""
    return SEVERITY_MARKS[worst(change)]


def sides(change: FindingChange, comparison: Comparison) -> list[tuple[str, str]]:
    """What either run has of a finding, by its letter."""
    found = []
    for letter, run, severity, step in (
        ("A", comparison.first, change.first, change.first_step),
        ("B", comparison.second, change.second, change.second_step),
    ):
        since = f" from {unit_of(run)} {step:,}" if step is not None else ""
        found.append((letter, f"{severity}{since}"))
    return found


def loss_notes(loss: LossComparison | None) -> tuple[str, ...]:
    """Where the losses end, and where they separate."""
    if loss is None:
        return ("not compared: the runs have no loss on the same axis",)
    gap = f", records at most {loss.largest_gap_steps:,} apart" if loss.largest_gap_steps else ""
    if loss.diverges_at is not None:
        parting = f"they separate at {loss.axis} {loss.diverges_at:,}"
    elif loss.one_kind:
        parting = "they differ by no more than their noise"
    else:
        parting = "they are of different kinds, so their levels cannot be compared"
    return (
        f"mean near {loss.axis} {loss.last_step:,}: A {number(loss.first)}, "
        f"B {number(loss.second)} ({loss.compared:,} {loss.axis}s compared{gap})",
        parting,
    )


NONE_APART: Final = "none by a factor of 3.2 or more"


def _statistics(comparison: Comparison) -> Part:
    if not comparison.differences:
        return Part(STATISTICS, (NONE_APART,))
    rows = tuple(
        (orders(item), TITLES.get(item.statistic, item.statistic), row(item),
         *values(item), f"{item.since_step:,}")
        for item in comparison.differences
    )
    head = ("", "statistic", "layer", "A", "B", f"from {common_unit(comparison)}")
    return Part(STATISTICS, (), head, rows)


def common_unit(comparison: Comparison) -> str:
    """What the steps are called at which statistics were compared: only one axis is."""
    units = {unit_of(comparison.first), unit_of(comparison.second)}
    return "epoch" if units == {"epoch"} else "step"


def values(item: Difference) -> tuple[str, str]:
    """The values of either run; "about" where only bounds are known."""
    about = "" if item.exact else "about "
    return f"{about}{number(item.first)}", f"{about}{number(item.second)}"


def row(item: Difference) -> str:
    """The layer, by both its names where they differ."""
    return " / ".join(dict.fromkeys((item.first_row, item.second_row)))


def orders(item: Difference) -> str:
    """How many times larger or smaller, or how much of a fraction; short enough for a column."""
    if item.statistic.endswith("_fraction"):
        change = item.second - item.first
        return f"{'-' if change < 0 else '+'}{percent(abs(change))}"
    if math.isinf(item.orders):
        return "from zero" if item.orders > 0 else "to zero"
    sign = "×" if item.orders > 0 else "÷"
    return f"{sign}{number(rounded(10 ** abs(item.orders)))}"
