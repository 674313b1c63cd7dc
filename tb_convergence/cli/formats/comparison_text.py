"""Two runs side by side, for the terminal."""

from __future__ import annotations

import math
from typing import Final

from tb_convergence.cli.formats.text import Page
from tb_convergence.cli.wording import MARKS, number, printable, reached
from tb_convergence.core.comparison import Comparison, Difference, FindingChange
from tb_convergence.core.statistics import CATALOGUE

SHOWN: Final = 12
"""Differences that are listed without --verbose."""
TITLES: Final = {s.name: s.title for group in CATALOGUE.values() for s in group}


def report(
    comparison: Comparison,
    *,
    names: tuple[str, str],
    colour: bool = False,
    verbose: bool = False,
    width: int | None = None,
) -> str:
    """The whole comparison; `names` is what the two runs are called."""
    page = Page(colour, width)
    for letter, name, run in zip("AB", names, (comparison.first, comparison.second), strict=True):
        page.line(f"{letter}  {printable(name)}  {page.paint(f'({reached(run)})', 'faint')}")
    page.line()
    _settings(page, comparison)
    _findings(page, comparison)
    _loss(page, comparison)
    _differences(page, comparison, verbose)
    return page.text()


def _head(page: Page, text: str) -> None:
    page.line(page.paint(text, "strong"))


def _settings(page: Page, comparison: Comparison) -> None:
    _head(page, "set up differently")
    if comparison.settings is None:
        page.wrapped("", "not known: not both runs recorded their configuration", 2)
    elif not comparison.settings:
        page.line("  nothing that was recorded")
    for item in comparison.settings or ():
        values = f"A {_value(item.first)}, B {_value(item.second)}"
        page.wrapped(f"{printable(item.name)}: ", values, 2)
    page.line()


def _value(text: str | None) -> str:
    return "has none" if text is None else text


def _findings(page: Page, comparison: Comparison) -> None:
    _head(page, "findings")
    if not comparison.findings:
        page.line("  the same in both" if comparison.first.findings else "  none in either")
    for change in comparison.findings:
        worst = next((s for s in ("critical", "warning", "info")
                      if s in (change.first, change.second)), "info")
        mark = page.paint(f"{MARKS[worst]} {change.id}", worst)
        page.line(f"  {mark}  {_sides(change)}")
    page.line()


def _sides(change: FindingChange) -> str:
    sides = []
    for letter, severity, step in (("A", change.first, change.first_step),
                                   ("B", change.second, change.second_step)):
        since = f" from step {step:,}" if step is not None else ""
        sides.append(f"{letter} {severity}{since}")
    return ", ".join(sides)


def _loss(page: Page, comparison: Comparison) -> None:
    loss = comparison.loss
    _head(page, "loss")
    if loss is None:
        page.wrapped("", "not compared: no loss of both runs counts the same steps", 2)
        page.line()
        return
    gap = f", up to {loss.largest_gap_steps:,} apart" if loss.largest_gap_steps else ""
    page.wrapped(
        "", f"towards {loss.axis} {loss.last_step:,}: A {number(loss.first)}, "
        f"B {number(loss.second)} ({loss.compared:,} {loss.axis}s compared{gap})", 2,
    )
    if loss.diverges_at is None:
        page.wrapped("", "the two do not part by more than their noise", 2)
    else:
        page.wrapped("", f"they part at {loss.axis} {loss.diverges_at:,}", 2)
    page.line()


def _differences(page: Page, comparison: Comparison, verbose: bool) -> None:
    found = comparison.differences
    _head(page, "statistics that differ, B against A")
    if not found:
        page.line("  none by half an order of magnitude or more")
        return
    shown = found if verbose else found[:SHOWN]
    cells = [(_orders(item), TITLES.get(item.statistic, item.statistic), _row(item), _values(item))
             for item in shown]
    widths = [min(40, max(len(cell[i]) for cell in cells)) for i in range(3)]
    for orders, title, row, rest in cells:
        page.line(f"  {orders:>{widths[0]}}  {title:<{widths[1]}}  {row:<{widths[2]}}  {rest}")
    if len(found) > len(shown):
        page.line(f"  and {len(found) - len(shown)} more (-v lists them)")


def _values(item: Difference) -> str:
    about = "" if item.exact else "about "
    return (f"A {about}{number(item.first)}, B {about}{number(item.second)}, "
            f"from step {item.since_step:,}")


def _row(item: Difference) -> str:
    names = dict.fromkeys((item.first_row, item.second_row))
    return printable(" / ".join(names))


def _orders(item: Difference) -> str:
    """How many times larger or smaller, or how much of a fraction; short enough for a column."""
    if item.statistic.endswith("_fraction"):
        return f"{item.second - item.first:+.2f}"
    if math.isinf(item.orders):
        return "from zero" if item.orders > 0 else "to zero"
    sign = "×" if item.orders > 0 else "÷"
    factor = 10 ** abs(item.orders)
    if factor < 999.5:
        return f"{sign}{factor:.3g}"
    mantissa, _, exponent = f"{factor:.1e}".partition("e")
    return f"{sign}{mantissa}e{int(exponent)}"
