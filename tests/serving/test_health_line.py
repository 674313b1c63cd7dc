"""The health line of a run: how far its worst layer is outside the limits, stretch by stretch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.core.rules import dead_relu, unnormalized_input, update_ratio_out_of_range
from tb_convergence.serving.health_line import CELLS, health_line
from tests.histories import features, history, kernels, outputs, run_table, table

LOW, HIGH = update_ratio_out_of_range.LOW, update_ratio_out_of_range.HIGH
HALF = dead_relu.FRACTION


def line(group: str, rows: Any, values: Any, steps: Any = None, name: str = "update_ratio") -> str:
    return health_line(history(table(group, rows, {name: values}, steps)))


@pytest.mark.parametrize(
    ("ratio", "letter"),
    [
        (HIGH, "0"), (LOW, "0"), (0.01, "0"),
        (1.5 * HIGH, "1"), (2 * HIGH, "1"), (9 * HIGH, "2"), (99 * HIGH, "3"), (101 * HIGH, "4"),
        (LOW / 1.5, "a"), (LOW / 9, "b"), (LOW / 99, "c"), (LOW / 101, "d"), (0.0, "d"),
        (math.inf, "i"),
    ],
)
def test_how_far_a_ratio_is_outside_its_band(ratio: float, letter: str) -> None:
    values = np.full((CELLS, 2), 0.01)
    values[:, 1] = ratio
    found = line("variables", kernels("a", "b"), values)
    assert set(found) == {letter}


@pytest.mark.parametrize(
    ("share", "letter"),
    [(HALF, "0"), (HALF + 0.2 * (1 - HALF), "1"), (HALF + 0.7 * (1 - HALF), "3"), (1.0, "4")],
)
def test_a_fraction_is_measured_on_its_way_to_all(share: float, letter: str) -> None:
    rows, name = outputs("a", "b"), "activation_dead_fraction"
    assert set(line("activations", rows, np.full((CELLS, 2), share), name=name)) == {letter}


def test_the_size_of_a_feature_follows_from_its_mean_and_its_spread() -> None:
    """Nobody records the size: the map derives it, and the line must see the same."""
    columns = {
        "feature_mean": np.tile([0.0, 40 * unnormalized_input.LARGE], (CELLS, 1)),
        "feature_std": np.tile([1.0, 30 * unnormalized_input.LARGE], (CELLS, 1)),
    }
    assert set(health_line(history(table("inputs", features("a", "b"), columns)))) == {"3"}


def test_the_worst_row_and_the_worst_record_of_a_stretch_decide() -> None:
    values = np.full((10 * CELLS, 3), 0.01)
    values[15, 2] = 5 * HIGH
    values[17, 0] = 1.5 * HIGH
    assert line("variables", kernels("a", "b", "c"), values) == "02" + "0" * (CELLS - 2)


def test_biases_have_no_limit() -> None:
    rows = (*kernels("a"), *(row for row in kernels("b")))
    biased = tuple(
        row if index == 0 else type(row)("b/bias", "b", "bias", (8,)) for index, row in
        enumerate(rows)
    )
    values = np.full((CELLS, 2), 0.01)
    values[:, 1] = 1e6
    assert set(line("variables", biased, values)) == {"0"}


def test_a_stretch_without_a_record_holds_what_the_one_before_said() -> None:
    found = line(
        "variables", kernels("a"), np.array([[0.01], [50 * HIGH], [0.01]]), [0, 100, 4 * CELLS - 1]
    )
    assert found == "0" * 25 + "3" * (CELLS - 26) + "0"


def test_a_loss_that_is_not_finite_outranks_every_layer() -> None:
    loss = np.ones(CELLS)
    loss[30:] = np.nan
    weights = table("variables", kernels("a"), {"update_ratio": np.full((CELLS, 1), 1e9)})
    assert health_line(history(run_table(loss), weights)) == "4" * 30 + "n" * (CELLS - 30)


def test_without_limits_nothing_is_claimed() -> None:
    assert health_line(history(run_table(np.ones(CELLS)))) == "." * CELLS
    assert health_line(history()) == ""


@given(
    st.lists(
        st.sampled_from([0.01, 1.5 * HIGH, 1e9, 0.0, LOW / 5, math.nan]), min_size=1, max_size=200
    )
)
def test_nothing_bad_is_lost_between_stretches(ratios: list[float]) -> None:
    """The worst letter of the line is that of the worst record."""
    found = line("variables", kernels("a"), np.array(ratios)[:, None])
    order = {".": -1, "0": 0} | {c: int(c) for c in "1234"} | dict(zip("abcd", (1, 2, 3, 4),
                                                                       strict=True))
    alone = [line("variables", kernels("a"), np.array([[r], [r]]))[0] for r in ratios]
    assert max(map(order.__getitem__, found)) == max(map(order.__getitem__, alone))
