"""A Keras callback that samples the path of the weights, on its own or inside another callback."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, Final

import keras

from tb_convergence.training.host.trajectory import BUDGET_BYTES, FILE, Trajectory

SHARE: Final = 0.01
FREE_SECONDS: Final = 1.0
"""Sampling may take this share of the training's time, and a second besides, so that short
trainings have a path; beyond it, samples come further apart."""

SAVE_SECONDS: Final = 300.0
"""How often the file is written while the training runs: what a killed training loses at most."""

logger = logging.getLogger("tb_convergence")


class TrajectoryCallback(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Samples the weights while `fit` runs, and writes `trajectory.npz` into `log_dir`.

        model.fit(x, y, callbacks=[TrajectoryCallback("logs/run1")])

    Then `tb_convergence.landscape(model, data, path="logs/run1")` draws the path.

    A fault in it is logged once and ends the sampling, never the training. It reads weights and
    changes nothing. Optimizer steps are counted by the optimizer, so resumed trainings go on.

    Args:
        log_dir: the run's folder.
        budget_bytes: memory, and size of the file, at most.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str], budget_bytes: int = BUDGET_BYTES
    ) -> None:
        super().__init__()
        self.trajectory = Trajectory(budget_bytes)
        self._path = os.path.join(os.fspath(log_dir), FILE)
        self._off = False
        self._began = self._saved = time.monotonic()
        self._spent = 0.0
        self._batches = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Sample where the training starts."""
        self._began = self._saved = time.monotonic()
        self._spent = 0.0
        self._guarded(self._sample)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Sample, if a sample is due."""
        self._guarded(self._sample)

    def on_train_end(self, logs: Any = None) -> None:
        """Write the file."""
        self._guarded(self._write)

    def _guarded(self, act: Any) -> None:
        if self._off:
            return
        begin = time.monotonic()
        try:
            act()
        except Exception as error:
            self._off = True
            logger.warning(
                "Recording of the weights' path stopped (%s: %s). The training continues.",
                type(error).__name__, error,
            )
        self._spent += time.monotonic() - begin

    def _sample(self) -> None:
        trajectory = self.trajectory
        self._batches += int(getattr(self.model, "steps_per_execution", 1))
        if trajectory.steps and self._batches < trajectory.every:
            return  # without asking the device
        self._batches = 0
        step = int(self.model.optimizer.iterations.numpy())
        if not trajectory.is_due(step):
            return
        allowed = FREE_SECONDS + SHARE * (time.monotonic() - self._began)
        if self._spent > allowed and len(trajectory.steps) > 1:
            # Not now; the next look comes when the share has room again.
            return
        trajectory.observe(step, [v.numpy() for v in self.model.trainable_variables])
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._write()

    def _write(self) -> None:
        self._saved = time.monotonic()
        self.trajectory.save(self._path)
