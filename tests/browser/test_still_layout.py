"""Reading a chart moves nothing: whatever the pointer is on, every element keeps its box."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from convergence_tab import Tab
from playwright.sync_api import Locator, expect

Open = Callable[..., Tab]

SICK = "learning-rate-too-high"
WIDTHS = (320, 640, 1000, 1440, 3840)
CHARTS = ".time .over, [data-testid=heatmap], [data-testid=overview], .places canvas, .layer .over"

PLACES = ((0.02, 0.3), (0.3, 0.7), (0.48, 0.3), (0.66, 0.7), (0.8, 0.3), (0.98, 0.7))

REMEMBER = """
() => {
  // What follows the pointer by design, and what follows the clock.
  const free = ".hair, .selection, .tip, .live, svg";
  const box = (one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [x + scrollX, y + scrollY, width, height];
  };
  const all = [...document.querySelectorAll("#convergence *")].filter((e) => !e.closest(free));
  const known = all.map((element) => ({ element, box: box(element) }));
  window.moved = () =>
    new Promise((resolve) =>
      requestAnimationFrame(() =>
        requestAnimationFrame(() =>
          resolve(
            known
              .filter(({ element, box: before }) =>
                element.isConnected && box(element).some((v, at) => Math.abs(v - before[at]) > 0.5))
              .map(({ element, box: before }) =>
                `${element.localName}.${element.getAttribute("class")} "${
                  element.textContent.trim().slice(0, 40)}": ${before.map(Math.round)} became ${
                  box(element).map(Math.round)}`),
          ),
        ),
      ),
    );
  return known.length;
}
"""


def sweep(tab: Tab, chart: Locator) -> list[str]:
    """What moved while the pointer went over the chart, from end to end and over several rows."""
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    tab.page.mouse.move(1, 1)
    tab.frame.evaluate("() => new Promise((resolve) => requestAnimationFrame(resolve))")
    assert tab.frame.evaluate(REMEMBER) > 100
    moved: set[str] = set()
    for across, down in PLACES:
        tab.page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        moved |= set(tab.frame.evaluate("moved()"))
    return sorted(moved)


@pytest.mark.parametrize(
    ("run", "width"), [*((SICK, width) for width in WIDTHS), ("healthy", 320), ("healthy", 1000)]
)
def test_nothing_moves_under_the_pointer(
    served: str, open_tab: Open, run: str, width: int
) -> None:
    tab = open_tab(served, size=(width, 900), fragment=f"convergence&p.convergence.run={run}")
    expect(tab.find("finding").or_(tab.find("no-finding")).first).to_be_visible()
    tab.settle()
    expect(tab.find("heatmap")).to_be_visible()
    expect(tab.frame.locator(".layer .line-chart").first).to_be_attached()
    charts = tab.frame.locator(CHARTS)
    for index in range(charts.count()):
        assert sweep(tab, charts.nth(index)) == [], f"chart {index}"
    # The pointer did read: else nothing would be shown.
    over = tab.frame.locator(".time .over")
    over.scroll_into_view_if_needed()
    over.hover()
    expect(tab.frame.locator(".legend-x")).to_contain_text("step")


@pytest.mark.parametrize("width", [320, 1000])
def test_a_profile_keeps_the_room_of_its_longest_text(
    served: str, open_tab: Open, width: int
) -> None:
    tab = open_tab(served, size=(width, 900), fragment="convergence&p.convergence.run=dead-relu"
                   "&p.convergence.tab=profile")
    expect(tab.find("profile").first).to_be_visible()
    tab.settle()
    readout = tab.find("profile-readout").first
    for chart in tab.find("profile").all()[:2]:
        assert sweep(tab, chart) == []
    tab.find("profile").first.hover()
    expect(readout).to_contain_text("=")
