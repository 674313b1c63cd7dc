"""The view of experiments in a real TensorBoard: every kind, both themes, by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Chromium
from convergence_tab import AXE
from playwright.sync_api import Frame, Page, expect
from servers import tensorboard
from waiting import settle

from tb_convergence.core.experiments import KINDS
from tb_convergence.experiments.records import write_record
from tests.experiment_records import every_kind, no_answer, prescription, range_test
from tests.reading.event_files import EventFile
from tests.serving import samples
from tests.serving.event_logs import write
from tests.serving.samples import edited


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    logs = tmp_path_factory.mktemp("experiments")
    for record in every_kind():
        write_record(str(logs / "sick"), record)
    for record in (range_test(), no_answer(), prescription(helped=False)):
        write_record(str(logs / "unhelped"), record)
    for run in ("sick", "unhelped", "without"):
        with EventFile(logs / run) as file:
            for step in range(30):
                file.scalar("loss", step, 2.0 - step / 300)
    write(logs, edited(samples.trained("treated", layers=3, records=60), "inputs", 0,
                       {"feature_mean": 900.0}))
    write_record(str(logs / "treated"), prescription())
    with tensorboard(logs) as served:
        yield served


def opened(page: Page, address: str, run: str, view: str = "experiments") -> Frame:
    page.goto(f"{address}/#convergence&p.convergence.view={view}&p.convergence.run={run}")
    page.frame_locator("iframe").locator("[data-ready=true]").wait_for(state="attached")
    (frame,) = (f for f in page.frames if "plugin_entry.html" in f.url)
    settle(page, frame)
    return frame


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_kind_is_shown_without_barriers(
    chromium: Chromium, address: str, theme: str, width: int
) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    frame = opened(page, address, "sick")
    if theme == "dark":
        page.evaluate("document.body.classList.add('dark-mode')")
        expect(frame.locator("html[data-theme=dark]")).to_have_count(1)
    cards = frame.get_by_test_id("experiment")
    expect(cards).to_have_count(len(KINDS))
    assert {card.get_attribute("data-kind") for card in cards.all()} == set(KINDS)
    frame.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    expect(frame.locator(".chart path.smooth")).to_have_count(4)
    frame.evaluate(AXE.read_text())
    found = frame.evaluate(
        "axe.run(document).then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + n.html)))"
    )
    assert found == []
    overflow = frame.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0, "nothing is wider than the page"
    assert problems == []
    page.close()


def test_the_doctor_shows_cause_change_and_worth(chromium: Chromium, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    frame = opened(page, address, "sick")
    verdict = frame.locator("[data-kind=doctor]")
    expect(verdict.get_by_role("heading", level=2)).to_have_text("The input is not normalized")
    expect(frame.get_by_test_id("doctor-diff")).to_contain_text("+ normalization.adapt(x_train)")
    expect(frame.get_by_test_id("before-after")).to_contain_text("0.94 to 0.95")
    expect(verdict).to_contain_text("Ruled out")
    expect(frame.get_by_test_id("page-experiments")).to_contain_text(str(len(KINDS)))
    page.close()


def test_the_range_test_is_read_by_keyboard_and_pointer(chromium: Chromium, address: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    frame = opened(page, address, "sick")
    readout = frame.get_by_test_id("range-readout")
    chart = frame.get_by_test_id("range-chart")
    chart.focus()
    page.keyboard.press("End")
    expect(readout).to_contain_text("Learning rate 2: loss")
    page.keyboard.press("Home")
    expect(readout).to_contain_text("Learning rate 1e-5: loss 2.3 smoothed")
    page.keyboard.press("ArrowRight")
    expect(readout).not_to_contain_text("Learning rate 1e-5")
    chart.hover(position={"x": 300, "y": 150})
    expect(readout).to_contain_text("Learning rate 0.0")
    expect(frame.locator("[data-kind=lr_range_test]")).to_contain_text("0.02 suggested")
    page.close()


def test_a_verdict_leads_to_its_finding_and_back(chromium: Chromium, address: str) -> None:
    """The finding's card says what the experiment said; each leads to the other."""
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    frame = opened(page, address, "sick", "diagnosis")
    # No finding of its own: the verdict's card leads to what experiments found.
    seen = frame.get_by_test_id("see-experiments")
    expect(seen).to_have_text(f"results of {len(KINDS)} experiments")
    seen.click()
    expect(frame.get_by_test_id("experiments")).to_be_visible()
    page.go_back()
    page.goto("about:blank")
    frame = opened(page, address, "treated", "diagnosis")
    frame.get_by_test_id("tested").first.get_by_role("button").click()
    expect(frame.get_by_test_id("experiment").first).to_be_visible()
    expect(page).to_have_url(re.compile("view=experiments"))  # it is written a moment later
    page.go_back()
    expect(frame.get_by_test_id("experiments")).to_have_count(0)
    page.close()


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 400)])
def test_the_card_shows_the_change_that_was_proven(
    chromium: Chromium, address: str, theme: str, width: int
) -> None:
    """Its lines are whole, however narrow the card, and what is copied runs as it is."""
    page = chromium.new_page(viewport={"width": width, "height": 900})
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    if width == 400:  # plain HTTP from another machine: no clipboard interface
        page.add_init_script("""if (location.href.includes("plugin_entry"))
            Object.defineProperty(navigator, "clipboard", {value: undefined})""")
    frame = opened(page, address, "treated", "diagnosis")
    if theme == "dark":
        page.evaluate("document.body.classList.add('dark-mode')")
        expect(frame.locator("html[data-theme=dark]")).to_have_count(1)
    card = frame.get_by_test_id("finding").filter(has=frame.get_by_test_id("remedy"))
    expect(card.get_by_role("heading", name="The input is not normalized")).to_be_visible()
    expect(card.get_by_test_id("tested").first).to_contain_text("Confirmed by experiment")
    remedy = card.get_by_test_id("remedy")
    expect(remedy.get_by_role("heading", name="Change this")).to_be_visible()
    (proof,) = prescription().data["proofs"]
    lines = remedy.locator("code")
    expect(lines).to_have_text([f"+ {line}" for line in proof["lines"]])
    hidden = "all => all.map(one => one.scrollWidth - one.clientWidth)"
    assert max(remedy.locator("code, pre").evaluate_all(hidden)) <= 0
    remedy.get_by_role("button", name="Copy").click()
    expect(remedy.locator(".done")).to_have_count(1)
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.splitlines() == proof["lines"]
    frame.evaluate(AXE.read_text())
    found = frame.evaluate("axe.run(document).then(r => r.violations.map(v => v.id))")
    assert found == []
    page.close()


def test_nothing_helped_is_an_answer_and_older_results_can_be_chosen(
    chromium: Chromium, address: str
) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    frame = opened(page, address, "unhelped")
    verdict = frame.locator("[data-kind=doctor]")
    expect(verdict).to_contain_text("No change is proven to help")
    expect(verdict.locator(".verdict-head.found")).to_have_count(0)
    sweep = frame.locator("[data-kind=lr_range_test]")
    choice = sweep.get_by_role("combobox")
    choice.select_option("0")
    newest = sweep.locator(".summary").inner_text()
    choice.select_option("1")
    expect(sweep.locator(".summary")).not_to_have_text(newest)
    expect(frame.get_by_text("tb-convergence doctor --only ablate")).to_be_visible()
    page.close()


def test_a_run_without_experiments_shows_the_commands(chromium: Chromium, address: str) -> None:
    page = chromium.new_page()
    frame = opened(page, address, "without")
    empty = frame.get_by_test_id("no-experiments")
    expect(empty).to_contain_text("tb-convergence doctor --logdir LOGDIR/without train.py")
    expect(empty.get_by_role("button", name="Copy")).to_have_count(len(KINDS))
    empty.get_by_role("button", name="sick", exact=True).click()
    expect(frame.get_by_test_id("experiment")).to_have_count(len(KINDS))
    page.close()


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_experiments_are_saved(chromium: Chromium, address: str, kind: str, tmp_path: Path) -> None:
    page = chromium.new_page()
    frame = opened(page, address, "sick")
    expect(frame.get_by_test_id("experiment").first).to_be_visible()
    with page.expect_download() as waiting:
        frame.get_by_role("button", name=f"Save as {kind.upper()}").click()
    target = tmp_path / "file"
    waiting.value.save_as(target)
    text = target.read_text(encoding="utf-8")
    if kind == "csv":
        assert '"lr_range_test","highest_stable",0.1' in text
    else:
        assert len(json.loads(text)["experiments"]) == len(KINDS)
    page.close()
