"""Each run of the demo shows its cause first, with either loader; the healthy one shows none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect

from tb_convergence.demo.programs import PROGRAMS

Open = Callable[..., Tab]
SICK = [program for program in PROGRAMS if program.causes]


def test_the_tab_stands_beside_the_standard_ones(either_loader: str, open_tab: Open) -> None:
    tab = open_tab(either_loader)
    for name in ("Time Series", "Scalars", "Graphs", "Convergence"):
        expect(tab.page.get_by_role("tab", name=name)).to_be_visible()


def test_every_run_is_listed_once(either_loader: str, open_tab: Open) -> None:
    """Keras' `train` and `validation` belong to their run and are no runs of their own."""
    assert sorted(open_tab(either_loader).runs()) == sorted(p.name for p in PROGRAMS)


def test_every_fault_is_named_first(either_loader: str, open_tab: Open) -> None:
    tab = open_tab(either_loader)
    for program in SICK:
        found = tab.select(program.name)
        head = tab.find("finding").first
        assert found[0]["kind"] == "cause"
        assert found[0]["id"] in program.causes, program.name
        expect(head).to_have_attribute("data-kind", "cause")
        expect(head).to_be_visible()
        expect(head).to_contain_text(found[0]["title"])
        expect(tab.find("run-chip", run=program.name)).to_contain_text(found[0]["title"])


def test_the_healthy_run_is_called_healthy(either_loader: str, open_tab: Open) -> None:
    tab = open_tab(either_loader)
    findings = tab.select("healthy")
    assert [f["id"] for f in findings if f["severity"] != "info"] == []
    expect(tab.find("run-chip", run="healthy")).to_have_attribute("data-verdict", "healthy")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_run_is_drawn_in_both_themes(
    served: str, open_tab: Open, screenshots: Path, theme: str
) -> None:
    tab = open_tab(served, theme=theme)
    for program in PROGRAMS:
        tab.select(program.name)
        for testid in ("loss-chart", "heatmap", "layer-panel"):
            expect(tab.find(testid).first).to_be_visible()
        expect(tab.frame.locator(".heat-frame.pending")).to_have_count(0)
        assert tab.frame.evaluate("document.documentElement.dataset.theme") == theme
        tab.page.screenshot(path=screenshots / f"{program.name}-{theme}.png")
