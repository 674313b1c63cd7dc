"""Following a run that grows: what came and went is said with its step, and nobody is moved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

Open = Callable[..., Tab]
Serve = Callable[..., str]
SICK = "learning-rate-too-high"


def changing(tab: Tab, run: str) -> list[Callable[[list[Any]], list[Any]]]:
    """The findings of `run` as the last function in the list changes them."""
    changes: list[Callable[[list[Any]], list[Any]]] = [lambda findings: findings]

    def findings(route: Any) -> None:
        asked = {name: text for name, text in route.request.headers.items()
                 if name != "if-none-match"}
        reply = route.fetch(headers=asked)
        said = reply.json()
        if said.get("run") == run:
            said["findings"] = changes[-1](said["findings"])
        route.fulfill(response=reply, json=said)

    tab.page.route("**/convergence/findings?**", findings)
    return changes


def test_what_came_and_what_is_gone_is_said_with_its_step(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    changes = changing(tab, SICK)
    changes.append(lambda findings: findings[:1])
    tab.find("run-chip", run=SICK).click()
    expect(tab.find("finding")).to_have_count(1)
    expect(tab.find("finding")).to_have_attribute("data-id", SICK)
    expect(tab.find("came")).to_have_count(0)
    expect(tab.find("gone")).to_have_count(0)
    last = tab.get("findings", run=SICK)["last_step"]
    new = {"id": "loss-spikes", "title": "The loss spikes", "explained_by": None,
           "severity": "warning", "first_step": 4, "reported_step": 12, "explains": []}
    changes.append(lambda findings: [findings[0], {**findings[0], **new}])
    tab.reload()
    card = tab.find("finding", id="loss-spikes")
    expect(card.get_by_test_id("came")).to_have_text(f"new at step {last}")
    expect(card.get_by_test_id("reported")).to_have_text("found at step 12")
    expect(tab.find("finding", id=SICK).get_by_test_id("came")).to_have_count(0)
    assert tab.barriers() == []
    changes.append(lambda findings: findings[:1])
    tab.reload()
    expect(tab.find("gone")).to_contain_text(f"The loss spikes: gone since step {last}")
    expect(card).to_have_count(0)
    assert tab.barriers() == []
    changes.append(changes[-2])
    tab.reload()
    expect(card).to_be_visible()
    expect(tab.find("gone")).to_have_count(0)


class Training:
    """A loss that falls, written by and by; each record is of this moment."""

    def __init__(self, folder: Path) -> None:
        self.writer = EventFileWriter(str(folder))
        self.step = 0

    def go_on(self, steps: int) -> None:
        for _ in range(steps):
            value = Summary.Value(tag="loss", simple_value=2.0 + 1 / (1 + self.step))
            self.writer.add_event(
                Event(wall_time=time.time(), step=self.step, summary=Summary(value=[value])))
            self.step += 1
        self.writer.flush()


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Training]:
    made = Training(tmp_path / "live")
    yield made
    made.writer.close()


def test_the_window_follows_the_run_only_where_that_is_chosen(
    training: Training, tmp_path: Path, serve: Serve, open_tab: Open
) -> None:
    training.go_on(201)
    tab = open_tab(serve(tmp_path, "--reload_interval=1"))
    title = tab.frame.locator(".axis h2")
    window = tab.frame.get_by_role("group", name="In view")

    def reads(step: int) -> None:
        """Reloads until the page has read up to `step`."""
        for _ in range(60):
            tab.reload()
            tab.page.wait_for_timeout(500)
            if tab.last_step() == step:
                return
        raise AssertionError(f"the page has read up to step {tab.last_step()}, not {step}")

    reads(200)
    expect(title).to_have_text("Steps 0 – 200")
    expect(tab.find("live")).to_have_attribute("data-state", "running")
    window.get_by_label("Follow the run").check(force=True)
    expect(title).to_have_text("Steps 150 – 200")
    training.go_on(200)
    reads(400)
    expect(title).to_have_text("Steps 300 – 400")
    # A stretch that a person chose by hand stays, and so does the place on the page.
    tab.find("overview").focus()
    tab.page.keyboard.press("ArrowLeft")
    expect(title).not_to_have_text("Steps 300 – 400")
    chosen = title.inner_text()
    tab.frame.evaluate("document.scrollingElement.scrollTop = 120")
    above = tab.frame.evaluate("document.scrollingElement.scrollTop")
    training.go_on(200)
    reads(600)
    expect(title).to_have_text(chosen)
    assert tab.frame.evaluate("document.scrollingElement.scrollTop") == above
