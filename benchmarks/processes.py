"""What a group of processes takes: memory and the processor's time, from `/proc`."""

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


def stats(group: int) -> Iterator[list[str]]:
    """`/proc/PID/stat` of each process of a group, split; its name is left out."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            head, _, tail = file.read_text().rpartition(")")
            stat = [head.split(" ", 1)[0], "", *tail.split()]
            if int(stat[4]) == group:
                yield stat


def resident_bytes(group: int) -> int:
    """Memory of a group; what its processes share counts for each."""
    return sum(int(stat[23]) for stat in stats(group)) * PAGE


def processor_seconds(group: int) -> float:
    """Time of the processor that the living processes of a group, and their children, took."""
    return sum(sum(map(int, stat[13:17])) for stat in stats(group)) * TICK


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
