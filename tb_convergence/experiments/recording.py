"""The doctor's first stage: a short training with the recorder, and its findings."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import keras
import numpy as np

from tb_convergence.core.diagnosis import Finding
from tb_convergence.experiments.bench import Bench
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.sample import for_keras
from tb_convergence.experiments.session import Settings, Subject

RECORDED_STEPS: Final = 400
"""Steps after which the rules have what they need: their windows hold some twenty records."""


def record(found: Subject, bench: Bench, planned: int, settings: Settings, budget: Budget
           ) -> tuple[list[Finding], float]:
    """Findings of a short training with the recorder, and seconds of one plain step.

    Recorded steps are rehearsed, so they cost two evaluations of the gradient; `budget` is charged
    for both.
    """
    from tb_convergence.training.keras.callback import ConvergenceCallback  # noqa: PLC0415 - heavy

    findings: dict[str, Finding] = {}
    steps = min(planned, RECORDED_STEPS)
    train = bench.train
    per_epoch = max(1, len(train) // train.batch_size)
    epochs = max(1, round(steps / per_epoch))
    clock = _Clock(found, steps)
    with tempfile.TemporaryDirectory() as scratch, _silent_logger():
        folder = settings.log_dir
        if folder is None or holds_a_run(folder):
            folder = os.path.join(scratch, "run")
        callback = ConvergenceCallback(
            folder, every_n_steps=max(1, steps // RECORDS),
            on_finding=lambda finding: findings.setdefault(finding.id, finding))
        held = bench.held_out
        try:
            found.model.fit(
                for_keras(train.x), train.y, sample_weight=train.weight,
                batch_size=train.batch_size, epochs=epochs,
                steps_per_epoch=steps if steps < per_epoch else None, verbose=0,
                shuffle=train.shuffled, callbacks=[callback, clock],
                # Without a compiled loss a model with its own train_step may not evaluate.
                validation_data=None if found.held_out is None and found.model.loss is None
                else (for_keras(held.x), *held.parts[1:]),
            )
        finally:
            bench.restore()
    budget.spend(clock.steps + min(clock.steps, DENSE + RECORDS))
    return list(findings.values()), clock.per_step


def holds_a_run(folder: str | os.PathLike[str]) -> bool:
    """Whether `folder` contains event files, so that a recording there would restart its run.

    A bucket is taken to hold one: it is not looked into.
    """
    if "://" in os.fspath(folder):
        return True
    try:
        with os.scandir(folder) as entries:
            return any("tfevents" in entry.name for entry in entries)
    except OSError:
        return False


RECORDS: Final = 60
"""Records of the recording beside the first ones: three windows of twenty."""
DENSE: Final = 10
"""The first steps, which are all recorded."""


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Shows how far the recording is, and measures the median step, tracing left out."""

    def __init__(self, found: Subject, steps: int) -> None:
        super().__init__()
        self._found, self._planned = found, steps
        self._times: list[float] = []
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop it."""
        self._times.append(time.perf_counter() - self._began)
        self._found.progress(min(self.steps, self._planned - 1), self._planned, "recording")

    @property
    def steps(self) -> int:
        """Steps so far."""
        return len(self._times)

    @property
    def per_step(self) -> float:
        """Seconds; 0 without a step."""
        return float(np.median(self._times)) if self._times else 0.0


@contextmanager
def _silent_logger() -> Iterator[None]:
    """The doctor reports the findings itself, once."""
    logger = logging.getLogger("tb_convergence")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before
