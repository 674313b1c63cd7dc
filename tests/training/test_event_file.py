"""Event files opened without TensorFlow: as readable, and nothing behind a torn record."""

from __future__ import annotations

import importlib
import io
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

import event_records
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.compat.proto import event_pb2

from tb_convergence.core.schema import Row
from tb_convergence.training.host import event_file
from tb_convergence.training.host import writer as module
from tb_convergence.training.host.writer import RunWriter, channel

TARGET = channel("variables", (Row("a", "a", "kernel"),), ("gradient_norm",))


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not imported it."""
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path / "deep" / "run"))
    for step in range(5):
        writer.table(TARGET, np.full((1, 1), step, np.float32), step)
    writer.close()
    group = event_records.read(tmp_path / "deep" / "run").variables
    assert group.steps == list(range(5))
    assert group.series("gradient_norm") == [0, 1, 2, 3, 4]


class RemoteFile(io.BytesIO):
    """A file of another file system, which may refuse what it is sent."""

    refuses = False
    kept = b""

    def flush(self) -> None:
        if self.refuses:
            raise ValueError("bucket not found")
        self.kept = self.getvalue()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> dict[str, RemoteFile]:
    """Files that were opened at addresses such as gs://."""
    files: dict[str, RemoteFile] = {}
    tf = importlib.import_module("tensorboard.compat").tf
    monkeypatch.setattr(tf.io.gfile, "makedirs", lambda folder: None)
    monkeypatch.setattr(
        tf.io.gfile, "GFile", lambda path, mode: files.setdefault(path, RemoteFile())
    )
    return files


def test_an_address_is_written_by_its_file_system(
    bucket: dict[str, RemoteFile], tmp_path: Path
) -> None:
    events = event_file.EventFile("gs://bucket/run", 10, 2, ".x")
    assert list(bucket) == [events.path]
    assert events.path.startswith("gs://bucket/run/events.out.tfevents.")
    events.add_event(event_pb2.Event(step=3))
    events.flush()
    (tmp_path / "copy").write_bytes(bucket[events.path].kept)
    assert [event.step for event in EventFileLoader(str(tmp_path / "copy")).Load()] == [0, 3]
    events.close()
    events.close()
    with pytest.raises(OSError, match="is closed"):
        events.add_event(event_pb2.Event(step=4))


def test_a_file_system_that_fails_is_an_error_and_blocks_nobody(
    bucket: dict[str, RemoteFile],
) -> None:
    events = event_file.EventFile("gs://bucket/run", 1, 0, ".x")
    bucket[events.path].refuses = True

    def record_much() -> None:
        for step in range(1000):
            events.add_event(event_pb2.Event(step=step))

    with pytest.raises(OSError, match="could not be written: bucket not found"):
        record_much()
    with pytest.raises(OSError, match="bucket not found"):
        events.flush()
    events.close()


class Full(io.RawIOBase):
    """A disk with room for `room` bytes, which gets room again later."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.held = room, b""

    def write(self, data: bytes) -> int:  # type: ignore[override]
        part = data[: self.room]
        if not part:
            raise OSError(28, "No space left on device")
        self.held += part
        self.room -= len(part)
        return len(part)


class Short:
    """A file on a disk with room for `room` bytes."""

    def __init__(self, file: BinaryIO, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:
        self.room -= (taken := self.file.write(data[: self.room]))
        return taken

    def close(self) -> None:
        self.file.close()


def test_nothing_is_written_behind_a_torn_record() -> None:
    disk = Full(room=15)
    file = event_file.LocalFile(disk)  # type: ignore[arg-type]
    file.write(b"0123456789")
    file.write(b"abcdefghij")
    disk.room = 100
    file.write(b"ABCDEFGHIJ")
    assert disk.held == b"0123456789abcde"


def test_a_full_disk_begins_a_new_file_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    open_local = event_file.LocalFile
    disks = iter([Full(room=400), None])  # the second file finds room again

    def opened(file: BinaryIO) -> event_file.LocalFile:
        disk = next(disks)
        return open_local(file if disk is None else Short(file, disk.room))

    monkeypatch.setattr(event_file, "LocalFile", opened)
    writer = RunWriter(str(tmp_path), lambda: now[0])
    for step in range(6):
        now[0] += module.LOOK_SECONDS + 1
        writer.table(TARGET, np.full((1, 1), step, np.float32), step)
        writer.flush()
    last = Path(writer.path)
    writer.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert writer.lost > 0
    (tmp_path / "last").mkdir()
    shutil.copy(last, tmp_path / "last")
    assert event_records.read(tmp_path / "last").variables.steps[-1] == 5


def test_the_order_of_names_is_that_of_their_making(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard reads a run's files by name; within one second only the number differs."""
    monkeypatch.setattr(event_file.time, "time", lambda: 1_700_000_000.0)
    made = []
    for _ in range(12):
        file = event_file.EventFile(str(tmp_path), 10, 1.0, "")
        file.close()
        made.append(file.path)
    assert made == sorted(made)
