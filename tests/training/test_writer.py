"""The event file: what TensorBoard finds in it, and what happens when the file is lost."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path

import event_records
import numpy as np
import pytest
from tensorboard.compat.proto import summary_pb2

from tb_convergence.core.schema import CONFIG_TAG, Row
from tb_convergence.training.host import writer as module
from tb_convergence.training.host.writer import RunWriter, channel

ROWS = (Row("a/kernel", "a", "kernel", (2, 3), "float32"), Row("a/bias", "a", "bias", (3,)))
TABLE = np.array([[1.5, np.nan], [np.inf, -0.0]], np.float32)


class Clock:
    """A clock the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path / "deep" / "run"))
    target = channel("variables", ROWS, ("gradient_norm", "update_norm"))
    writer.table(target, TABLE, step=2**40, wall_time=12.5)
    writer.close()
    group = event_records.read(tmp_path / "deep" / "run").variables
    assert group.rows == ROWS
    assert group.columns == ("gradient_norm", "update_norm", "check")
    assert group.steps == [2**40]
    np.testing.assert_array_equal(group.tables[0][:, :2], TABLE)


def test_metadata_is_written_once_per_tag_and_marks_a_tensor(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path))
    target = channel("variables", ROWS, ("gradient_norm", "update_norm"))
    for step in range(5):
        writer.table(target, TABLE, step)
    writer.config({"schema": 1}, 0)
    writer.config({"schema": 1, "batch_size": 32}, 0)
    writer.close()
    written = event_records.read(tmp_path)
    assert written.events_with_metadata == 2
    assert {m.data_class for m in written.metadata.values()} == {summary_pb2.DATA_CLASS_TENSOR}
    assert written.metadata[CONFIG_TAG].plugin_data.content == b""
    assert written.configs == [{"schema": 1}, {"schema": 1, "batch_size": 32}]


def test_two_layouts_never_share_a_tag() -> None:
    one = channel("variables", ROWS, ("gradient_norm",))
    other = channel("variables", ROWS[:1], ("gradient_norm",))
    assert one.tag != other.tag
    assert one.tag.startswith("convergence/variables/")


def test_the_configuration_is_strict_json(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path))
    with pytest.raises(ValueError, match="not JSON compliant"):
        writer.config({"rate": float("nan")}, 0)
    writer.config({"name": "\ud800 ü"}, 0)
    writer.close()
    assert json.dumps(event_records.read(tmp_path).configs[0])


def lost_file_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged about lost records."""
    return [r.getMessage() for r in caplog.records if r.name == "tb_convergence"]


def test_a_deleted_folder_is_noticed_and_a_new_file_begun(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    folder, clock = tmp_path / "run", Clock()
    writer = RunWriter(str(folder), clock)
    target = channel("variables", ROWS, ("gradient_norm", "update_norm"))
    writer.config({"schema": 1}, 0)
    writer.table(target, TABLE, step=0)
    shutil.rmtree(folder)
    for step in range(1, 4):
        writer.table(target, TABLE, step)
    clock.now += 2 * module.LOOK_SECONDS
    writer.table(target, TABLE, step=4)
    writer.close()
    written = event_records.read(folder)
    assert written.variables.steps == [4], "the layout is described anew in the new file"
    assert written.configs == [{"schema": 1}]
    assert writer.lost == 5, "the configuration and the records since the last look"
    assert len(lost_file_messages(caplog)) == 1


def test_a_file_that_does_not_grow_is_given_up_and_tried_again_later_and_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    writer = RunWriter(str(tmp_path), clock)
    target = channel("variables", ROWS, ("gradient_norm", "update_norm"))
    full = True
    monkeypatch.setattr(
        module.RunWriter, "_problem", lambda self: "disk full" if full else None
    )
    attempts = []
    opened = module.RunWriter._open
    monkeypatch.setattr(
        module.RunWriter, "_open", lambda self: (attempts.append(clock.now), opened(self))[1]
    )
    for step in range(1000):
        clock.now += 1.0
        writer.table(target, TABLE, step)
    gaps = np.diff(attempts)
    assert (gaps[1:] >= gaps[:-1]).all()
    assert gaps.max() <= module.MAX_PATIENCE_SECONDS + 1
    assert len(attempts) < 12, "each attempt on a full disk leaves an empty file"
    assert len(lost_file_messages(caplog)) == 1
    full = False
    clock.now += 1000.0
    for step in range(1000, 1030):
        clock.now += 1.0
        writer.table(target, TABLE, step)
    writer_path = writer.path
    writer.close()
    last = tmp_path / "last"
    last.mkdir()
    shutil.copy(writer_path, last)
    assert event_records.read(last).variables.steps[-30:] == list(range(1000, 1030))


def test_the_size_of_the_file_is_what_was_handed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    writer = RunWriter(str(tmp_path), clock)
    target = channel("variables", ROWS, ("gradient_norm", "update_norm"))
    for step in range(50):
        writer.table(target, TABLE, step)
    writer.flush()
    clock.now += 2 * module.LOOK_SECONDS
    writer.table(target, TABLE, 50)
    assert writer.lost == 0
    assert lost_file_messages(caplog) == []
    # A file that is short of its last bytes alone has lost a record.
    writer.flush()
    os.truncate(writer.path, Path(writer.path).stat().st_size - 200)
    clock.now += 2 * module.LOOK_SECONDS
    writer.table(target, TABLE, 51)
    writer.close()
    (message,) = lost_file_messages(caplog)
    assert "stopped growing" in message
    assert writer.lost > 0


def test_a_dead_writing_thread_costs_records_not_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    writer = RunWriter(str(tmp_path), clock)
    target = channel("variables", ROWS, ("gradient_norm", "update_norm"))
    writer._events.close()  # whatever it writes from now on raises
    for step in range(3):
        writer.table(target, TABLE, step)
    assert writer.lost == 3
    clock.now += 2 * module.LOOK_SECONDS
    writer.table(target, TABLE, 3)
    writer.close()
    assert event_records.read(tmp_path).variables.steps == [3]
    assert len(lost_file_messages(caplog)) == 1


@pytest.mark.parametrize("make", ["file", "below a file"])
def test_a_folder_that_cannot_be_made_is_an_error_at_once(tmp_path: Path, make: str) -> None:
    (tmp_path / "taken").write_text("not a folder")
    where = tmp_path / "taken" if make == "file" else tmp_path / "taken" / "run"
    with pytest.raises(Exception, match="taken"):
        RunWriter(str(where))
