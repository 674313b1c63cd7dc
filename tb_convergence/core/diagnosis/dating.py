"""When something began, also where not every step was seen.

Our recorder watches every step, or says how many it passed over. Other records stand for their own
step and no other: histograms and scalars, `log_health` and summaries of graph mode, whether they
were written that far apart or TensorBoard kept only some of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import RunHistory, Table

NEVER: Final = -1
"""In place of a step: before everything that was recorded."""


def windows(history: RunHistory) -> Table | None:
    """The table "run" where its records say for how many steps they stand; else None."""
    run = history.table("run")
    if run is None or not (run.has("window_steps") or run.has("window_unwatched_steps")):
        return None
    return run


def unseen_before(history: RunHistory, step: int, sound: int) -> int | None:
    """The last step known before `step`, where those between were not seen; None where all were.

    Args:
        history: the run.
        step: where something was seen first.
        sound: the last record before of the same tensor, in which it was not; NEVER without one.
            Where records say what they stand for, it does not matter.

    Returns:
        `NEVER` where nothing before `step` was seen; not for steps 0 and 1, with one of which any
        count begins.
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
