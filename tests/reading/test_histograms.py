"""Histograms of gradients and variables through both loaders: the bounds contain the truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS, histories, read
from event_files import EventFile
from histogram_writers import WRITERS, pytorch, tensorflow_1, tensorflow_2

from tb_convergence.core.gaps import TagFamily
from tb_convergence.core.history import Table
from tb_convergence.core.reductions import reduce
from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading import TagPattern, open_logdir, read_run

EXPECTED = {
    "gradient_norm": "norm",
    "gradient_max": "max_abs",
    "gradient_mean_abs": "mean_abs",
    "gradient_zero_fraction": "zero_fraction",
    "gradient_nan_fraction": "nan_fraction",
    "gradient_inf_fraction": "inf_fraction",
    "variable_norm": "norm",
    "variable_mean": "mean",
    "variable_std": "std",
}


def inside(table: Table, column: str, step: int, row: int, value: float) -> bool:
    """Whether the interval contains `value`."""
    index = table.columns.index(column)
    low, high = (float(bound[step, row, index]) for bound in (table.low, table.high))
    return low <= value <= high


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("names", [
    pytest.param(("gradients/{}_0", "variables/{}_0"), id="the classic recipe"),
    pytest.param(("{}.grad", "{}"), id="PyTorch"),
    pytest.param(("grads/{}", "{}/histogram"), id="beside Keras"),
])
def test_bounds_contain_the_truth(
    tmp_path: Path, writer: Callable[..., None], names: tuple[str, str]
) -> None:
    rng = np.random.default_rng(0)
    variables = ("dense/kernel", "dense/bias", "dense_1/kernel")
    truth = {}
    with EventFile(tmp_path) as file:
        for step in range(6):
            for place, variable in enumerate(variables):
                gradient = rng.normal(0, 10.0 ** -(2 * step), (20, place + 1)).astype(np.float32)
                gradient[: 4 * place] = 0.0
                weights = rng.normal(place, 0.1, (20, place + 1)).astype(np.float32)
                writer(file, names[0].format(variable), step, gradient)
                writer(file, names[1].format(variable), step, weights)
                truth[step, variable] = reduce(gradient), reduce(weights)
    history = read(tmp_path)
    table = history.tables["variables"]
    assert (table.source, table.exact) == ("histograms", False)
    assert [row.name for row in table.rows] == ["dense/bias", "dense/kernel", "dense_1/kernel"]
    assert table.steps.tolist() == list(range(6))
    for (step, variable), (gradient, weights) in truth.items():
        row = [row.name for row in table.rows].index(variable)
        for column, statistic in EXPECTED.items():
            value = getattr(weights if column.startswith("variable") else gradient, statistic)
            assert inside(table, column, step, row, value), (column, step, variable)
    assert history.skipped == ()


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_an_all_zero_gradient_is_known_exactly(
    tmp_path: Path, writer: Callable[..., None]
) -> None:
    with EventFile(tmp_path) as file:
        writer(file, "gradients/w", 0, np.zeros(50))
    table = read(tmp_path).tables["variables"]
    for column, value in (("gradient_norm", 0.0), ("gradient_zero_fraction", 1.0)):
        assert table.column(column, "low").tolist() == [[value]]
        assert table.column(column, "high").tolist() == [[value]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_tensorflow_2_shows_non_finite_entries(tmp_path: Path, bad: float) -> None:
    healthy = np.random.default_rng(1).normal(size=100)
    corrupt = np.append(healthy[1:], bad)
    with EventFile(tmp_path) as file:
        tensorflow_2(file, "gradients/w", 0, healthy)
        tensorflow_2(file, "gradients/w", 1, corrupt)
        tensorflow_2(file, "variables/w", 1, corrupt)
    table = read(tmp_path).tables["variables"]
    column = "gradient_nan_fraction" if np.isnan(bad) else "gradient_inf_fraction"
    low, high = table.column(column, "low"), table.column(column, "high")
    assert low[0, 0] == high[0, 0] == 0
    assert 0 < low[1, 0] <= 0.01 < high[1, 0] == 1
    assert np.isnan(table.column("gradient_norm")[1, 0])
    assert table.column("variable_nonfinite_fraction", "low")[1, 0] > 0


def test_a_gradient_without_its_variable_and_the_other_way_round(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        tensorflow_2(file, "gradients/a", 0, np.ones(3))
        tensorflow_2(file, "variables/b", 5, np.ones(4))
    table = read(tmp_path).tables["variables"]
    assert [row.name for row in table.rows] == ["a", "b"]
    assert table.steps.tolist() == [0, 5]
    np.testing.assert_array_equal(
        np.isnan(table.column("gradient_norm")), [[False, True], [True, True]]
    )
    np.testing.assert_array_equal(
        np.isnan(table.column("variable_norm")), [[True, True], [True, False]]
    )


def test_only_weights_make_no_gradient_columns(tmp_path: Path) -> None:
    with EventFile(tmp_path / "train") as file:
        tensorflow_2(file, "dense/kernel/histogram", 0, np.ones(3))
    table = read(tmp_path).tables["variables"]
    assert not any(column.startswith("gradient") for column in table.columns)
    assert table.rows[0].kind == "kernel"


@pytest.mark.parametrize(("every", "axis"), [(1, "epoch"), (10, "step")])
def test_keras_weights_count_epochs(tmp_path: Path, every: int, axis: str) -> None:
    with EventFile(tmp_path) as file:
        for epoch in range(3):
            tensorflow_2(file, "dense/kernel/histogram", epoch, np.ones(3))
            tensorflow_2(file, "gradients/dense/kernel", epoch * every, np.ones(3))
    history = read(tmp_path)
    table = history.tables["variables"]
    assert table.axis == axis
    assert table.steps.tolist() == [0, every, 2 * every]
    assert table.has("variable_norm") == (axis == "epoch")
    assert len(history.skipped) == (axis == "step")
    assert history.last_step == 2 * every


def test_the_recorder_rules_out_histograms(tmp_path: Path) -> None:
    layout = layout_of("variables", (Row("a", "a", "kernel"),), ("gradient_norm",))
    with EventFile(tmp_path) as file:
        file.record(layout, 0, [[1.0]])
        tensorflow_2(file, "gradients/b", 0, np.ones(3))
        tensorflow_2(file, "fc.weight", 0, np.ones(3))
    history = read(tmp_path)
    assert [row.name for row in history.tables["variables"].rows] == ["a"]
    assert history.skipped == ()


def test_ambiguous_and_unknown_names_are_told(tmp_path: Path) -> None:
    with EventFile(tmp_path / "a") as file:
        tensorflow_2(file, "fc.weight", 0, np.ones(3))
        tensorflow_2(file, "gradients/w", 0, np.ones(3))
    with EventFile(tmp_path / "b") as file:
        pytorch(file, "blobs/1", 0, np.ones(3))
        pytorch(file, "blobs/2", 0, np.ones(3))
    for loader in LOADERS:
        found = histories(tmp_path, loader)
        assert found["a"].tag_families == (
            TagFamily("{v}", "either", None, 1, ("fc.weight",)),
        )
        assert found["b"].tag_families == (
            TagFamily("blobs/{v}", "unknown", None, 2, ("blobs/1", "blobs/2")),
        )
        assert not found["b"].tables
        assert found["a"].skipped == found["b"].skipped == ()


@pytest.mark.parametrize("loader", LOADERS)
def test_names_of_ones_own(tmp_path: Path, loader: str) -> None:
    with EventFile(tmp_path) as file:
        tensorflow_2(file, "fc.weight", 0, np.ones(3))
        tensorflow_2(file, "before/fc.weight", 0, np.full(3, 2.0))
    patterns = [TagPattern.parse("before/{v}", "variable"), TagPattern.parse("{v}", "gradient")]
    with open_logdir(tmp_path, loader) as source:
        history = read_run(source.provider, source.context, "", ".", patterns=patterns)
    table = history.tables["variables"]
    assert [row.name for row in table.rows] == ["fc.weight"]
    assert inside(table, "gradient_norm", 0, 0, 3**0.5)
    assert inside(table, "variable_norm", 0, 0, 12**0.5)
    assert history.skipped == ()


@pytest.mark.parametrize("bad", [
    pytest.param(np.zeros((3, 4)), id="four columns"),
    pytest.param(np.array([[0.0, 1.0, -5.0]]), id="negative count"),
    pytest.param(np.array([[0.0, 1.0, np.nan]]), id="NaN count"),
    pytest.param(np.float32(3.0) * np.ones(()), id="a scalar"),
    pytest.param(["a"], id="text"),
])
def test_a_bad_histogram_costs_one_point(tmp_path: Path, bad: object) -> None:
    with EventFile(tmp_path) as file:
        tensorflow_2(file, "gradients/w", 0, np.ones(3))
        file.tensor("gradients/w", 1, bad, plugin="histograms")
        tensorflow_2(file, "gradients/w", 2, np.ones(3))
    history = read(tmp_path)
    assert history.tables["variables"].steps.tolist() == [0, 2]
    assert [(s.tag, s.step) for s in history.skipped] == [("gradients/w", 1)]


def test_a_restart_and_duplicates(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for wall_time, step in enumerate([0, 1, 2, 3, 1, 1]):
            data = np.full(4, float(wall_time))
            tensorflow_1(file, "gradients/w", step, data, 1e9 + wall_time)
    history = read(tmp_path)
    table = history.tables["variables"]
    assert table.steps.tolist() == [0, 1]
    assert table.column("gradient_max", "low")[:, 0] == pytest.approx([0, 5])
    assert history.restarts == (1,)


def test_empty_and_torn_histograms(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        tensorflow_2(file, "gradients/w", 0, np.empty(0))
        file.tensor("gradients/w", 1, np.empty((0, 3)), plugin="histograms")
    table = read(tmp_path).tables["variables"]
    assert table.steps.tolist() == [0, 1]
    assert np.isnan(table.low).all()
