"""The view of loss landscapes: two on one scale, turned and read by keyboard, in both themes."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from chromium import Chromium
from convergence_tab import AXE
from playwright.sync_api import Frame, Page, expect
from servers import tensorboard
from waiting import eventually, settle

from tb_convergence.experiments.loss_landscape.record import write_record
from tests.landscape_records import line_record, plane_record
from tests.reading.event_files import EventFile

PAINTED = """canvas => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  return new Set(new Uint32Array(data.buffer)).size;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    logs = tmp_path_factory.mktemp("landscapes")
    write_record(str(logs / "skip"), plane_record("random", 4.0), 700)
    write_record(str(logs / "skip"), line_record("to the start"), 700)
    write_record(str(logs / "plain"), plane_record("random", 40.0), 700)
    for run in ("skip", "plain", "without"):
        with EventFile(logs / run) as file:
            for step in range(30):
                file.scalar("loss", step, 2.0 - step / 30)
    with tensorboard(logs) as served:
        yield served


def opened(page: Page, address: str, run: str, other: str | None = None) -> Frame:
    part = f"#convergence&p.convergence.view=landscape&p.convergence.run={run}"
    if other is not None:
        part += f"&p.convergence.with={urllib.parse.quote(json.dumps([other]))}"
    page.goto(f"{address}/{part}")
    page.frame_locator("iframe").locator(".landscape").wait_for()
    (frame,) = (f for f in page.frames if "plugin_entry.html" in f.url)
    settle(page, frame)
    return frame


def surfaces(frame: Frame) -> list[str]:
    """Both pictures of surfaces."""
    canvases = [frame.get_by_test_id(f"surface-{side}") for side in "AB"]
    return [canvas.evaluate("canvas => canvas.toDataURL()") for canvas in canvases]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_two_landscapes_stand_side_by_side_on_one_scale(
    chromium: Chromium, address: str, theme: str
) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    frame = opened(page, address, "skip", "plain")
    if theme == "dark":
        page.evaluate("document.body.classList.add('dark-mode')")
        expect(frame.locator("html[data-theme=dark]")).to_have_count(1)
    for side in ("A", "B"):
        for kind in ("contour", "surface"):
            canvas = frame.get_by_test_id(f"{kind}-{side}")
            expect(canvas).to_be_visible()
            eventually(partial(canvas.evaluate, PAINTED), lambda colors: colors > 20)
    expect(frame.locator(".sentence")).to_contain_text("No statistic differs")
    expect(frame.locator(".key")).to_have_count(1)
    frame.evaluate(AXE.read_text())
    found = frame.evaluate("axe.run(document).then(r => r.violations.map(v => v.id))")
    assert found == []
    assert problems == []
    page.close()


def test_the_keyboard_reads_and_turns(chromium: Chromium, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    frame = opened(page, address, "skip", "plain")
    readout = frame.locator(".readout").first
    expect(readout).to_contain_text("At the final weights: loss 0.2")
    contour = frame.get_by_test_id("contour-A")
    contour.focus()
    page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text("At 0.083, 0")
    surface = frame.get_by_test_id("surface-A")
    settle(page, frame)
    before = surfaces(frame)
    surface.focus()
    page.keyboard.press("ArrowLeft")
    settle(page, frame)
    after = surfaces(frame)
    assert before[0] != after[0]
    assert before[1] != after[1], "both turn together"
    frame.get_by_label("Turn both surfaces together").uncheck()
    surface.focus()
    page.keyboard.press("ArrowLeft")
    settle(page, frame)
    alone = surfaces(frame)
    assert alone[0] != after[0]
    assert alone[1] == after[1]
    page.close()


def test_a_run_without_a_landscape_says_how_to_have_one(chromium: Chromium, address: str) -> None:
    page = chromium.new_page()
    frame = opened(page, address, "without")
    expect(frame.get_by_test_id("no-landscape")).to_contain_text("tb_convergence.landscape(model")
    frame.get_by_test_id("run-A").select_option("skip")
    expect(frame.get_by_test_id("contour-A")).to_be_visible()
    frame.get_by_test_id("directions").select_option("to the start")
    expect(frame.locator(".slice")).to_have_count(1)
    expect(frame.get_by_test_id("contour-A")).to_have_count(0)
    page.close()


@pytest.mark.parametrize("kind", ["csv", "json", "png"])
def test_what_is_shown_is_saved(
    chromium: Chromium, address: str, kind: str, tmp_path: Path
) -> None:
    page = chromium.new_page()
    frame = opened(page, address, "skip")
    expect(frame.get_by_test_id("contour-A")).to_be_visible()
    settle(page, frame)
    with page.expect_download() as waiting:
        frame.get_by_role("button", name=f"Save as {kind.upper()}").click()
    target = tmp_path / "file"
    waiting.value.save_as(target)
    body = target.read_bytes()
    if kind == "csv":
        lines = body.decode().splitlines()
        assert lines[0] == "run,landscape,pair,x,y,loss,accuracy"
        assert len(lines) == 1 + 2 * 25 * 25
    elif kind == "json":
        (one,) = json.loads(body)
        assert one["landscape"] == plane_record("random", 4.0)
    else:
        assert body[:8] == b"\x89PNG\r\n\x1a\n"
    page.close()
