"""Pieces of which the example runs are made. Seeded: the same run every time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import histories as draw
from histories.rules import cases

from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row

STEPS = 120
LAYERS = ("dense", "dense_1", "dense_2")
Config = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """One example.

    Attributes:
        scene: what the person did, in a sentence or two.
        history: draws the run.
    """

    scene: str
    history: Callable[[], RunHistory]


def of_series() -> dict[str, Example]:
    """Examples of the rules that tools/new_rule.py made: their series."""
    return {id_: Example(case.scene, _named(case.fires)) for id_, case in cases().items()}


def _named(make: Callable[[], RunHistory]) -> Callable[[], RunHistory]:
    """`make`, whose run is called as those of all other examples are."""
    return lambda: replace(make(), run="example")


def wobble(seed: int, scale: float = 0.15, rows: int | None = None) -> np.ndarray:
    """Factors around 1, `[STEPS]` or `[STEPS, rows]`, as from batch to batch."""
    shape = STEPS if rows is None else (STEPS, rows)
    return np.exp(scale * np.random.default_rng(seed).standard_normal(shape))


def learning(start: float = 2.3, end: float = 0.2, seed: int = 7) -> np.ndarray:
    """A loss that falls as it should: `[STEPS]`."""
    fall = end + (start - end) * np.exp(-np.linspace(0, 12, STEPS))
    return fall * wobble(seed, 0.04)


def standing(level: float = 2.3, seed: int = 8) -> np.ndarray:
    """A loss that stands still: `[STEPS]`."""
    return level * wobble(seed, 0.015)


def variables(
    layers: tuple[str, ...] = LAYERS, activation: str = "relu",
    shape: tuple[int, ...] = (64, 64), **columns: Any,
) -> Table:
    """Kernels of a healthy network, with some columns (`[STEPS]`, `[R]` or both) replaced."""
    rows = tuple(Row(f"{n}/kernel", n, "kernel", shape, "float32", activation) for n in layers)
    count = len(rows)
    values: dict[str, Any] = {
        "gradient_norm": 0.5 * wobble(1, rows=count),
        "gradient_mean_abs": 0.006 * wobble(2, rows=count),
        "gradient_zero_fraction": np.full((STEPS, count), 0.1),
        "gradient_nan_fraction": np.zeros((STEPS, count)),
        "variable_norm": np.full((STEPS, count), 8.0),
        "variable_std": np.full((STEPS, count), 0.125),
        "variable_mean": np.full((STEPS, count), 0.001),
        "update_norm": 0.01 * wobble(3, rows=count),
        "update_ratio": 1.2e-3 * wobble(4, rows=count),
    }
    for name, column in columns.items():
        array = np.asarray(column, float)
        values[name] = np.tile(array, (STEPS, 1)) if array.shape == (count,) else array
    return draw.table("variables", rows, values, np.arange(STEPS))


def activations(
    layers: tuple[str, ...] = LAYERS, activation: str = "relu", **columns: Any
) -> Table:
    """Outputs of a healthy network, with some columns replaced."""
    count = len(layers)
    values: dict[str, Any] = {
        "activation_std": np.full((STEPS, count), 0.8),
        "activation_nan_fraction": np.zeros((STEPS, count)),
        "activation_dead_fraction": np.full((STEPS, count), 0.05),
        "activation_saturated_fraction": np.full((STEPS, count), np.nan),
        **columns,
    }
    rows = draw.outputs(*layers, activation=activation)
    return draw.table("activations", rows, values, np.arange(STEPS))


def data(**features: tuple[str, Any, Any]) -> Table:
    """The `inputs` table: by name the kind ("input", "target", "prediction"), mean and spread.

    Smallest and largest value follow as two spreads to either side, unless drawn by `ranged`.
    """
    rows = tuple(
        Row(name, kind if kind != "input" else "input", kind, (i, i + 1))
        for i, (name, (kind, _, _)) in enumerate(features.items())
    )

    def column(values: list[Any]) -> np.ndarray:
        return np.stack([np.broadcast_to(np.asarray(v, float), STEPS) for v in values], axis=1)

    mean = column([m for _, m, _ in features.values()])
    std = column([s for _, _, s in features.values()])
    zero = np.zeros_like(mean)
    return draw.table(
        "inputs", rows,
        {"feature_mean": mean, "feature_std": std, "feature_min": mean - 2 * std,
         "feature_max": mean + 2 * std, "feature_nan_fraction": zero, "feature_inf_fraction": zero},
        np.arange(STEPS),
    )


def altered(table: Table, row: int, **columns: Any) -> Table:
    """`table` with columns of one row replaced."""
    values = np.array(table.low)
    for name, column in columns.items():
        values[:, row, table.columns.index(name)] = np.asarray(column, float)
    return replace(table, low=values, high=values)


def run(
    loss: np.ndarray, *tables: Table, config: Config | None = None, rate: float = 1e-3,
    **more: np.ndarray,
) -> RunHistory:
    """A run of that loss and the given tables; healthy ones where none are given."""
    own = {table.group: table for table in (variables(), activations(), *tables)}
    table = draw.run_table(loss, learning_rate=np.full(len(loss), rate), **more)
    found = draw.history(*own.values(), table, config=config)
    return replace(found, run="example")


def spaced(history: RunHistory, every: int) -> RunHistory:
    """The same records, one of every so many steps."""
    tables = {
        group: replace(table, steps=table.steps * every, wall_times=table.wall_times * every)
        for group, table in history.tables.items()
    }
    tables["run"] = altered(tables["run"], 0, window_steps=every)
    return replace(history, tables=tables)


def dense(name: str, source: str, activation: str = "relu", units: int = 64, **more: Any) -> Config:
    """A dense layer of the configuration."""
    return {"name": name, "class": "Dense", "activation": activation, "inputs": [source],
            "output_shape": [None, units], **more}


def network(*layers: Config, **more: Any) -> Config:
    """A configuration with these layers."""
    return {"model": {"layers": list(layers)}, **more}


def stack(names: tuple[str, ...], activation: str = "relu") -> tuple[Config, ...]:
    """Dense layers, one after the other."""
    return tuple(dense(n, s, activation) for s, n in zip(("x", *names), names, strict=False))


def ramp(start: float, end: float, first: int, last: int) -> np.ndarray:
    """From `start` to `end` geometrically between two steps, constant outside them: `[STEPS]`."""
    part = np.clip((np.arange(STEPS) - first) / (last - first), 0, 1)
    return start * (end / start) ** part
