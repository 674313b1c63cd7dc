"""Event file of one run: our tables as TensorBoard's own events, written outside the train step.

We write the protocol buffers ourselves: independent of TensorFlow, of default writers and of
`tf.summary`'s step; and metadata is written once per tag, where `tf.summary` would repeat it in
every event.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tensorboard.compat.proto import (
    event_pb2,
    summary_pb2,
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)

from tb_convergence.core import schema
from tb_convergence.core.schema import Row
from tb_convergence.training.host import neighbors
from tb_convergence.training.host.event_file import EventFile

if TYPE_CHECKING:
    from tb_convergence.training.host.live import Live

SUFFIX: Final = ".convergence"
FLUSH_SECONDS: Final = 2
"""Longest time that a record waits in memory: what a killed process loses, a live tab waits."""

QUEUE_RECORDS: Final = 100

LOOK_SECONDS: Final = 3 * FLUSH_SECONDS
"""How often the file is looked at: what was written before the last look has been flushed."""

MAX_PATIENCE_SECONDS: Final = 300.0
"""Longest time between two attempts to begin a new file."""

FRAME_BYTES: Final = 16
"""What the file format adds to an event: its length and two checksums."""

logger = logging.getLogger("tb_convergence")


def _metadata(content: bytes, title: str) -> summary_pb2.SummaryMetadata:
    return summary_pb2.SummaryMetadata(
        plugin_data=summary_pb2.SummaryMetadata.PluginData(
            plugin_name=schema.PLUGIN_NAME, content=content
        ),
        display_name=title,
        # Without a data class both loaders hide the summary.
        data_class=summary_pb2.DATA_CLASS_TENSOR,
    )


def _tensor(values: NDArray[np.float32]) -> tensor_pb2.TensorProto:
    extents = [tensor_shape_pb2.TensorShapeProto.Dim(size=size) for size in values.shape]
    return tensor_pb2.TensorProto(
        dtype=types_pb2.DT_FLOAT,
        tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=extents),
        tensor_content=np.ascontiguousarray(values, dtype="<f4").tobytes(),
    )


@dataclass(frozen=True, slots=True)
class Channel:
    """One tag of the file: a group with a fixed layout."""

    tag: str
    title: str
    content: bytes


def channel(
    group: str, rows: Sequence[Row], columns: Sequence[str], model: str = ""
) -> Channel:
    """The channel for tables of `group` with these rows and columns.

    `model` names the model where a run holds several.
    """
    layout = schema.layout_of(group, rows, columns, model)
    return Channel(layout.tag, f"Convergence: {group}", schema.encode_layout(layout))


def single(values: ArrayLike) -> NDArray[np.float32]:
    """`values` as float32. A number beyond its range becomes its largest one, not an infinity.

    >>> bool(np.isfinite(single(1e300))), float(single(float("inf")))
    (True, inf)
    """
    exact = np.asarray(values, np.float64)
    largest = float(np.finfo(np.float32).max)
    clipped = np.where(np.isfinite(exact), np.clip(exact, -largest, largest), exact)
    return clipped.astype(np.float32)


def metadata_of(target: Channel) -> summary_pb2.SummaryMetadata:
    """What the first summary of a channel says of all of them."""
    return _metadata(target.content, target.title)


class RunWriter:
    """Writes tables and the configuration of one run. Not safe for use by several threads.

    A full disk and a deleted folder raise nothing: what is written is lost in silence. So the file
    is looked at every few seconds; when it has vanished or stopped growing, one log line says so,
    and a new file is begun as soon as that works. Records in between are lost, and counted.

    Attributes:
        lost: number of records that could not be written, as far as known.
        label: "" as a rule; where another process writes to the same run, a name that keeps the
            records apart, for the layouts of this one.
        live: gets to see everything that is written, if set.

    Raises:
        OSError: no file can be created in `log_dir` (at construction only).
    """

    def __init__(self, log_dir: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.log_dir = log_dir
        self.lost = 0
        self._clock = clock
        self._next_look = clock() + LOOK_SECONDS
        self._patience = float(LOOK_SECONDS)
        self._reported = False
        self._configuration: tuple[Mapping[str, Any], int] | None = None
        self._events: EventFile | None = None
        self._process = os.getpid()
        self.live: Live | None = None
        self._open()
        self.label = self._beside_others()

    def _beside_others(self) -> str:
        found = neighbors.others(self.path, SUFFIX)
        if not found:
            return ""
        logger.warning(
            "Another process seems to be writing to %s (%s). Give each training its own folder. "
            "The records of this training are marked.",
            self.log_dir,
            found[-1],
        )
        return f"process {self._process}"

    def _open(self) -> None:
        """Begin a new file: tags are described anew in it."""
        self._described: set[str] = set()
        self._handed_bytes = self._expected_bytes = 0
        # Records handed over since the last look; and before it, but after the one before.
        self._pending = self._unproved = 0
        self._events = EventFile(self.log_dir, QUEUE_RECORDS, FLUSH_SECONDS, SUFFIX)

    @property
    def path(self) -> str:
        """The file being written; "" while there is none."""
        return "" if self._events is None else self._events.path

    def table(
        self,
        target: Channel,
        values: NDArray[np.float32],
        step: int,
        wall_time: float | None = None,
    ) -> None:
        """Write one record `[R, C]`; its checksums are added here."""
        if self.live is not None:
            self.live.record(target.content, values, step, wall_time or time.time())
        self._write(
            target.tag, target.title, target.content, _tensor(schema.seal(values)), step, wall_time
        )

    def config(self, document: Mapping[str, Any], step: int) -> None:
        """Write the run's static configuration as strict JSON."""
        self._configuration = (document, step)
        if self.live is not None:
            self.live.config(document)
        text = json.dumps(document, allow_nan=False, ensure_ascii=False)
        tensor = tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(),
            string_val=[text.encode("utf-8", "replace")],
        )
        self._write(schema.CONFIG_TAG, "Convergence: configuration", b"", tensor, step, None)

    def _write(
        self,
        tag: str,
        title: str,
        content: bytes,
        tensor: tensor_pb2.TensorProto,
        step: int,
        wall_time: float | None,
    ) -> None:
        if os.getpid() != self._process:
            return  # a fork of the training: the file is its parent's, and so are the locks
        self._look_after_file()
        if self._events is None:
            self.lost += 1
            return
        value = summary_pb2.Summary.Value(tag=tag, tensor=tensor)
        if tag not in self._described:
            value.metadata.CopyFrom(_metadata(content, title))
            self._described.add(tag)
        event = event_pb2.Event(
            wall_time=time.time() if wall_time is None else wall_time,
            step=step,
            summary=summary_pb2.Summary(value=[value]),
        )
        try:
            self._events.add_event(event)
        except Exception as error:  # the thread that writes has died of it
            reason = f"{type(error).__name__}: {error}"
            self._give_up(reason, records=self._unproved + self._pending + 1)
            return
        self._handed_bytes += event.ByteSize() + FRAME_BYTES
        self._pending += 1

    def _look_after_file(self) -> None:
        """Notice a file that has vanished or does not grow; begin a new one in its place."""
        now = self._clock()
        if now < self._next_look:
            return
        if self._events is not None:
            problem = self._problem()
            if problem is None:
                if self._expected_bytes:
                    self._reported, self._patience = False, LOOK_SECONDS
                # What was handed over by now must be there at the next look.
                self._expected_bytes = self._handed_bytes
                self._unproved, self._pending = self._pending, 0
                self._next_look = now + LOOK_SECONDS
                return
            self._give_up(problem, records=self._unproved + self._pending)
        # A file on a full disk can be created, but not filled: each attempt leaves an empty one.
        self._next_look = now + self._patience
        self._patience = min(2 * self._patience, MAX_PATIENCE_SECONDS)
        try:
            self._open()
            if self._configuration is not None:
                self.config(*self._configuration)
        except Exception as error:
            self._give_up(f"{type(error).__name__}: {error}", records=0)

    def _problem(self) -> str | None:
        """What is wrong with the file; None if it is well, or is out of our sight."""
        if "://" in self.path:
            return None
        try:
            size = os.stat(self.path).st_size
        except OSError as error:
            return f"the event file has disappeared ({error.strerror})"
        if size < self._expected_bytes:
            return f"the event file stopped growing at {size} bytes; is the disk full?"
        return None

    def _give_up(self, reason: str, records: int) -> None:
        self.lost += records
        events, self._events = self._events, None
        self._report(reason)
        with suppress(Exception):  # its end fails for the same reason
            if events is not None:
                events.close()

    def _report(self, reason: str) -> None:
        if not self._reported:
            self._reported = True
            logger.warning(
                "Records for %s are being lost: %s. The recorder starts a new event file as soon "
                "as possible.",
                self.log_dir,
                reason,
            )

    def flush(self) -> None:
        """Hand everything written so far to the operating system."""
        if self._events is not None and os.getpid() == self._process:
            self._events.flush()

    def close(self) -> None:
        """Write the queued records and close the file."""
        events, self._events = self._events, None
        if events is not None and os.getpid() == self._process:
            events.close()
