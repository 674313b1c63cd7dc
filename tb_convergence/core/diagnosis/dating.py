"""When something began, where not every step was seen."""

from __future__ import annotations

import numpy as np

from tb_convergence.core.history import RunHistory


def unwatched_before(history: RunHistory, step: int) -> int | None:
    """The last step known before `step`, where those between were not observed.

    None where every step was, as by default.
    """
    run = history.table("run")
    if run is None or not run.has("window_unwatched_steps"):
        return None
    record = int(np.searchsorted(run.steps, step))
    if not 0 < record < len(run.steps):
        return None
    before = int(run.steps[record - 1])
    unwatched = run.column("window_unwatched_steps")[record, 0]
    return before if unwatched > 0 and before + 1 < step else None
