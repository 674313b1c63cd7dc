"""`diagnose --format html` in a real browser: readable by all, and nothing in it runs or loads."""

from __future__ import annotations

import importlib.resources
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium
from playwright.sync_api import Page

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

import reports

from tb_convergence.cli.formats import html

AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the report of a sick run, a fine one, and one whose names attack the page."""
    histories = (
        reports.sick("sick"), reports.fine(), reports.sick(reports.HOSTILE, reports.HOSTILE)
    )
    runs = reports.diagnosed(*histories)
    sections = [html.section(run, history) for run, history in zip(runs, histories, strict=True)]
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(html.report(runs, sections), encoding="utf-8")
    return file.as_uri()


@pytest.fixture
def page(chromium: Chromium, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in the theme and width of the test's parameter."""
    theme, width = getattr(request, "param", ("light", 1000))
    opened = chromium.new_page(color_scheme=theme, viewport={"width": width, "height": 900})
    yield opened
    opened.close()


@pytest.mark.parametrize("page", [("light", 1000), ("dark", 1000), ("light", 360)], indirect=True)
def test_axe_finds_no_barrier_and_nothing_is_cut_off(page: Page, report: str) -> None:
    page.goto(report)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    root = "document.scrollingElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") <= 0
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result: dict[str, Any] = page.evaluate("axe.run(document)")
    told = [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]
    assert told == []
    assert len(result["passes"]) > 10, "axe did look at the page"


def test_nothing_in_the_page_runs_or_loads(page: Page, report: str) -> None:
    events: list[str] = []
    page.on("dialog", lambda dialog: (events.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda message: events.append(message.text))
    page.on("pageerror", lambda error: events.append(str(error)))
    page.on("request", lambda request: events.append(request.url))
    page.goto(report)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.wait_for_load_state("networkidle")
    assert events == [report]
    assert page.locator("script, img, iframe, object, link").count() == 0
    assert page.locator("svg").count() == 5
    # The names are there to be read, as the text they are.
    assert page.get_by_text("<script>alert(1)</script>").count() > 0


def test_the_dark_page_is_dark(chromium: Chromium, report: str) -> None:
    grounds = []
    for theme in ("light", "dark"):
        shown = chromium.new_page(color_scheme=theme)
        shown.goto(report)
        grounds.append(shown.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('.pic .head')).fill]"))
        shown.close()
    (light, light_ink), (dark, dark_ink) = grounds
    assert _brightness(light) > 200 > _brightness(light_ink) + 100
    assert _brightness(dark) + 100 < 200 < _brightness(dark_ink)


def _brightness(color: str) -> float:
    """Mean of the channels of "rgb(1, 2, 3)"."""
    channels = color[color.index("(") + 1 : -1].split(",")
    return sum(float(channel) for channel in channels[:3]) / 3
