"""Has what is missing in the cache recorded by child processes, and shows how far it is.

Trainings run in children so that memory is given back, a crash costs a few trainings and not the
zoo, and this process never loads TensorFlow.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import TextIO

from zoo.cache import ROOT, Cache
from zoo.task import Task

PER_CHILD, AT_LEAST = 8, 2
"""Trainings of one process, fewer toward the end: starting TensorFlow takes as long as one."""
LONGEST_SECONDS = 600
"""Silence after which a child is ended; a training takes a hundredth of it."""
WIDTH = 28


class Bar:
    """A progress bar of one line; plain lines where the output is not a terminal."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total, self._out = total, out
        self._done, self._failed = 0, 0
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, line: str) -> None:
        """One more is done; `line` says which and how."""
        with self._lock:
            self._done += 1
            self._failed += line.startswith("failed")
            spent = time.monotonic() - self._start
            left = spent / self._done * (self._total - self._done)
            filled = WIDTH * self._done // self._total
            bar = "█" * filled + "·" * (WIDTH - filled)
            text = f"  {bar} {self._done}/{self._total}  {left / 60:4.1f} min left  {line}"
            live = self._out.isatty()
            if live and line.startswith("failed"):
                self._out.write(f"\r\x1b[K  {line}\n")
            self._out.write(f"\r\x1b[K{text[:110]}" if live else f"{text}\n")
            if live and self._done == self._total:
                self._out.write("\n")
            self._out.flush()


def record_all(
    tasks: Sequence[Task], cache: Cache, *, jobs: int, where: Sequence[str], out: TextIO
) -> dict[Task, str]:
    """Record what the cache lacks; what could not be recorded, with the reason."""
    todo = sorted((task for task in tasks if cache.facts(task) is None), key=_mixed)
    if not todo:
        return {}
    bar = Bar(len(todo), out)
    failed: dict[Task, str] = {}
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                size = max(AT_LEAST, min(PER_CHILD, len(todo) // (2 * jobs)))
                chunk = [todo.pop(0) for _ in range(min(size, len(todo)))]
            if not chunk:
                return
            failed.update(_child(chunk, cache, where, bar))

    threads = [threading.Thread(target=work) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed


def _mixed(task: Task) -> tuple[int, str]:
    """Seed by seed, families mixed: where a zoo is interrupted it has seen some of everything."""
    return task.seed, sha256(task.name.encode()).hexdigest()


def _child(
    chunk: Sequence[Task], cache: Cache, where: Sequence[str], bar: Bar
) -> dict[Task, str]:
    lines = "".join(f"{task} {cache.path(task).name}\n" for task in chunk)
    child = subprocess.Popen(
        [sys.executable, "-m", "zoo.recording", str(cache.folder), *where],
        cwd=ROOT, env=environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    failed = dict.fromkeys(chunk, "its process ended")
    with child:
        child.stdin.write(lines)
        child.stdin.close()
        watchdog = threading.Timer(LONGEST_SECONDS * len(chunk), child.kill)
        watchdog.start()
        for line in child.stdout:
            state, text, *rest = line.split(maxsplit=2)
            task = Task.parse(text)
            if state == "done":
                failed.pop(task, None)
            else:
                failed[task] = " ".join(rest).strip()
            bar.advance(line.strip())
        watchdog.cancel()
    return failed


def environment() -> dict[str, str]:
    """Of a child: one thread each, and the paths of this process."""
    one = dict.fromkeys(
        ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1"
    )
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return {**os.environ, **one, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": paths}
