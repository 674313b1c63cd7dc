"""Damaged event files: what came before the damage is read, what is damaged is told, never shown.

Each damaged file is a run of its own, so that one load covers them all.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS, histories, read_all
from event_files import EventFile
from tensorboard.backend.event_processing import plugin_event_accumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading import DataUnavailableError, open_logdir
from tb_convergence.reading.tensorboard.reload_guard import guard_reloading

STEPS = 4
LAYOUT = layout_of(
    "variables", tuple(Row(f"w{i}", "w", "kernel") for i in range(3)), ("gradient_norm",)
)


def values(step: int) -> np.ndarray:
    return np.float32([[step + 0.1], [step + 0.2], [step + 0.3]])


def healthy(folder: Path) -> bytes:
    with EventFile(folder) as file:
        for step in range(STEPS):
            file.record(LAYOUT, step, values(step))
    return file.path.read_bytes()


def offsets(content: bytes) -> list[tuple[int, int]]:
    """Begin and end of each record."""
    found, begin = [], 0
    while begin < len(content):
        (length,) = struct.unpack_from("<Q", content, begin)
        found.append((begin, begin + 12 + length + 4))
        begin = found[-1][1]
    return found


def record(payload: bytes) -> bytes:
    """A record with checksums that hold."""
    length = struct.pack("<Q", len(payload))
    return b"".join((
        length, struct.pack("<I", masked_crc32c(length)),
        payload, struct.pack("<I", masked_crc32c(payload)),
    ))


def place(logdir: Path, run: str, content: bytes) -> None:
    (logdir / run).mkdir(parents=True)
    (logdir / run / "events.out.tfevents.1700000000.a").write_bytes(content)


def check_values(history: RunHistory, *, at: list[int] | None = None) -> None:
    """All that is shown was written; `at` the steps that must be there."""
    table = history.tables.get("variables")
    steps = [] if table is None else table.steps.tolist()
    assert at is None or steps == at
    written = [values(step) for step in range(STEPS)]
    for shown in () if table is None else table.low:
        assert any(np.array_equal(shown, known) for known in written)


def test_a_file_cut_anywhere_in_its_last_record(tmp_path: Path) -> None:
    content = healthy(tmp_path / "source")
    begin, end = offsets(content)[-1]
    for cut in range(begin, end):
        place(tmp_path / "logs", f"cut{cut}", content[:cut])
    place(tmp_path / "logs", "whole", content)
    found = read_all(tmp_path / "logs")
    assert len(found) == end - begin + 1
    check_values(found.pop("whole"), at=[0, 1, 2, 3])
    for history in found.values():
        check_values(history, at=[0, 1, 2])
        assert history.skipped == ()


@pytest.mark.parametrize("where", ["length", "length checksum", "data", "data checksum"])
def test_a_flipped_bit_in_the_middle(tmp_path: Path, where: str) -> None:
    content = bytearray(healthy(tmp_path / "source"))
    begin, end = offsets(bytes(content))[3]
    place_of = {"length": 0, "length checksum": 8, "data": (end - begin) // 2,
                "data checksum": end - begin - 1}
    content[begin + place_of[where]] ^= 0x10
    place(tmp_path / "logs", "damaged", bytes(content))
    place(tmp_path / "logs", "whole", healthy(tmp_path / "again"))
    for loader in LOADERS:
        found = histories(tmp_path / "logs", loader)
        check_values(found["whole"], at=[0, 1, 2, 3])
        check_values(found["damaged"], at=[0, 1])
        assert "damaged record in events.out.tfevents" in found["damaged"].skipped[0].reason


def test_a_record_that_is_no_event(tmp_path: Path) -> None:
    content = healthy(tmp_path / "source")
    begin, _ = offsets(content)[3]
    place(tmp_path / "logs", "damaged", content[:begin] + record(b"\xff\xff\xff no event"))
    place(tmp_path / "logs", "whole", content)
    for loader in LOADERS:
        found = histories(tmp_path / "logs", loader)
        check_values(found["whole"], at=[0, 1, 2, 3])
        check_values(found["damaged"], at=[0, 1])
        assert found["damaged"].skipped


def test_a_record_that_is_no_event_is_named_where_tensorboard_is_guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulator = plugin_event_accumulator.EventAccumulator
    monkeypatch.setattr(accumulator, "Reload", accumulator.Reload)  # undone after the test
    assert guard_reloading()
    content = healthy(tmp_path / "source")
    begin, _ = offsets(content)[3]
    place(tmp_path / "logs", "damaged", content[:begin] + record(b"\xff\xff\xff no event"))
    found = histories(tmp_path / "logs", "python")
    check_values(found["damaged"], at=[0, 1])
    assert found["damaged"].skipped


def test_a_file_that_never_was_an_event_file(tmp_path: Path) -> None:
    place(tmp_path, "foreign", b"hello world, this is a text file with a misleading name")
    place(tmp_path, "whole", healthy(tmp_path / "../source"))
    found = read_all(tmp_path)
    check_values(found["whole"], at=[0, 1, 2, 3])
    check_values(found["foreign"], at=[])
    assert found["foreign"].skipped


def test_a_forged_length_of_a_terabyte(tmp_path: Path) -> None:
    """The data server dies of it; the Python loader takes over, and survives."""
    content = healthy(tmp_path / "source")
    begin, _ = offsets(content)[3]
    length = struct.pack("<Q", 2**40)
    forged = content[:begin] + length + struct.pack("<I", masked_crc32c(length)) + b"x" * 100
    place(tmp_path / "logs", "forged", forged)
    place(tmp_path / "logs", "whole", content)
    with pytest.raises(DataUnavailableError), open_logdir(tmp_path / "logs", "fast"):
        pass
    found = histories(tmp_path / "logs", "auto")
    check_values(found["whole"], at=[0, 1, 2, 3])
    check_values(found["forged"], at=[0, 1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("loader", LOADERS)
def test_events_changed_at_random(tmp_path: Path, seed: int, loader: str) -> None:
    """Checksums of the file hold, its content does not: only ours can tell."""
    dice = random.Random(seed)
    content = healthy(tmp_path / "source")
    records = [content[begin + 12 : end - 4] for begin, end in offsets(content)]
    for run in range(50):
        changed = []
        for payload in records:
            data = bytearray(payload)
            for _ in range(dice.choice((0, 0, 1, 1, 2, 8))):
                data[dice.randrange(len(data))] = dice.randrange(256)
            changed.append(record(bytes(data)))
        place(tmp_path / "logs", f"r{run}", b"".join(changed))
    place(tmp_path / "logs", "whole", content)
    found = histories(tmp_path / "logs", loader)
    assert len(found) == 51
    check_values(found.pop("whole"), at=[0, 1, 2, 3])
    for history in found.values():
        check_values(history)
