"""B7: `tb-convergence diagnose` on many runs: time, memory, and how both grow."""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tensorboard.data.provider import RunTagFilter

from benchmarks import logs, page_cache
from benchmarks.processes import Cost, measured
from benchmarks.report import Options, Table, say
from tb_convergence.core.schema import PLUGIN_NAME
from tb_convergence.reading.tensorboard import loaders

ROWS: Final = 50
RECORDS: Final = 200
READERS: Final = 6


def many(options: Options) -> Table:
    """B7. Beside a plain read of the bytes, and beside TensorBoard reading the same series."""
    small, large = (10, 50) if options.quick else (100, 1_000)
    folders = {small: logs.logs(small, ROWS, RECORDS), large: logs.logs(large, ROWS, RECORDS)}
    folders[10 * large] = logs.linked(folders[large], 10)
    empty = _startup()
    lines = []
    speeds: list[float] = []
    for runs, folder in folders.items():
        for jobs in (1, 2):
            say(f"B7: {runs:,} runs, {jobs} processes")
            _plain(folder)
            read = _plain(folder)
            theirs = _tensorboard(folder) if runs <= large else None
            cost = _diagnosed(folder, jobs)
            took = cost.seconds - empty
            # Links to files that were read before them would lie in memory all the same.
            cold = _from_disk(folder, jobs) if runs <= large else None
            lines.append((
                f"{runs:,}", str(jobs), f"{logs.size_of(folder) / 1e6:,.0f}",
                f"{cost.seconds:.1f}", f"{1e3 * took / runs:.1f}",
                f"{took / read:,.0f}", "" if theirs is None else f"{took / theirs:.1f}",
                *(("", "") if cold is None else (
                    f"{1e3 * (cold[1] - empty) / runs:.1f}", f"{(cold[1] - empty) / cold[0]:.1f}",
                )),
                f"{cost.peak_bytes / 2**20:,.0f}",
            ))
            if cold is not None:
                speeds.append(logs.size_of(folder) / cold[0] / 1e6)
    logs.drop(folders.pop(10 * large))
    return Table(
        "Diagnosing many runs",
        f"`tb-convergence diagnose` with the data server, on runs of {RECORDS} records of {ROWS} "
        f"variables. Columns without the start subtract the start of the program ({empty:.1f} s). "
        "A plain read is `read()` of every file from the page cache. TensorBoard's read loads all "
        "runs into its data server and requests every series of the plugin through its provider, "
        "six at a time. \"From disk\" repeats this with files that the system has dropped from its "
        f"page cache. A plain read of them reaches {min(speeds):,.0f} to {max(speeds):,.0f} MB/s "
        "here, so the host of the machine may hold them in its own memory. The largest count "
        "consists of ten links to each file of the one before. Memory is the maximum of all "
        "processes together.",
        ("runs", "processes", "MB", "s", "ms per run, without the start (linear: constant)",
         "against a plain read (target <= 3)", "against TensorBoard's read",
         "from disk, ms per run", "from disk, against a plain read",
         "memory, MiB (flat: constant)"),
        lines,
    )


def _diagnosed(folder: Path, jobs: int) -> Cost:
    with tempfile.TemporaryDirectory() as room:
        return measured([
            sys.executable, "-m", "tb_convergence", "diagnose", str(folder), "--jobs", str(jobs),
            "--output", str(Path(room, "report")),
        ])


def _startup() -> float:
    """Seconds of the command on one small run: what it takes to load."""
    folder = logs.logs(1, 1, 1)
    return min(_diagnosed(folder, 1).seconds for _ in range(3))


def _plain(folder: Path) -> float:
    """Seconds to read all bytes."""
    begin = time.perf_counter()
    for path in folder.rglob("*tfevents*"):
        path.read_bytes()
    return time.perf_counter() - begin


def _from_disk(folder: Path, jobs: int) -> tuple[float, float]:
    """Seconds of a plain read and of `diagnose`, of files that do not lie in memory."""
    page_cache.forget(folder)
    read = _plain(folder)
    page_cache.forget(folder)
    return read, _diagnosed(folder, jobs).seconds


def _tensorboard(folder: Path) -> float:
    """Seconds in which TensorBoard itself loads everything and hands it out."""
    binary = loaders.fast_binary()
    if binary is None:
        raise RuntimeError("there is no data server for this machine")
    begin = time.perf_counter()
    with loaders.fast(folder, binary, {"convergence": 20_000}) as source:

        def read(run: str) -> Any:
            return source.provider.read_tensors(
                source.context, experiment_id="", plugin_name=PLUGIN_NAME, downsample=50_000,
                run_tag_filter=RunTagFilter(runs=[run]),
            )

        with ThreadPoolExecutor(READERS) as readers:
            for _ in readers.map(read, source.runs()):
                pass
        return time.perf_counter() - begin
