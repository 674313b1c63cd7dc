"""Event files opened without TensorFlow: as readable, and nothing behind a torn record."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import event_records
import numpy as np
import pytest

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
    assert isinstance(writer._events, event_file._LocalEvents)
    for step in range(5):
        writer.table(TARGET, np.full((1, 1), step, np.float32), step)
    writer.close()
    group = event_records.read(tmp_path / "deep" / "run").variables
    assert group.steps == list(range(5))
    assert group.series("gradient_norm") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("folder", "imported"), [("gs://bucket/run", False), ("local", True)])
def test_tensorboards_own_writer_where_tensorflow_is_needed_or_there(
    monkeypatch: pytest.MonkeyPatch, folder: str, imported: bool
) -> None:
    if imported:
        monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.setattr(event_file, "EventFileWriter", lambda *given: given)
    assert event_file.open_events(folder, 10, 2, ".x") == (folder, 10, 2, ".x")


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


def test_nothing_is_written_behind_a_torn_record() -> None:
    disk = Full(room=15)
    file = event_file._File(disk)  # type: ignore[arg-type]
    file.write(b"0123456789")
    file.write(b"abcdefghij")
    disk.room = 100
    file.write(b"ABCDEFGHIJ")
    assert disk.held == b"0123456789abcde"


def test_a_full_disk_begins_a_new_file_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    writer = RunWriter(str(tmp_path), lambda: now[0])
    writer.table(TARGET, np.zeros((1, 1), np.float32), 0)
    writer.flush()
    assert writer._events is not None
    writer._events._general_file_writer._torn = True  # as after a write that fell short
    for step in range(1, 5):
        now[0] += module.LOOK_SECONDS + 1
        writer.table(TARGET, np.full((1, 1), step, np.float32), step)
        if writer._events is not None:
            writer.flush()
    last = Path(writer.path)
    writer.close()
    assert len(list(tmp_path.iterdir())) == 2
    assert writer.lost > 0
    (tmp_path / "last").mkdir()
    shutil.copy(last, tmp_path / "last")
    assert event_records.read(tmp_path / "last").variables.steps[-1] == 4
