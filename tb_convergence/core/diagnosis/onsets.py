"""Dates the beginning of a condition, also if not every step was seen, and the sound part of a run.

A rule may need several records to be sure. The condition then began with the first of them, not
with the record that made the rule sure. And statistics of tensors that contain NaN are not
statistics of the model: zeros of a ReLU over NaN are not dead units.

Our recorder watches every step, or says how many it skipped. Records of other writers (histograms,
scalars, `log_health`, summaries of graph mode) stand only for their own step, whether they were
written that far apart or TensorBoard kept only some of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Table

NEVER: Final = -1
"""Used in place of a step: before everything that was recorded."""


def windows(history: RunHistory) -> Table | None:
    """The table "run" if its records say how many steps they cover; else None."""
    run = history.table("run")
    if run is None or not (run.has("window_steps") or run.has("window_unwatched_steps")):
        return None
    return run


def unseen_before(history: RunHistory, step: int, sound: int) -> int | None:
    """The last step known before `step` if the steps between were not seen; None if all were seen.

    Args:
        history: the run.
        step: step at which something was seen first.
        sound: the last earlier record of the same tensor without it; NEVER if there is none.
            Ignored if records say which steps they cover.

    Returns:
        `NEVER` if nothing before `step` was seen, except for steps 0 and 1, at which counting
            begins.
    """
    run = windows(history)
    if run is None:
        return sound if sound + 1 < step and step > 1 else None
    if not run.has("window_unwatched_steps"):
        return None
    record = int(np.searchsorted(run.steps, step))
    if not 0 < record < len(run.steps):
        return None
    before = int(run.steps[record - 1])
    unwatched = run.column("window_unwatched_steps")[record, 0]
    return before if unwatched > 0 and before + 1 < step else None


def first_true(mask: Iterable[bool] | NDArray[np.bool_], length: int = 1) -> int | None:
    """Index where the first stretch of at least `length` consecutive True begins; else None.

    >>> first_true([False, True, False, True, True], 2)
    3
    """
    run = 0
    for index, value in enumerate(mask):
        run = run + 1 if value else 0
        if run >= length:
            return index - length + 1
    return None


def lasting_since(holds: ArrayLike) -> int:
    """Index of the record `[S]` from which a condition holds until the end; S if it does not.

    >>> lasting_since([True, False, True, True]), lasting_since([True, False]), lasting_since([])
    (2, 2, 0)
    """
    mask = np.asarray(holds, dtype=np.bool_)
    broken = np.flatnonzero(~mask)
    return int(broken[-1]) + 1 if len(broken) else 0


def mostly_since(holds: ArrayLike) -> int | None:
    """Index of the first record `[S]` since which a condition held more often than not, at all
    times.

    For conditions judged by a median, which single records may violate. None if there is no such
    record; there is one if the condition holds in more than half of all records.

    >>> mostly_since([True, False, False, True, True, False, True])
    3
    >>> mostly_since([True, False]) is None
    True
    """
    balance = np.cumsum(np.where(np.asarray(holds, dtype=np.bool_), 1, -1))
    before = np.concatenate([[0], balance[:-1]])
    lowest = np.minimum.accumulate(balance[::-1])[::-1]
    found = np.flatnonzero(lowest > before[: len(balance)])
    return int(found[0]) if len(found) else None


@memoized
def sound_part(history: RunHistory) -> RunHistory:
    """The run up to the last step at which its weights and outputs were free of NaN.

    The whole run if they are free of NaN at its end, because a skipped batch leaves nothing behind.
    An infinite output alone is no fault, because masks use infinity. Empty if no step was free of
    NaN.
    """
    ends = [
        history.step_of(table, since)
        for group, column in (
            ("variables", "variable_nonfinite_fraction"), ("activations", "activation_nan_fraction")
        )
        if (table := history.table(group)) is not None and table.has(column) and len(table.steps)
        and (since := _corrupt_since(table, column)) < len(table.steps)
    ]
    return history.until(min(ends) - 1) if ends else history


def _corrupt_since(table: Table, column: str) -> int:
    """Record from which some row has such values until the end; their number if no row has."""
    low = table.column(column, "low")
    # Usually there is nothing to find, and the last record alone shows it.
    if not (low[-1] > 0).any():
        return len(low)
    return lasting_since((low > 0).any(axis=1))
