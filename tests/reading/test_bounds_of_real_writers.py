"""Whatever the array, the interval contains its statistic: written by the libraries, read
through both loaders, and held against the array itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_loaders import LOADERS, histories, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRADIENTS = {"gradient_norm": "norm", "gradient_max": "max", "gradient_mean_abs": "mean_abs",
             "gradient_zero_fraction": "zeros", "gradient_nan_fraction": "nan",
             "gradient_inf_fraction": "inf"}
VARIABLES = {"variable_norm": "norm", "variable_mean": "mean", "variable_std": "std",
             "variable_nonfinite_fraction": "nan"}
EVERY = 40


def truth(values: Array) -> dict[str, float]:
    """In extended precision, by formulas that nothing else shares."""
    exact = np.asarray(values, np.longdouble)
    return {
        "norm": float(np.sqrt(np.sum(exact**2))),
        "max": float(np.max(np.abs(exact))),
        "mean_abs": float(np.mean(np.abs(exact))),
        "mean": float(np.mean(exact)),
        "std": float(np.std(exact)),
        "zeros": float(np.count_nonzero(exact == 0) / exact.size),
        "nan": 0.0,
        "inf": 0.0,
    }


def array(seed: int) -> Array:
    """One of many kinds: dense, sparse, constant, an outlier, decades of scale, few values."""
    rng = np.random.default_rng(seed)
    size = int(rng.choice([1, 2, 3, 17, 300, 2_000]))
    values = rng.normal(rng.choice([0.0, 1.0, -5.0]), 1.0, size) * 10.0 ** rng.integers(-12, 7)
    kind = seed % 7
    if kind == 1:
        values = np.maximum(values, 0.0)
    elif kind == 2:
        values[rng.uniform(size=size) < 0.9] = 0.0
    elif kind == 3:
        values[:] = values[0]
    elif kind == 4:
        values[rng.integers(size)] *= 1e8
    elif kind == 5:
        values = np.sign(values) * 10.0 ** rng.uniform(-28, 18, size)
    elif kind == 6:
        values = rng.integers(-2, 3, size).astype(float)
    return values.astype(np.float32).astype(np.float64)


def tensorflow_1(logdir: Path, arrays: Sequence[Array]) -> None:
    """The op in a graph, as the classic recipe has it."""
    v1 = pytest.importorskip("tensorflow").compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        given_ = v1.placeholder(v1.float64, [None])
        both = v1.summary.merge(
            [v1.summary.histogram(tag, given_) for tag in ("gradients/w", "variables/w")]
        )
        with v1.summary.FileWriter(str(logdir)) as writer:
            for step, values in enumerate(arrays):
                writer.add_summary(session.run(both, {given_: values}), step)


def tensorflow_2(logdir: Path, arrays: Sequence[Array]) -> None:
    """Eagerly."""
    tf = pytest.importorskip("tensorflow")
    with tf.summary.create_file_writer(str(logdir)).as_default():
        for step, values in enumerate(arrays):
            for tag in ("gradients/w", "variables/w"):
                tf.summary.histogram(tag, values, step=step)


def tensorboardx(logdir: Path, arrays: Sequence[Array]) -> None:
    """What PyTorch's own writer is a copy of."""
    library = pytest.importorskip("tensorboardX")
    with library.SummaryWriter(str(logdir)) as writer:
        for step, values in enumerate(arrays):
            for tag in ("gradients/w", "variables/w"):
                writer.add_histogram(tag, values, step)


WRITERS: dict[str, Any] = {
    "TensorFlow 1": pytest.param(tensorflow_1, marks=pytest.mark.tensorflow, id="TensorFlow 1"),
    "TensorFlow 2": pytest.param(tensorflow_2, marks=pytest.mark.tensorflow, id="TensorFlow 2"),
    "tensorboardX": pytest.param(tensorboardx, id="tensorboardX"),
}


@pytest.mark.parametrize("write", WRITERS.values())
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(first=st.integers(0, 2**31))
def test_every_interval_contains_the_truth_in_both_loaders(
    tmp_path_factory: pytest.TempPathFactory, write: Callable[..., None], first: int
) -> None:
    logdir = tmp_path_factory.mktemp("log")
    arrays = [array(first + index) for index in range(EVERY)]
    write(logdir, arrays)
    read(logdir)  # both loaders tell the same
    for loader in LOADERS:
        table = histories(logdir, loader)["."].tables["variables"]
        assert table.steps.tolist() == list(range(EVERY))
        for step, values in enumerate(arrays):
            expected = truth(values)
            for column, statistic in (*GRADIENTS.items(), *VARIABLES.items()):
                place = table.columns.index(column)
                low, high = (float(bound[step, 0, place]) for bound in (table.low, table.high))
                assert low <= expected[statistic] <= high, (column, first + step, loader)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("write", [WRITERS["TensorFlow 2"], WRITERS["tensorboardX"]])
def test_what_is_not_finite_is_seen_and_nothing_else_is_claimed(
    tmp_path: Path, write: Callable[..., None], bad: float
) -> None:
    healthy = np.random.default_rng(0).normal(size=100)
    corrupt = healthy.copy()
    corrupt[7] = bad
    write(tmp_path, [healthy, corrupt, healthy])  # TensorFlow 1's op ends the training instead
    table = read(tmp_path).tables["variables"]
    seen = "gradient_nan_fraction" if np.isnan(bad) else "gradient_inf_fraction"
    bounds = [table.column(seen, bound)[:, 0] for bound in ("low", "high")]
    assert [low for low, _ in zip(*bounds, strict=True)][::2] == [0, 0]
    assert 0 < bounds[0][1] <= 0.01 <= bounds[1][1] <= 1
    assert table.column("variable_nonfinite_fraction", "low")[1, 0] > 0
    for column in (*GRADIENTS, *VARIABLES):
        if "fraction" not in column:
            known = ~np.isnan(table.column(column, "low")[:, 0])
            assert known.tolist() == [True, False, True], column
