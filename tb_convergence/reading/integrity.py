"""Verifies event files: the checksums of their records, and their clocks.

TensorBoard's loaders say nothing in the page when they stop at a damaged record, and its data
server takes numbers from damaged records as they are and drops records whose wall time is no
number. So this module reads the files as well: each record once, and new records when they are
appended. It parses only the frame of a record and the first field of the event.
"""

from __future__ import annotations

import os
import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.reading.crc32c import crc32c_of_each, masked
from tb_convergence.reading.folders import kind_of, printable_name

HEAD: Final = 12
"""Bytes before a record's data: its length, and the checksum of that."""
FOOT: Final = 4
"""Bytes behind it: the checksum of the data."""
CHUNK_BYTES: Final = 8 * 2**20
LOOK_BYTES: Final = 256 * 2**20
"""Most that is read of one run at one look; the rest comes at the next."""
MAX_FILES: Final = 10_000
"""Files whose state is remembered."""

_WALL_TIME: Final = 0x09
"""First byte of an event: field 1, a double."""
_FIELDS: Final = frozenset({0x09, 0x11, 0x10, 0x1A, 0x22, 0x2A, 0x32, 0x3A, 0x42, 0x4A, 0x52})
"""First bytes that an event can have."""


@dataclass(slots=True)
class FileState:
    """The state of the verification of one file.

    Attributes:
        checked: bytes that have been looked at.
        damaged_at: where the first damaged record begins; None if all are as they were written.
        ends: whether nothing can be read behind that: a length is damaged.
        damaged: number of damaged records.
        no_events: records with a checksum that holds, and no event in them.
        bad_clocks: records whose wall time is NaN or infinite.
        identity: device and file number: a replaced file is another one.
        lock: held while the file is read, so that nobody waits for another file.
    """

    checked: int = 0
    damaged_at: int | None = None
    ends: bool = False
    damaged: int = 0
    no_events: int = 0
    bad_clocks: int = 0
    identity: tuple[int, int] = (0, 0)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Report:
    """The damage found in the files of one run.

    Attributes:
        problems: reasons to doubt what is shown, each a sentence's part.
        bad_clocks: records whose wall time is no number.
        size: bytes of all files.
    """

    problems: tuple[str, ...] = ()
    bad_clocks: int = 0
    size: int = 0


@dataclass(slots=True)
class Integrity:
    """Looks at event files and remembers how far. Thread-safe."""

    verify: bool = True
    _states: OrderedDict[str, FileState] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def report(self, folder: Path | str) -> Report:
        """The state of the event files in `folder`, after reading their new records.

        A folder that cannot be read has nothing to report: the loaders say that themselves.
        """
        problems: list[str] = []
        clocks = size = 0
        left = LOOK_BYTES
        for path, length, identity in event_files(folder):
            with self._lock:
                state = self._states.get(path)
                if state is None or state.identity != identity or state.checked > length:
                    state = self._states[path] = FileState(identity=identity)
                self._states.move_to_end(path)
                while len(self._states) > MAX_FILES:
                    self._states.popitem(last=False)
            with state.lock:
                if state.checked < length and not state.ends and left > 0:
                    left -= _look(path, state, min(left, length - state.checked), self.verify)
                problems += _told(printable_name(os.path.basename(path)), state)
                clocks += state.bad_clocks
            size += length
        return Report(tuple(problems), clocks, size)


def _told(name: str, state: FileState) -> Iterator[str]:
    if state.damaged_at is not None:
        count = "a damaged record" if state.damaged == 1 else f"{state.damaged:,} damaged records"
        lost = "nothing after it can be read" if state.ends else "data after it may be missing"
        yield f"{count} in {name}, at byte {state.damaged_at:,}: {lost}"
    if state.no_events:
        yield f"{state.no_events:,} records of {name} are not events and were skipped"


def event_files(folder: Path | str) -> list[tuple[str, int, tuple[int, int]]]:
    """Path, size and identity of the event files in `folder`, in the order of their names."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                status = kind_of(entry)
                if isinstance(status, os.stat_result):
                    found.append((entry.path, status.st_size, (status.st_dev, status.st_ino)))
    except OSError:
        return []
    return sorted(found)


def _look(path: str, state: FileState, most: int, verify: bool) -> int:
    """Look at up to `most` new bytes of `path`; how many were read."""
    read = 0
    try:
        with open(path, "rb") as file:
            file.seek(state.checked)
            while read < most and not state.ends:
                data = file.read(min(CHUNK_BYTES, most - read))
                read += len(data)
                used = _records(data, state, verify)
                if used == 0 and len(data) >= HEAD:
                    # One record larger than a chunk, or the file's torn end.
                    (length,) = struct.unpack_from("<Q", data)
                    more = length + HEAD + FOOT - len(data)
                    if more > most - read:
                        break
                    data += file.read(more)
                    read += max(0, more)
                    used = _records(data, state, verify)
                state.checked += used
                if not used:
                    break
                file.seek(state.checked)
    except OSError:
        pass
    return max(read, 1)


def _records(data: bytes, state: FileState, verify: bool) -> int:
    """Look at the whole records in `data`; how many bytes they are."""
    starts, lengths = _frames(data, state, verify)
    if not starts:
        return 0
    begin = np.array(starts, np.int64)
    size = np.array(lengths, np.int64)
    raw = np.frombuffer(data, np.uint8)
    bad = np.zeros(len(begin), np.bool_)
    if verify:
        written = _words(raw, begin + HEAD + size)
        bad = masked(crc32c_of_each(raw, begin + HEAD, size)) != written
        if bad.any():
            state.damaged += int(bad.sum())
            if state.damaged_at is None:
                state.damaged_at = state.checked + int(begin[np.argmax(bad)])
    _look_at_events(raw, begin[~bad], size[~bad], state)
    return int(begin[-1] + size[-1]) + HEAD + FOOT


def _frames(data: bytes, state: FileState, verify: bool) -> tuple[list[int], list[int]]:
    """Where whole records begin, and the lengths of their data, up to one of a damaged length."""
    starts: list[int] = []
    lengths: list[int] = []
    at, end = 0, len(data)
    unpack = struct.Struct("<Q").unpack_from
    while at + HEAD <= end:
        (length,) = unpack(data, at)
        after = at + HEAD + length + FOOT
        if after > end:
            break
        starts.append(at)
        lengths.append(length)
        at = after
    # Also of the record that does not end in `data`: a forged length would look like one under way.
    heads = [*starts, at] if at + HEAD <= end else starts
    if not heads:
        return [], []
    raw = np.frombuffer(data, np.uint8)
    begin = np.array(heads, np.int64)
    told = masked(crc32c_of_each(raw, begin, np.full(len(begin), 8, np.int64)))
    wrong = np.flatnonzero(told != _words(raw, begin + 8))
    if len(wrong):
        first = int(wrong[0])
        state.ends = True
        state.damaged += 1
        if state.damaged_at is None:
            state.damaged_at = state.checked + heads[first]
        return starts[:first], lengths[:first]
    return starts, lengths


def _words(raw: NDArray[np.uint8], at: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The little-endian 32-bit words at `at`."""
    four = raw[at[:, None] + np.arange(4)]
    return np.ascontiguousarray(four).view("<u4")[:, 0]


def _look_at_events(
    raw: NDArray[np.uint8], begin: NDArray[np.int64], size: NDArray[np.int64], state: FileState
) -> None:
    full = size > 0
    first = raw[begin[full] + HEAD]
    state.no_events += int(np.count_nonzero(~np.isin(first, list(_FIELDS))))
    timed = begin[full][(first == _WALL_TIME) & (size[full] >= 9)]
    if len(timed):
        eight = raw[timed[:, None] + HEAD + 1 + np.arange(8)]
        times = np.ascontiguousarray(eight).view("<f8")[:, 0]
        state.bad_clocks += int(np.count_nonzero(~np.isfinite(times)))
