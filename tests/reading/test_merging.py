"""Joining the tags of a group, against a plain re-telling with dictionaries."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading.merging import Stream, joined, merge_group

NAMES = ("a", "b", "c", "d")

layouts = st.tuples(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    st.lists(st.sampled_from(("p", "q", "r")), min_size=1, max_size=3, unique=True),
)
writings = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 8)), min_size=1, max_size=25
)


def streams_of(
    shapes: list[tuple[list[str], list[str]]], written: list[tuple[int, int]]
) -> list[Stream]:
    """Record number n is written n seconds into the run, with values that say who and when."""
    found = []
    for tag, (names, columns) in enumerate(shapes):
        layout = layout_of("g", [Row(name, name, "kernel") for name in names], columns)
        mine = [(number, step) for number, (which, step) in enumerate(written)
                if which % len(shapes) == tag]
        values = np.array(
            [[[1000 * number + 10 * row + column for column in range(len(columns))]
              for row in range(len(names))] for number, _ in mine],
            dtype=np.float32,
        ).reshape(len(mine), len(names), len(columns))
        found.append(Stream(
            f"g/{tag}", layout, tuple(columns), np.array([step for _, step in mine], np.int64),
            np.array([number for number, _ in mine], np.float64), values,
        ))
    return found


def keys(names: list[str]) -> list[tuple[str, int]]:
    return [(name, names[:place].count(name)) for place, name in enumerate(names)]


def told(
    shapes: list[tuple[list[str], list[str]]], written: list[tuple[int, int]]
) -> dict[tuple[int, tuple[str, int], str], float]:
    """(step, row, column) -> value of what is left after restarts."""
    alive: dict[int, int] = {}
    for number, (_, step) in enumerate(written):
        alive = {known: other for known, other in alive.items() if known < step}
        alive[step] = number
    found = {}
    for step, number in alive.items():
        names, columns = shapes[written[number][0] % len(shapes)]
        for row, key in enumerate(keys(names)):
            for place, column in enumerate(columns):
                found[step, key, column] = 1000.0 * number + 10 * row + place
    return found


@settings(max_examples=300, deadline=None)
@given(st.lists(layouts, min_size=1, max_size=4), writings)
@example([(["a"], ["p"]), (["a"], ["p"])], [(1, 0), (0, 2), (1, 1)])
@example([(["a", "b", "a"], ["p"]), (["b", "a"], ["p"])], [(0, 0), (1, 1)])
def test_joining_is_as_told(
    shapes: list[tuple[list[str], list[str]]], written: list[tuple[int, int]]
) -> None:
    merged = merge_group("g", streams_of(shapes, written))
    assert merged is not None
    table = merged.table
    expected = told(shapes, written)
    assert table.steps.tolist() == sorted({step for step, _, _ in expected})
    rows = keys([row.name for row in table.rows])
    assert sorted(rows) == sorted({key for _, key, _ in expected})
    assert set(table.columns) == {column for _, _, column in expected}
    for step, record in zip(table.steps.tolist(), table.low, strict=True):
        for key, line in zip(rows, record, strict=True):
            for column, value in zip(table.columns, line, strict=True):
                known = expected.get((step, key, column))
                assert np.isnan(value) if known is None else value == known
    for step, number in {step: number for number, (_, step) in enumerate(written)}.items():
        if step in table.steps:
            assert table.wall_times[table.steps.tolist().index(step)] == number


def test_nothing_is_no_table() -> None:
    assert merge_group("g", []) is None
    assert merge_group("g", streams_of([(["a"], ["p"]), (["b"], ["q"])], [(0, 1)])) is not None


def test_one_stream_is_not_copied() -> None:
    (stream,) = streams_of([(["a", "b"], ["p"])], [(0, step) for step in range(5)])
    merged = merge_group("g", [stream])
    assert merged is not None
    assert merged.table.low is merged.table.high
    assert np.shares_memory(merged.table.low, stream.values)


def test_layouts_that_share_nothing_do_not_multiply() -> None:
    streams = []
    for tag in range(64):
        rows = [Row(f"{tag}/{row}", "", "kernel") for row in range(500)]
        steps = np.arange(tag * 100, tag * 100 + 100)
        streams.append(Stream(
            f"g/{tag:02}", layout_of("g", rows, ["p"]), ("p",), steps, steps.astype(float),
            np.zeros((100, 500, 1), np.float32),
        ))
    merged = merge_group("g", streams)
    assert merged is not None
    assert merged.table.low.nbytes <= 2**26
    assert "g/00" in merged.left_out
    assert merged.table.rows[-1].name.startswith("63/")
    assert merged.table.steps[-1] == 6399


@given(st.lists(st.lists(st.sampled_from("abcdefg"), unique=True), min_size=1))
def test_an_order_is_a_union_in_which_the_first_rules(orders: list[list[str]]) -> None:
    found = joined(orders)
    assert sorted(found) == sorted({key for order in orders for key in order})
    assert [key for key in found if key in orders[0]] == orders[0]
