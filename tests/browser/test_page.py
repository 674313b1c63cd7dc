"""The page as a whole: accessibility, narrow screens, links, keyboard, theme, reload."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect

Open = Callable[..., Tab]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_barrier_in_any_view(served: str, open_tab: Open, theme: str) -> None:
    """Sick and healthy, every tab of the details, every width at which the page is another."""
    tab = open_tab(served, theme=theme)
    for run, width in (("learning-rate-too-high", 1440), ("healthy", 1000), ("deep-sigmoid", 400)):
        tab.page.set_viewport_size({"width": width, "height": 1000})
        tab.select(run)
        tab.settle()
        assert tab.barriers() == [], (run, width)
    tab.page.set_viewport_size({"width": 1700, "height": 1000})
    tabs = tab.frame.locator(".layer [role=tab]")
    for index in range(tabs.count()):
        tabs.nth(index).click()
        tab.settle()
        assert tab.barriers() == [], tabs.nth(index).inner_text()


@pytest.mark.parametrize("width", [320, 360, 768, 1440, 2560, 3840])
def test_nothing_is_cut_off_sideways(served: str, open_tab: Open, width: int) -> None:
    tab = open_tab(served, size=(width, 900))
    tab.select("deep-sigmoid")
    expect(tab.find("heatmap")).to_be_visible()
    page = "document.scrollingElement"
    assert tab.frame.evaluate(f"{page}.scrollWidth - {page}.clientWidth") <= 0


@pytest.mark.parametrize("width", [1000, 1440])
def test_long_findings_tear_no_hole_between_the_map_and_the_layer(
    served: str, open_tab: Open, width: int
) -> None:
    tab = open_tab(served, size=(width, 6000))
    tab.select("unnormalized-input")
    gap = """() => {
      const place = (name) => document.querySelector(name).getBoundingClientRect();
      const rest = place(".findings").bottom - place(".layer").bottom;
      return { gap: place(".layer").top - place(".map").bottom, longer: rest > 500 };
    }"""
    before = tab.frame.evaluate(gap)["gap"]
    assert before > 0
    tab.frame.locator(".findings").evaluate("panel => { panel.style.height = '5500px' }")
    assert tab.frame.evaluate(gap) == {"gap": before, "longer": True}


def test_a_panel_that_scrolls_shows_it_and_covers_nothing_at_its_end(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served, size=(1440, 620))
    tab.select("deep-sigmoid")
    panel = tab.frame.locator(".findings")
    measured = """(panel) => {
      const fade = getComputedStyle(panel, "::after");
      const list = panel.querySelector(".finding-list");
      const bottom = (element) => element.getBoundingClientRect().bottom;
      return {
        more: panel.scrollHeight - panel.clientHeight - panel.scrollTop,
        position: fade.position,
        free: bottom(panel) - bottom(list.lastElementChild),
        fade: parseFloat(fade.height),
      };
    }"""
    seen = panel.evaluate(measured)
    assert seen["more"] > 20, "there is more than fits"
    assert seen["position"] == "sticky"
    assert seen["fade"] >= 20
    panel.evaluate("(panel) => { panel.scrollTop = panel.scrollHeight }")
    end = panel.evaluate(measured)
    assert end["more"] <= 1
    assert end["free"] >= end["fade"] - 1, "the last line lies above the fade"


@pytest.mark.parametrize("width", [360, 1360])
def test_code_to_paste_is_never_cut(
    tmp_path: Path, serve: Callable[..., str], open_tab: Open, width: int
) -> None:
    tab = open_tab(serve(tmp_path), size=(width, 700))
    code = tab.frame.locator(".snippet pre")
    expect(code.first).to_be_visible()
    for one in code.all():
        assert one.evaluate("(pre) => pre.scrollWidth - pre.clientWidth") <= 0


def test_a_link_leads_back_to_the_same_view(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("deep-sigmoid")
    tab.choose("variables", "update_ratio")
    tab.page.wait_for_url(lambda url: "update_ratio" in url and "deep-sigmoid" in url)
    again = open_tab(served, fragment=tab.page.url.partition("#")[2])
    chip = again.find("run-chip", run="deep-sigmoid")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(again.frame.locator("select[name=metric]")).to_have_value("variables update_ratio")


def test_the_heat_map_is_read_and_opened_with_the_keyboard(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("deep-sigmoid")
    canvas = tab.choose("variables", "gradient_norm")
    canvas.focus()
    readout = tab.find("heatmap-readout")
    canvas.press("ArrowDown")
    first = readout.inner_text()
    canvas.press("ArrowDown")
    expect(readout).not_to_have_text(first)
    expect(readout).to_have_attribute("aria-live", "polite")
    name = readout.inner_text().partition(" · ")[0]
    canvas.press("Enter")
    expect(tab.find("layer-panel")).to_contain_text(name.rpartition("/")[2])


def test_the_theme_follows_tensorboard_s_switch(served: str, open_tab: Open) -> None:
    tab = open_tab(served, theme="light")
    for wanted in ("dark", "light"):
        tab.page.evaluate(
            "dark => document.body.classList.toggle('dark-mode', dark)", wanted == "dark"
        )
        expect(tab.frame.locator(f"html[data-theme={wanted}]")).to_have_count(1)


def test_new_runs_appear_when_tensorboard_reloads(
    demo_logs: Path, tmp_path: Path, serve: Callable[..., str], open_tab: Open
) -> None:
    """What was selected stays selected."""
    for name in ("healthy", "dead-relu"):
        (tmp_path / name).symlink_to(demo_logs / name)
    tab = open_tab(serve(tmp_path, "--reload_interval=1"))
    tab.select("healthy")
    (tmp_path / "deep-sigmoid").symlink_to(demo_logs / "deep-sigmoid")
    tab.reload_until(tab.find("run-chip", run="deep-sigmoid").count)
    expect(tab.find("run-chip", run="deep-sigmoid")).to_be_visible()
    expect(tab.find("run-chip", run="healthy")).to_have_attribute("aria-pressed", "true")


def test_without_runs_the_page_says_what_to_do(
    tmp_path: Path, serve: Callable[..., str], open_tab: Open
) -> None:
    tab = open_tab(serve(tmp_path))
    expect(tab.find("empty")).to_contain_text("ConvergenceCallback")


def test_the_page_asks_only_its_own_server(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    tab.select("deep-sigmoid")
    tab.choose("variables", "update_ratio")
    foreign = [url for url in asked if not url.startswith((served, "data:", "blob:"))]
    assert asked
    assert foreign == [], json.dumps(foreign)


def saved(tab: Tab, view: str, choice: str) -> bytes:
    """What the menu of a view hands to the person."""
    tab.settle()
    menu = tab.find(f"export-{view}")
    menu.locator("summary").click()
    with tab.page.expect_download() as download:
        menu.get_by_role("button", name=choice).click()
    assert re.fullmatch(r"[\w.-]+_convergence\.(csv|json|png)", download.value.suggested_filename)
    return Path(download.value.path()).read_bytes()


def test_every_view_can_be_taken_away(
    served: str, open_tab: Open, screenshots: Path
) -> None:
    tab = open_tab(served)
    findings = tab.select("learning-rate-too-high")
    rows = list(csv.DictReader(saved(tab, "findings", "CSV").decode().splitlines()))
    assert [row["id"] for row in rows] == [finding["id"] for finding in findings]
    # The browser writes a large float without its exponent: it must not be read as an integer.
    document = json.loads(saved(tab, "findings", "JSON"), parse_int=float)
    assert document["findings"] == findings

    series = {s["name"]: s for s in tab.get("series", run="learning-rate-too-high")["series"]}
    points = list(csv.DictReader(saved(tab, "curves", "CSV").decode().splitlines()))
    loss = [point for point in points if point["series"] == "loss"]
    assert [int(point["step"]) for point in loss] == series["loss"]["steps"]
    assert [point["value"] for point in loss].count("NaN") == len(series["loss"]["nonfinite"]) > 0

    tab.choose("variables", "gradient_norm")
    cells = list(csv.DictReader(saved(tab, "map", "CSV").decode().splitlines()))
    assert {cell["gradient_norm"] for cell in cells} >= {"NaN"}
    layer = json.loads(saved(tab, "layer", "JSON"))
    assert layer["steps"] == series["loss"]["steps"]
    for view in ("curves", "map", "layer"):
        picture = saved(tab, view, "PNG")
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 2000
        (screenshots / f"export-{view}.png").write_bytes(picture)

    tab.find("compare-with").select_option("healthy")
    expect(tab.find("compare-verdict")).to_be_visible()
    reply = tab.get("compare", run="learning-rate-too-high", **{"with": "healthy"})
    # A browser writes large numbers without an exponent: as many digits as a double has count.
    assert json.loads(saved(tab, "compare", "JSON"), parse_int=float) == reply
    lines = list(csv.DictReader(saved(tab, "compare", "CSV").decode().splitlines()))
    parts = [line["part"] for line in lines]
    assert parts.count("setting") == len(reply["settings"]) > 0
    assert parts.count("statistic") == len(reply["differences"]) > 0
