"""What the page says when there is not simply data: waits, failures, samples, another tab."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from convergence_tab import Tab
from playwright.sync_api import Page, Route, expect
from servers import free_port, tensorboard
from waiting import SECONDS

Open = Callable[..., Tab]
OURS = "**/data/plugin/convergence/"


def rewritten(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], None]:
    """Answers a request with the server's reply after `change`."""

    def handle(route: Route) -> None:
        reply = route.fetch(timeout=SECONDS * 1000)
        body = reply.json()
        change(body)
        route.fulfill(status=200, content_type="application/json", body=json.dumps(body))

    return handle


def test_examining_shows_how_far_it_is(served: str, open_tab: Open) -> None:
    held = {"on": True}

    def half(body: dict[str, Any]) -> None:
        if held["on"]:
            for run in body["runs"][2:]:
                run.update(severity="pending", first=None)
            body["pending"] = len(body["runs"]) - 2

    tab = open_tab(served, settled=False,
                   prepare=lambda page: page.route(f"{OURS}runs*", rewritten(half)))
    bar = tab.frame.locator("progress")
    expect(bar).to_have_attribute("max", "6")
    assert bar.evaluate("bar => bar.value") == 2
    expect(tab.frame.get_by_text("examined 2 of 6")).to_be_visible()
    expect(tab.frame.locator(".chip-verdict.pending")).to_have_text(["Being examined"] * 4)
    expect(tab.find("finding").first).to_be_visible()
    assert tab.barriers() == []
    held["on"] = False
    expect(bar).to_have_count(0)
    expect(tab.said()).to_contain_text("All 6 runs are examined")


def test_a_run_that_cannot_be_read_says_why_and_hides_no_other(
    served: str, open_tab: Open
) -> None:
    def broken(body: dict[str, Any]) -> None:
        (run,) = (one for one in body["runs"] if one["run"] == "healthy")
        run.update(error="it could not be read (OSError); see TensorBoard's log", first=None)

    tab = open_tab(served, prepare=lambda page: page.route(f"{OURS}runs*", rewritten(broken)))
    tab.find("run-chip", run="healthy").click()
    told = tab.frame.locator(".failure")
    expect(told).to_contain_text("This run cannot be read: healthy")
    expect(told).to_contain_text("It could not be read (OSError)")
    expect(told).to_contain_text("The other runs are not affected")
    expect(told).to_have_attribute("role", "alert")
    expect(told.get_by_role("button", name="Try again")).to_be_visible()
    assert tab.barriers() == []
    tab.select("dead-relu")
    expect(told).to_have_count(0)


def test_the_last_view_stays_while_tensorboard_is_away(
    demo_logs: Path, open_tab: Open
) -> None:
    """A real TensorBoard ends, and another one begins on its port."""
    port = free_port()
    with ExitStack() as first:
        address = first.enter_context(tensorboard(demo_logs, port=port))
        tab = open_tab(address, provoked=("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET",
                                          "ERR_EMPTY_RESPONSE", "Http failure"))
        findings = tab.select("deep-sigmoid")
        tab.settle()
    tab.choose_quietly("variables", "gradient_zero_fraction")
    expect(tab.frame.locator(".failure")).to_contain_text("TensorBoard does not answer")
    expect(tab.find("finding")).to_have_count(len(findings))
    expect(tab.find("loss-chart")).to_be_visible()
    expect(tab.said()).to_contain_text("TensorBoard does not answer")
    assert tab.barriers() == []
    with tensorboard(demo_logs, port=port):
        # Nobody presses anything.
        expect(tab.find("heatmap")).to_be_visible()
        expect(tab.frame.locator(".failure, .banner")).to_have_count(0)
        expect(tab.find("run-chip", run="deep-sigmoid")).to_have_attribute("aria-pressed", "true")
        tab.page.close()


def test_a_refresh_that_fails_says_so_above_the_old_view(served: str, open_tab: Open) -> None:
    tab = open_tab(served, provoked=("ERR_FAILED", "ERR_CONNECTION_REFUSED"))
    findings = tab.select("dead-relu")
    tab.settle()
    tab.page.route(f"{OURS}**", lambda route: route.abort("connectionrefused"))
    tab.reload()
    banner = tab.frame.locator(".banner")
    expect(banner).to_contain_text("the page shows earlier data")
    expect(banner).to_contain_text("reconnects by itself")
    expect(tab.find("finding")).to_have_count(len(findings))
    assert tab.barriers() == []
    tab.page.unroute(f"{OURS}**")
    expect(banner).to_have_count(0)


def test_what_is_too_busy_to_answer_is_asked_again(served: str, open_tab: Open) -> None:
    asked = []

    def busy(route: Route) -> None:
        asked.append(time.monotonic())
        if len(asked) > 1:
            return route.continue_()
        body = {"schema": 1, "error": {"message": "run 'x' is still being read; try again"}}
        return route.fulfill(status=503, content_type="application/json", body=json.dumps(body))

    tab = open_tab(served, provoked=("503",), settled=False,
                   prepare=lambda page: page.route(f"{OURS}series*", busy))
    expect(tab.frame.locator(".time .failure")).to_contain_text("is still being read")
    expect(tab.find("loss-chart")).to_be_visible()
    assert len(asked) == 2
    assert asked[1] - asked[0] > 1


def test_a_page_older_than_its_server_asks_to_be_reloaded(served: str, open_tab: Open) -> None:
    def newer(body: dict[str, Any]) -> None:
        body["schema"] = 2

    tab = open_tab(served)
    tab.select("dead-relu")
    tab.page.route(f"{OURS}findings*", rewritten(newer))
    tab.reload()
    banner = tab.frame.locator(".banner")
    expect(banner).to_contain_text("Reload the page")
    expect(tab.find("finding").first).to_be_visible()
    tab.page.unroute(f"{OURS}findings*")
    banner.get_by_role("button", name="Reload the page").click()
    expect(banner).to_have_count(0)
    expect(tab.find("run-chip", run="dead-relu")).to_have_attribute("aria-pressed", "true")


def test_an_update_beneath_an_open_page_is_told(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    version = tab.get("runs")["version"]
    expect(tab.frame.locator(".page-foot")).to_contain_text(version)
    expect(tab.frame.locator(".banner")).to_have_count(0)
    tab.page.route(f"{OURS}runs*", rewritten(lambda body: body.update(version="99.0")))
    tab.reload()
    expect(tab.frame.locator(".banner")).to_contain_text("now runs version 99.0")


def test_a_sample_is_called_one(demo_logs: Path, serve: Callable[..., str], open_tab: Open) -> None:
    tab = open_tab(serve(demo_logs, "--samples_per_plugin=convergence=40"))
    tab.select("deep-sigmoid")
    (run,) = (one for one in tab.get("runs")["runs"] if one["run"] == "deep-sigmoid")
    kept, total = run["sampled"]["kept"], run["sampled"]["total"]
    assert kept < total
    expect(tab.frame.locator(".facts")).to_contain_text(f"{kept} of {total} steps (sampled)")
    expect(tab.find("heatmap-readout")).to_contain_text("(sampled)")


def test_damaged_records_are_listed(states: str, open_tab: Open) -> None:
    tab = open_tab(states)
    tab.select("damaged")
    skipped = tab.find("skipped")
    expect(skipped).to_contain_text("1 piece of damaged or unknown data")
    skipped.locator("summary").click()
    expect(skipped).to_contain_text("checksum of row 2 does not hold")
    expect(skipped).to_contain_text("step 9,999")
    expect(tab.find("heatmap")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_scalars_alone_give_curves_and_the_next_step(
    states: str, open_tab: Open, theme: str
) -> None:
    tab = open_tab(states, theme=theme)
    tab.select("scalars")
    expect(tab.find("loss-chart")).to_be_visible()
    expect(tab.find("no-layers")).to_contain_text("ConvergenceCallback")
    expect(tab.find("heatmap")).to_have_count(0)
    expect(tab.find("layer-panel")).to_have_count(0)
    assert tab.barriers() == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_run_without_anything_says_what_to_do(states: str, open_tab: Open, theme: str) -> None:
    tab = open_tab(states, theme=theme)
    tab.find("run-chip", run="nothing").click()
    expect(tab.find("empty")).to_contain_text("ConvergenceCallback")
    expect(tab.find("no-finding")).to_contain_text("Nothing could be read")
    assert tab.barriers() == []


DRAWN = """
  window.drawn = 0;
  for (const name of ["putImageData", "stroke", "fillText"]) {
    const draw = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...given) {
      window.drawn += 1;
      return draw.apply(this, given);
    };
  }
"""


def test_behind_another_tab_nothing_is_drawn_and_nothing_asked(
    served: str, open_tab: Open
) -> None:
    def prepare(page: Page) -> None:
        page.add_init_script(DRAWN)

    tab = open_tab(served, prepare=prepare)
    tab.select("deep-sigmoid")
    assert tab.frame.evaluate("drawn") > 0
    tab.page.get_by_role("tab", name="Scalars").click()
    tab.frame.wait_for_function("innerHeight === 0")
    asked: list[str] = []
    tab.page.on("request", lambda r: asked.append(r.url) if "plugin/convergence" in r.url else None)
    before = tab.frame.evaluate("drawn")
    tab.page.set_viewport_size({"width": 1000, "height": 800})
    tab.reload()
    tab.page.wait_for_timeout(1500)
    assert tab.frame.evaluate("drawn") == before
    assert asked == []
    tab.page.get_by_role("tab", name="Convergence").click()
    heat = tab.find("heatmap")
    expect(heat).to_be_visible()
    tab.frame.wait_for_function(f"drawn > {before}")
    tab.settle()
    assert any("runs" in url for url in asked), "what was missed is fetched now"
    width = heat.evaluate("canvas => [canvas.width, canvas.clientWidth * devicePixelRatio]")
    assert abs(width[0] - width[1]) <= 1
    assert filled(tab) > 0.2


def filled(tab: Tab) -> float:
    """The part of the heat map's canvas that is drawn upon."""
    share = tab.find("heatmap").evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let filled = 0;
          for (let at = 3; at < data.length; at += 4) filled += data[at] > 0 ? 1 : 0;
          return filled / (data.length / 4);
        }"""
    )
    return float(share)


def test_the_charts_follow_the_size_of_the_window(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("deep-sigmoid")
    tab.settle()
    for width, height in ((700, 900), (1900, 1000), (360, 640), (1440, 1200)):
        before = tab.frame.evaluate("innerWidth")
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.frame.wait_for_function("(before) => innerWidth !== before", arg=before)
        tab.settle()
        sizes = tab.frame.evaluate(
            """() => [...document.querySelectorAll(".line-chart, .heat")].flatMap((chart) =>
              [...chart.querySelectorAll(":scope > canvas")].map((canvas) => [
                Math.round(canvas.getBoundingClientRect().width), chart.clientWidth,
                canvas.width, Math.round(canvas.clientWidth * devicePixelRatio)]))"""
        )
        assert sizes
        for shown, room, dots, wanted in sizes:
            assert abs(shown - room) <= 1
            assert abs(dots - wanted) <= 1
        assert filled(tab) > 0.2


@pytest.mark.parametrize("width", [320, 3840])
def test_the_narrowest_and_the_widest_page(served: str, open_tab: Open, width: int) -> None:
    tab = open_tab(served, size=(width, 900 if width < 1000 else 2160))
    tab.select("learning-rate-too-high")
    tab.settle()
    page = "document.scrollingElement"
    assert tab.frame.evaluate(f"{page}.scrollWidth - {page}.clientWidth") <= 0
    assert tab.barriers() == []
    for testid in ("finding", "loss-chart", "heatmap", "layer-panel"):
        box = tab.find(testid).first.bounding_box()
        assert box is not None
        assert box["width"] > 250
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_motion_stands_still_for_who_asks(served: str, open_tab: Open) -> None:
    def prepare(page: Page) -> None:
        page.emulate_media(reduced_motion="reduce")
        page.route(f"{OURS}findings*", lambda route: (time.sleep(1.5), route.continue_())[1])

    tab = open_tab(served, prepare=prepare, settled=False)
    moving = tab.frame.evaluate(
        """() => document.getAnimations().filter((one) =>
          one.effect.getComputedTiming().iterations === Infinity).length"""
    )
    assert moving == 0
    assert re.search(r"none|0s", tab.frame.evaluate(
        "getComputedStyle(document.querySelector('.chip')).transitionDuration"))
