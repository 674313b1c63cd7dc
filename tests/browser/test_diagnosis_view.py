"""The diagnosis view's drawing: health at a glance, values at the pointer, one time axis for all.

Each test holds one thing that misled or cost time in an earlier tab.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from convergence_tab import Tab
from playwright.sync_api import Locator, expect
from test_pixels import color, pixels, where

Open = Callable[..., Tab]
SICK = "learning-rate-too-high"
TOP, LEFT, RIGHT = 20, 152, 152
"""Widths beside the map's cells (`model/layout.js`)."""


def opened(open_tab: Open, served: str, run: str = SICK, more: str = "", **how: Any) -> Tab:
    tab = open_tab(served, fragment=f"convergence&p.convergence.run={run}{more}", **how)
    expect(tab.find("heatmap")).to_be_visible()
    return tab


def tip(tab: Tab) -> Locator:
    return tab.frame.locator(".heat .tip")


def box_of(one: Locator) -> dict[str, float]:
    box = one.bounding_box()
    assert box is not None
    return dict(box)


def test_the_map_opens_by_health_and_dots_rows_without_a_limit(
    served: str, open_tab: Open
) -> None:
    """Colored by size, blameless biases glowed and sick rows were dark."""
    tab = opened(open_tab, served)
    expect(tab.frame.locator("input[name=shade][value=health]")).to_be_checked()
    picture = pixels(tab.find("heatmap"))
    rows = 8
    each = (picture.shape[0] - TOP - 24) / rows
    band = [picture[int(TOP + row * each) + 3:int(TOP + (row + 1) * each) - 2, LEFT + 24:-RIGHT]
            for row in range(rows)]
    above = [color(tab, f"--cell-above-{level}") for level in (1, 2, 3, 4)]
    neutral, free = color(tab, "--cell-healthy"), color(tab, "--heat-free-mark")
    for kernel, bias in zip(band[0::2], band[1::2], strict=True):
        assert where(kernel, neutral).any(), "within its limits before the loss explodes"
        assert sum(where(kernel, one).any() for one in above) >= 3, "and ever further outside"
        assert not where(kernel, free).any()
        assert where(bias, free).any(), "no rule judges a bias"
        assert not any(where(bias, one).any() for one in [*above, neutral])
    tab.shade("value")
    expect(tab.frame.locator(".health-key")).to_have_count(0)
    expect(tab.frame.locator(".marks [data-mark=healthy]")).to_be_visible()
    tab.page.wait_for_url(lambda url: "p.convergence.shade=value" in url)


def test_rows_are_sorted_by_their_first_crossing(served: str, open_tab: Open) -> None:
    tab = opened(open_tab, served)
    heat = tab.heat(SICK, "variables", "update_ratio")
    kernels = range(0, 8, 2)
    crossing = {row: int((heat.values[row] > 0.1).argmax()) for row in kernels}
    expected = sorted(kernels, key=lambda row: (crossing[row], row))
    tab.frame.get_by_label("Order of the rows").select_option("crossing")
    names = [row["name"] for row in tab.get("layers", run=SICK)["groups"][0]["rows"]]
    canvas = tab.find("heatmap")
    canvas.focus()
    tab.page.keyboard.press("ArrowRight")
    for _ in range(9):
        tab.page.keyboard.press("ArrowUp")
    seen = []
    for _ in kernels:
        seen.append(tab.find("heatmap-readout").inner_text().partition(" · ")[0])
        tab.page.keyboard.press("ArrowDown")
    assert seen == [names[row] for row in expected]


@pytest.mark.parametrize("size", [(1440, 900), (1000, 700), (390, 844)])
def test_the_value_stands_beside_the_pointer_and_the_keyboard_s_cell(
    served: str, open_tab: Open, size: tuple[int, int]
) -> None:
    """It stood in a line beneath the map, below the fold of a small window."""
    tab = opened(open_tab, served, size=size)
    canvas = tab.find("heatmap")
    canvas.scroll_into_view_if_needed()
    box = box_of(canvas)
    # A longer value beside the curves above may take one more line, and move the map.
    tab.move_pointer(box["x"] + box["width"] * 0.5, box["y"] + 40)
    expect(tip(tab)).to_be_visible()
    box = box_of(canvas)
    for part in (0.02, 0.3, 0.6, 0.98):
        x = box["x"] + box["width"] * 0.5
        y = box["y"] + TOP + part * (box["height"] - TOP - 24)
        tab.move_pointer(x, y)
        expect(tip(tab)).to_be_visible()
        shown = box_of(tip(tab))
        assert shown["x"] >= 0
        assert shown["x"] + shown["width"] <= size[0] + 1
        assert shown["y"] + shown["height"] <= size[1] + 1, "never below the fold"
        assert not shown["y"] < y < shown["y"] + shown["height"], "it keeps off the row it reads"
        said = tab.find("heatmap-readout").inner_text()
        name = said.partition(" · ")[0]
        assert tip(tab).inner_text().replace("\n", "").startswith(name)
    tab.page.mouse.move(0, 0)
    expect(tip(tab)).to_be_hidden()
    canvas.focus()
    tab.page.keyboard.press("ArrowRight")
    expect(tip(tab)).to_be_visible()


def test_a_cell_says_how_far_it_is_from_its_limit_and_previews_its_layer(
    served: str, open_tab: Open
) -> None:
    tab = opened(open_tab, served)
    heat = tab.heat(SICK, "variables", "update_ratio")
    canvas = tab.find("heatmap")
    canvas.focus()
    tab.page.keyboard.press("ArrowRight")
    for _ in range(9):
        tab.page.keyboard.press("ArrowUp")
    cell = heat.first_steps.index(38)
    tab.page.keyboard.press("Home")
    for _ in range(cell):
        tab.page.keyboard.press("ArrowRight")
    text = tip(tab).inner_text()
    times = round(float(heat.values[0, cell]) / 0.1)
    assert f"above its limit of 0.1 ({times:,} times it)" in text
    assert "one record before" in text
    expect(tip(tab).locator(".tip-curve")).to_be_visible()  # the row's curve, without scrolling
    assert "1 of 8" in text


@pytest.mark.parametrize("axis", ["step", "relative", "wall"])
def test_loss_and_map_share_their_axis_and_one_cross_hair(
    served: str, open_tab: Open, axis: str
) -> None:
    """The axis was the loss's alone; the map stayed on steps."""
    tab = opened(open_tab, served)
    tab.frame.locator(f"input[name=x][value={axis}]").check(force=True)
    tab.settle()
    over, canvas = tab.frame.locator(".time .line-chart .over"), tab.find("heatmap")
    plot, map_box = box_of(over), box_of(canvas)
    assert plot["x"] == pytest.approx(map_box["x"] + LEFT, abs=1)
    assert plot["width"] == pytest.approx(map_box["width"] - LEFT - RIGHT, abs=1.5)
    hair = tab.frame.locator(".time .hair")
    for part in (0.2, 0.5, 0.75):
        x = map_box["x"] + LEFT + part * plot["width"]
        tab.move_pointer(x, map_box["y"] + 30)
        expect(hair).to_be_visible()
        # The hair stands where the cell begins, left of the pointer or at it.
        left = box_of(hair)["x"]
        assert left <= x + 1.5
        assert x - left < plot["width"] / 4
    small = tab.frame.locator(".small-chart .line-chart .hair")
    assert small.evaluate_all("all => all.some((one) => !one.hidden)"), "in the layer's charts too"
    assert tab.barriers() == []


def test_a_run_that_is_mostly_nan_opens_around_its_onset(served: str, open_tab: Open) -> None:
    """84 % of the width was a pink chess board."""
    tab = opened(open_tab, served)
    expect(tab.frame.locator("input[name=window][value=onset]")).to_be_checked()
    title = tab.frame.locator(".axis h2")
    first, last = (int(text) for text in re.findall(r"\d+", title.inner_text()))
    assert first == 0
    assert 40 < last < 120
    tab.frame.locator("input[name=window][value=all]").check(force=True)
    expect(title).to_have_text(f"Steps 0 – {tab.last_step()}")
    tab.page.wait_for_url(lambda url: "p.convergence.zoom=all" in url)


def test_the_window_is_dragged_kept_in_the_link_and_moved_by_keys(
    served: str, open_tab: Open
) -> None:
    tab = opened(open_tab, served, run="healthy")
    overview = tab.find("overview")
    box = box_of(overview)
    width = box["width"] - LEFT - RIGHT
    start = box["x"] + LEFT
    tab.page.mouse.move(start + width * 0.25, box["y"] + 12)
    tab.page.mouse.down()
    tab.page.mouse.move(start + width * 0.5, box["y"] + 12, steps=4)
    tab.page.mouse.up()
    title = tab.frame.locator(".axis h2")
    expect(title).not_to_contain_text("517")
    first, last = (int(text) for text in re.findall(r"\d+", title.inner_text()))
    assert first == pytest.approx(129, abs=6)
    assert last == pytest.approx(258, abs=6)
    tab.page.wait_for_url(lambda url: "p.convergence.zoom=" in url)
    overview.focus()
    tab.page.keyboard.press("ArrowRight")
    expect(title).not_to_contain_text(f"{first} –")
    again = opened(open_tab, served, more="", run="healthy&" + "&".join(
        part for part in tab.page.url.split("&") if "zoom" in part))
    expect(again.frame.locator(".axis h2")).not_to_contain_text("517")


def test_what_changed_just_before_is_what_the_server_recorded(
    served: str, open_tab: Open
) -> None:
    """Nothing said what happened in the moment before the onset."""
    tab = opened(open_tab, served)
    section = tab.find("before")
    expect(section.locator("tbody tr")).to_have_count(5)
    finding = tab.get("findings", run=SICK)["findings"][0]
    series = {one["name"]: one for one in tab.get("series", run=SICK)["series"]}
    for name in ("loss", "gradient_global_norm"):
        steps, values = series[name]["steps"], series[name]["values"]
        at = steps.index(finding["first_step"])
        said = section.locator(f'tr[data-id="{name}"] td').last.inner_text()
        before, after = (float(text) for text in re.findall(r"[\d.]+(?= →|$)", said))
        assert before == pytest.approx(values[at - 1], rel=0.01)
        assert after == pytest.approx(values[at], rel=0.01)
    expect(section.locator('tr[data-id="learning_rate"]')).to_contain_text("constant")
    remedy, moment = tab.frame.locator(".finding .try").first, box_of(section)
    assert moment["y"] < box_of(remedy)["y"], "above the remedy"


def test_a_fault_from_the_first_step_on_has_no_moment_before_it(
    served: str, open_tab: Open
) -> None:
    tab = opened(open_tab, served, run="dead-relu")
    expect(tab.find("before")).to_contain_text("the problem has existed since step 0")


def test_a_neutral_map_never_stands_beside_a_finding(served: str, open_tab: Open) -> None:
    tab = opened(open_tab, served, run="deep-sigmoid")
    expect(tab.frame.locator("select[name=metric]")).to_have_value("variables gradient_norm")
    expect(tab.frame.locator("input[name=shade][value=value]")).to_be_checked()
    # Nor does a neutral overview: it is of all statistics then, and says so.
    overview = tab.find("overview")
    expect(overview).to_have_attribute("aria-label", re.compile("^Worst of all statistics"))
    picture = pixels(overview.locator("canvas"))
    assert where(picture[:20, LEFT + 4:-RIGHT], color(tab, "--cell-below-4")).mean() > 0.5
    tab.choose("variables", "update_ratio")
    expect(overview).to_have_attribute("aria-label", re.compile("^Worst update ratio"))


def test_findings_over_time_are_those_of_the_server_in_their_order(
    served: str, open_tab: Open
) -> None:
    tab = opened(open_tab, served)
    reply = tab.get("findings", run=SICK)
    found = sorted((one for one in reply["findings"] if one["severity"] != "info"),
                   key=lambda one: one["first_step"])
    rows = tab.find("findings-over-time").locator("button")
    expect(rows).to_contain_text([f"from step {one['first_step']}" for one in found])
    whole = reply["last_step"] + 1
    for row, one in zip(rows.all(), found, strict=True):
        bar = row.locator(".episode-bar")
        begun = box_of(bar.locator(".begun"))
        part = (begun["x"] - box_of(bar)["x"]) / box_of(bar)["width"]
        assert part == pytest.approx(one["first_step"] / whole, abs=0.01)
    rows.last.click()
    expect(rows.last).to_have_attribute("aria-current", "true")
    expect(tab.page).to_have_url(re.compile(f"finding={found[-1]['id']}"))


def test_one_panel_covers_the_page_and_escape_ends_it(served: str, open_tab: Open) -> None:
    tab = opened(open_tab, served)
    for panel in ("time", "map"):
        button = tab.frame.locator(f"[data-full={panel}]")
        button.click()
        card = tab.frame.locator(f'[data-panel="{panel}"]')
        expect(card).to_have_class(re.compile(r"\bfull\b"))
        box, page = box_of(card), tab.page.viewport_size
        assert page is not None
        assert box["width"] == pytest.approx(page["width"], abs=1)
        for _ in range(30):
            tab.page.keyboard.press("Tab")
            inside = tab.frame.evaluate(
                "document.activeElement === document.body ||"
                f" !!document.activeElement.closest('[data-panel={panel}]')"
            )
            assert inside, "what is beneath takes no focus"
        assert tab.barriers() == []
        button.focus()
        tab.page.keyboard.press("Escape")
        expect(card).not_to_have_class(re.compile(r"\bfull\b"))
        expect(button).to_be_focused()


def test_metrics_are_drawn_and_pinned_beside_the_loss_and_remembered(
    served: str, open_tab: Open
) -> None:
    tab = opened(open_tab, served, run="healthy")
    tab.frame.locator("input[name=chart][value=metrics]").check(force=True)
    labels = tab.frame.locator(".legend-label")
    expect(labels.first).to_have_text("accuracy")
    tab.frame.locator("input[name=chart][value=loss]").check(force=True)
    tab.find("pins").locator("summary").click()
    tab.find("pins").get_by_label("accuracy", exact=True).check()
    expect(labels.filter(has_text="accuracy")).to_have_count(1)
    series = {one["name"]: one for one in tab.get("series", run="healthy")["series"]}
    item = tab.frame.locator('.legend-item[data-line="metric/accuracy"]')
    said = float(item.locator(".legend-value").inner_text())
    assert said == pytest.approx(series["metric/accuracy"]["values"][-1], rel=0.01)
    stored = tab.frame.evaluate("localStorage.getItem('tb_convergence.view')")
    assert "metric/accuracy" in stored


def test_pictures_are_vectors_or_twice_the_size_with_their_keys(
    served: str, open_tab: Open, tmp_path: Path
) -> None:
    tab = opened(open_tab, served)
    for view, words in (("curves", ["NaN from step 40", "Loss"]), ("map", ["step 9", "NaN"])):
        menu = tab.find(f"export-{view}")
        for label, ending in (("Picture (SVG)", "svg"), ("Picture (PNG, double size)", "png")):
            menu.locator("summary").click()
            with tab.page.expect_download() as download:
                menu.get_by_role("button", name=label).click()
            download.value.save_as(tmp_path / f"{view}.{ending}")
        root = ElementTree.parse(tmp_path / f"{view}.svg").getroot()
        texts = [one.text or "" for one in root.iter("{http://www.w3.org/2000/svg}text")]
        for word in words:
            assert any(word in text for text in texts), (view, word)
        png = (tmp_path / f"{view}.png").read_bytes()
        width = int.from_bytes(png[16:20], "big")
        assert width == 2 * int(root.attrib["width"])


def test_on_a_phone_the_loss_stands_before_the_long_card(served: str, open_tab: Open) -> None:
    tab = opened(open_tab, served, size=(390, 844))
    loss, card = box_of(tab.frame.locator(".card.time")), box_of(tab.frame.locator(".findings"))
    assert loss["y"] < card["y"]
    assert tab.frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.barriers() == []


@pytest.mark.parametrize("run", [SICK, "deep-sigmoid", "dead-relu", "healthy"])
def test_the_layer_s_charts_fill_their_rows_and_its_state_is_said_once(
    served: str, open_tab: Open, run: str
) -> None:
    tab = opened(open_tab, served, run=run)
    state = tab.frame.locator(".layer-state")
    expect(state).to_have_count(1)
    grid = tab.frame.locator(".layer .small-charts").first
    boxes = [box_of(one) for one in grid.locator(".small-chart").all()]
    right = box_of(grid)["x"] + box_of(grid)["width"]
    rows: dict[int, float] = {}
    for box in boxes:
        key = round(box["y"])
        rows[key] = max(rows.get(key, 0), box["x"] + box["width"])
    assert all(end == pytest.approx(right, abs=2) for end in rows.values()), "no orphan"
