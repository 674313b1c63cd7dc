"""The recorded distribution of one variable's entries, for the view of a layer.

Reading a run keeps only what its rules need of each histogram. This module reads the distribution
itself on request, one variable at a time. It also reads the shares that our recorder writes with
`gradient_histograms=True`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.histogram import HistogramError, checked
from tb_convergence.core.history import Axis, RunHistory, Table
from tb_convergence.core.statistics import EXPONENTS, columns
from tb_convergence.reading.frameworks import framework_of
from tb_convergence.reading.histograms import EXPECTED_BYTES, PLUGIN
from tb_convergence.reading.patterns import Role, histogram_rules
from tb_convergence.reading.restarts import fold_restarts
from tb_convergence.reading.tags import KERAS_ENDING, match_histograms
from tb_convergence.reading.tensorboard.data_source import DataSource


@dataclass(frozen=True, slots=True)
class RecordedHistograms:
    """Histograms of the gradient, of its magnitudes, or of the values of one variable.

    Attributes:
        role: "gradient", "magnitude" (absolute entries of the gradient) or "variable".
        axis: what one step counts.
        steps: int64 `[S]`, strictly increasing.
        histograms: S arrays `[k, 3]`.
    """

    role: Role | Literal["magnitude"]
    axis: Axis
    steps: NDArray[np.int64]
    histograms: tuple[NDArray[Any], ...]


def read_recorded_histograms(
    source: DataSource, runs: Iterable[str], variable: str
) -> tuple[RecordedHistograms, ...]:
    """The recorded histograms of `variable` in `runs`, gradient first; empty without any.

    The first run that has histograms of it is read. Points that are no histograms are left out:
    reading the run has told of them.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    for run in runs:
        tags = match_histograms(
            source.list_tensors(run, PLUGIN), histogram_rules(source.patterns),
            framework_of({run: source.list_scalars(run)}) == "keras",
        )
        names = [row.name for row in tags.rows]
        if variable not in names:
            continue
        row = names.index(variable)
        owners: dict[str, Role] = {}
        if row in tags.gradients:
            owners[tags.gradients[row]] = "gradient"
        if row in tags.variables:
            owners[tags.variables[row]] = "variable"
        read = source.read_tensors(run, PLUGIN, dict.fromkeys(owners, EXPECTED_BYTES))
        found = [
            _recorded(tag, owners[tag], data) for tag, data in read if isinstance(data, list)
        ]
        return tuple(sorted((one for one in found if len(one.steps)), key=lambda one: one.role))
    return ()


def _recorded(tag: str, role: Role, data: list[Any]) -> RecordedHistograms:
    good, arrays = [], []
    for datum in data:
        array = np.asarray(datum.numpy)
        try:
            arrays.append(checked(array))
        except HistogramError:
            continue
        good.append(datum)
    steps = np.array([datum.step for datum in good], dtype=np.int64)
    wall_times = np.array([datum.wall_time for datum in good], dtype=np.float64)
    kept, _ = fold_restarts(steps, wall_times)
    kept = kept[steps[kept] >= 0]
    return RecordedHistograms(
        role, "epoch" if tag.endswith(KERAS_ENDING) else "step", steps[kept],
        tuple(arrays[index] for index in kept),
    )


def recorded_magnitudes(history: RunHistory, variable: str) -> tuple[RecordedHistograms, ...]:
    """How `history` says that the gradient of `variable` was spread; empty if it does not.

    Shares of a sample as histograms of a thousand absolute entries: from zero over the powers of
    two to the largest entry there was. Ends are NaN or infinite where an entry was, as in
    TensorFlow's histograms.
    """
    table = history.tables.get("magnitudes")
    shares = None if table is None else _shares(table, variable)
    if table is None or shares is None:
        return ()
    known = ~np.isnan(shares).any(axis=1)
    steps = table.steps[known]
    largest = _at(history, variable, "gradient_max", steps)
    nan, infinite = (
        _at(history, variable, f"gradient_{name}_fraction", steps) > 0 for name in ("nan", "inf")
    )
    ends = np.where(nan, np.nan, np.where(infinite, np.inf, largest))
    # Written shares fall from each power to the next; a damaged record's need not.
    falling = np.minimum.accumulate(shares[known], axis=1)
    found = tuple(_histogram(row, end) for row, end in zip(falling, ends, strict=True))
    return (RecordedHistograms("magnitude", table.axis, steps, found),) if found else ()


def _shares(table: Table, variable: str) -> NDArray[np.float64] | None:
    """`[S, E]`, fraction of the entries that reach each power of two; None if none is told."""
    names = [row.name for row in table.rows]
    wanted = columns("magnitudes")
    if variable not in names or not all(table.has(name) for name in wanted):
        return None
    row = names.index(variable)
    return np.stack([table.column(name)[:, row] for name in wanted], axis=1).astype(np.float64)


def _at(
    history: RunHistory, variable: str, column: str, steps: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What the table of variables says at `steps`, `[S]`; NaN where it says nothing."""
    found = np.full(len(steps), np.nan)
    table = history.tables.get("variables")
    names = [] if table is None else [row.name for row in table.rows]
    if table is None or not table.has(column) or variable not in names:
        return found
    values = table.column(column)[:, names.index(variable)]
    _, ours, theirs = np.intersect1d(steps, table.steps, return_indices=True)
    found[ours] = values[theirs]
    return found


def _histogram(shares: NDArray[np.float64], end: float) -> NDArray[np.float64]:
    """One histogram `[E + 1, 3]` of a thousand entries, the largest of which is `end`."""
    limits = np.array([0.0, *(2.0**exponent for exponent in EXPONENTS)])
    counts = np.rint(1000 * -np.diff([1.0, *shares, 0.0]))
    if np.isnan(end) or np.isinf(end):
        return np.column_stack([np.full((2, len(counts)), end).T, np.zeros(len(counts))])
    edges = np.minimum([*limits, np.inf], end)
    return np.column_stack([edges[:-1], edges[1:], counts])
