"""One training under observation: what happens around the compiled step, in Python.

Between records that is two comparisons and a clock reading: the host knows when a record is due
because it scheduled it, and reads the device only then, and once a second for the one record it
cannot foresee, that of the first non-finite step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.training import keras_model
from tb_convergence.training.cadence import Cadence
from tb_convergence.training.hooks import TrainFunction, patched
from tb_convergence.training.observer import Guard, Observer
from tb_convergence.training.recorder import NEVER, SCOPE, Recorder
from tb_convergence.training.writer import Channel, RunWriter, channel

LOOK_SECONDS: Final = 1.0
"""How often the device is asked for a record nobody scheduled."""


class Session:
    """Observes the model's training until `finish`.

    Methods may raise, except `finish` and the train function itself: what fails in there goes to
    `guard`, what the user's own code raises passes through.

    Args:
        guard: see `observer.Guard`.
        failed: whether `guard` has seen a failure.
        disable: tells that recording has to stop, and why.

    Attributes:
        armed: whether this training is still ours; set before every batch. A train function that
            is called without it was left behind by a training that raised.
        batch_size: of the latest recorded step; None before one.
    """

    def __init__(
        self,
        model: Any,
        writer: RunWriter,
        cadence: Cadence,
        *,
        activations: bool,
        inputs: bool,
        guard: Guard,
        failed: Callable[[], bool],
        disable: Callable[[str], None],
    ) -> None:
        self.armed = False
        self.batch_size: int | None = None
        self._model = model
        self._writer = writer
        self._cadence = cadence
        self._guard = guard
        self._failed = failed
        self._disable = disable
        self._channels: dict[str, Channel] = {}
        self._batches_per_update = keras_model.batches_per_update(model.optimizer)
        self.first_step = keras_model.iterations(model)
        self._due = self.first_step
        self._base = self.first_step
        self._batches = 0
        self._calls = 0
        self._last_end: float | None = None
        self._last_look = 0.0
        self._observer = Observer(
            model, self.first_step, guard, activations=activations, inputs=inputs
        )
        keras_model.build_optimizer(model)
        self._train = TrainFunction(model, self._step, self._around)

    @property
    def installed(self) -> bool:
        """Whether the model still trains through us."""
        return self._train.installed

    @property
    def idle(self) -> bool:
        """Whether steps were made but none of them passed through the model's optimizer."""
        return self._calls > 0 and self._observer.recorder is None

    @property
    def last_step(self) -> int:
        """The last step that was made; one less than the first before any was."""
        recorder = self._observer.recorder
        return (self.first_step if recorder is None else int(recorder.step.numpy())) - 1

    def expect(self, batches: int) -> None:
        """The training will see `batches` more batches."""
        self._cadence.expect(self.last_step + 1, batches // self._batches_per_update)

    def begin_epoch(self) -> None:
        """An epoch begins: what lies between two of them, such as validation, is no step."""
        self._last_end = None

    # ---- inside the trace -----------------------------------------------------------------

    def _step(self, original: Callable[[Any], Any], data: Any) -> Any:
        """The observed `train_step`: the original one between patches."""
        patches = self._guard(lambda: self._observer.patches(data))
        if patches is None:
            return original(data)
        with patched(patches):
            return original(data)

    # ---- around the compiled step ---------------------------------------------------------

    def _around(self, inner: Callable[[Any], Any], iterator: Any) -> Any:
        if not self.armed or self._failed():
            return self._train.restore()(iterator)
        self.armed = False
        try:
            result = inner(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            raise  # the end of the data
        except Exception as error:
            if not _is_ours(error):
                self.finish()
                raise
            self._disable(f"{type(error).__name__} in the recorder: {error}")
            return self._train.restore()(iterator)
        except BaseException:
            self.finish()
            raise
        self._guard(self._look)
        return result

    def _look(self) -> None:
        """After a call of the train function: read a record if there may be one."""
        now = time.perf_counter()
        steps = int(self._model.steps_per_execution)
        self._calls += 1
        self._batches += steps
        began, self._last_end = self._last_end, now
        if self._base + self._batches // self._batches_per_update > self._due:
            self._last_look = now
            if self._read():
                self._last_end = time.perf_counter()
                if began is not None:
                    self._cadence.saw_record(self._last_end - began, steps)
                return
        elif now - self._last_look > LOOK_SECONDS:
            self._last_look = now
            self._read()
            self._last_end = time.perf_counter()
        if began is not None:
            self._cadence.saw_steps(now - began, steps)

    def _read(self) -> bool:
        """Fetch and write the records that wait on the device; whether a scheduled one did."""
        recorder = self._observer.recorder
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

    def _write(self, recorder: Recorder, vector: Any, step: int, wall_time: float) -> None:
        position = 0
        for group, (height, width) in recorder.rows.shapes().items():
            values = np.asarray(vector[position : position + height * width], np.float32)
            position += height * width
            if not height:
                continue
            if group not in self._channels:
                rows = recorder.rows.of(group)
                self._channels[group] = channel(group, rows, statistics.columns(group))
            self._writer.table(
                self._channels[group], values.reshape(height, width), step, wall_time
            )

    def finish(self) -> None:
        """Write what still waits, and leave the model as it was. Never raises."""
        self._guard(self._read)
        self._train.restore()


def _is_ours(error: Exception) -> bool:
    """Whether an exception of the compiled step names one of our operations."""
    return f"{SCOPE}/" in str(error)
