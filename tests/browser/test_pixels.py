"""Pixels that are known beforehand: what matters is seen, however little of the data it is."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import state_logs as logs
from convergence_tab import Tab
from numpy.typing import NDArray
from playwright.sync_api import Locator

Open = Callable[..., Tab]
Pixels = NDArray[np.uint8]

TOP, AXIS = 20, 24
"""Heights above and below the cells, as `charts/heat_layout.js` lays them out."""
LEFT, RIGHT = 152, 152
"""Widths beside them, as `model/layout.js` does."""


def pixels(canvas: Locator) -> Pixels:
    """`[height, width, 3]` of a canvas, one per CSS pixel."""
    size = canvas.evaluate("canvas => [canvas.height, canvas.width, devicePixelRatio]")
    assert size[2] == 1
    data = canvas.evaluate(
        """canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let text = "";
          for (let at = 0; at < data.length; at += 4)
            text += String.fromCharCode(data[at], data[at + 1], data[at + 2]);
          return btoa(text);
        }"""
    )
    flat = np.frombuffer(base64.b64decode(data), np.uint8)
    return flat.reshape(size[0], size[1], 3)


def color(tab: Tab, name: str) -> NDArray[np.uint8]:
    """A color of the theme, by the name of its custom property."""
    text = tab.frame.evaluate(
        f"getComputedStyle(document.querySelector('#convergence')).getPropertyValue('{name}')"
    ).strip()
    return np.array([int(text[at : at + 2], 16) for at in (1, 3, 5)], np.uint8)


def where(picture: Pixels, wanted: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`[height, width]`"""
    return np.asarray((picture == wanted).all(axis=2))


def shown(tab: Tab, run: str, metric: str = "gradient_norm", shade: str = "value") -> Pixels:
    """The map of a run, without pointer and selection (they are on another canvas)."""
    tab.select(run)
    canvas = tab.choose("variables", metric)
    tab.shade(shade)
    tab.settle()
    return pixels(canvas)


def height_of(row: int, count: int, picture: Pixels) -> tuple[float, float]:
    """Where `row` of `count` begins and ends."""
    each = (picture.shape[0] - TOP - AXIS) / count
    return TOP + row * each, TOP + (row + 1) * each


def test_one_bad_layer_among_two_thousand_is_seen(golden: str, open_tab: Open) -> None:
    tab = open_tab(golden)
    picture = shown(tab, "tall")
    assert picture.shape[0] - TOP - AXIS < logs.TALL_ROWS / 2, "rows share pixels"
    nan = where(picture, color(tab, "--heat-nan"))
    mark = where(picture, color(tab, "--heat-nan-mark"))
    lines = np.flatnonzero((nan | mark).sum(axis=1) > 100)
    begin, end = height_of(logs.BAD_ROW, logs.TALL_ROWS, picture)
    assert 1 <= len(lines) <= 2, "it is drawn, and nothing else is"
    assert int(begin) - 1 <= lines[0] <= lines[-1] <= int(end) + 1
    for part in (nan, mark):
        across = part[lines[0]]
        assert across.sum() > 100, "a pattern of two colors, from the first step to the last"


def test_one_spike_among_ten_thousand_records_is_seen(golden: str, open_tab: Open) -> None:
    tab = open_tab(golden)
    (group,) = (g for g in tab.get("layers", run="long")["groups"] if g["group"] == "variables")
    assert group["records"] == logs.LONG_RECORDS
    picture = shown(tab, "long")
    brightest = np.array([254, 232, 56], np.uint8)  # the end of cividis
    near = np.abs(picture.astype(int) - brightest).max(axis=2) < 12
    begin, end = height_of(logs.SPIKE_ROW, logs.LONG_ROWS, picture)
    plot = near[:, LEFT : picture.shape[1] - RIGHT]
    lines, columns = np.nonzero(plot)
    assert len(lines) > 0, "it is drawn"
    assert int(begin) - 1 <= lines.min() <= lines.max() <= int(end) + 1, "in its row"
    assert np.ptp(columns) <= 2, "and in no other column"
    expected = logs.SPIKE_STEP / logs.LONG_RECORDS * plot.shape[1]
    assert abs(columns.mean() - expected) <= 2


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_is_no_value_is_a_pattern_of_its_own(golden: str, open_tab: Open, theme: str) -> None:
    """NaN, infinite and missing differ in color and in shape, from each other and from values."""
    tab = open_tab(golden, theme=theme)
    picture = shown(tab, "patterns")
    names = {
        "nan": ("--heat-nan", "--heat-nan-mark"),
        "infinite": ("--heat-inf", "--heat-inf-mark"),
        "no data": ("--heat-none", "--heat-none-mark"),
    }
    count = 4 * len(logs.PATTERNS)
    left, right = LEFT, picture.shape[1] - RIGHT
    middle = left + (right - left) // 2
    shapes = {}
    for kind, (ground, mark) in names.items():
        first = 4 * logs.PATTERNS.index(kind) + 1
        begin, end = height_of(first, count, picture)
        box = picture[int(begin) + 2 : int(end) - 1, middle + 6 : right - 6]
        is_ground, is_mark = where(box, color(tab, ground)), where(box, color(tab, mark))
        assert (is_ground | is_mark).all(), f"{kind}: nothing but its two colors"
        assert is_mark.any(), kind
        assert is_ground.any(), kind
        shapes[kind] = is_mark[:10, :40]
        before = picture[int(begin) + 2 : int(end) - 1, left + 6 : middle - 6]
        assert not where(before, color(tab, ground)).any(), f"{kind}: before, it was a value"
    seen = [tuple(shape.ravel().tolist()) for shape in shapes.values()]
    assert len(set(seen)) == len(seen), "told apart without color"
    values = picture[int(height_of(1, count, picture)[0]) + 2, middle + 6 : right - 6]
    assert len({tuple(pixel) for pixel in values.tolist()}) == 1, "a constant is one color"


def test_the_legend_names_the_patterns_that_occur(golden: str, open_tab: Open) -> None:
    tab = open_tab(golden)
    shown(tab, "patterns")
    marks: Any = tab.frame.locator(".marks li:not([data-mark])").all_inner_texts()
    assert [text.strip() for text in marks] == ["NaN", "infinite", "no data"]
    shown(tab, "long")
    assert tab.frame.locator(".marks li:not([data-mark])").count() == 0
