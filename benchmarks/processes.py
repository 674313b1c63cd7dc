"""What a process and its descendants take: memory and the processor's time, from `/proc`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = os.sysconf("SC_PAGE_SIZE")
TICK: Final = 1 / os.sysconf("SC_CLK_TCK")
SAMPLE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a command: wall time, time of the processor, most memory of all its processes together."""

    seconds: float
    processor: float
    peak_bytes: int


def stats(root: int) -> list[list[str]]:
    """`/proc/PID/stat` of a process and all that descend from it, split; names are left out."""
    found: dict[int, list[str]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = file.read_text().rpartition(")")
            found[int(head.split(" ", 1)[0])] = ["", "", *tail.split()]
    family = {root}
    while True:
        more = {pid for pid, stat in found.items() if int(stat[3]) in family} - family
        if not more:
            return [stat for pid, stat in found.items() if pid in family]
        family |= more


def resident_bytes(root: int) -> int:
    """Memory of a process and its descendants; what they share counts for each.

    A process that is about to start a program is there twice for a moment, with all its memory: of
    those whose program and stack lie at the same places, one counts.
    """
    held: dict[tuple[str, ...], int] = {}
    for stat in stats(root):
        place = tuple(stat[25:28])
        held[place] = max(held.get(place, 0), int(stat[23]))
    return sum(held.values()) * PAGE


def processor_seconds(root: int) -> float:
    """Time of the processor that a process, its descendants and their ended children took."""
    return sum(sum(map(int, stat[13:17])) for stat in stats(root)) * TICK


@dataclass(slots=True)
class Memory:
    """Memory of a process and its descendants at its most, in bytes."""

    most: int = 0


@contextlib.contextmanager
def most_resident(root: int) -> Iterator[Memory]:
    """Watches the memory of `root` and all that descend from it while the block runs."""
    memory = Memory()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            memory.most = max(memory.most, resident_bytes(root))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield memory
    finally:
        ended.set()
        watcher.join()


def measured(command: Sequence[str]) -> Cost:
    """Run `command` to its end.

    Raises:
        RuntimeError: it fails.
    """
    begin = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - a program of ours
        command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )
    peak, processor = 0, 0.0
    ended = threading.Event()

    def watch() -> None:
        nonlocal peak, processor
        while not ended.wait(SAMPLE_SECONDS):
            peak = max(peak, resident_bytes(process.pid))
            processor = max(processor, processor_seconds(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        _, error = process.communicate()
    finally:
        ended.set()
        watcher.join()
    if process.returncode:
        raise RuntimeError(f"{command} failed: {error}")
    return Cost(time.perf_counter() - begin, processor, peak)
