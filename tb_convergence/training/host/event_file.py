"""An event file: records go to a queue, and a thread of its own writes them.

TensorBoard's `EventFileWriter` goes through TensorFlow's file systems where TensorFlow is
installed, and so imports it: seconds and hundreds of megabytes in a training that uses another
framework. Here a local file is an ordinary one; only an address such as "gs://" needs a file system
of TensorBoard or TensorFlow. Framing and checksums are TensorBoard's `RecordWriter`.
"""

from __future__ import annotations

import itertools
import os
import queue
import socket
import threading
import time
from typing import BinaryIO, Final, Protocol

from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

_NUMBERS: Final = itertools.count()
"""Tells files apart that this process begins within one second. TensorBoard reads the files of a
run by name, so the number has leading zeros: the tenth file comes after the ninth."""

THREAD_NAME: Final = "tb_convergence event file"
"""Name of the threads that write."""


class _Writable(Protocol):
    def write(self, data: bytes) -> object: ...
    def flush(self) -> object: ...
    def close(self) -> object: ...


class EventFile:
    """A new event file in a folder.

    Attributes:
        path: the file, in the folder or at the address that was given.

    Args:
        log_dir: a folder, which is made where needed, or an address such as "gs://bucket/run".
        queue_records: records that wait to be written; `add_event` waits while it is full.
        flush_seconds: a remote file is sent this often.
        suffix: of the file's name.

    Raises:
        OSError: the folder or the file cannot be made.
    """

    def __init__(
        self, log_dir: str, queue_records: int, flush_seconds: float, suffix: str
    ) -> None:
        name = (
            f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}"
            f".{os.getpid()}.{next(_NUMBERS):06d}{suffix}"
        )
        self.path = os.path.join(log_dir, name)
        self._file = _remote(log_dir, self.path) if "://" in log_dir else _local(log_dir, self.path)
        self._records = RecordWriter(self._file)
        self._flush_seconds = flush_seconds
        self._queue: queue.Queue[bytes | None] = queue.Queue(queue_records)
        self._failure: Exception | None = None
        self._closed = False
        self._lock = threading.Lock()  # nothing may be handed over behind the end
        self._thread = threading.Thread(target=self._write, name=THREAD_NAME, daemon=True)
        self._thread.start()
        self.add_event(event_pb2.Event(wall_time=time.time(), file_version="brain.Event:2"))
        self.flush()

    def add_event(self, event: event_pb2.Event) -> None:
        """Have an event written, after those before it.

        Raises:
            OSError: the file is closed, or what was handed over before could not be written.
        """
        with self._lock:
            self._check()
            self._queue.put(event.SerializeToString())

    def flush(self) -> None:
        """Wait until all events are in the file.

        Raises:
            OSError: as for `add_event`.
        """
        with self._lock:
            self._check()
            self._queue.join()
            self._file.flush()
            self._check()

    def close(self) -> None:
        """Write what waits, and close the file; nothing if it is closed already."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
            self._thread.join()
            self._file.close()

    def _check(self) -> None:
        if self._closed:
            raise OSError(f"{self.path} is closed")
        if self._failure is not None:
            raise OSError(f"{self.path} could not be written: {self._failure}") from self._failure

    def _write(self) -> None:
        flushed = time.monotonic()
        while (record := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    self._records.write(record)
                    if time.monotonic() - flushed > self._flush_seconds:
                        self._file.flush()
                        flushed = time.monotonic()
                except Exception as error:  # whatever a remote file system raises
                    self._failure = error
            # After a failure too: nobody may wait for records that no one takes.
            self._queue.task_done()
        self._queue.task_done()


def _remote(log_dir: str, path: str) -> _Writable:
    from tensorboard.compat import tf  # noqa: PLC0415 - may import TensorFlow

    tf.io.gfile.makedirs(log_dir)
    file: _Writable = tf.io.gfile.GFile(path, "wb")
    return file


def _local(log_dir: str, path: str) -> _Writable:
    os.makedirs(log_dir, exist_ok=True)
    # Unbuffered: what a thread has written is in the file, and a failure shows at once. Appending:
    # after somebody has emptied the file, its size shows it, and no hole of zeros hides it.
    return LocalFile(open(path, "ab", buffering=0))


class LocalFile:
    """A file that takes nothing more after the first write that fails or falls short.

    It raises nothing: `RunWriter` sees that the file does not grow. What would come after a torn
    record could not be read anyway.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._torn = False

    def write(self, data: bytes) -> None:
        """All of `data`, or as much as the disk takes; then nothing more."""
        if self._torn:
            return
        try:
            self._torn = self._file.write(data) != len(data)
        except OSError:
            self._torn = True

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()
