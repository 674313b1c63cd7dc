"""losslint (MIT): lints a log of scalars after the run. All checks at their defaults."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tb_convergence.core.history import RunHistory
from zoo.baselines.tool import Report, Tool, scalars

HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"


def run(history: RunHistory) -> list[Report]:
    """Its checks on loss, validation loss, rate and gradient norm, as it would read them of a CSV.

    Every report counts, whatever its severity: two of its six checks are only information.
    """
    from losslint.checks import run_all_checks  # noqa: PLC0415 - no dependency
    from losslint.parsing import RunLog  # noqa: PLC0415

    have = scalars(history)
    if not have:
        return []
    steps = np.unique(np.concatenate([at for at, _ in have.values()]))
    series: dict[str, list[float | None]] = {}
    for name, (at, values) in have.items():
        column: list[float | None] = [None] * len(steps)
        for step, value in zip(np.searchsorted(steps, at), values, strict=True):
            column[step] = float(value)
        series[name] = column
    log = RunLog(steps=[int(step) for step in steps], series=series, source=Path("run"))
    last = int(steps[-1])
    return [Report(f.check, int((f.details.get("steps") or [last])[0])) for f in
            run_all_checks(log)]


TOOL = Tool(
    "losslint 0.4",
    "losslint: six checks at their defaults on loss, validation loss, learning rate and gradient "
    "norm",
    run,
    means={
        "nan_inf": (HIGH, "non-finite-input"),
        "loss_spike": (HIGH, "unshuffled-batches"),
        "divergence": (HIGH,),
        "stagnation": (LOW,),
        "overfit_onset": (),
    },
    why={
        "nan_inf": "names no cause; counts for the usual ones",
        "loss_spike": "its message asks: data shard or LR bug?",
        "divergence": "names no cause; counts for the usual one",
        "stagnation": "its message: stop, or raise the LR",
        "overfit_onset": "not a cause in the catalog",
    },
)
