"""Arrays -> tables `[R, C]`, with NumPy: the catalogue's formulas for other frameworks.

The counterpart of `tables`, which does the same inside a TensorFlow graph. V variables, L layers,
F features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core import statistics
from tb_convergence.core.reductions import ArrayReductions, reduce
from tb_convergence.core.schema import Row
from tb_convergence.training.host.writer import single
from tb_convergence.training.instep.feature_rows import FEATURE_GROUPS, feature_rows
from tb_convergence.training.loops import naming

Arrays = Mapping[str, NDArray[Any] | None]
"""Arrays by name; None for what there is but has no value, such as a gradient."""

_UNKNOWN: Final = ArrayReductions(*(float("nan"),) * 10)


@dataclass(frozen=True, slots=True)
class Columns:
    """One table: rows, names of the columns, and values float32 `[R, C]`."""

    group: statistics.Group
    rows: tuple[Row, ...]
    names: tuple[str, ...]
    values: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _VariableRow:
    gradient: ArrayReductions
    variable: ArrayReductions
    update: ArrayReductions

    @staticmethod
    def ratio(numerator: float, denominator: float) -> float:
        return numerator / denominator if denominator > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class _OutputRow:
    output: ArrayReductions


@dataclass(frozen=True, slots=True)
class _FeatureRow:
    feature: ArrayReductions


def variable_tables(
    gradients: Arrays | None,
    variables: Arrays | None,
    updates: Arrays | None,
    numbers: Mapping[str, float],
) -> list[Columns]:
    """The tables "variables" and "run" of one step; what was not given has no column.

    Rows are in the order of the variables. `numbers` are those of the run.
    """
    parts = {"gradient": gradients, "variable": variables, "update": updates}
    names = list(dict.fromkeys(name for part in parts.values() for name in part or ()))
    reduced = {
        part: [_reduced((arrays or {}).get(name)) for name in names]
        for part, arrays in parts.items()
    }
    run = dict(numbers)
    for part, arrays in parts.items():
        if arrays is not None:
            run[f"{part}_global_norm"] = reduce([row.norm for row in reduced[part]]).norm
    found = []
    if names:
        supplied = {"gradient_missing": [float((gradients or {}).get(n) is None) for n in names]}
        entries = [
            _VariableRow(*row)
            for row in zip(*(reduced[part] for part in parts), strict=True)
        ]
        wanted = [name for name in statistics.columns("variables") if _given(name, parts)]
        described = naming.rows_of([_described(name, parts) for name in names])
        found.append(_table("variables", described, wanted, entries, supplied))
    if run:
        columns = tuple(name for name in statistics.columns("run") if name in run)
        values = np.array([[run[name] for name in columns]])
        found.append(Columns("run", (Row("run", "", "run"),), columns, single(values)))
    return found


def _given(column: str, parts: Mapping[str, Arrays | None]) -> bool:
    part, _, rest = column.partition("_")
    if rest == "ratio":
        return parts["update"] is not None and parts["variable"] is not None
    if column == "effective_rate":
        return parts["update"] is not None and parts["gradient"] is not None
    return parts.get(part) is not None


def _described(name: str, parts: Mapping[str, Arrays | None]) -> naming.Described:
    """Shape and dtype from the variable itself where it is given."""
    for part in ("variable", "gradient", "update"):
        array = (parts[part] or {}).get(name)
        if array is not None:
            return (name, array.shape, array.dtype.name)
    return (name, (), "")


def activation_table(activations: Arrays) -> Columns:
    """The table "activations": outputs `[B, ..., U]` by the name of their layer."""
    present = {name: array for name, array in activations.items() if array is not None}
    described = tuple(
        Row(name, name, "output", (-1, *array.shape[1:]) if array.ndim else (), array.dtype.name)
        for name, array in present.items()
    )
    entries = [_OutputRow(reduce(array)) for array in present.values()]
    supplied = {"activation_batch_std": [batch_std(array) for array in present.values()]}
    return _table("activations", described, None, entries, supplied)


def input_table(tensors: Sequence[tuple[str, str, NDArray[Any]]]) -> Columns:
    """The table "inputs" of (name, kind, values `[B, ..., F]`)."""
    described: list[Row] = []
    entries = []
    for name, kind, array in tensors:
        found = feature_rows(name, kind, array.shape, array.dtype, FEATURE_GROUPS)
        described += found
        for row in found:
            part = array if array.ndim < 2 else array[..., row.shape[0] : row.shape[1]]
            entries.append(_FeatureRow(reduce(part)))
    return _table("inputs", tuple(described), None, entries, {})


def batch_std(array: NDArray[Any]) -> float:
    """Standard deviation over the batch of the finite entries, averaged over the units.

    NaN for a batch of one, and where no unit has a finite entry.

    >>> batch_std(np.array([[1.0, 5.0], [3.0, 5.0]]))
    0.5
    """
    if array.ndim == 0 or len(array) < 2:
        return float("nan")
    values = array.reshape(len(array), -1).astype(np.float64)
    finite = np.isfinite(values)
    largest = float(np.max(np.abs(values), where=finite, initial=0.0))
    scale = largest or 1.0
    scaled = np.where(finite, values, 0.0) / scale
    counts = finite.sum(axis=0)
    usable = counts > 0
    if not usable.any():
        return float("nan")
    mean = scaled.sum(axis=0) / np.maximum(counts, 1)
    squares = (np.where(finite, scaled - mean, 0.0) ** 2).sum(axis=0) / np.maximum(counts, 1)
    return float(np.sqrt(squares[usable]).mean() * scale)


def _table(
    group: statistics.Group,
    described: tuple[Row, ...],
    wanted: Sequence[str] | None,
    entries: Sequence[Any],
    supplied: Mapping[str, Sequence[float]],
) -> Columns:
    """Formulas over `entries` `[R]`; columns with neither formula nor supply are left out."""
    names, columns = [], []
    for statistic in statistics.CATALOGUE[group]:
        if wanted is not None and statistic.name not in wanted:
            continue
        if statistic.formula is not None:
            columns.append([float(statistic.formula(entry)) for entry in entries])
        elif statistic.name in supplied:
            columns.append(list(supplied[statistic.name]))
        else:
            continue
        names.append(statistic.name)
    values = np.array(columns, dtype=np.float64).reshape(len(names), len(described)).T
    return Columns(group, described, tuple(names), single(values))


def _reduced(array: NDArray[Any] | None) -> ArrayReductions:
    return _UNKNOWN if array is None else reduce(array)
