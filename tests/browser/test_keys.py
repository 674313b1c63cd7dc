"""What a reader needs to read the page by: keys of its marks, what else was found, whole titles."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from convergence_tab import Tab
from playwright.sync_api import Route, expect
from test_pixels import pixels
from waiting import SECONDS

Open = Callable[..., Tab]
FINDINGS = "**/data/plugin/convergence/findings*"


def two_causes(route: Route) -> None:
    """The server's findings, the second one of its own and a cause."""
    reply = route.fetch(timeout=SECONDS * 1000)
    body = reply.json()
    if len(body["findings"]) > 1:
        body["findings"][1].update(kind="cause", explained_by=None)
        body["fix_first"] = body["findings"][0]["id"]
    route.fulfill(status=200, content_type="application/json", body=json.dumps(body))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_second_cause_is_named_without_scrolling(
    served: str, open_tab: Open, theme: str
) -> None:
    tab = open_tab(
        served, theme=theme, size=(1360, 620), prepare=lambda page: page.route(FINDINGS, two_causes)
    )
    found = tab.select("dead-relu")
    first, second = found[0]["title"], found[1]["title"]
    line = tab.find("other-findings")
    expect(line).to_have_text(f"1 of 2 causes · also: {second}")
    expect(line).to_be_in_viewport()
    assert tab.barriers() == []
    mend = tab.find("fix-first")
    expect(mend).to_have_text("fix first")
    expect(tab.find("finding", id=found[0]["id"]).locator(mend)).to_be_in_viewport()
    line.get_by_role("button").click()
    expect(line).to_have_text(f"2 of 2 causes · also: {first}")
    card = tab.find("finding", id=found[1]["id"])
    expect(card).to_have_attribute("aria-current", "true")
    expect(card.locator("h3")).to_be_in_viewport()
    expect(mend).to_have_count(1)
    expect(card.locator(mend)).to_have_count(0)


def test_one_finding_alone_has_no_such_line(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    found = tab.select("dead-relu")
    assert sum(one["explained_by"] is None for one in found) == 1
    expect(tab.find("other-findings")).to_have_count(0)
    expect(tab.find("fix-first")).to_have_count(0)
    named = tab.frame.locator(".explains > summary")
    expect(named).to_contain_text(f"Explains: {found[1]['title']}")


def without_limits(route: Route) -> None:
    """The server's findings, no piece of evidence held against a limit."""
    reply = route.fetch(timeout=SECONDS * 1000)
    body = reply.json()
    for finding in body["findings"]:
        for one in finding["evidence"]:
            one.update(limit=None, side=None)
    route.fulfill(status=200, content_type="application/json", body=json.dumps(body))


def test_evidence_without_limits_has_no_column_for_them(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("dead-relu")
    columns = tab.frame.locator(".finding.selected .evidence thead th")
    expect(columns).to_have_text(["Observed", "Value", "Suspect if"])
    tab.page.route(FINDINGS, without_limits)
    tab.reload()
    tab.select("dead-relu")
    expect(columns).to_have_text(["Observed", "Value"])
    expect(tab.frame.locator(".evidence .limit")).to_have_count(0)


def test_marks_beside_the_rows_have_a_key_where_there_are_any(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("healthy")
    tab.settle()
    keys = tab.frame.locator(".marks li:is([data-mark=own], [data-mark=other])")
    expect(keys).to_have_count(0)
    tab.select("dead-relu")
    tab.settle()
    expect(tab.frame.locator(".marks [data-mark=own]")).to_have_text("selected finding")
    assert tab.barriers() == []


def test_the_healthy_range_stands_beside_the_color_scale(served: str, open_tab: Open) -> None:
    """Of dead units up to a half is healthy: the lower half of the scale from 0 to 100%."""
    tab = open_tab(served)
    tab.select("dead-relu")
    canvas = tab.choose("activations", "activation_dead_fraction")
    tab.shade("value")
    tab.settle()
    told = tab.frame.locator(".marks [data-mark=healthy]")
    expect(told).to_have_text("healthy 0% – 50%")
    picture = pixels(canvas).astype(int)
    beside = picture[20:-24, -148:-144]  # left of the scale, in the gutter right of the cells
    ground = picture[1, -122]
    marked = (np.abs(beside - ground).sum(axis=2) > 12).any(axis=1)
    half = len(marked) // 2
    assert not marked[: half - 3].any(), "what is above a half is not called healthy"
    assert marked[half + 3 : -1].all()
    tab.choose("variables", "variable_norm")
    expect(told).to_have_count(0)


def test_a_rate_that_never_changes_is_said_in_words(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("healthy")
    tab.settle()
    series = {one["name"]: one for one in tab.get("series", run="healthy")["series"]}
    assert len(set(series["learning_rate"]["values"])) == 1
    rate = tab.frame.locator(".legend-item", has_text="Learning rate")
    expect(rate).to_contain_text("constant")
    assert float(rate.locator(".legend-value").inner_text()) == pytest.approx(
        series["learning_rate"]["values"][0], rel=0.01
    )
    expect(rate.locator(".key")).to_have_count(0)


def broken(route: Route) -> None:
    """The server's curves, every loss of the run `healthy` NaN."""
    reply = route.fetch(timeout=SECONDS * 1000)
    body = reply.json()
    for one in body["series"] if body["run"] == "healthy" else []:
        if "loss" in one["name"]:
            one["nonfinite"] = [[at, "NaN"] for at in range(len(one["values"]))]
            one["values"] = [None] * len(one["values"])
    route.fulfill(status=200, content_type="application/json", body=json.dumps(body))


def test_crosses_on_the_edge_have_a_key(served: str, open_tab: Open) -> None:
    tab = open_tab(
        served, prepare=lambda page: page.route("**/data/plugin/convergence/series*", broken)
    )
    tab.select("healthy")
    key = tab.frame.locator(".legend-edges .edge-key")
    expect(key).to_have_text("NaN")
    assert tab.barriers() == []
    tab.select("deep-sigmoid")
    tab.settle()
    expect(key).to_have_count(0)
