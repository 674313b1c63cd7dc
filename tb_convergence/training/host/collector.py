"""The host's side of a recorder: when it reads the device, and where records go from there.

Between records that is two comparisons and a clock reading: the host knows when a record is due
because it scheduled it, and reads the device only then, and once a second for the one record it
cannot foresee, that of the first non-finite step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core import statistics
from tb_convergence.training.host.cadence import Cadence
from tb_convergence.training.host.elapsed import Elapsed, now
from tb_convergence.training.host.writer import Channel, RunWriter, channel
from tb_convergence.training.instep.recorder import NEVER, Recorder

LOOK_SECONDS: Final = 1.0
"""How often the device is asked for a record nobody scheduled."""


class Collector:
    """Takes records off the device and writes them. Its methods may raise.

    Args:
        writer, cadence: where records go; which steps are recorded.
        first_step: number of the first step.
        recorder: the recorder, or None as long as there is none.
        model: name of the model, where a run holds several.
        batches_per_update: batches whose gradients are averaged for one step.

    Attributes:
        batch_size: of the latest recorded step; None before one.
        calls: how often the host had its turn.
    """

    def __init__(
        self,
        writer: RunWriter,
        cadence: Cadence,
        first_step: int,
        recorder: Callable[[], Recorder | None],
        *,
        model: str = "",
        batches_per_update: int = 1,
    ) -> None:
        self.batch_size: int | None = None
        self.calls = 0
        self.first_step = first_step
        self._writer = writer
        self._cadence = cadence
        self._recorder = recorder
        self._model = ": ".join(filter(None, (writer.label, model)))
        self._batches_per_update = batches_per_update
        self._channels: dict[str, Channel] = {}
        self._due = first_step
        self._base = first_step
        self._batches = 0
        self._last_end: Elapsed | None = None
        self._last_look = 0.0

    @property
    def last_step(self) -> int:
        """The last step that was made; one less than the first before any was."""
        recorder = self._recorder()
        return (self.first_step if recorder is None else int(recorder.step.numpy())) - 1

    @property
    def measured_share(self) -> float:
        """Share of the training's time that records cost at present; 0 before it is known."""
        return self._cadence.measured_overhead or 0.0

    def expect(self, batches: int) -> None:
        """The training will see `batches` more batches."""
        self._cadence.expect(self.last_step + 1, batches // self._batches_per_update)

    def pause(self) -> None:
        """What lies between the last look and the next, such as validation, is no step."""
        self._last_end = None

    def took(self, took: Elapsed) -> None:
        """Something of ours beside the records took so long."""
        self._cadence.saw_look(took)

    def look(self, batches: int) -> None:
        """After `batches` batches: read a record if there may be one."""
        reached = now()
        self.calls += 1
        self._batches += batches
        began, self._last_end = self._last_end, reached
        if self._base + self._batches // self._batches_per_update > self._due:
            self._last_look = reached.wall
            if self.read():
                self._last_end = now()
                if began is not None:
                    self._cadence.saw_record(self._last_end - began, batches)
                self._diagnose()
                return
        elif reached.wall - self._last_look > LOOK_SECONDS:
            self._last_look = reached.wall
            self.read()
            self._diagnose()
            self._last_end = now()
        if began is not None:
            self._cadence.saw_steps(reached - began, batches)

    def _diagnose(self) -> None:
        """Let the rules evaluate the records; their time counts as the recorder's."""
        live = self._writer.live
        if live is not None:
            live.look()
            self._cadence.saw_look(Elapsed.busy(live.owed()))
            self._last_end = now()

    def read(self) -> bool:
        """Fetch and write the records that wait on the device; whether a scheduled one did."""
        recorder = self._recorder()
        if recorder is None:
            return False
        marks = recorder.marks.numpy()
        waiting = sorted((int(marks[slot]), slot) for slot in (0, 1) if marks[slot] >= 0)
        if waiting:
            slots = recorder.mailbox.numpy()
            wall_time = time.time()
            recorder.marks.assign([-1, -1, marks[2], marks[3]])
            for step, slot in waiting:
                self._write(recorder, slots[slot], step, wall_time)
            batch = int(recorder.batch.numpy())
            self.batch_size = batch if batch >= 0 else None
        # The host counts batches, some of which may have been missing at the end of the data.
        self._base, self._batches = int(recorder.step.numpy()), 0
        if int(recorder.next.numpy()) != NEVER:
            return False
        self._due = max(self._cadence.next_step(waiting[-1][0]), self._base)
        recorder.next.assign(self._due)
        return True

    def _write(
        self, recorder: Recorder, vector: NDArray[np.float32], step: int, wall_time: float
    ) -> None:
        position = 0
        for group, (height, width) in recorder.rows.shapes().items():
            values = np.asarray(vector[position : position + height * width], np.float32)
            position += height * width
            if not height:
                continue
            if group not in self._channels:
                rows = recorder.rows.of(group)
                columns = statistics.columns(group)
                self._channels[group] = channel(group, rows, columns, self._model)
            self._writer.table(
                self._channels[group], values.reshape(height, width), step, wall_time
            )
