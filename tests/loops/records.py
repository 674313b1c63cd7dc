"""Reads a run back through both of TensorBoard's loaders; and an oracle that shares no code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tb_convergence.core.history import RunHistory
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs


def runs(logdir: Path | str) -> dict[str, RunHistory]:
    """All runs, which both loaders tell alike."""
    found: dict[str, dict[str, RunHistory]] = {}
    for loader in ("fast", "python"):
        with open_logdir(Path(logdir), loader) as source:
            found[loader] = {r.name: read_folded(source, r) for r in fold_runs(source.runs())}
    assert found["fast"].keys() == found["python"].keys()
    for name, history in found["python"].items():
        other = found["fast"][name]
        assert history.skipped == other.skipped == ()
        assert history.config == other.config
        assert history.tables.keys() == other.tables.keys()
        for group, table in history.tables.items():
            its = other.tables[group]
            assert (table.rows, table.columns) == (its.rows, its.columns)
            np.testing.assert_array_equal(table.steps, its.steps)
            np.testing.assert_array_equal(table.low, its.low)
    return found["python"]


def only(logdir: Path | str) -> RunHistory:
    """The one run there is."""
    (history,) = runs(logdir).values()
    return history


def value(history: RunHistory, group: str, column: str, step: int, row: int = 0) -> float:
    table = history.tables[group]
    index = table.steps.tolist().index(step)
    return float(table.column(column)[index, row])


class Regression:
    """Linear regression trained by gradient descent, in float64 and by hand.

    The loss is mean((x w + b - y)^2); every number of a step is known in closed form.
    """

    def __init__(self, w: Any, b: Any, rate: float) -> None:
        self.w = np.asarray(w, np.float64)
        self.b = np.asarray(b, np.float64)
        self.rate = rate

    def step(self, x: Any, y: Any) -> dict[str, float]:
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        error = x @ self.w + self.b - y
        gw = 2.0 * x.T @ error / error.size
        gb = 2.0 * error.sum(axis=0) / error.size
        norms = [float(np.sqrt((g**2).sum())) for g in (gw, gb)]
        told = {
            "loss": float((error**2).mean()),
            "gradient_norm": norms[0],
            "gradient_global_norm": float(np.hypot(*norms)),
            "variable_norm": float(np.sqrt((self.w**2).sum())),
            "update_norm": self.rate * norms[0],
            "update_ratio": self.rate * norms[0] / float(np.sqrt((self.w**2).sum())),
        }
        self.w -= self.rate * gw
        self.b -= self.rate * gb
        return told


RUN_COLUMNS = ("loss", "gradient_global_norm")


def assert_told(history: RunHistory, step: int, told: dict[str, float], row: int = 0) -> None:
    """Every number of `told` is in the record of `step`; `row` is the kernel's."""
    for column, expected in told.items():
        group = "run" if column in RUN_COLUMNS else "variables"
        found = value(history, group, column, step, 0 if group == "run" else row)
        np.testing.assert_allclose(found, expected, rtol=2e-5, err_msg=f"{column}, step {step}")
