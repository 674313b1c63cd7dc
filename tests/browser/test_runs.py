"""Many runs: the strip that stays one line high, and the table that holds them all."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from waiting import SECONDS, eventually

Open = Callable[..., Tab]
SICK = "learning-rate-too-high"
WELL = "healthy"


def link(**parts: str) -> str:
    """A fragment of the address, as a person would paste it."""
    own = "".join(f"&p.convergence.{key}={quote(value)}" for key, value in parts.items())
    return f"convergence{own}"


TABLE = link(view="runs")


def write_losses(folder: Path, count: int) -> None:
    """Many runs of nothing but a loss."""
    for index in range(count):
        writer = EventFileWriter(str(folder / f"run_{index:03d}"))
        for step in range(3):
            value = Summary.Value(tag="loss", simple_value=2.0 - index / count - step * 0.1)
            writer.add_event(Event(wall_time=1e9 + step, step=step, summary=Summary(value=[value])))
        writer.close()


def examined(tab: Tab) -> None:
    """Wait until every run is examined."""
    expect(tab.frame.locator("progress")).to_have_count(0, timeout=120_000)


def listed(tab: Tab) -> list[str]:
    """Runs in the order of the table, as they are now."""
    runs: list[str] = tab.find("run-row").evaluate_all("all => all.map((one) => one.dataset.run)")
    return runs


def expect_listed(tab: Tab, runs: list[str]) -> None:
    """Wait until the table lists these runs in this order."""
    eventually(lambda: listed(tab), equals=runs)


def test_the_table_says_of_each_run_what_is_wrong_where_and_since_when(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served, fragment=TABLE)
    row = tab.find("run-row", run=SICK)
    for text in ("Sick", "The learning rate is too high", "NaN", "lr 0.3"):
        expect(row).to_contain_text(text)
    said = {run["run"]: run for run in tab.get("runs")["runs"]}
    expect(row.locator(".number").first).to_have_text(str(said[SICK]["first"]["first_step"]))
    expect(row.locator("svg.health-line")).to_have_attribute(
        "aria-label", re.compile(r"NaN from about step \d+ on")
    )
    well = tab.find("run-row", run=WELL)
    expect(well).to_contain_text("Nothing found")
    expect(well).to_contain_text(f"{said[WELL]['verdict']['decided']} of ")
    assert tab.barriers() == []
    # The row leads to the run.
    row.get_by_test_id("open-run").click()
    expect(tab.find("run-chip", run=SICK)).to_have_attribute("aria-pressed", "true")
    expect(tab.find("finding").first).to_be_visible()


def test_runs_are_sorted_grouped_and_filtered(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=TABLE)
    expect(tab.find("run-row")).to_have_count(6)
    everything = listed(tab)
    tab.frame.get_by_role("button", name="Run", exact=True).click()
    expect_listed(tab, sorted(everything))
    tab.frame.get_by_role("button", name="Run", exact=True).click()
    expect_listed(tab, sorted(everything, reverse=True))
    tab.find("group-runs").select_option("verdict")
    expect(tab.find("run-group")).to_have_count(2)
    tab.find("run-group").first.get_by_role("button").click()
    expect_listed(tab, [WELL])
    tab.find("group-runs").select_option("none")
    tab.find("run-filter").fill("^LEARN.*(high|low)$")
    expect(tab.find("run-row")).to_have_count(2)
    expect(tab.frame.locator("#filter-note")).to_have_text("2 of 6 runs match")
    tab.find("run-filter").fill("(a+)+$")
    expect(tab.frame.locator("#filter-note")).to_contain_text("not supported")
    expect(tab.find("run-filter")).to_have_attribute("aria-invalid", "true")
    expect(tab.find("run-row")).to_have_count(6)
    tab.find("run-filter").fill("")
    tab.find("pill", state="nothing-found").click()
    expect_listed(tab, [WELL])
    assert tab.barriers() == []


def test_two_runs_are_picked_and_compared(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=TABLE)
    tab.find("run-row", run=SICK).get_by_role("checkbox").check()
    expect(tab.find("compare-picked")).to_be_disabled()
    tab.find("run-row", run=WELL).get_by_role("checkbox").check()
    tab.find("compare-picked").click()
    expect(tab.find("run-chip", run=SICK)).to_have_attribute("aria-pressed", "true")
    expect(tab.find("comparison")).to_contain_text(WELL)
    # The boxes are still ticked when the table is opened again.
    tab.find("page-runs").click()
    expect(tab.frame.locator(".table-foot")).to_contain_text("2 runs selected")


def test_a_range_is_picked_with_shift_and_put_away(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=TABLE)
    expect(tab.find("run-row")).to_have_count(6)
    names = listed(tab)
    boxes = tab.find("run-row").get_by_role("checkbox")
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(tab.frame.locator(".table-foot")).to_contain_text("3 runs selected")
    tab.find("hide-picked").click()
    expect_listed(tab, [names[0], *names[4:]])
    tab.find("hidden-runs").click()
    expect_listed(tab, names)


def test_the_table_is_taken_away_as_csv(served: str, open_tab: Open) -> None:
    tab = open_tab(served, fragment=TABLE)
    menu = tab.find("export-runs")
    menu.locator("summary").click()
    with tab.page.expect_download() as download:
        menu.get_by_role("button", name="Table (CSV)").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    rows = {row["run"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows[SICK]["loss"] == "NaN"
    assert rows[SICK]["optimizer.learning_rate"] == "0.3"
    assert rows[WELL]["verdict"] == "nothing-found"


def test_five_hundred_runs_stay_usable(
    tmp_path: Path, serve: Callable[..., str], open_tab: Open
) -> None:
    write_losses(tmp_path, 500)
    tab = open_tab(serve(tmp_path), settled=False)
    examined(tab)
    expect(tab.find("run-chip")).to_have_count(24)
    tab.find("all-runs").click()
    rows = tab.find("run-row")
    expect(tab.frame.locator("table")).to_have_attribute("aria-rowcount", "502")
    assert rows.count() < 100, "only what is seen is drawn"
    scroll = tab.find("table-scroll")
    scroll.evaluate("all => { all.scrollTop = all.scrollHeight; }")
    last = tab.find("run-row", run="run_499")
    expect(last).to_be_in_viewport()
    last.get_by_test_id("open-run").click()
    expect(last).to_have_count(0)
    tab.find("all-runs").click()
    expect(tab.find("run-row", run="run_000")).to_be_in_viewport()
    drawn = tab.frame.evaluate(
        """async () => {
          const input = document.querySelector('input[type=search]');
          const drawn = [];
          for (const text of ['run', 'run_1', '', 'run_2']) {
            input.value = text;
            input.dispatchEvent(new InputEvent('input', {bubbles: true}));
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            drawn.push(document.querySelectorAll('.run-row').length);
          }
          return drawn;
        }"""
    )
    assert 0 < min(drawn) <= max(drawn) <= 100, "of 500, each letter draws only what is seen"
    tab.find("run-filter").fill("run_49|run_31")
    expect(rows).to_have_count(20)
    tab.find("run-row", run="run_497").get_by_test_id("open-run").click()
    expect(tab.find("run-chip", run="run_497")).to_have_attribute("aria-pressed", "true")
    tab.find("compare-with").select_option("run_003")
    expect(tab.find("comparison")).to_contain_text("run_003")


@pytest.mark.parametrize("width", [1440, 360])
def test_a_run_that_a_link_names_is_in_view_among_many(
    tmp_path: Path, serve: Callable[..., str], open_tab: Open, width: int
) -> None:
    write_losses(tmp_path, 40)
    tab = open_tab(serve(tmp_path), fragment=link(run="run_033"), size=(width, 800))
    examined(tab)
    chip = tab.find("run-chip", run="run_033")
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chip).to_be_in_viewport(ratio=0.9)
    assert tab.frame.evaluate("document.scrollingElement.scrollTop") == 0
    assert tab.frame.evaluate(
        "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    ) == 0
    # Colors repeat after seven runs; dot and color together do not.
    tab.find("all-runs").click()
    expect(tab.find("run-row")).to_have_count(40)
    dots = tab.frame.locator(".run-row .dot").evaluate_all(
        "all => all.map(one => `${one.className} ${one.style.background}`)"
    )
    assert len(dots) == 40
    assert len(set(dots)) == 28


def test_the_strip_is_one_line_whatever_its_texts(
    tmp_path: Path, serve: Callable[..., str], open_tab: Open
) -> None:
    write_losses(tmp_path, 20)
    tab = open_tab(serve(tmp_path), size=(1280, 800))
    examined(tab)
    title = "The loss takes the logarithm of a value outside (0, 1]"

    def worse(route: Any) -> None:
        reply = route.fetch(timeout=SECONDS * 1000)
        said = reply.json()
        for run in said["runs"][:3]:
            run["severity"] = "critical"
            run["first"] = {
                "id": "x", "kind": "cause", "title": title, "rule_title": title, "first_step": 0,
                "layers": [], "layer_count": 0,
            }
        route.fulfill(response=reply, json=said)

    tab.page.route("**/convergence/runs*", worse)
    tab.reload()
    expect(tab.find("run-chip").first).to_contain_text(title)
    assert tab.frame.locator(".runs").evaluate("bar => bar.offsetHeight") <= 60
    first = tab.find("run-chip").first
    first.focus()
    for _ in range(19):
        tab.page.keyboard.press("ArrowRight")
        expect(tab.frame.locator(".chip:focus")).to_be_in_viewport(ratio=0.9)
    expect(tab.find("run-chip").last).to_be_focused()
