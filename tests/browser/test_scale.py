"""The page at the size it is made for, over a long time, and while the run is still growing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import Chromium
from convergence_tab import Tab
from playwright.sync_api import expect

Open = Callable[..., Tab]

RELOADS = 30


def test_twenty_large_runs(large: str, open_tab: Open) -> None:
    tab = open_tab(large, settled=False)
    expect(tab.frame.locator("progress")).to_have_count(0, timeout=180_000)
    tab.settle()
    runs = {run["run"]: run for run in tab.get("runs")["runs"]}
    assert len(runs) == 20
    for run in runs.values():
        chip = tab.find("run-chip", run=run["run"])
        # Information alone leaves nothing found: the chip shows the verdict.
        found_nothing = run["verdict"]["state"] == "nothing-found"
        expected = "healthy" if found_nothing else run["severity"]
        expect(chip).to_have_attribute("data-verdict", expected)
    worst = next(iter(sorted(run for run in runs if run.startswith("exploding"))))
    expect(tab.find("run-chip", run=worst)).to_have_attribute("aria-pressed", "true")
    canvas = tab.choose("variables", "gradient_norm")
    heat = tab.heat(worst, "variables", "gradient_norm")
    assert heat.values.shape[0] == 400
    assert heat.last_steps[-1] == 1_999
    box = canvas.bounding_box()
    assert box is not None
    canvas.hover(position={"x": box["width"] * 0.97 - 152, "y": box["height"] / 2}, force=True)
    expect(tab.find("heatmap-readout")).to_contain_text("NaN")
    sizes = tab.frame.evaluate(
        """() => performance.getEntriesByType("resource")
          .filter((one) => one.name.includes("plugin/convergence/"))
          .map((one) => [one.name, one.encodedBodySize])"""
    )
    assert len(sizes) > 5
    assert [name for name, size in sizes if size > 1_000_000] == []


def memory(session: Any) -> float:
    """Bytes in use after a collection, buffers included."""
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"]) + float(usage.get("backingStorageSize", 0))


HOST = """
  () => {
    document.body.replaceChildren();
    let asked = 0;
    window.addEventListener("message", ({ data, ports: [port] }) => {
      if (data !== "experimental.bootstrap") return;
      window.reloaded = () => port.postMessage(JSON.stringify(
        { type: "experimental.DataReloaded", id: (asked += 1), payload: null, isReply: false }));
    });
    const frame = document.createElement("iframe");
    frame.src = "plugin_entry.html?name=convergence";
    frame.style = "width: 1400px; height: 900px";
    document.body.append(frame);
  }
"""
"""Stands for TensorBoard, whose own memory is not ours to judge: its frame and its protocol."""


def test_memory_does_not_grow_over_many_reloads(chromium: Chromium, served: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(f"{served}/data/plugins_listing")
    page.evaluate(HOST)
    tab = page.frame_locator("iframe")
    tab.locator("[data-testid=heatmap]").wait_for()
    session = page.context.new_cdp_session(page)
    sizes, nodes = [], []
    for reload in range(RELOADS + 5):
        with page.expect_response(lambda reply: "/layer?" in reply.url):
            page.evaluate("reloaded()")
        expect(tab.locator(".loading, .heat-frame.pending")).to_have_count(0)
        if reload >= 5:
            sizes.append(memory(session))
            nodes.append(session.send("Memory.getDOMCounters")["nodes"])
    page.close()
    first, last = np.median(sizes[:6]), np.median(sizes[-6:])
    assert last < first * 1.1, [round(size / 1e6, 2) for size in sizes]
    assert np.median(nodes[-6:]) < np.median(nodes[:6]) * 1.1 + 50, nodes


TRAINING = """
import sys, time
import numpy as np
import tb_convergence
rng = np.random.default_rng(0)
for step in range(10_000):
    layers = {f"dense_{i}/kernel": rng.normal(size=(8, 8)) for i in range(6)}
    tb_convergence.log_health(
        sys.argv[1], step, gradients=layers, variables=layers, loss=2.0 * 0.99 ** step + 0.1,
        learning_rate=0.1)
    time.sleep(0.05)
"""


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Path]:
    """A log directory in which a real training writes."""
    process = subprocess.Popen([sys.executable, "-c", TRAINING, str(tmp_path / "live")])
    try:
        yield tmp_path
    finally:
        process.kill()
        process.wait()


def chart_at(tab: Tab) -> float:
    """Distance of the layer's last chart from the top of the window, in CSS pixels."""
    return tab.frame.locator(".small-chart .line-chart").last.evaluate(
        "chart => chart.getBoundingClientRect().top"
    )


@pytest.mark.parametrize("fast", ["true", "false"], ids=["data-server", "python-loader"])
def test_a_reload_in_training_keeps_place_and_selection(
    growing: Path, serve: Callable[..., str], open_tab: Open, fast: str
) -> None:
    address = serve(growing, "--reload_interval=1", f"--load_fast={fast}")
    tab = open_tab(address, size=(1300, 700), settled=False)
    tab.reload_until(lambda: tab.find("run-chip").count() and tab.last_step() > 30)
    tab.choose("variables", "variable_norm")
    tab.frame.get_by_label("Order of the rows").select_option("worst")
    tab.frame.locator(".layer-title button").nth(1).click()
    tab.settle()
    layer = tab.frame.locator(".layer-title h3").inner_text()
    tab.frame.locator(".small-chart").last.scroll_into_view_if_needed()
    tab.frame.evaluate("document.activeElement.blur()")
    assert tab.frame.evaluate("document.scrollingElement.scrollTop") > 50, "something to lose"
    place = chart_at(tab)
    before = tab.last_step()
    tab.reload_until(lambda: tab.last_step() > before + 40)
    tab.settle()
    expect(tab.frame.locator("select[name=metric]")).to_have_value("variables variable_norm")
    assert tab.frame.locator(".layer-title h3").inner_text() == layer
    # On screen: a line more in what stands above moves what is scrolled, and not what is looked at.
    assert chart_at(tab) == pytest.approx(place, abs=2)
