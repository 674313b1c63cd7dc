"""Histograms that count epochs, among scalars that count steps: placed by their wall time.

Keras' callback numbers its histograms by epoch and its losses by batch. Epoch 3 is not batch 3:
what belongs together can only be told from when it was written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Series, Table


def placed(table: Table, scalars: Iterable[Series]) -> Table:
    """`table` on the axis of the longest of `scalars` that counts steps or batches.

    As it is where it counts them already, or where wall times do not tell: a clock that went back,
    or two records between the same two steps.
    """
    if table.axis != "epoch" or not len(table.steps):
        return table
    clocks = [one for one in scalars if one.axis != "epoch" and len(one) > 1 and _runs(one)]
    if not clocks:
        return table
    clock = max(clocks, key=len)
    last = np.searchsorted(clock.wall_times, table.wall_times, side="right") - 1
    if last[0] < 0 or not _increasing(clock.steps[last]):
        return table
    return replace(table, steps=clock.steps[last], axis=clock.axis)


def _runs(series: Series) -> bool:
    times = series.wall_times
    return bool(np.isfinite(times).all() and (np.diff(times) >= 0).all() and times[0] > 0)


def _increasing(steps: NDArray[np.int64]) -> bool:
    return bool((np.diff(steps) > 0).all())
