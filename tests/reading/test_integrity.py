"""Damage to event files is noticed whatever was hit, and what is sound is left in peace."""

from __future__ import annotations

import os
import random
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_loaders import LOADERS
from event_files import EventFile
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.compat.proto import event_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

import tb_convergence
from tb_convergence.reading import integrity as integrity_module
from tb_convergence.reading.crc32c import crc32c, crc32c_of_each
from tb_convergence.reading.integrity import CHUNK_BYTES, Integrity
from tb_convergence.reading.run_files import RunFiles
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.tensorboard import reload_guard


def written(folder: Path, steps: int = 60) -> Path:
    with EventFile(folder) as file:
        for step in range(steps):
            file.simple("loss", step, 1.0 / (step + 1))
    return file.path


def sealed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return (
        length + struct.pack("<I", masked_crc32c(length)) + data
        + struct.pack("<I", masked_crc32c(data))
    )


def problems(folder: Path) -> tuple[str, ...]:
    return Integrity().report(folder).problems


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path)
    sound = path.read_bytes()
    assert problems(tmp_path) == ()
    dice = random.Random(5)
    for _ in range(120):
        place = dice.randrange(len(sound))
        copy = bytearray(sound)
        copy[place] ^= 1 << dice.randrange(8)
        path.write_bytes(copy)
        (told,) = problems(tmp_path) or ("nothing",)
        at = int(told.split("byte ")[1].split(":")[0].replace(",", ""))
        assert at <= place < at + 12 + 60 + 4


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_end_is_a_record_under_way(tmp_path: Path, cut: int) -> None:
    path = written(tmp_path)
    path.write_bytes(path.read_bytes()[:-cut])
    assert problems(tmp_path) == ()


def test_what_is_appended_is_looked_at_once_it_is_whole(tmp_path: Path) -> None:
    path = written(tmp_path)
    sound = path.read_bytes()
    half = len(sound) // 2 + 3
    path.write_bytes(sound[:half])
    looking = Integrity()
    assert looking.report(tmp_path).problems == ()
    copy = bytearray(sound)
    copy[-10] ^= 1
    path.write_bytes(copy)
    assert "damaged record" in looking.report(tmp_path).problems[0]
    replaced = tmp_path / "new"
    replaced.write_bytes(sound)
    os.replace(replaced, path)
    assert looking.report(tmp_path).problems == ()


def test_a_forged_length_ends_what_can_be_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    with path.open("ab") as file:
        file.write(struct.pack("<Q", 2**40) + b"\0" * 40)
    (told,) = problems(tmp_path)
    assert told.endswith("nothing after it can be read")


def test_a_link_to_itself_hides_no_damage(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.simple("loss", 0, 1.0)
    content = bytearray(file.path.read_bytes())
    content[-6] ^= 1
    file.path.write_bytes(content)
    (tmp_path / "z.tfevents.loop").symlink_to("z.tfevents.loop")
    assert "damaged record" in Integrity().report(tmp_path).problems[0]


def test_records_larger_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1"
    large = sealed(b"\x1a" + b"x" * (CHUNK_BYTES + 5))
    path.write_bytes(large + sealed(b"\x1ay"))
    assert problems(tmp_path) == ()
    hit = bytearray(large + sealed(b"\x1ay"))
    hit[CHUNK_BYTES] ^= 4
    path.write_bytes(hit)
    assert len(problems(tmp_path)) == 1


def test_what_is_no_event_is_counted(tmp_path: Path) -> None:
    path = written(tmp_path)
    with path.open("ab") as file:
        file.write(sealed(b"\xff\xff no event"))
    (told,) = problems(tmp_path)
    assert "1 records" in told or "no event" in told


def test_checksums_side_by_side_are_those_one_by_one() -> None:
    rng = np.random.default_rng(1)
    data = rng.integers(0, 256, 50_000).astype(np.uint8)
    begin, size = rng.integers(0, 40_000, 200), rng.integers(0, 3_000, 200)
    expected = [crc32c(data[b : b + s].tobytes()) for b, s in zip(begin, size, strict=True)]
    assert crc32c_of_each(data, begin, size).tolist() == expected


@pytest.mark.parametrize("name", ["../r", "/etc", "a/../../b", "."])
def test_no_folder_outside_is_looked_at(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "logs"
    inside.mkdir()
    damaged = written(tmp_path / "r")
    damaged.write_bytes(damaged.read_bytes()[:-30] + b"x" * 30)
    files = RunFiles(inside)
    assert files.reports(FoldedRun(name, (name,)))[name].problems == ()


@pytest.mark.parametrize("time", [float("nan"), float("inf"), float("-inf")])
def test_clocks_that_are_none_cost_nothing_and_are_reported(tmp_path: Path, time: float) -> None:
    with EventFile(tmp_path / "r") as file:
        for step in range(30):
            file.simple("loss", step, 30.0 - step, wall_time=time if step > 10 else None)
    assert Integrity().report(tmp_path / "r").bad_clocks == 19
    for loader in LOADERS:
        (told,) = tb_convergence.diagnose(tmp_path, loader=loader)  # type: ignore[arg-type]
        assert told.last_step == 29
        assert [one.tag for one in told.skipped] == ["wall_time"]


def test_one_record_that_is_no_event_ends_nobody_s_reading(tmp_path: Path) -> None:
    path = written(tmp_path / "bad")
    sound = path.read_bytes()
    path.write_bytes(sealed(b"\xff\xff\xff no event") + sound)
    written(tmp_path / "good")
    assert reload_guard.guard_reloading()
    held = plugin_event_multiplexer.EventMultiplexer()
    held.AddRunsFromDirectory(str(tmp_path))
    held.Reload()
    assert [len(held.Tensors(run, "loss")) for run in ("bad", "good")] == [60, 60]
    assert reload_guard.problems_of(held, "bad") == ("a record that is not an event was skipped",)
    assert reload_guard.problems_of(held, "good") == ()
    assert reload_guard.problems_of(held, "nobody") == ()


def test_a_guarded_error_is_the_run_s_own(tmp_path: Path) -> None:
    class Broken:
        path = "somewhere"

        def Reload(self) -> None:  # noqa: N802 - TensorBoard's name
            raise RuntimeError("a bug")

    class Gone(Broken):
        def Reload(self) -> None:  # noqa: N802
            raise OSError("gone")

    broken = Broken()
    reload_guard._guarded(Broken.Reload, (OSError,))(broken)
    with pytest.raises(OSError, match="gone"):
        reload_guard._guarded(Gone.Reload, (OSError,))(Gone())


def test_events_are_still_those_of_tensorboard(tmp_path: Path) -> None:
    """The first byte of each kind of event is one that is known here."""
    for event in (
        event_pb2.Event(wall_time=1.0), event_pb2.Event(step=3),
        event_pb2.Event(file_version="x"), event_pb2.Event(graph_def=b"x"),
        event_pb2.Event(meta_graph_def=b"x"),
    ):
        path = tmp_path / "events.out.tfevents.1"
        path.write_bytes(sealed(event.SerializeToString()))
        assert problems(tmp_path) == ()


def test_a_name_that_is_not_utf_8_is_shown_with_escapes(tmp_path: Path) -> None:
    sound = written(tmp_path / "good").read_bytes()
    bad = os.fsencode(tmp_path) + b"/bad\xff"
    try:
        os.mkdir(bad)
    except OSError:
        pytest.skip("this file system takes no such name")
    for name in (b"/events.out.tfevents.1.x", b"/events.out.tfevents.2.\xfe"):
        with open(bad + name, "wb") as file:
            file.write(sound)
    for loader in LOADERS:
        told = tb_convergence.diagnose(tmp_path, loader=loader)  # type: ignore[arg-type]
        assert [(one.run, one.last_step) for one in told] == [("bad%FF", 59), ("good", 59)]


def test_nobody_waits_for_the_file_of_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("slow", "quick"):
        with EventFile(tmp_path / name) as file:
            file.simple("loss", 0, 1.0)
    integrity, read = Integrity(), integrity_module._look
    begun, done = threading.Event(), threading.Event()

    def look(path: str, *given: Any) -> int:
        if "slow" in path:
            begun.set()
            assert done.wait(30)
        return read(path, *given)

    monkeypatch.setattr(integrity_module, "_look", look)
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(integrity.report, tmp_path / "slow")
        assert begun.wait(30)
        try:
            quick = threads.submit(integrity.report, tmp_path / "quick").result(20)
        finally:
            done.set()
        assert slow.result(30).size == quick.size
