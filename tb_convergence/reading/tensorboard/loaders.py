"""Starting and ending TensorBoard's two loaders for one log directory.

Both load everything once. What a loader could not read is collected per run, from the only place
where either of them says so: its log.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.data.provider import Run
from tensorboard.util import tb_logging

from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.tensorboard.answer_latency import answering_at_once
from tb_convergence.reading.tensorboard.data_server import connected
from tb_convergence.reading.tensorboard.data_source import DataSource, DataUnavailableError
from tb_convergence.reading.tensorboard.multiplexer import Multiplexer
from tb_convergence.reading.tensorboard.reload_guard import noted
from tb_convergence.reading.tensorboard.tensorflow_free import without_tensorflow

START_SECONDS: Final = 30.0
"""How long the data server may take to open its port, and to begin loading after that."""

MAX_BAD_EVENTS: Final = 100
"""Records of one run that may fail to parse before the rest is given up."""

logger = logging.getLogger(__name__)


class _Problems:
    """Reasons by TensorBoard's name of the run."""

    def __init__(self, logdir: Path) -> None:
        self._logdir = logdir
        self.by_run: dict[str, list[str]] = {}

    def add(self, run: str, reason: str) -> None:
        """Once for each reason."""
        known = self.by_run.setdefault(run, [])
        if reason not in known:
            known.append(reason)
            logger.info("run %r: %s", run, reason)

    def add_damaged(self, path: str) -> None:
        """Note an event file with a damaged record."""
        file = Path(path)
        run = os.path.relpath(file.parent, self._logdir)
        self.add(run, f"damaged record in {file.name}: data after it may be missing")


def _most_kept(samples: Mapping[str, int]) -> Mapping[str, tuple[int]]:
    """Points that a loader keeps of each series at most, as it was told (see `sampling`)."""
    return {plugin: (count,) for plugin, count in samples.items()}


# The fast loader ----------------------------------------------------------------------------------


def fast_binary() -> str | None:
    """Path of TensorBoard's data server; None if the platform has none."""
    try:
        return str(server_ingester.get_server_binary().path)
    except server_ingester.NoDataServerError:
        return None


@contextmanager
def fast(logdir: Path, binary: str, samples: Mapping[str, int]) -> Iterator[DataSource]:
    """A `DataSource` from a data server of our own, loaded; the server is gone afterward.

    TensorBoard's own ingester neither says when loading is done nor ends its child, so the server
    is started here, through the same command line.

    Raises:
        DataUnavailableError: the server does not start, or ends while it loads.
    """
    with tempfile.TemporaryDirectory(prefix="tb_convergence_") as folder:
        port_file = Path(folder, "port")
        arguments = [
            binary,
            f"--logdir={logdir}",
            "--reload=once",
            "--samples-per-plugin=" + ",".join(f"{k}={v}" for k, v in samples.items()),
            "--port=0",
            f"--port-file={port_file}",
            "--die-after-stdin",
            "--checksum",
            "--verbose",
        ]
        with _started(arguments) as server:
            watch = _Watch(server, _Problems(logdir))
            try:
                port = _port(port_file, watch)
                watch.wait_until_loaded()
                with connected(port) as provider:
                    yield DataSource(
                        answering_at_once(provider), RequestContext(), "", watch.problems.by_run,
                        _most_kept(samples),
                    )
            finally:
                server.kill()
                watch.join()  # leaving the block closes the log that it reads


def _started(arguments: list[str]) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(  # noqa: S603 - the binary that TensorBoard names, no shell
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # Ctrl-C is for this process to answer: a server that dies of it looks like lost data.
            start_new_session=True,
        )
    except OSError as error:
        raise DataUnavailableError(f"TensorBoard's data server does not start: {error}") from error


class _Watch:
    """Follows the server's log, which alone shows when loading is done and what failed."""

    BEGUN: Final = "Starting load cycle"
    LOADED: Final = "Finished load cycle"
    DAMAGED: Final = re.compile(r"Read error in (.*?): ")

    def __init__(self, server: subprocess.Popen[str], problems: _Problems) -> None:
        self.problems = problems
        self._server = server
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._loaded = False
        self._last = ""
        self._thread = threading.Thread(
            target=self._follow, name="data server log", daemon=True
        )
        self._thread.start()

    def _follow(self) -> None:
        assert self._server.stderr is not None
        for line in self._server.stderr:
            text = line.strip()
            self._last = text or self._last
            damaged = self.DAMAGED.search(text)
            if self.BEGUN in text:
                self._begun.set()
            elif self.LOADED in text:
                self._loaded = True
                self._ended.set()
            elif damaged is not None:
                self.problems.add_damaged(damaged[1])
            elif " WARN " in text or " ERROR " in text:
                logger.info("TensorBoard's data server: %s", text)
        self._begun.set()
        self._ended.set()

    def wait_until_loaded(self) -> None:
        """Block until everything is loaded, however long that takes.

        Raises:
            DataUnavailableError: the server ended instead.
        """
        if not self._begun.wait(START_SECONDS):
            raise DataUnavailableError("TensorBoard's data server does not start loading")
        self._ended.wait()
        if not self._loaded:
            # Its log has ended, so it has, or is about to.
            self._server.kill()
            self._server.wait()
            self.check()

    def join(self) -> None:
        """Block until the log of the killed server has been read to its end."""
        self._thread.join()

    def check(self) -> None:
        """Raise `DataUnavailableError` if the server has ended."""
        if self._server.poll() is not None:
            code = self._server.returncode
            raise DataUnavailableError(
                f"TensorBoard's data server ended with {code}: {reason_of(self._last)}"
            )


def _port(port_file: Path, watch: _Watch) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        text = port_file.read_text() if port_file.exists() else ""
        if text.endswith("\n"):
            return int(text)
        watch.check()
        time.sleep(0.005)
    raise DataUnavailableError("TensorBoard's data server does not open a port")


# The Python loader --------------------------------------------------------------------------------


@contextmanager
def python(logdir: Path, samples: Mapping[str, int]) -> Iterator[DataSource]:
    """A `DataSource` from TensorBoard's Python loader in this process, loaded."""
    problems = _Problems(logdir)
    with without_tensorflow():
        multiplexer = plugin_event_multiplexer.EventMultiplexer(
            tensor_size_guidance=dict(samples), purge_orphaned_data=False
        )
        with _own_log(problems):
            multiplexer.AddRunsFromDirectory(str(logdir))
            for run in sorted(multiplexer.Runs()):
                # One at a time: an exception of one run would keep the others from loading.
                _load(multiplexer.GetAccumulator(run), run, problems)
        yield DataSource(
            _Loaded(multiplexer, str(logdir)), RequestContext(), "", problems.by_run,
            _most_kept(samples),
        )


def _load(accumulator: Any, run: str, problems: _Problems) -> None:
    """Load all of one run; an event that cannot be parsed is left out."""
    for _ in range(MAX_BAD_EVENTS):
        try:
            accumulator.Reload()
        except DecodeError:
            problems.add(run, "a record that is not an event was skipped")
        except Exception as error:
            problems.add(run, f"loading stopped: {reason_of(error)}")
            return
        else:
            # In a process that also serves TensorBoard, its guard has seen to what is no event.
            for problem in noted(accumulator):
                problems.add(run, problem)
            return
    problems.add(run, f"loading stopped after {MAX_BAD_EVENTS} records that are not events")


class _Loaded(Multiplexer):
    """TensorBoard's provider, but listing runs does not load: a damaged run would raise there."""

    def __init__(self, multiplexer: Any, logdir: str) -> None:
        super().__init__(multiplexer, logdir)
        self._runs = sorted(multiplexer.Runs())

    def list_runs(self, ctx: Any = None, *, experiment_id: str) -> list[Run]:
        """Runs by name; start times are not needed here."""
        return [Run(run_id=run, run_name=run, start_time=None) for run in self._runs]


@contextmanager
def _own_log(problems: _Problems) -> Iterator[None]:
    """Read TensorBoard's log ourselves while it loads, instead of letting it reach a terminal.

    That a record is damaged, TensorBoard says at debug level only.
    """
    truncated = re.compile(r"Truncated record in (.*) \(.*\bcrc32 check", re.DOTALL)

    def read(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        damaged = truncated.match(text)
        if damaged is not None:
            problems.add_damaged(damaged[1])
        elif record.levelno >= logging.WARNING:
            logger.info("TensorBoard: %s", text)
        return False

    theirs = tb_logging.get_logger()
    level = theirs.level
    theirs.addFilter(read)
    theirs.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        theirs.setLevel(level)
        theirs.removeFilter(read)
