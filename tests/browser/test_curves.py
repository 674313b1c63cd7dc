"""Curves say what the server sent: the legend under the pointer, and a layer's own charts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from convergence_tab import Tab
from playwright.sync_api import expect

Open = Callable[..., Tab]


def legend(tab: Tab) -> dict[str, str]:
    """Values in the legend of the top chart by label, and the place they are of."""
    items = tab.frame.locator(".legend-item").all()
    found = {
        item.locator(".legend-label").inner_text(): item.locator(".legend-value").inner_text()
        for item in items
    }
    return {**found, "x": tab.frame.locator(".legend-x").inner_text()}


def read(text: str) -> float:
    return float(text.replace("−", "-").replace(",", "").replace("∞", "inf"))


def nearest(series: dict[str, Any], step: float) -> float:
    """Value of the point nearest to a step; non-finite ones as they are."""
    steps = series["steps"]
    index = min(range(len(steps)), key=lambda at: abs(steps[at] - step))
    bad = {place: float(kind.replace("Infinity", "inf"))
               for place, kind in series["nonfinite"]}
    value = bad.get(index, series["values"][index])
    assert value is not None
    return float(value)


@pytest.mark.parametrize("run", ["learning-rate-too-high", "healthy"])
def test_the_legend_reads_the_points_under_the_pointer(
    either_loader: str, open_tab: Open, run: str
) -> None:
    tab = open_tab(either_loader)
    tab.select(run)
    tab.settle()
    series = {s["name"]: s for s in tab.get("series", run=run)["series"]}
    over = tab.frame.locator(".time .line-chart .over")
    box = over.bounding_box()
    assert box is not None
    seen = set()
    place = tab.frame.locator(".legend-x")
    expect(place).to_have_text("last values")
    before = "last values"
    for part in (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98):
        tab.point(over, part * box["width"], box["height"] / 2)
        expect(place).not_to_have_text(before)
        before = place.inner_text()
        told = legend(tab)
        step = read(told["x"].removeprefix("step "))
        for label, name in (("Loss", "loss"), ("Learning rate", "learning_rate")):
            # The step is that of the record whose values are shown.
            assert step in series["loss"]["steps"]
            said = read(told[label])
            assert said == pytest.approx(nearest(series[name], step), rel=0.01, nan_ok=True)
            seen.add(told[label])
        # An epoch's value is placed by its time: the one shown is one of its values.
        epochs = [nearest(series["validation_loss"], s) for s in series["validation_loss"]["steps"]]
        said = read(told["Validation loss"])
        assert any(said == pytest.approx(one, rel=0.01, nan_ok=True) for one in epochs)
    assert len(seen) > 3


def test_a_smoothed_curve_shows_both_values_by_name(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("healthy")
    tab.settle()
    series = tab.get("series", run="healthy")["series"]
    loss = next(one for one in series if one["name"] == "loss")
    values, gaps = loss["values"], np.diff(loss["steps"], prepend=loss["steps"][0])
    gaps[0] = gaps[1]
    # The gap that each step stands in: two of three stand in one no longer than the usual one.
    usual = np.quantile(np.repeat(gaps[1:], gaps[1:]), 2 / 3, method="inverted_cdf")
    # From the last one backwards: what each weighs, told apart from the page's own sums.
    early = np.maximum(gaps, 0.1 * (np.array(loss["steps"]) - loss["steps"][0]))
    past = 0.6 ** (gaps / np.minimum(usual, early))
    shares = (1 - past) * np.append(np.cumprod(past[::-1])[::-1][1:], 1)
    expected = shares @ values / shares.sum()
    item = tab.frame.locator(".legend-item").first
    assert read(item.locator(".legend-value").inner_text()) == pytest.approx(values[-1], rel=0.01)
    smoothed = item.locator(".legend-smoothed")
    said = read(smoothed.inner_text().removeprefix("smoothed "))
    assert said == pytest.approx(expected, rel=0.01)
    assert said != pytest.approx(values[-1], rel=0.02), "else nothing is told apart"
    tab.frame.get_by_label("Smoothing").fill("0")
    expect(smoothed).to_have_count(0)


def test_a_value_of_an_epoch_is_said_to_be_its_mean(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("healthy")
    tab.settle()
    said = {
        item.locator(".legend-label").inner_text(): item.get_attribute("title") or ""
        for item in tab.frame.locator(".legend-item").all()
    }
    ends = "where its epoch ends"
    assert [label for label, text in said.items() if ends in text] == ["Loss, mean of epoch"]


def test_plots_of_one_row_stand_at_one_height(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    tab.select("healthy")
    tab.choose("variables", "gradient_norm")
    tab.settle()
    figures = tab.frame.locator(".small-charts").first.locator(".small-chart")
    rows: dict[float, set[tuple[float, float]]] = {}
    words = set()
    for figure in figures.all():
        box = figure.bounding_box()
        caption = figure.locator("figcaption").bounding_box()
        plot = figure.locator(".line-chart").bounding_box()
        assert box is not None
        assert caption is not None
        assert plot is not None
        assert caption["y"] + caption["height"] <= plot["y"] + 0.5, "no word under a plot"
        rows.setdefault(round(box["y"]), set()).add((round(plot["y"]), round(plot["height"])))
        words.add(round(caption["height"]))
    assert len(words) > 1, "else nothing wraps, and nothing is shown"
    assert all(len(places) == 1 for places in rows.values()), rows


def test_a_layer_s_charts_say_the_server_s_values(either_loader: str, open_tab: Open) -> None:
    tab = open_tab(either_loader)
    run, row = "deep-sigmoid", 2
    tab.select(run)
    tab.choose("variables", "gradient_norm")
    layers = tab.get("layers", run=run)["groups"]
    (group,) = (one for one in layers if one["group"] == "variables")
    name = group["rows"][row]["name"]
    tab.frame.locator(".worst summary").click()
    tab.frame.locator(".worst tbody button", has_text=name).first.click()
    reply = tab.get("layer", run=run, group="variables", row=str(row))
    columns = {column["title"]: column for column in reply["columns"]}
    tab.frame.locator(".layer-title h3", has_text=name.rpartition("/")[2]).wait_for()
    tab.settle()
    chart = tab.frame.locator(".small-chart .line-chart").first
    chart.focus()
    live = chart.locator("[aria-live]")
    checked = 0
    for key in ("Home", "ArrowRight", "ArrowRight", "PageDown", "End"):
        tab.page.keyboard.press(key)
        where, _, said = live.inner_text().partition(": ")
        step = int(where.removeprefix("step ").replace(",", ""))
        index = reply["steps"].index(step)
        for piece in said.split(", "):
            title, _, value = piece.rpartition(" ")
            assert read(value) == pytest.approx(columns[title]["low"][index], rel=0.01)
            checked += 1
    assert checked >= 5
