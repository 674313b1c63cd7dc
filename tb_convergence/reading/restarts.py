"""Which records count when a training was restarted from an earlier step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Steps


def fold_restarts(
    steps: Sequence[int] | Steps, wall_times: Sequence[float] | NDArray[np.float64]
) -> tuple[NDArray[np.intp], tuple[int, ...]]:
    """Which records to keep, ordered by step, and at which steps the run was restarted.

    Records come in the order they were written or, where a loader lost it, in any order: wall time
    then decides, or the order given where wall times are not finite. Steps that only ever grow are
    left alone, whatever a clock that was set back says. When training resumes at an earlier step,
    the new record of a step replaces the old one, and old records beyond the restart are dropped as
    soon as the restarted run wrote any: they belong to an attempt that was given up. Of two records
    of one step the later one stays.

    Returns:
        Indices `[K]` into the input, steps strictly increasing; and the steps restarted at.

    >>> kept, restarts = fold_restarts([0, 1, 2, 3, 1, 2], [0.0, 1.0, 2.0, 3.0, 9.0, 10.0])
    >>> kept.tolist(), restarts
    ([0, 4, 5], (1,))
    """
    step = np.asarray(steps, dtype=np.int64)
    if np.all(step[1:] > step[:-1]):
        return np.arange(len(step), dtype=np.intp), ()
    time = np.asarray(wall_times, dtype=np.float64)
    if not np.isfinite(time).all():
        time = np.zeros(len(step))
    order = np.lexsort((np.arange(len(step)), time))
    kept: list[int] = []
    restarts: list[int] = []
    for index in order.tolist():
        dropped = 0
        while kept and step[kept[-1]] >= step[index]:
            dropped += int(step[kept.pop()] > step[index])
        if dropped:
            restarts.append(int(step[index]))
        kept.append(index)
    return np.asarray(kept, dtype=np.intp), tuple(restarts)
