"""Pictures: places against their own arithmetic, and data that try to break them."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import histories as draw
import numpy as np
import pytest
import reports
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_convergence.cli.drawing import svg
from tb_convergence.cli.drawing.axes import nice_step, value_axis
from tb_convergence.cli.drawing.chart import Chart, Limit, Line, Profile, line
from tb_convergence.cli.drawing.decisive import MEASURES, STATISTICS, decisive
from tb_convergence.cli.drawing.series import loss_picture
from tb_convergence.core.diagnosis import Evidence, Finding, diagnose_history

SPACE = "{http://www.w3.org/2000/svg}"


def drawn(picture: Chart | Profile) -> ElementTree.Element:
    return ElementTree.fromstring(svg.standalone((picture,)))


def points(root: ElementTree.Element, index: int = 0) -> np.ndarray:
    """Points `[P, 2]` of a line, without the one in the legend."""
    paths = [path.get("d", "") for path in root.iter(f"{SPACE}path")
             if path.get("class") == f"line s{index}"]
    found = [re.findall(r"[ML]([\d.]+) ([\d.]+)", path) for path in paths if "h16" not in path]
    return np.array(found[0], float)


def test_points_lie_where_their_values_are() -> None:
    values = np.array([0.0, 1.0, 4.0, 2.0])
    chart = Chart("t", (line("a", [0, 10, 20, 40], values),))
    found = points(drawn(chart))
    width = svg.WIDTH - svg.LEFT - svg.RIGHT
    assert found[:, 0] == pytest.approx(svg.LEFT + width * np.array([0, 0.25, 0.5, 1.0]), abs=0.06)
    # Heights are proportional to the values, upwards.
    rise = found[0, 1] - found[:, 1]
    assert rise / rise[2] == pytest.approx(values / 4.0, abs=0.01)


def test_a_decade_is_a_decade_everywhere() -> None:
    chart = Chart("t", (line("a", range(4), [1e-6, 1e-4, 1e-2, 1.0]),), "log10")
    heights = np.diff(points(drawn(chart))[:, 1])
    assert heights == pytest.approx(np.full(3, heights[0]), abs=0.2)


def test_the_threshold_lies_between_what_is_below_and_above() -> None:
    chart = Chart("t", (line("a", range(3), [0.01, 0.05, 0.5]),), "log10", Limit(0.1, "limit"))
    root = drawn(chart)
    (path,) = [p.get("d") for p in root.iter(f"{SPACE}path") if p.get("class") == "limit"]
    y = float(re.search(r" ([\d.]+)H", path).group(1))
    heights = points(root)[:, 1]
    assert heights[2] < y < heights[1] < heights[0]


def test_a_single_spike_among_many_records_is_drawn() -> None:
    values = np.ones(20_000)
    values[12_345] = 9.0
    found = points(drawn(Chart("t", (line("a", range(20_000), values),))))
    assert len(found) <= 3 * svg.COLUMNS
    top = found[np.argmin(found[:, 1])]
    expected = svg.LEFT + (svg.WIDTH - svg.LEFT - svg.RIGHT) * 12_345 / 19_999
    assert top[0] == pytest.approx(expected, abs=0.1)


def test_a_single_nan_among_many_records_breaks_the_line_and_is_marked() -> None:
    values = np.ones(20_000)
    values[7_000] = np.nan
    chart = Chart("t", (line("a", range(20_000), values, broken_is_bad=True),))
    root = drawn(chart)
    strokes = [path.get("d", "") for path in root.iter(f"{SPACE}path")
               if path.get("class") == "line s0"]
    assert strokes[0].count("M") == 2
    (cross,) = [path.get("d", "") for path in root.iter(f"{SPACE}path")
                if path.get("class") == "bad"]
    at = svg.LEFT + (svg.WIDTH - svg.LEFT - svg.RIGHT) * 0.35
    assert float(re.findall(r"M(\d+)", cross)[0]) + 3 == pytest.approx(at, abs=4)


def test_undefined_values_are_gaps_and_a_broken_loss_is_marked() -> None:
    values = np.array([1.0, np.nan, 2.0, 3.0])
    gap = svg.standalone((Chart("t", (line("a", range(4), values),)),))
    assert "NaN or Inf" not in gap
    assert len(re.findall(r'"M[^"]*M', gap)) == 1, "two strokes with a gap between them"
    bad = svg.standalone((Chart("t", (line("a", range(4), values, broken_is_bad=True),)),))
    assert "NaN or Inf" in bad


def test_zero_has_a_place_on_a_logarithmic_axis() -> None:
    root = drawn(Chart("t", (line("a", range(3), [0.0, 1e-3, 1e-2]),), "log10"))
    assert "0" in [text.text for text in root.iter(f"{SPACE}text")]
    heights = points(root)[:, 1]
    assert heights[0] > heights[1] > heights[2]


def test_an_interval_is_drawn_as_a_band() -> None:
    low = np.array([1.0, 2.0])
    source = svg.standalone((Chart("t", (Line("a", np.arange(2), low, low * 2),)),))
    assert "<polygon" in source
    assert "<polygon" not in svg.standalone((Chart("t", (line("a", range(2), low),)),))


def test_hostile_labels_are_text() -> None:
    chart = Chart(reports.HOSTILE, (line(reports.HOSTILE, range(2), [1, 2]),), "linear",
                  Limit(1.5, reports.HOSTILE), 1, reports.HOSTILE)
    profile = Profile(reports.HOSTILE, (reports.HOSTILE,), (1.0,), (True,))
    for picture in (chart, profile):
        root = drawn(picture)
        tags = {element.tag.removeprefix(SPACE) for element in root.iter()}
        assert tags <= {"svg", "title", "style", "rect", "g", "text", "path"}
        assert "\x1b" not in svg.standalone((picture,))


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats()),
    st.sampled_from(["linear", "log10"]),
    st.one_of(st.none(), st.floats()),
)
def test_any_numbers_give_a_picture(values: np.ndarray, scale: str, limit: float | None) -> None:
    shown = None if limit is None else Limit(limit, "limit")
    item = line("a", range(len(values)), values, broken_is_bad=True)
    chart = Chart("t", (item,), scale, shown, 3)
    names = tuple(map(str, range(len(values))))
    marks = (False,) * len(values)
    profile = Profile("t", names, tuple(values.tolist()), marks, scale, shown)
    for picture in (chart, profile):
        root = drawn(picture)
        for element in root.iter():
            for name in ("d", "x", "y", "width", "height", "points"):
                assert not re.search(r"nan|inf", element.get(name, ""))


@given(st.floats(1e-30, 1e30))
def test_a_step_is_nice_and_large_enough(rough: float) -> None:
    step = nice_step(rough)
    assert rough * (1 - 1e-6) <= step <= 10.1 * rough
    assert f"{step:.0e}"[0] in "125"


def test_ticks_are_few_and_distinct() -> None:
    for low, high in ((0.0, 1.0), (2.2, 2.4), (-3.0, 5000.0), (1e-8, 1e8), (7.0, 7.0)):
        for scale in ("linear", "log10"):
            labels = [label for _, label in value_axis([np.array([low, high])], scale).ticks]
            assert 1 <= len(labels) <= 7, (low, high, scale, labels)
            assert len(set(labels)) == len(labels)


def test_the_loss_of_epochs_stands_in_for_batches() -> None:
    epochs = draw.history(epoch_loss=draw.series("epoch_loss", [3, 2, 1], axis="epoch"))
    chart = loss_picture(epochs)
    assert chart is not None
    assert (chart.axis, chart.lines[0].label) == ("epoch", "training loss, by epoch")
    assert loss_picture(draw.history()) is None


def test_a_finding_is_drawn_by_what_it_measures_whatever_its_rule() -> None:
    (sick, *_) = diagnose_history(reports.sick()).findings
    foreign = replace(sick, id="of-another-version")
    assert decisive(reports.sick(), foreign) == decisive(reports.sick(), sick) is not None
    assert decisive(reports.sick(), replace(foreign, evidence=(), shows=())) is None


def test_missing_tables_cost_the_picture_and_nothing_else() -> None:
    (sick, *_) = diagnose_history(reports.sick()).findings
    shown = (*STATISTICS, *MEASURES, "activation_dead_fraction")
    for statistic in shown:
        evidence = (Evidence(statistic, 2.0, 1.0, 0, "a"),)
        assert decisive(draw.history(), replace(sick, evidence=evidence, shows=shown)) is None
    assert isinstance(sick, Finding)
