"""Two runs side by side, for the terminal."""

from __future__ import annotations

from typing import Final

from tb_convergence.cli.formats import comparison_parts as say
from tb_convergence.cli.formats.text import Page
from tb_convergence.cli.wording import printable, reached
from tb_convergence.core.comparison import Comparison

SHOWN: Final = 12
"""Differences that are listed without --verbose."""


def report(
    comparison: Comparison,
    *,
    names: tuple[str, str],
    color: bool = False,
    verbose: bool = False,
    width: int | None = None,
) -> str:
    """The whole comparison; `names` are the names of the two runs."""
    page = Page(color, width)
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
    _head(page, say.SETTINGS)
    for note in say.settings_notes(comparison):
        page.wrapped("", note, 2)
    for item in comparison.settings or ():
        values = f"A {say.setting(item.first)}, B {say.setting(item.second)}"
        page.wrapped(f"{printable(item.name)}: ", values, 2)
    page.line()


def _findings(page: Page, comparison: Comparison) -> None:
    _head(page, say.FINDINGS)
    for note in say.findings_notes(comparison):
        page.line(f"  {note}")
    for change in comparison.findings:
        mark = page.paint(f"{say.mark(change)} {change.id}", say.worst(change))
        sides = ", ".join(f"{letter} {said}" for letter, said in say.sides(change, comparison))
        page.line(f"  {mark}  {sides}")
    page.line()


def _loss(page: Page, comparison: Comparison) -> None:
    _head(page, say.LOSS)
    for note in say.loss_notes(comparison.loss):
        page.wrapped("", note, 2)
    page.line()


def _differences(page: Page, comparison: Comparison, verbose: bool) -> None:
    found = comparison.differences
    _head(page, say.STATISTICS)
    if not found:
        page.line(f"  {say.NONE_APART}")
        return
    shown = found if verbose else found[:SHOWN]
    cells = []
    for item in shown:
        title = say.TITLES.get(item.statistic, item.statistic)
        first, second = say.values(item)
        rest = f"A {first}, B {second}, from {say.common_unit(comparison)} {item.since_step:,}"
        cells.append((say.orders(item), title, printable(say.row(item)), rest))
    widths = [min(40, max(len(cell[i]) for cell in cells)) for i in range(3)]
    for orders, title, row, rest in cells:
        page.line(f"  {orders:>{widths[0]}}  {title:<{widths[1]}}  {row:<{widths[2]}}  {rest}")
    if len(found) > len(shown):
        page.line(f"  and {len(found) - len(shown)} more (-v lists them)")
