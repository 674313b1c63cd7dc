"""B6: what each route takes in a real TensorBoard, alone and with fifty clients at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np

from benchmarks import board, logs
from benchmarks.processes import most_resident, resident_bytes
from benchmarks.report import Options, Table, say
from tb_convergence.reading.tensorboard import loaders

CLIENTS: Final = 50
ASKED: Final = 200
WAIT_SECONDS: Final = 600.0

Given = dict[str, Any]


def _questions(run: str, row: int = 3) -> dict[str, Given]:
    heat = {"group": "variables", "metric": "gradient_norm"}
    return {
        "runs": {}, "findings": {"run": run}, "series": {"run": run}, "layers": {"run": run},
        "heatmap": {"run": run, **heat}, "layer": {"run": run, "group": "variables", "row": row},
    }


def _loaders() -> dict[str, bool]:
    found = {"Python": False}
    return {"data server": True, **found} if loaders.fast_binary() else found


def _size(options: Options) -> tuple[int, int, int]:
    return (3, 50, 200) if options.quick else (20, 400, 2_000)


def _ready(client: board.Client, count: int) -> list[str]:
    """Names of all runs, once TensorBoard has read them and each has been examined."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        answer = client.ask("runs")
        found = answer.document if answer.status == 200 else {"runs": [], "pending": 1}
        if len(found["runs"]) == count and not found["pending"]:
            return [entry["run"] for entry in found["runs"]]
    raise RuntimeError("TensorBoard does not get ready")


def _ms(seconds: Sequence[float], quantile: float) -> str:
    return f"{1e3 * float(np.quantile(seconds, quantile)):.0f}"


def warm(options: Options) -> Table:
    """B6, first half: one client, everything computed before."""
    count, rows, records = size = _size(options)
    folder = logs.logs(*size)
    lines = []
    for name, fast in _loaders().items():
        say(f"B6: warm, {name}")
        with board.tensorboard(folder, fast, "--reload_interval=0") as started:
            started.wait_until_idle()
            client = board.Client(started.port)
            runs = _ready(client, count)
            for route in _questions(""):
                asked = [_questions(run)[route] for run in (runs if route != "runs" else runs[:1])]
                first = [client.ask(route, **given) for given in asked]
                turns = [asked[index % len(asked)] for index in range(20 if options.quick else
                                                                     ASKED)]
                whole = [client.ask(route, **given) for given in turns]
                known = [client.ask(route, etag=answer.etag, **given)
                         for given, answer in zip(asked, first, strict=True)]
                if {answer.status for answer in known} != {304}:
                    raise RuntimeError(f"{route}: what did not change was sent again")
                lines.append((
                    name, route, f"{max(len(answer.body) for answer in first):,}",
                    _ms([answer.seconds for answer in first], 0.5),
                    _ms([answer.seconds for answer in whole], 0.5),
                    _ms([answer.seconds for answer in whole], 0.99),
                    _ms([answer.seconds for answer in known], 0.5),
                ))
    return Table(
        "Routes, one client",
        f"{count} runs of {records:,} records of {rows} variables in a real TensorBoard that has "
        "examined all runs. The table gives the time of the first request for a reply, of repeated "
        "requests (median, 99th percentile), and of requests with the previous ETag. Bytes are the "
        "size of the largest reply on the wire.",
        ("loader", "route", "bytes (target <= 1 MB)", "first, ms",
         "warm, median, ms (target <= 100)", "warm, p99, ms", "304, median, ms"),
        lines,
    )


def at_once(options: Options) -> Table:
    """B6, second half: fifty clients, each with the questions of an opening page."""
    size = _size(options)
    folder = logs.logs(*size)
    lines = []
    for name, fast in _loaders().items():
        say(f"B6: {CLIENTS} clients, {name}")
        with board.tensorboard(folder, fast, "--reload_interval=0") as started:
            started.wait_until_idle()
            names = sorted(path.parent.relative_to(folder).as_posix()
                           for path in folder.rglob("*tfevents*"))
            loaded = resident_bytes(started.pid)
            for state in ("cold", "warm"):
                begin = time.perf_counter()
                with most_resident(started.pid) as memory:
                    found = _together(started.port, names)
                seconds = time.perf_counter() - begin
                for route in _questions(""):
                    answers = [answers[route] for answers in found]
                    lines.append((
                        name, state, route, f"{seconds:.1f}",
                        *(_ms([answer.seconds for answer in answers], part)
                          for part in (0.5, 0.99)),
                        str(sum(answer.status != 200 for answer in answers)),
                        f"{(memory.most - loaded) / 2**20:,.0f}",
                    ))
    return Table(
        "Routes, fifty clients",
        f"{CLIENTS} clients start at the same moment. Each sends all requests of a page that opens "
        f"on one of the {size[0]} runs, first with a cold cache, then again. Memory is the maximum "
        "of all processes together, minus what TensorBoard itself has loaded.",
        ("loader", "", "route", "all clients done, s", "median, ms",
         "p99, ms (target, warm: <= 1,000)", "failed", "memory, MiB"),
        lines,
    )


def _together(port: int, runs: Sequence[str]) -> list[dict[str, board.Answer]]:
    everyone = threading.Barrier(CLIENTS)

    def client(number: int) -> dict[str, board.Answer]:
        connection = board.Client(port)
        questions = _questions(runs[number % len(runs)])
        everyone.wait()
        return {route: connection.ask(route, **given) for route, given in questions.items()}

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(client, range(CLIENTS)))
