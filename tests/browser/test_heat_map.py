"""The heat map shows what the server sent: values where they belong, NaN as a mark of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from convergence_tab import NAN, Heat, Tab
from playwright.sync_api import Locator

Open = Callable[..., Tab]
NAMES = 152
"""Width of the gutter in which rows are named, beside the cells (`model/layout.js`)."""
Color = tuple[int, int, int]


def said_at(tab: Tab, canvas: Locator, x: float, y: float) -> str:
    """What the line beneath the map says with the pointer at (x, y) of the canvas."""
    tab.point(canvas, x, y)
    return tab.find("heatmap-readout").inner_text()


def understood(said: str) -> tuple[str, int, int, str] | None:
    """Row, first and last step of the cell, and what stands there; None outside the map."""
    match = re.fullmatch(r"(.+) · steps? ([\d,]+)(?:\D([\d,]+))? · (.+)", said.strip())
    if match is None:
        return None
    name, first, last, what = match.groups()
    return name, number(first), number(last or first), what


def number(text: str) -> int:
    return int(text.replace(",", ""))


def value_in(what: str) -> float:
    """The number in "‖Δw‖ / ‖w‖ = 2.9e-6"."""
    text = what.rpartition("=")[2].strip().replace("−", "-").replace(",", "")
    factor = 0.01 if text.endswith("%") else 1.0
    return float(text.rstrip("% ")) * factor


def rows_of(tab: Tab, run: str, group: str) -> list[str]:
    groups: list[dict[str, Any]] = tab.get("layers", run=run)["groups"]
    (found,) = (one for one in groups if one["group"] == group)
    return [row["name"] for row in found["rows"]]


def cell(heat: Heat, step: int) -> int:
    """Which stretch of steps holds `step`."""
    (index,) = (i for i, last in enumerate(heat.last_steps) if heat.first_steps[i] <= step <= last)
    return index


def test_hovering_reads_the_value_that_the_server_sent(either_loader: str, open_tab: Open) -> None:
    tab = open_tab(either_loader)
    run, group, metric = "learning-rate-too-low", "variables", "update_ratio"
    tab.select(run)
    canvas = tab.choose(group, metric)
    heat, rows = tab.heat(run, group, metric), rows_of(tab, run, group)
    box = canvas.bounding_box()
    assert box is not None
    read = set()
    for down in range(20):
        for across in (0.3, 0.45, 0.6, 0.75, 0.9):
            place = (across * box["width"], (down + 0.5) * box["height"] / 20)
            cell_said = understood(said_at(tab, canvas, *place))
            if cell_said is None:
                continue
            name, first, last, what = cell_said
            row, column = rows.index(name), cell(heat, first)
            assert (first, last) == (heat.first_steps[column], heat.last_steps[column])
            assert value_in(what) == pytest.approx(float(heat.values[row, column]), rel=0.01)
            read.add((row, column))
    assert {row for row, _ in read} == set(range(len(rows))), "every row was under the pointer"
    assert len({column for _, column in read}) >= 4


def test_rows_run_from_input_to_output_and_steps_from_left_to_right(
    served: str, open_tab: Open
) -> None:
    tab = open_tab(served)
    run, group, metric = "deep-sigmoid", "variables", "gradient_norm"
    tab.select(run)
    canvas = tab.choose(group, metric)
    heat, rows = tab.heat(run, group, metric), rows_of(tab, run, group)
    box = canvas.bounding_box()
    assert box is not None
    down = [
        understood(said_at(tab, canvas, 0.6 * box["width"], y * box["height"] / 60))
        for y in range(60)
    ]
    names = [place[0] for place in down if place]
    assert list(dict.fromkeys(names)) == rows
    middle = 0.4 * box["height"]
    along = [
        understood(said_at(tab, canvas, x * box["width"] / 100, middle)) for x in range(1, 100)
    ]
    steps = [place[1] for place in along if place]
    assert steps == sorted(steps)
    assert cell(heat, steps[0]) <= 2
    assert cell(heat, steps[-1]) >= len(heat.last_steps) - 3


def test_nan_is_a_pattern_in_colors_no_value_has(served: str, open_tab: Open) -> None:
    tab = open_tab(served)
    run, group, metric = "learning-rate-too-high", "variables", "gradient_norm"
    tab.select(run)
    canvas = tab.choose(group, metric)
    heat = tab.heat(run, group, metric)
    row = int((heat.codes == NAN).any(axis=1).argmax())
    assert (heat.codes[row] == NAN).any(), "the run ends in NaN"
    assert (heat.codes[row] != NAN).any(), "and begins without"
    box = canvas.bounding_box()
    assert box is not None
    y = middle_of_row(tab, canvas, rows_of(tab, run, group)[row], box)
    kinds: dict[float, bool] = {}
    for part in range(1, 100):
        x = NAMES + part * (box["width"] - NAMES) / 100
        place = understood(said_at(tab, canvas, x, y))
        if place is not None:
            kinds[x] = "NaN" in place[3]
            assert kinds[x] == (heat.codes[row, cell(heat, place[1])] == NAN)
    # The mark of the cell under the pointer is not of the map.
    tab.page.mouse.move(0, 0)
    nan: set[Color] = set()
    values: set[Color] = set()
    places = list(kinds)
    for before, x, after in zip(places, places[1:], places[2:], strict=False):
        # Where both begin, a patch holds pixels of both.
        if kinds[before] == kinds[x] == kinds[after]:
            (nan if kinds[x] else values).update(colors(canvas, x, y))
    assert len(nan) >= 2, "a pattern has two colors at least: hue alone is not seen by everyone"
    assert len(values) >= 2, "the scale was seen too"
    assert nan.isdisjoint(values)


def middle_of_row(tab: Tab, canvas: Locator, name: str, box: Any) -> float:
    """Height in the canvas at which `name` is read."""
    ys = [box["height"] * part / 100 for part in range(100)]
    at = [
        y
        for y in ys
        if (p := understood(said_at(tab, canvas, 0.6 * box["width"], y))) and p[0] == name
    ]
    assert at, f"row {name!r} is not in the map"
    return at[len(at) // 2]


def colors(canvas: Locator, x: float, y: float) -> set[Color]:
    """Colors of the pixels of a 3 x 5 patch around (x, y) in CSS pixels."""
    data = canvas.evaluate(
        """(canvas, [x, y]) => {
          const scale = canvas.width / canvas.clientWidth;
          const patch = canvas.getContext("2d").getImageData(x * scale - 1, y * scale - 2, 3, 5);
          return [...patch.data];
        }""",
        [x, y],
    )
    return {(data[i], data[i + 1], data[i + 2]) for i in range(0, len(data), 4)}
