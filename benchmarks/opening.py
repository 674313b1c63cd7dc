"""B5: the first answer of the tab beside TensorBoard's own load; and a run of a hundred thousand
records of a thousand layers, in TensorBoard and on the command line.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any, Final
from unittest import mock

from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.data.provider import RunTagFilter
from tensorboard.util import grpc_util

from benchmarks import board, logs
from benchmarks.processes import measured, resident_bytes
from benchmarks.report import Options, Table, say
from tb_convergence.reading.tensorboard import loaders
from tb_convergence.reading.tensorboard.answer_latency import answering_at_once
from tb_convergence.serving.loader import RECORDS
from tb_convergence.serving.provider_source import ProviderSource
from tb_convergence.serving.service import Service
from tb_convergence.serving.source import Scope

TURNS: Final = 5
SAMPLES: Final = {"convergence": RECORDS}


@contextlib.contextmanager
def _data_server(folder: Path) -> Iterator[Any]:
    """TensorBoard's data server, loaded, with the flags TensorBoard gives it."""
    binary = loaders.fast_binary()
    if binary is None:
        raise RuntimeError("there is no data server for this machine")
    start = loaders._started

    def without_checksums(arguments: list[str]) -> Any:
        # Ours are verified, TensorBoard's are not: its load is what counts here.
        return start([argument for argument in arguments if argument != "--checksum"])

    @contextlib.contextmanager
    def connected(port: int) -> Iterator[Any]:
        # As TensorBoard connects to it: our command line has a quicker way of its own.
        yield server_ingester.ExistingServerDataIngester(
            f"localhost:{port}", channel_creds_type=grpc_util.ChannelCredsType.LOCAL
        ).data_provider

    with (
        mock.patch.object(loaders, "_started", without_checksums),
        mock.patch.object(loaders, "connected", connected),
        loaders.fast(folder, binary, SAMPLES) as source,
    ):
        yield source.provider._provider  # without what makes it answer at once: we are to add that


@contextlib.contextmanager
def _python(folder: Path) -> Iterator[Any]:
    """TensorBoard's Python loader, loaded."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance=SAMPLES)
    multiplexer.AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    yield data_provider.MultiplexerDataProvider(multiplexer, str(folder))


LOADERS: Final[dict[str, Callable[[Path], AbstractContextManager[Any]]]] = {
    "data server": _data_server, "Python": _python,
}


def _answers(provider: Any) -> tuple[float, float]:
    """Seconds to the verdict in the list of runs, and to all that the page asks at first."""
    service = Service(ProviderSource(provider))
    scope = Scope(RequestContext(), "")
    begin = time.perf_counter()
    service.runs(scope)
    listed = time.perf_counter() - begin
    (run,) = service._source.versions(scope)
    questions: list[Callable[[], Any]] = [
        lambda: service.findings(scope, run),
        lambda: service.series(scope, run, 1_000),
        lambda: service.layers(scope, run),
        lambda: service.heatmap(scope, run, "variables", "gradient_norm", 600),
    ]
    # At the same time, as a browser asks.
    with ThreadPoolExecutor(len(questions)) as page:
        for answer in [page.submit(question) for question in questions]:
            answer.result()
    return listed, time.perf_counter() - begin


def _samples_alone(provider: Any) -> float:
    """Seconds in which TensorBoard's provider reads the same samples, and makes arrays of them."""
    provider = answering_at_once(provider)
    context = RequestContext()
    asked: dict[str, Any] = {"experiment_id": "", "plugin_name": "convergence"}
    listed = provider.list_tensors(context, **asked)
    begin = time.perf_counter()
    for run, tags in listed.items():
        for tag in tags:
            provider.read_tensors(
                context, **asked, downsample=RECORDS,
                run_tag_filter=RunTagFilter(runs=[run], tags=[tag]),
            )
    return time.perf_counter() - begin


def first_answer(options: Options) -> Table:
    """B5. Cold: load, then ask for the list of runs, and for everything the tab shows at first."""
    records = 4_000 if options.quick else 20_000
    folder = logs.logs(1, 400, records)
    with board.tensorboard(folder, True) as started:
        start = started.start_seconds
    lines = []
    for name, load in LOADERS.items():
        say(f"B5: {name}")
        turns: list[tuple[float, float, float, float]] = []
        for _ in range(2 if options.quick else TURNS):
            begin = time.perf_counter()
            with load(folder) as provider:
                loaded = time.perf_counter() - begin
                turns.append((loaded, *_answers(provider), _samples_alone(provider)))
        lines.append((
            name,
            f"{logs.size_of(folder) / 1e6:,.0f}",
            f"{median(turn[0] for turn in turns):.2f}",
            f"+{median(turn[1] for turn in turns):.2f}",
            f"+{median(turn[2] for turn in turns):.2f}",
            f"{median((turn[0] + turn[3]) / turn[0] for turn in turns):.2f}",
            *(
                f"{median((more + turn[0] + turn[which]) / (more + turn[0]) for turn in turns):.2f}"
                for more in (0.0, start) for which in (1, 2)
            ),
        ))
    return Table(
        "First answer of the tab",
        f"One run has {records:,} records of [400, 16], of which TensorBoard keeps 2,000. The "
        "table gives TensorBoard's own load time in seconds, and the time that the tab adds with a "
        "cold cache. *Verdict* is the time until the verdict appears in the list of runs. *Tab* is "
        "the time until the server has answered everything that the page shows first (findings "
        "with their steps, curves, layers, a heat map). "
        "TensorBoard's own reading of the samples is measured separately. The ratios compare the "
        "sum with TensorBoard's load time alone, and with its load time including program start "
        f"({start:.1f} s).",
        ("loader", "MB", "load, s", "verdict, s", "tab, s",
         "TensorBoard's own reading of the samples / load", "verdict / load (target <= 1.2)",
         "tab / load", "verdict / start and load", "tab / start and load"),
        lines,
    )


def large_run(options: Options) -> Table:
    """1,000 layers, 100,000 steps: opened in TensorBoard and on the command line."""
    records = 4_000 if options.quick else 100_000
    say(f"1,000 layers x {records:,} steps: this takes some gigabytes and minutes")
    folder = logs.logs(1, 1_000, records)
    try:
        size = logs.size_of(folder)
        lines = [_opened(folder, size, loader == "data server", loader) for loader in LOADERS]
        for loader in ("fast", "python"):
            cost = measured(_diagnose(folder, loader))
            lines.append((
                f"tb-convergence diagnose --loader {loader}", f"{size / 1e6:,.0f}",
                f"{cost.seconds:.1f}", "", f"{cost.peak_bytes / 2**20:,.0f}",
            ))
    finally:
        logs.drop(folder)
    return Table(
        "A very large run",
        f"One file has {records:,} records of 1,000 layers (1,000 rows, 16 columns), of which "
        "TensorBoard keeps 2,000. Memory is the maximum of all processes together.",
        ("program", "MB on disk", "until loaded, s", "the tab's first answers, s",
         "memory, MiB (bounded, whatever the file's size)"),
        lines,
    )


def _opened(folder: Path, size: int, fast: bool, name: str) -> tuple[str, ...]:
    with board.tensorboard(folder, fast, "--reload_interval=0") as started:
        begin = time.perf_counter()
        started.wait_until_idle()
        loaded = time.perf_counter() - begin + started.start_seconds - 1.0  # idle for a second
        client = board.Client(started.port)
        begin = time.perf_counter()
        (entry,) = client.ask("runs").document["runs"]
        for route, more in (("findings", {}), ("series", {}), ("layers", {}),
                            ("heatmap", {"group": "variables", "metric": "gradient_norm"})):
            answer = client.ask(route, run=entry["run"], **more)
            if answer.status != 200:
                raise RuntimeError(f"{route}: {answer.body!r}")
        answered = time.perf_counter() - begin
        memory = resident_bytes(started.pid)
    return (f"TensorBoard, {name}", f"{size / 1e6:,.0f}", f"{loaded:.1f}", f"{answered:.1f}",
            f"{memory / 2**20:,.0f}")


def _diagnose(folder: Path, loader: str) -> Sequence[str]:
    return (sys.executable, "-m", "tb_convergence", "diagnose", str(folder), "--loader", loader)
