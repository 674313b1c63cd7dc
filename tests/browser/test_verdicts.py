"""What the page says of a run as a whole: undecided is not green, scalars that may be the loss are
asked about, and what changes while the page is open is told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect
from servers import tensorboard
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from waiting import SECONDS, eventually

Open = Callable[..., Tab]
SICK = "learning-rate-too-high"


def falls(step: int) -> float:
    return 2.8 + 4 * math.exp(-step / 60)


def write(folder: Path, **curves: Callable[[int], float]) -> None:
    """A run of plain scalars; "__" in a name is a slash."""
    writer = EventFileWriter(str(folder))
    for step in range(240):
        for name, curve in curves.items():
            value = Summary.Value(tag=name.replace("__", "/"), simple_value=curve(step))
            writer.add_event(Event(wall_time=1e9 + step, step=step, summary=Summary(value=[value])))
    writer.close()


@pytest.fixture(scope="module")
def scalars(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("scalars")
    write(folder / "loss-only", loss=falls)
    write(folder / "mystery", quantum__q1=falls, quantum__q2=lambda step: falls(step) + 0.1)
    with tensorboard(folder) as address:
        yield address


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_undecided_run_is_not_green_and_says_what_is_open(
    scalars: str, open_tab: Open, theme: str
) -> None:
    tab = open_tab(scalars, theme=theme)
    chip = tab.find("run-chip", run="loss-only")
    chip.click()
    expect(chip).to_have_attribute("data-verdict", "unknown")
    card = tab.find("no-finding")
    expect(card).to_have_attribute("data-state", "not-decided")
    verdict = tab.get("findings", run="loss-only")["verdict"]
    open_checks = verdict["applicable"] - verdict["decided"]
    expect(card).to_contain_text(
        f"{open_checks} of {verdict['applicable']} checks could not run"
    )
    expect(card).to_contain_text(verdict["why"])
    cells = tab.find("coverage").locator(".cells i")
    undecided = len(tab.get("findings", run="loss-only")["not_evaluated"])
    expect(cells).to_have_count(undecided + verdict["decided"])
    tab.settle()
    assert tab.frame.locator(".icon.healthy:visible").count() == 0
    expect(tab.find("not-evaluated")).to_contain_text("log_health")
    assert tab.barriers() == []


def test_the_person_says_which_scalar_is_the_loss_and_it_is_remembered(
    scalars: str, open_tab: Open
) -> None:
    tab = open_tab(scalars, provoked=("304 ",))
    tab.find("run-chip", run="mystery").click()
    picker = tab.find("picker")
    expect(picker).to_be_visible()
    expect(tab.find("loss-chart")).to_have_count(0)
    row = tab.find("picker-row", tag="quantum/q1")
    expect(row).to_contain_text("falls, never negative")
    expect(row.locator("polyline")).to_have_count(1)
    assert tab.barriers() == []
    row.get_by_role("radio", name="Training loss").check()
    expect(tab.find("loss-chart")).to_be_visible()
    tab.find("picker-row", tag="quantum/q2").get_by_role("radio", name="Validation loss").check()
    expect(tab.find("picker-done")).to_be_enabled()
    answers = "tags=loss=quantum/q1,validation=quantum/q2"
    tab.page.wait_for_url(lambda url: answers in unquote(url))
    tab.find("picker-done").click()
    expect(picker).to_have_count(0)
    expect(tab.find("picker-line")).to_contain_text("Training loss: quantum/q1")
    # Later, in the same browser, without the link.
    again = tab.page
    again.goto("about:blank")
    again.goto(scalars + "/#convergence&p.convergence.run=mystery")
    frame = again.frame_locator("iframe")
    expect(frame.get_by_test_id("picker-line")).to_contain_text("quantum/q1")
    expect(frame.get_by_test_id("loss-chart")).to_be_visible()


def fetched(route: Any) -> Any:
    """The server's whole reply, whatever the browser holds already."""
    asked = {
        name: text for name, text in route.request.headers.items() if name != "if-none-match"
    }
    return route.fetch(headers=asked, timeout=SECONDS * 1000)


def without_critical(tab: Tab, run: str) -> Callable[[bool], None]:
    """Lets `run` look sound until it is told to look as it is."""
    state = {"hidden": True}

    def findings(route: Any) -> None:
        reply = fetched(route)
        said = reply.json()
        if state["hidden"] and said.get("run") == run:
            said["findings"] = [
                {**said["findings"][0], "id": "too-few-steps", "severity": "warning",
                 "title": "Too few training steps", "explains": []}
            ]
        route.fulfill(response=reply, json=said)

    tab.page.route("**/convergence/findings?**", findings)

    def show(hidden: bool) -> None:
        state["hidden"] = hidden

    return show


def test_a_finding_that_becomes_critical_opens_and_offers_the_way_back(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served)
    show = without_critical(tab, SICK)
    tab.find("run-chip", run=SICK).click()
    expect(tab.find("finding")).to_have_attribute("data-id", "too-few-steps")
    show(False)
    tab.reload()
    news = tab.find("news")
    expect(news).to_contain_text("The learning rate is too high")
    expect(news).to_contain_text("from warning to critical")
    opened = tab.frame.locator('.finding[aria-current="true"]')
    expect(opened).to_have_attribute("data-id", SICK)
    eventually(tab.page.title, lambda title: "(!) The learning rate is too high" in title)
    assert tab.barriers() == []
    news.get_by_role("button", name="OK").click()
    expect(news).to_have_count(0)
    eventually(tab.page.title, equals="TensorBoard")


def test_what_was_chosen_by_hand_stays_and_the_banner_leads_to_the_news(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served)
    show = without_critical(tab, SICK)
    tab.find("run-chip", run=SICK).click()
    expect(tab.find("finding")).to_have_attribute("data-id", "too-few-steps")
    tab.find("show").click()
    show(False)
    tab.reload()
    # The finding that was chosen is gone: said so, and the first one is open instead.
    expect(tab.find("vanished")).to_contain_text("too few steps")
    expect(tab.frame.locator('.finding[aria-current="true"]')).to_have_attribute("data-id", SICK)
    expect(tab.find("news")).to_be_visible()


def test_the_page_asks_by_itself_and_says_how_the_run_is_doing(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served)
    show = without_critical(tab, SICK)
    tab.find("run-chip", run=SICK).click()
    expect(tab.find("finding")).to_have_attribute("data-id", "too-few-steps")
    expect(tab.find("live")).to_contain_text("read ")
    show(False)

    # A changed list of runs, and nobody presses anything.
    def changed(route: Any) -> None:
        reply = fetched(route)
        kept = {"content-type": reply.headers["content-type"], "etag": 'W/"another"'}
        route.fulfill(status=200, headers=kept, body=reply.body())

    tab.page.route("**/convergence/runs*", changed)
    expect(tab.find("news")).to_be_visible()
