"""The page without a pointer: from opening it to the diagnosis to a layer; its list of keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from convergence_tab import Tab
from playwright.sync_api import expect
from waiting import eventually

Open = Callable[..., Tab]


def focused(tab: Tab) -> dict[str, Any]:
    """Where the keyboard is in the tab, and whether that can be seen."""
    found: dict[str, Any] = tab.frame.evaluate(
        """() => {
          const at = document.activeElement;
          const drawn = at.matches(".segments input") ? at.nextElementSibling : at;
          const { outlineStyle, outlineWidth } = getComputedStyle(drawn);
          const box = drawn.getBoundingClientRect();
          return {
            inside: document.hasFocus() && at !== document.body,
            ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
            seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
            is: at.dataset.testid ?? at.className, text: at.textContent.trim().slice(0, 60),
            name: at.getAttribute("aria-label"),
          };
        }"""
    )
    return found


def expect_focus(tab: Tab, **wanted: object) -> None:
    """Wait until the keyboard is there."""
    eventually(lambda: {key: focused(tab)[key] for key in wanted}, equals=wanted)


def test_from_opening_to_a_layer_by_keys_alone(served: str, open_tab: Open) -> None:
    tab = open_tab(served, size=(1440, 900))
    keyboard = tab.page.keyboard
    for _ in range(40):  # through TensorBoard's own header into the tab
        keyboard.press("Tab")
        if focused(tab)["inside"]:
            break
    assert focused(tab)["ring"]
    for key in ("Tab", "ArrowRight"):  # to the runs, and along them
        for _ in range(12):
            at = focused(tab)
            there = at["is"] == "run-chip" and (key == "Tab" or "deep-sigmoid" in at["text"])
            if there:
                break
            keyboard.press(key)
        assert there, at
    keyboard.press("Enter")
    expect(tab.find("run-chip", run="deep-sigmoid")).to_have_attribute("aria-pressed", "true")
    findings = tab.get("findings", run="deep-sigmoid")["findings"]
    expect(tab.find("finding").first).to_have_attribute("data-id", findings[0]["id"])
    tab.settle()

    keyboard.press("f")  # the diagnosis
    expect_focus(tab, **{"is": "finding", "ring": True, "seen": True})
    keyboard.press("j")  # the next finding, a symptom it explains
    expect(tab.frame.locator(".finding[aria-current=true]")).not_to_have_attribute(
        "data-id", findings[0]["id"]
    )
    expect(tab.said()).to_contain_text("in all views")
    keyboard.press("k")
    expect(tab.frame.locator(".finding[aria-current=true]")).to_have_attribute(
        "data-id", findings[0]["id"]
    )
    tab.settle()

    keyboard.press("m")  # the map
    expect_focus(tab, **{"is": "heatmap", "ring": True})
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    name = tab.find("heatmap-readout").inner_text().partition(" · ")[0]
    keyboard.press("Enter")
    heading = tab.frame.locator(".layer-title h3")
    expect(heading).to_contain_text(name.rpartition("/")[2])

    keyboard.press("l")  # the layer
    expect_focus(tab, text="Layer")
    keyboard.press("ArrowRight")
    expect(tab.frame.locator("[role=tab][aria-selected=true]")).not_to_have_text("Layer")


def test_every_stop_of_the_keyboard_is_seen_and_has_a_name(served: str, open_tab: Open) -> None:
    tab = open_tab(served, size=(1440, 900))
    tab.select("dead-relu")
    tab.settle()
    tab.find("run-chip").first.focus()
    stops = []
    for _ in range(150):
        tab.page.keyboard.press("Tab")
        stop = focused(tab)
        if not stop["inside"]:
            break
        stops.append(stop)
    assert len(stops) > 30
    assert not stops[-1]["inside"] or len(stops) < 150, "no trap"
    assert [stop for stop in stops if not stop["ring"]] == []
    assert [stop for stop in stops if not stop["seen"]] == []


def test_curves_are_read_by_keys(served: str, open_tab: Open) -> None:
    """Values said are the server's, and Enter takes every view to the step."""
    tab = open_tab(served)
    tab.select("deep-sigmoid")
    tab.settle()
    series = {s["name"]: s for s in tab.get("series", run="deep-sigmoid")["series"]}
    steps, losses = series["loss"]["steps"], series["loss"]["values"]
    tab.frame.locator(".time .line-chart").focus()
    live = tab.frame.locator(".time .line-chart [aria-live]")
    keyboard = tab.page.keyboard
    keyboard.press("Home")
    for step, loss in list(zip(steps, losses, strict=True))[:5]:
        said = live.inner_text()
        assert said.startswith(f"step {step}: ")
        told = float(said.partition("Loss ")[2].partition(",")[0])
        assert told == pytest.approx(loss, rel=0.01)
        keyboard.press("ArrowRight")
    keyboard.press("Enter")
    tab.page.wait_for_url(lambda url: f"p.convergence.step={steps[5]}" in url)
    keyboard.press("+")
    whole = tab.frame.get_by_role("radio", name="All steps")
    expect(whole).not_to_be_checked()
    keyboard.press("0")
    expect(whole).to_be_checked()


def test_the_list_of_keys(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.find("run-chip").first.focus()
    tab.page.keyboard.press("?")
    dialog = tab.frame.get_by_role("dialog", name="Keyboard")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("next, previous finding")
    assert tab.barriers() == []
    tab.page.keyboard.press("Escape")
    expect(dialog).not_to_be_visible()
    expect_focus(tab, **{"is": "run-chip"})  # where it was


def test_single_keys_can_be_switched_off(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("deep-sigmoid")
    tab.settle()
    tab.frame.get_by_role("button", name="Keyboard").click()
    switch = tab.frame.get_by_role("checkbox", name="Single-key shortcuts")
    switch.uncheck()
    tab.page.keyboard.press("Escape")
    expect(switch).not_to_be_visible()
    tab.find("run-chip").first.focus()
    for key in ("m", "?", "j"):
        tab.page.keyboard.press(key)
        tab.settle()
        assert focused(tab)["is"] == "run-chip"
    tab.frame.get_by_role("button", name="Keyboard").click()
    switch.check()
    tab.page.keyboard.press("Escape")
    expect(switch).not_to_be_visible()
    tab.page.keyboard.press("m")
    expect_focus(tab, **{"is": "heatmap"})


def test_letters_typed_into_a_filter_are_letters(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("deep-sigmoid")
    tab.settle()
    tab.find("run-chip").first.focus()
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("jkm?")
    expect(tab.frame.locator(".map .search input")).to_have_value("jkm?")
