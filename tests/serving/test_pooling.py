"""Heat maps against a brute-force oracle: what is worst survives, whatever the map's width."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row
from tb_convergence.core.statistics import columns
from tb_convergence.serving.derived import derivable, derived
from tb_convergence.serving.heatmap import heatmap
from tb_convergence.serving.limits import LIMITS
from tests.serving.contract import HeatMap
from tests.serving.samples import table, variable_rows

NAN, INF = math.nan, math.inf


def rows_of(count: int) -> tuple[Row, ...]:
    return tuple(Row(f"v{i}", f"v{i}", "kernel") for i in range(count))


def drawn(of: Table, metric: str, width: int = 600) -> HeatMap:
    return HeatMap(heatmap(RunHistory("r"), of, metric, width, LIMITS))


def simple(values: Any, metric: str = "gradient_norm", **more: Any) -> Table:
    """A table of one metric `[S, R]` and others that broadcast."""
    array = np.asarray(values, dtype=np.float32)
    steps = np.arange(len(array), dtype=np.int64) * 10
    return table("variables", rows_of(array.shape[1]), steps, {metric: array, **more})


# --- an independent oracle, in plain Python -------------------------------------------------------


def oracle_code(value: float, nan: float, inf: float) -> int:
    if nan > 0:
        return 2
    if inf > 0 or math.isinf(value):
        return 3
    return 1 if math.isnan(value) else 0


def oracle_cell(
    records: list[tuple[float, int]], row: list[float], worst: str
) -> tuple[set[float], int]:
    """Possible values and the code of one cell, from its records' values and codes.

    Two values at the same distance from what is usual in the `row` are both the worst.
    """
    codes = [code for _, code in records]
    code = next(c for c in (2, 3, 0, 1) if c in codes)
    finite = [value for value, _ in records if math.isfinite(value)]
    if not finite:
        return set(), code
    if worst == "high":
        return {max(finite)}, code
    if worst == "low":
        return {min(finite)}, code
    positive = sorted(v for v in row if math.isfinite(v) and v > 0)
    if not positive:
        return {max(finite)}, code
    logs = [math.log10(v) for v in positive]
    usual = (logs[(len(logs) - 1) // 2] + logs[len(logs) // 2]) / 2

    def away(value: float) -> float:
        return abs((math.log10(value) if value > 0 else logs[0] - 1) - usual)

    low, high = min(finite), max(finite)
    if math.isclose(away(low), away(high), abs_tol=1e-6):
        return {low, high}, code
    return {low if away(low) > away(high) else high}, code


METRICS = {"gradient_norm": "both", "gradient_zero_fraction": "high", "variable_norm": "both"}
VALUES = st.sampled_from([0.0, 1e-12, 1e-3, 0.5, 1.0, 1.0, 1.0, 2.0, 1e6, 1e30, NAN, NAN, INF])


@settings(max_examples=300, deadline=None)
@given(
    data=st.data(),
    metric=st.sampled_from(sorted(METRICS)),
    records=st.integers(1, 40),
    rows=st.integers(1, 4),
    width=st.integers(1, 50),
)
def test_every_cell_is_the_worst_of_its_records(
    data: Any, metric: str, records: int, rows: int, width: int
) -> None:
    def grid(of: Any) -> Any:
        return data.draw(
            st.lists(st.lists(of, min_size=rows, max_size=rows), min_size=records, max_size=records)
        )

    values = grid(VALUES)
    nan, inf = grid(st.sampled_from([0.0, 0.0, 0.0, 0.5])), grid(st.sampled_from([0.0, 0.0, 0.1]))
    corrupt = (
        {"variable_nonfinite_fraction": nan}
        if metric == "variable_norm"
        else {"gradient_nan_fraction": nan, "gradient_inf_fraction": inf}
    )
    heat = drawn(simple(values, metric, **{k: np.asarray(v) for k, v in corrupt.items()}), metric,
                 width)
    cells = heat.header["cells"]
    assert cells == min(width, records)
    of_cell = [index * cells // records for index in range(records)]
    # Every record lies in exactly one cell, in order, and none is empty.
    first = [step // 10 for step in heat.header["first_steps"]]
    last = [step // 10 for step in heat.header["last_steps"]]
    assert first[0] == 0
    assert last[-1] == records - 1
    assert [a + 1 for a in last[:-1]] == first[1:]
    assert max(b - a for a, b in zip(first, last, strict=True)) <= records // cells
    assert len(of_cell) == records
    for row in range(rows):
        column = [float(np.float32(values[s][row])) for s in range(records)]
        for cell in range(cells):
            inside = range(first[cell], last[cell] + 1)
            infinite = 0.0 if metric == "variable_norm" else None
            expected, code = oracle_cell(
                [
                    (column[s], oracle_code(column[s], nan[s][row],
                                            inf[s][row] if infinite is None else infinite))
                    for s in inside
                ],
                column, METRICS[metric],
            )
            assert heat.codes[row][cell] == code
            found = heat.values[row][cell]
            assert found in expected if expected else math.isnan(found)


def test_one_nan_row_among_2000_and_one_spike_among_10000_survive() -> None:
    rng = np.random.default_rng(0)
    values = rng.lognormal(0, 0.2, (500, 2_000)).astype(np.float32)
    nan = np.zeros((500, 2_000))
    nan[:, 1234] = 1.0
    values[:, 1234] = NAN
    heat = drawn(simple(values, gradient_nan_fraction=nan), "gradient_norm")
    assert heat.header["cells"] == 100  # 200,000 / 2,000
    assert set(heat.codes[1234]) == {2}
    assert sum(2 in codes for codes in heat.codes) == 1

    values = rng.lognormal(0, 0.2, (10_000, 4)).astype(np.float32)
    values[7_777, 2] = 1e9
    values[3_333, 1] = 1e-9
    heat = drawn(simple(values), "gradient_norm")
    assert heat.header["cells"] == 600
    assert sum(value > 1e8 for value in heat.values[2]) == 1
    assert sum(value < 1e-8 for value in heat.values[1]) == 1
    assert heat.header["maximum"] == pytest.approx(1e9)
    assert heat.header["minimum"] == pytest.approx(1e-9)

    # A single NaN step, and a single infinite one, in one row.
    nan = np.zeros((10_000, 4))
    nan[5_000, 3] = 1e-7
    inf = np.zeros((10_000, 4))
    inf[5_003, 3], inf[9_999, 0] = 1.0, 1.0
    heat = drawn(simple(values, gradient_nan_fraction=nan, gradient_inf_fraction=inf),
                 "update_ratio", 10)
    assert [codes.count(2) for codes in heat.codes] == [0, 0, 0, 1]
    assert [codes.count(3) for codes in heat.codes] == [1, 0, 0, 0]


def test_an_explosion_is_not_hidden_by_a_zero_in_the_same_cell() -> None:
    values = np.ones((100, 1))
    values[50], values[51] = 0.0, 1e20
    assert max(drawn(simple(values), "gradient_norm", 2).values[0]) == np.float32(1e20)
    values[51] = 1.0
    assert min(drawn(simple(values), "gradient_norm", 2).values[0]) == 0.0


def test_corruption_is_that_of_the_metric_s_own_tensor() -> None:
    ones = np.ones((3, 1))
    rows = simple(ones, "gradient_norm", variable_norm=1.0, update_ratio=1.0,
                  gradient_nan_fraction=0.0, variable_nonfinite_fraction=[[0], [0.5], [0]])
    assert drawn(rows, "gradient_norm").codes[0] == [0, 0, 0]
    assert drawn(rows, "variable_norm").codes[0] == [0, 2, 0]
    assert drawn(rows, "update_ratio").codes[0] == [0, 2, 0]
    # The fraction is the measurement itself: a value, with its own scale.
    heat = drawn(rows, "variable_nonfinite_fraction")
    assert (heat.codes[0], heat.values[0]) == ([0, 0, 0], (0.0, 0.5, 0.0))


def test_undefined_is_no_data_and_never_corruption() -> None:
    heat = drawn(simple([[NAN, 1.0], [NAN, NAN]], gradient_nan_fraction=0.0), "gradient_norm")
    assert heat.codes == [[1, 1], [0, 1]]
    assert heat.header["minimum"] == heat.header["maximum"] == 1.0


def interval(low: list[float], high: list[float], **more: list[float]) -> Table:
    names = ("gradient_norm", *more)
    lows = np.array([low, *more.values()], dtype=np.float64).T[:, None, :]
    highs = np.array([high, *[[1.0] * len(low) for _ in more]], dtype=np.float64).T[:, None, :]
    steps = np.arange(len(low), dtype=np.int64)
    return Table("variables", rows_of(1), names, steps, steps.astype(float), lows, highs,
                 source="histograms")


def test_intervals_are_drawn_at_their_middle_and_prove_nothing_by_their_upper_end() -> None:
    of = interval([1.0, 4.0, 2.0, NAN, -INF, INF], [4.0, 4.0, INF, NAN, INF, INF])
    heat = drawn(of, "gradient_norm")
    assert heat.codes[0] == [0, 0, 0, 1, 1, 3]
    assert heat.values[0][:3] == (2.0, 4.0, 2.0)
    # "Between 0 and 1 of the entries are NaN" is not "NaN was seen".
    of = interval([1.0, 1.0], [1.0, 1.0], gradient_nan_fraction=[0.0, 0.01])
    assert drawn(of, "gradient_norm").codes[0] == [0, 2]


def test_values_beyond_float32_stay_finite() -> None:
    heat = drawn(interval([1e300, 1e-300], [1e300, 1e-300]), "gradient_norm")
    assert heat.codes[0] == [0, 0]
    assert heat.values[0] == (float(np.finfo(np.float32).max), 0.0)


@pytest.mark.parametrize(
    ("rows", "records", "width", "cells"),
    [(0, 5, 600, 0), (5, 0, 600, 0), (1, 1, 600, 1), (3, 7, 1, 1), (400, 2_000, 600, 500),
     (2_000, 1_000, 2_000, 100), (100, 3_000, 2_000, 2_000)],
)
def test_sizes(rows: int, records: int, width: int, cells: int) -> None:
    of = table("variables", rows_of(rows), np.arange(records, dtype=np.int64),
               {"gradient_norm": 1.0})
    heat = drawn(of, "gradient_norm", width)
    assert (heat.header["rows"], heat.header["cells"]) == (rows, cells)


def test_rows_beyond_the_limit_of_cells_share_one_cell_each() -> None:
    """A layout may have 100,000 rows; the map then has two cells a row."""
    values = np.ones((5, 100_000, 1), dtype=np.float32)
    steps = np.arange(5, dtype=np.int64)
    row = Row("v", "v", "kernel")
    of = Table("variables", (row,) * 100_000, ("gradient_norm",), steps, steps.astype(float),
               values, values)
    assert drawn(of, "gradient_norm").header["cells"] == 2


def test_unknown_columns_of_other_writers_can_be_drawn() -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3, 1)
    steps = np.arange(4, dtype=np.int64)
    of = Table("mine", rows_of(3), ("my_number",), steps, steps.astype(float), values, values)
    assert drawn(of, "my_number", 2).values == [(3.0, 9.0), (4.0, 10.0), (5.0, 11.0)]


def test_the_trend_is_drawn_and_knows_where_its_tensor_was_corrupt() -> None:
    norm = np.tile(10.0 ** (np.arange(60.0) / 10)[:, None], (1, 2))
    nan = np.zeros((60, 2))
    norm[50:, 1], nan[50:, 1] = np.nan, 1.0
    of = derived(simple(norm, gradient_nan_fraction=nan), "gradient_trend")
    assert of is not None
    heat = drawn(of, "gradient_trend")
    assert heat.codes[0] == [1] * 5 + [0] * 55
    assert heat.codes[1] == [1] * 5 + [0] * 45 + [2] * 10
    # One decade in ten records.
    assert heat.values[0][30] == pytest.approx(1.0, abs=1e-4)
    assert derived(simple(norm), "activation_trend") is None
    assert derived(simple(norm), "update_ratio") is None
    assert [one.name for one in derivable(simple(norm))] == ["gradient_trend"]
    assert derivable(simple(norm[:5])) == []
    assert derivable(simple(np.full((60, 1), np.nan))) == []


def test_the_size_of_a_feature_is_that_of_mean_and_spread() -> None:
    batch = np.random.default_rng(3).normal([2e25, -3.0, 0.1], [1e24, 4.0, 7.0], (50, 3))
    columns = {
        "feature_mean": batch.mean(axis=0), "feature_std": batch.std(axis=0),
        "feature_nan_fraction": np.array([0.0, 0.5, 0.0]),
    }
    values = np.stack([np.tile(one, (4, 1)) for one in columns.values()], axis=2)
    values = values.astype(np.float32)
    steps = np.arange(4, dtype=np.int64)
    rows = tuple(Row(f"input[{i}]", "input", "input", (i, i + 1)) for i in range(3))
    of = Table("inputs", rows, tuple(columns), steps, steps.astype(float), values, values)
    assert [one.name for one in derivable(of)] == ["feature_rms"]
    sizes = derived(of, "feature_rms")
    assert sizes is not None
    heat = drawn(sizes, "feature_rms")
    assert [row[0] for row in heat.values] == pytest.approx(
        np.sqrt((batch**2).mean(axis=0)), rel=1e-5
    )
    assert [row[0] for row in heat.codes] == [0, 2, 0]
    bare = replace(of, columns=of.columns[:1], low=values[:, :, :1], high=values[:, :, :1])
    assert derivable(bare) == []
    assert derived(bare, "feature_rms") is None
    huge = np.full_like(values, np.finfo(np.float32).max)
    beyond = derived(replace(of, low=huge, high=huge), "feature_rms")
    assert beyond is not None
    assert np.isposinf(beyond.column("feature_rms")).all()


def test_every_metric_of_the_catalogue_can_be_drawn() -> None:
    for name in columns("variables"):
        of = table("variables", variable_rows(2), np.arange(3, dtype=np.int64), {name: 0.25})
        assert {code for codes in drawn(of, name).codes for code in codes} <= {0, 1, 2, 3}
