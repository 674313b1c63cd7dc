"""What is written of one optimizer call, and the losses between its records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core import statistics
from tb_convergence.training.host.step_losses import NEVER, StepLosses
from tb_convergence.training.host.writer import Channel, RunWriter, channel, single
from tb_convergence.training.instep.measurement import Measurement
from tb_convergence.training.keras import introspection
from tb_convergence.training.keras.sites import Site

GROWTH: Final = 10.0
"""A gradient norm this many times that of the last record is worth a closer look."""

Tables = dict[statistics.Group, NDArray[np.float32]]


class StepLog:
    """Writes the records of one optimizer call.

    Args:
        name: of the part of the run, where a step has several optimizer calls.
        losses: what the train function returned, read as this call's loss.
        last_step: the last that was recorded; -1 for none.

    Attributes:
        grew: whether the gradient norm of the latest record has grown a lot.
        finite: whether its loss and gradients were finite.
    """

    def __init__(self, site: Site, name: str, losses: StepLosses, last_step: int = -1) -> None:
        self.site = site
        self.losses = losses
        self.last_step = last_step
        self.grew = False
        self.finite = True
        self._name = name
        self._channels: dict[statistics.Group, Channel] = {}
        self._norm = float("nan")

    def write(
        self, writer: RunWriter, step: int, skipped: bool, old: Sequence[Any], new: Sequence[Any]
    ) -> bool:
        """Write the tables of `step`; False if there is no step to write.

        Args:
            skipped: whether the optimizer made no update.
            old, new: values of its variables before and after the step.
        """
        measurement = self.site.measurement
        assert measurement is not None
        if step < self.last_step:  # the optimizer's count was set back, as a checkpoint does
            self.last_step = step - 1
        if skipped or step == self.last_step:
            return False
        tables = measurement.after(old, new, self._known(measurement))
        self._complete(step, tables, measurement.measures)
        wall_time = time.time()
        model = ": ".join(filter(None, (writer.label, self._name)))
        for group, table in tables.items():
            target = self._channels.get(group)
            if target is None:
                columns = statistics.columns(group)
                target = channel(group, measurement.rows.of(group), columns, model)
                self._channels[group] = target
            writer.table(target, table, step, wall_time)
        self.last_step = step
        return True

    def _known(self, measurement: Measurement) -> dict[str, float]:
        """What the host knows of a step that was not rehearsed."""
        if measurement.measures:
            self.losses.compare(measurement.loss)
            return {}
        rate = introspection.learning_rate(self.site.optimizer)
        return {"loss": self.losses.latest, "learning_rate": float(rate)}

    def _complete(self, step: int, tables: Tables, measured: bool) -> None:
        """Columns of the run that tell of the steps since the last record."""
        columns, run = statistics.columns("run"), tables["run"]

        def put(name: str, value: float) -> None:
            run[0, columns.index(name)] = single(value)

        seen = self.losses.batches
        window = self.losses.take()
        unwatched = step - self.last_step - 1 if self.last_step >= 0 else 0
        put("window_unwatched_steps", max(unwatched, 0))
        if window.known:
            put("window_loss_steps", window.known)
            put("window_loss_mean", window.total / window.known)
            put("window_loss_max", window.highest)
            put("window_loss_min", window.lowest)
        if not measured and self.losses.nonfinite:
            put("window_nonfinite_steps", 1)
            put("first_nonfinite_age_steps", 0)
        if window.first_nonfinite != NEVER:
            updates = introspection.batches_per_update(self.site.optimizer)
            own = run[0, columns.index("window_nonfinite_steps")]
            put("window_nonfinite_steps", max(own, window.nonfinite))
            put("first_nonfinite_age_steps", (seen - 1 - window.first_nonfinite) // updates)
        self.finite = not run[0, columns.index("window_nonfinite_steps")]
        norm = float(run[0, columns.index("gradient_global_norm")])
        self.grew = norm > GROWTH * self._norm
        self._norm = norm


def losses_in(logs: Any) -> dict[str, float]:
    """Numbers in what a train function returned: those that are called losses, if any are."""
    if not isinstance(logs, dict):
        return {}
    names = [name for name in logs if "loss" in str(name).lower()]
    found: dict[str, float] = {}
    for name in names or logs:
        try:
            found[str(name)] = float(logs[name])
        except (TypeError, ValueError):  # a structure of metrics
            continue
    return found
