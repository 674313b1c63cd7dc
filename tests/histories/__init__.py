"""Draws run histories by hand: the numbers a rule sees, without any training or event file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.schema import Row

Columns = Mapping[str, ArrayLike]


def table(
    group: str,
    rows: Sequence[Row],
    columns: Columns,
    steps: ArrayLike | None = None,
    *,
    high: Columns | None = None,
) -> Table:
    """A table from columns; each column broadcasts to `[S, R]` (`[S]` applies to all rows)."""
    arrays = {name: np.asarray(values, float) for name, values in columns.items()}
    length = max(len(a) for a in arrays.values()) if steps is None else len(np.atleast_1d(steps))

    def stack(source: Mapping[str, np.ndarray]) -> np.ndarray:
        shaped = [a[:, None] if a.ndim == 1 else a for a in source.values()]
        return np.stack([np.broadcast_to(a, (length, len(rows))) for a in shaped], axis=2)

    low = stack(arrays)
    upper = low
    if high is not None:
        upper = stack(arrays | {name: np.asarray(values, float) for name, values in high.items()})
    at = np.arange(length) if steps is None else np.asarray(steps)
    times = at.astype(float)
    return Table(group, tuple(rows), tuple(arrays), at.astype(np.int64), times, low, upper)


def kernels(*names: str, activation: str = "relu") -> tuple[Row, ...]:
    """One kernel row per layer name."""
    return tuple(Row(f"{n}/kernel", n, "kernel", (8, 8), "float32", activation) for n in names)


def outputs(*names: str, activation: str = "relu") -> tuple[Row, ...]:
    """One activation row per layer name."""
    return tuple(Row(n, n, "output", (8,), "float32", activation) for n in names)


def features(*names: str, kind: str = "input") -> tuple[Row, ...]:
    """One input row per feature name."""
    return tuple(Row(n, "input", kind, (i, i + 1)) for i, n in enumerate(names))


def run_table(loss: ArrayLike, **more: ArrayLike) -> Table:
    """The `run` table of a run recorded at every step."""
    values = np.asarray(loss, float)
    columns: dict[str, Any] = {
        "loss": values,
        "window_loss_mean": values,
        "window_steps": np.ones(len(values)),
        **more,
    }
    return table("run", (Row("run", "run", "run"),), columns)


def history(
    *tables: Table, config: Mapping[str, Any] | None = None, **scalars: Series
) -> RunHistory:
    """A history of the given tables."""
    return RunHistory("drawn", {t.group: t for t in tables}, scalars, config or {})


def series(
    name: str, values: ArrayLike, steps: ArrayLike | None = None, axis: Any = "step"
) -> Series:
    """A plain scalar series."""
    array = np.asarray(values, float)
    at = np.arange(len(array)) if steps is None else np.asarray(steps)
    return Series(name, at.astype(np.int64), array, at.astype(float), "drawn", axis)


def falling(
    length: int = 200, start: float = 2.3, end: float = 0.1, noise: float = 0.02
) -> np.ndarray:
    """A healthy loss: exponential fall with seeded noise."""
    t = np.linspace(0, 5, length)
    rng = np.random.default_rng(7)
    return end + (start - end) * np.exp(-t) + noise * rng.standard_normal(length)


def flat(length: int = 200, level: float = 2.3, noise: float = 0.02) -> np.ndarray:
    """A loss that stands still."""
    return level + noise * np.random.default_rng(8).standard_normal(length)


def healthy(length: int = 200) -> RunHistory:
    """A healthy recorded run of three dense layers with every table."""
    names = ("hidden_1", "hidden_2", "output")
    rng = np.random.default_rng(9)
    wobble = np.exp(0.2 * rng.standard_normal((length, 3)))
    variables = table(
        "variables",
        kernels(*names),
        {
            "gradient_norm": 0.5 * wobble,
            "gradient_mean_abs": np.array([0.004, 0.006, 0.01]) * wobble,
            "gradient_max": 0.1 * wobble,
            "gradient_zero_fraction": np.full((length, 3), 0.1),
            "gradient_nan_fraction": np.zeros((length, 3)),
            "gradient_inf_fraction": np.zeros((length, 3)),
            "variable_norm": np.full((length, 3), 8.0),
            "variable_nonfinite_fraction": np.zeros((length, 3)),
            "update_norm": 0.01 * wobble,
            "update_ratio": 1.2e-3 * wobble,
        },
    )
    activations = table(
        "activations",
        outputs(*names),
        {
            "activation_std": np.full((length, 3), 0.8),
            "activation_nan_fraction": np.zeros((length, 3)),
            "activation_inf_fraction": np.zeros((length, 3)),
            "activation_dead_fraction": np.full((length, 3), 0.05),
            "activation_saturated_fraction": np.full((length, 3), np.nan),
        },
    )
    inputs = table(
        "inputs",
        features("a", "b"),
        {
            "feature_mean": 0.1 * rng.standard_normal((length, 2)),
            "feature_std": np.ones((length, 2)),
            "feature_nan_fraction": np.zeros((length, 2)),
            "feature_inf_fraction": np.zeros((length, 2)),
        },
    )
    loss = falling(length)
    epochs = np.arange(19, length, 20)
    epoch = table(
        "epoch",
        (Row("epoch", "epoch", "epoch"),),
        {"epoch_loss": loss[epochs], "validation_loss": loss[epochs] * 1.1 + 0.02},
        epochs,
    )
    run = run_table(loss, learning_rate=np.full(length, 1e-3))
    return history(variables, activations, inputs, run, epoch)
