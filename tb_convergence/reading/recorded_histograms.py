"""The histograms of one variable, as they were recorded: for the view of a layer.

Reading a run keeps only what its rules need of each histogram. The distribution itself is read when
somebody looks at it, one variable at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.histogram import HistogramError, checked
from tb_convergence.core.history import Axis, fold_restarts
from tb_convergence.reading.histograms import EXPECTED_BYTES, PLUGIN
from tb_convergence.reading.patterns import Role
from tb_convergence.reading.source import Source
from tb_convergence.reading.tags import KERAS_ENDING, match_histograms


@dataclass(frozen=True, slots=True)
class RecordedHistograms:
    """Histograms of the gradient or of the values of one variable.

    Attributes:
        role: "gradient" or "variable".
        axis: what one step counts.
        steps: int64 `[S]`, strictly increasing.
        histograms: S arrays `[k, 3]`.
    """

    role: Role
    axis: Axis
    steps: NDArray[np.int64]
    histograms: tuple[NDArray[Any], ...]


def read_recorded_histograms(
    source: Source, runs: Iterable[str], variable: str
) -> tuple[RecordedHistograms, ...]:
    """What TensorBoard's runs `runs` hold of `variable`, gradient first; empty without any.

    The first run that has histograms of it is read. Points that are no histograms are left out:
    reading the run has told of them.

    Raises:
        DataUnavailableError: the loader does not answer.
    """
    for run in runs:
        tags = match_histograms(source.list_tensors(run, PLUGIN), source.patterns)
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
