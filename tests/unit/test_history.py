"""Folding of restarts against a plain re-telling, and what a history says of itself."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tb_convergence.core.diagnosis.onsets import first_true
from tb_convergence.core.history import Axis, RunHistory, Series, Table
from tb_convergence.core.schema import Row
from tb_convergence.reading.restarts import fold_restarts

ROW = Row("a", "a", "kernel")


def series(name: str, steps: list[int], axis: str = "step") -> Series:
    return Series(
        name, np.array(steps), np.zeros(len(steps)), np.zeros(len(steps)), axis=axis
    )


def table(
    group: str, steps: list[int], columns: tuple[str, ...] = ("loss",), **more: object
) -> Table:
    values = np.zeros((len(steps), 1, len(columns)))
    return Table(
        group, (ROW,), columns, np.array(steps), np.zeros(len(steps)), values, values, **more
    )


# Restarts -----------------------------------------------------------------------------------------


def told(steps: list[int]) -> dict[int, int]:
    """What remains, record by record: a record replaces its own step and all later ones."""
    kept: dict[int, int] = {}
    for index, step in enumerate(steps):
        kept = {known: place for known, place in kept.items() if known < step}
        kept[step] = index
    return kept


@given(st.lists(st.integers(0, 12)))
def test_folding_is_as_told(steps: list[int]) -> None:
    kept, restarts = fold_restarts(steps, list(range(len(steps))))
    expected = told(steps)
    assert dict(zip([steps[index] for index in kept], kept.tolist(), strict=True)) == expected
    assert [steps[index] for index in kept] == sorted(expected)
    assert set(restarts) <= set(steps)
    assert bool(restarts) == any(later < max(steps[:place + 1])
                                 for place, later in enumerate(steps[1:], 0))


@given(st.lists(st.integers(0, 12), min_size=1), st.randoms(use_true_random=False))
def test_wall_time_decides_in_any_order(steps: list[int], random: object) -> None:
    written = list(range(len(steps)))
    order = written[:]
    random.shuffle(order)
    shuffled = [steps[place] for place in order]
    assume(any(later <= earlier for earlier, later in pairwise(shuffled)))
    kept, _ = fold_restarts(shuffled, [float(place) for place in order])
    assert {shuffled[index]: order[index] for index in kept} == told(steps)


@given(st.lists(st.integers(0, 2**62), unique=True), st.lists(st.floats(), min_size=200))
def test_growing_steps_are_never_touched(steps: list[int], clock: list[float]) -> None:
    ordered = sorted(steps)[:200]
    kept, restarts = fold_restarts(ordered, clock[: len(ordered)])
    assert kept.tolist() == list(range(len(ordered)))
    assert restarts == ()


def test_the_order_given_counts_where_the_clock_is_broken() -> None:
    kept, restarts = fold_restarts([0, 1, 2, 1], [5.0, float("nan"), 1.0, 2.0])
    assert kept.tolist() == [0, 3]
    assert restarts == (1,)


# Tables and series --------------------------------------------------------------------------------


def test_a_table_insists_on_its_shape() -> None:
    with pytest.raises(ValueError, match=r"\(2, 1, 2\).*\(2, 1, 1\)"):
        Table("run", (ROW,), ("loss",), np.arange(2), np.zeros(2),
              np.zeros((2, 1, 2)), np.zeros((2, 1, 2)))


def test_columns_by_bound() -> None:
    low, high = np.array([[[1.0, -1.0]]]), np.array([[[4.0, 3.0]]])
    bounds = Table("variables", (ROW,), ("norm", "mean"), np.array([0]), np.zeros(1), low, high)
    assert not bounds.exact
    assert [bounds.column("norm", bound).item() for bound in ("low", "middle", "high")] == [1, 2, 4]
    assert bounds.column("mean").item() == 1.0
    with pytest.raises(KeyError, match="gradient_norm"):
        bounds.column("gradient_norm")


def test_the_last_step_counts_steps_before_epochs() -> None:
    def last(*parts: Series | Table) -> int:
        return RunHistory(
            "a",
            {part.group: part for part in parts if isinstance(part, Table)},
            {part.name: part for part in parts if isinstance(part, Series)},
        ).last_step

    assert last() == -1
    assert last(table("run", [])) == -1
    assert last(table("run", [1, 5]), series("loss", [2, 3])) == 5
    assert last(series("epoch_loss", [0, 90], "epoch"), series("loss", [0, 7], "batch")) == 7
    assert last(series("epoch_loss", [0, 90], "epoch")) == 90
    assert last(table("variables", [0, 9], axis="epoch"), table("run", [0, 3])) == 3


def test_a_series_comes_from_the_recorder_first() -> None:
    history = RunHistory(
        "a", {"run": table("run", [1, 2])}, {"loss": series("loss", [7]), "x": series("x", [8])}
    )
    loss, other = history.series("loss"), history.series("x")
    assert loss is not None
    assert loss.steps.tolist() == [1, 2]
    assert other is not None
    assert other.steps.tolist() == [8]
    assert history.series("y") is None


def test_signals_are_what_has_points() -> None:
    history = RunHistory(
        "a",
        {"run": table("run", [1]), "epoch": table("epoch", [], ("epoch_loss",))},
        {"learning_rate": series("learning_rate", []), "x": series("x", [1])},
        config={"optimizer": "SGD"},
    )
    assert history.signals == {"loss", "x", "config"}


@pytest.mark.parametrize(("mask", "length", "expected"), [
    ([], 1, None),
    ([False], 1, None),
    ([True], 1, 0),
    ([True, False, True, True], 2, 2),
    ([True, True], 3, None),
])
def test_first_true(mask: list[bool], length: int, expected: int | None) -> None:
    assert first_true(mask, length) == expected


def test_a_record_that_counts_epochs_is_placed_by_its_wall_time() -> None:
    def counting(axis: Axis, steps: list[int], times: list[float]) -> Series:
        at = np.array(steps, np.int64)
        return Series("s", at, np.zeros(len(at)), np.array(times), axis=axis)

    batches = counting("batch", [0, 10, 20, 30], [1.0, 2.0, 3.0, 4.0])
    epochs = counting("epoch", [0, 1, 2], [2.5, 4.0, math.nan])
    history = RunHistory("r", scalars={"loss": batches, "epoch_loss": epochs})
    assert [history.step_of(batches, index) for index in range(4)] == [0, 10, 20, 30]
    # The last one's clock is broken: it keeps its own number.
    assert [history.step_of(epochs, index) for index in range(3)] == [10, 30, 2]
    alone = RunHistory("r", scalars={"epoch_loss": epochs})
    assert [alone.step_of(epochs, index) for index in range(3)] == [0, 1, 2]
