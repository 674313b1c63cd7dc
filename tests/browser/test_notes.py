"""A note on a run stays in the browser and goes with the findings; names are copied whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect
from servers import tensorboard

from tests.reading.event_files import EventFile

NAME = "sweep/learning-rate-0.003-batch-size-256-seed-17"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    logs = tmp_path_factory.mktemp("notes")
    for run in (NAME, "other"):
        with EventFile(logs / run) as file:
            for step in range(60):
                file.scalar("loss", step, 2.0 - step / 60)
    with tensorboard(logs) as served:
        yield served


def test_a_note_is_kept_and_exported(
    address: str, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    tab = open_tab(address)
    tab.select(NAME)
    note = tab.find("run-note")
    note.locator("summary").click()
    note.get_by_role("textbox").fill("<b>try</b> 0.001")
    note.get_by_role("textbox").press("Tab")
    expect(tab.said()).to_have_text("The note is saved in this browser.")
    tab.select("other")
    expect(tab.find("run-note").locator("textarea")).to_have_value("")
    tab.select(NAME)
    expect(tab.find("run-note").locator("textarea")).to_have_value("<b>try</b> 0.001")
    with tab.page.expect_download() as waiting:
        tab.find("export-findings").locator("summary").click()
        tab.find("export-findings").get_by_role("button", name="JSON").click()
    target = tmp_path / "file"
    waiting.value.save_as(target)
    assert json.loads(target.read_text(encoding="utf-8"))["note"] == "<b>try</b> 0.001"


def test_a_name_is_copied_without_a_line_break(
    address: str, open_tab: Callable[..., Tab]
) -> None:
    tab = open_tab(address)
    tab.select(NAME)
    copied = tab.frame.evaluate(
        """() => {
          const name = document.querySelector(".findings h2 .name");
          getSelection().selectAllChildren(name);
          const given = new DataTransfer();
          const event = new ClipboardEvent("copy", {clipboardData: given, bubbles: true,
                                                    cancelable: true});
          name.dispatchEvent(event);
          return event.defaultPrevented ? given.getData("text/plain") : String(getSelection());
        }"""
    )
    assert copied.strip() == NAME
