"""B1, short trainings: what recording adds to a whole one, in seconds of the processor."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from statistics import median
from typing import Any, Final

from benchmarks.report import Options, Table, say

KINDS: Final = {
    "500 steps": (1, 1, 500),
    "20 epochs of 10 steps": (1, 20, 10),
    "30 calls of fit, 10 steps each": (30, 1, 10),
    "200 calls of fit, 10 steps each": (200, 1, 10),
}
"""Calls of `fit`, epochs and steps of an epoch of each."""

PROCESSES: Final = 3


def train(network: str, kind: str, recorded: bool) -> tuple[float, float, float]:
    """Seconds of the processor of all calls, of those past the first tenth, and megabytes that the
    process has grown by in these."""
    import time  # noqa: PLC0415

    from benchmarks import networks  # noqa: PLC0415 - needs TensorFlow
    from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415

    calls, epochs, steps = KINDS[kind]
    model = networks.compiled(network)
    data = networks.batches(network, steps)
    with tempfile.TemporaryDirectory() as folder:
        callbacks: list[Any] = [ConvergenceCallback(folder)] if recorded else []
        began, settled, memory = time.process_time(), 0.0, 0.0
        for call in range(calls):
            if call == max(1, calls // 10):
                settled, memory = time.process_time(), _megabytes()
            model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks)
        ended = time.process_time()
        if recorded and callbacks[0].disabled_reason is not None:
            raise RuntimeError(callbacks[0].disabled_reason)
    later = ended - settled if settled else 0.0
    return ended - began, later, _megabytes() - memory if memory else 0.0


def _megabytes() -> float:
    if not os.path.exists("/proc/self/statm"):
        return 0.0
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def short_trainings(options: Options) -> Table:
    """Each training in a process of its own, with and without the callback in turns."""
    lines = []
    for network in ("MLP", "CNN", "transformer")[: 1 if options.quick else 3]:
        for kind in list(KINDS)[: 2 if options.quick else None]:
            say(f"B1, short: {network}, {kind}")
            found: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
            for _ in range(1 if options.quick else PROCESSES):
                for recorded, numbers in found.items():
                    numbers.append(_process(network, kind, recorded))
            plain, ours = (
                [median(column) for column in zip(*found[way], strict=True)]
                for way in (False, True)
            )
            lines.append(
                (network, kind, f"{plain[0]:.2f}", f"{ours[0] - plain[0]:+.2f}",
                 f"{1e3 * (ours[1] - plain[1]) / max(KINDS[kind][0] * 0.9, 1):+.1f}"
                 if KINDS[kind][0] > 1 else "",
                 f"{ours[2] - plain[2]:+.0f}" if KINDS[kind][0] > 1 else "")
            )
    return Table(
        "Short trainings",
        "CPU seconds of a whole training without the callback, including tracing; the seconds that "
        "the callback adds; the time that it adds to each call of `fit` after the first tenth of "
        f"the calls; and the memory by which those calls grow. Medians of {PROCESSES} processes "
        "each.",
        ("network", "training", "without, s", "added, s (target <= 3)",
         "added per further call, ms",
         "memory, MiB"),
        lines,
    )


def _process(network: str, kind: str, recorded: bool) -> tuple[float, ...]:
    command = [sys.executable, "-m", "benchmarks.short", network, kind, str(int(recorded))]
    done = subprocess.run(  # noqa: S603 - a program of ours
        command, check=True, capture_output=True, text=True
    )
    return tuple(float(value) for value in done.stdout.splitlines()[-1].split())


if __name__ == "__main__":
    sys.stdout.write(" ".join(map(str, train(sys.argv[1], sys.argv[2], sys.argv[3] == "1"))) + "\n")
