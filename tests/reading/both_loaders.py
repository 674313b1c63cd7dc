"""Reads a log directory with both of TensorBoard's loaders and insists that they tell the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

LOADERS = ("fast", "python")


def histories(logdir: Path, loader: str) -> dict[str, RunHistory]:
    """All runs as one loader gives them."""
    with open_logdir(logdir, loader) as source:  # type: ignore[arg-type]
        return {run.name: read_folded(source, run) for run in fold_runs(source.runs())}


def read_all(logdir: Path) -> dict[str, RunHistory]:
    """All runs, after both loaders gave the same. Restarts are the Python loader's: see below."""
    fast, python = (histories(logdir, loader) for loader in LOADERS)
    assert fast.keys() == python.keys()
    for run, history in python.items():
        assert_same(history, fast[run])
    return python


def read(logdir: Path, run: str | None = None) -> RunHistory:
    """One run, or the only one, after both loaders gave the same."""
    found = read_all(logdir)
    if run is None:
        (run,) = found
    return found[run]


def assert_same(one: RunHistory, other: RunHistory) -> None:
    """Equal in everything but `restarts`: the fast loader drops what a restart replaced."""
    assert one.run == other.run
    assert one.source_runs == other.source_runs
    assert one.config == other.config
    assert one.experiments == other.experiments
    assert one.tag_families == other.tag_families
    assert sorted(one.skipped, key=repr) == sorted(other.skipped, key=repr)
    assert one.tables.keys() == other.tables.keys()
    for group, table in one.tables.items():
        _same_table(table, other.tables[group])
    assert one.scalars.keys() == other.scalars.keys()
    for name, series in one.scalars.items():
        _same_series(series, other.scalars[name])


def _same_table(one: Table, other: Table) -> None:
    for attribute in ("group", "rows", "columns", "source", "total", "exact", "axis"):
        assert getattr(one, attribute) == getattr(other, attribute), attribute
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(one.wall_times, other.wall_times)
    if one.exact:
        np.testing.assert_array_equal(one.low, other.low)
    else:
        # The Python loader rounds histograms to float32, a share of the largest bound.
        for bound, its in ((one.low, other.low), (one.high, other.high)):
            _same_bounds(bound, its)


def _same_bounds(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    largest = np.nanmax(np.abs(other), initial=0.0)
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * largest)


def _same_series(one: Series, other: Series) -> None:
    assert (one.name, one.source, one.axis) == (other.name, other.source, other.axis)
    np.testing.assert_array_equal(one.steps, other.steps)
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.wall_times, other.wall_times)
