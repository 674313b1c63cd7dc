"""Opens an event file without importing TensorFlow.

TensorBoard's `EventFileWriter` goes through TensorFlow's file systems where TensorFlow is
installed, and so imports it: seconds and hundreds of megabytes in a training that uses another
framework. A local file needs none of that.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import BinaryIO

from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer import event_file_writer
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.summary.writer.record_writer import RecordWriter


def open_events(log_dir: str, queue: int, flush_seconds: int, suffix: str) -> EventFileWriter:
    """A writer of a new event file in `log_dir`.

    Raises:
        OSError: the folder or the file cannot be made.
    """
    if "tensorflow" in sys.modules or "://" in log_dir:
        return EventFileWriter(log_dir, queue, flush_seconds, suffix)
    return _LocalEvents(log_dir, queue, flush_seconds, suffix)


class _LocalEvents(EventFileWriter):  # type: ignore[misc]  # TensorBoard has no types
    """An `EventFileWriter` whose file is an ordinary one."""

    def __init__(self, log_dir: str, queue: int, flush_seconds: int, suffix: str) -> None:
        os.makedirs(log_dir, exist_ok=True)
        self._logdir = log_dir
        self._file_name = os.path.join(
            log_dir,
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            f".{os.getpid()}.{event_file_writer._global_uid.get()}{suffix}",
        )
        # Unbuffered: what a thread has written is in the file, and a failure shows at once.
        self._general_file_writer = _File(open(self._file_name, "wb", buffering=0))  # noqa: SIM115
        self._async_writer = event_file_writer._AsyncWriter(
            RecordWriter(self._general_file_writer), queue, flush_seconds
        )
        self.add_event(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()


class _File:
    """A file that takes nothing more after the first write that fails or falls short.

    As TensorFlow's own files, it raises nothing: `RunWriter` sees that the file does not grow.
    What would come after a torn record could not be read anyway.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._torn = False

    def write(self, data: bytes) -> None:
        if self._torn:
            return
        try:
            self._torn = self._file.write(data) != len(data)
        except OSError:
            self._torn = True

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return self._file.closed
