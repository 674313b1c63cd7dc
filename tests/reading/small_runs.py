"""Log directories of many small runs, and work on runs that other processes can be told to do."""

from __future__ import annotations

import os
import time
from pathlib import Path

from event_files import EventFile

from tb_convergence.core.diagnosis import RunDiagnosis
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row, layout_of

LAYOUT = layout_of(
    "variables", tuple(Row(f"w{i}", "w", "kernel") for i in range(50)), ("gradient_norm",)
)


def write_runs(logdir: Path, count: int, steps: int = 5) -> list[str]:
    """`count` runs, each `steps` + its number long; their names in order."""
    names = [f"run-{index:03d}" for index in range(count)]
    for index, name in enumerate(names):
        with EventFile(logdir / name) as file:
            for step in range(steps + index):
                file.record(LAYOUT, step, [[float(index)]] * 50)
    return names


def name_and_end(diagnosis: RunDiagnosis, history: RunHistory | None) -> tuple[str, int, str]:
    """Run, last step, and why it could not be read."""
    assert history is None or history.run == diagnosis.run
    reason = "" if history is not None else diagnosis.skipped[0].reason
    return diagnosis.run, diagnosis.last_step, reason


def deadly(diagnosis: RunDiagnosis, history: RunHistory | None) -> tuple[str, int, str]:
    """Ends its process at two of the runs."""
    if history is not None and diagnosis.run in {"run-004", "run-017"}:
        os.kill(os.getpid(), 9)
    return name_and_end(diagnosis, history)


def faulty(diagnosis: RunDiagnosis, history: RunHistory | None) -> tuple[str, int, str]:
    """Raises at one of the runs."""
    if history is not None and diagnosis.run == "run-004":
        raise RuntimeError("a bug")
    return name_and_end(diagnosis, history)


def slow(diagnosis: RunDiagnosis, history: RunHistory | None) -> str:
    """Takes so long that it has to be interrupted."""
    time.sleep(60)
    return diagnosis.run
