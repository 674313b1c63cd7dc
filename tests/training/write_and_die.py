"""Processes that write a run and meet with misfortune; what they knew is printed as JSON.

    write_and_die.py kill FOLDER      twenty writers, each killed at a random moment
    write_and_die.py limit FOLDER     the file may not grow for a while
    write_and_die.py fill FOLDER      the device of FOLDER is full for a while
    write_and_die.py two FOLDER       two writers at a time in one folder
"""

from __future__ import annotations

import json
import logging
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np

from tb_convergence.core.schema import Row
from tb_convergence.training.host import writer as module
from tb_convergence.training.host.writer import RunWriter, channel

ROWS = tuple(Row(f"layer{n}/kernel", f"layer{n}", "kernel", (4, 4), "float32") for n in range(20))
NAMES = ("gradient_norm", "update_norm")
KILLED = 20


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def write(writer: RunWriter, step: int, value: float) -> None:
    target = channel("variables", ROWS, NAMES, writer.label)
    writer.table(target, np.full((len(ROWS), len(NAMES)), value, np.float32), step)


def killed(folder: Path) -> Any:
    children = []
    for number in range(KILLED):
        run = folder / str(number)
        child = os.fork()
        if not child:
            writer, step = RunWriter(str(run)), 0
            while True:
                write(writer, step, float(step))
                step += 1
                time.sleep(0.01)
        children.append((child, run.name))
    begin, random_ = time.time(), random.Random(4)
    ends = sorted((random_.uniform(1.0, 7.0), *child) for child in children)
    known = {}
    for seconds, child, name in ends:
        time.sleep(max(0.0, begin + seconds - time.time()))
        os.kill(child, signal.SIGKILL)
        known[name] = time.time()
        os.waitpid(child, 0)
    return known


def lost(folder: Path, mode: str) -> Any:
    module.LOOK_SECONDS, module.FLUSH_SECONDS = 0.5, 0.1
    handler = Lines()
    module.logger.addHandler(handler)
    module.logger.propagate = False
    writer = RunWriter(str(folder / "run"))
    written = 0
    ballast = folder / "ballast"
    for phase, seconds in (("well", 1.5), ("full", 2.5), ("well again", 5.0)):
        if phase == "full":
            full(mode, ballast)
        elif phase == "well again":
            if mode == "limit":
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
            else:
                ballast.unlink()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            write(writer, written, float(written))
            written += 1
            time.sleep(0.01)
    writer.close()
    return {"written": written, "lost": writer.lost, "lines": handler.lines}


def full(mode: str, ballast: Path) -> None:
    if mode == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        return
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 256, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def two(folder: Path) -> Any:
    ready = folder / "ready"
    child = os.fork()
    if not child:
        writer = RunWriter(str(folder / "run"))
        write(writer, 0, 1.0)
        writer.flush()
        ready.touch()
        for step in range(1, 100):
            write(writer, step, 1.0)
            time.sleep(0.02)
        writer.close()
        os._exit(0)
    while not ready.exists():
        time.sleep(0.01)
    handler = Lines()
    module.logger.addHandler(handler)
    module.logger.propagate = False
    writer = RunWriter(str(folder / "run"))
    for step in range(100):
        write(writer, step, 2.0)
        time.sleep(0.02)
    writer.close()
    os.waitpid(child, 0)
    return {"label": writer.label, "lines": handler.lines}


def main(mode: str, folder: Path) -> None:
    import tensorflow  # noqa: F401, PLC0415 - once, before the processes part

    known = {"kill": lambda: killed(folder), "two": lambda: two(folder)}.get(
        mode, lambda: lost(folder, mode)
    )()
    sys.stdout.write("\nKNOWN " + json.dumps(known) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
