"""A real TensorBoard with the plugin, and clients that ask it as a browser does."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from benchmarks.processes import processor_seconds

PREFIX: Final = "/data/plugin/convergence"
SECONDS: Final = 600
START: Final = """
import sys
from tensorboard import default, program
from tb_convergence.serving.loader import ConvergenceLoader
plugins = [p for p in default.get_plugins() if p is not ConvergenceLoader]
board = program.TensorBoard(plugins=[*plugins, ConvergenceLoader])
board.configure(argv=sys.argv)
sys.exit(board.main() or 0)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: how long it took, how large it was on the wire."""

    seconds: float
    status: int
    body: bytes
    etag: str

    @property
    def document(self) -> Any:
        """The JSON document."""
        return json.loads(gzip.decompress(self.body))


class Client:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def ask(self, route: str, etag: str = "", **given: Any) -> Answer:
        """GET a route of the plugin."""
        query = f"?{urlencode(given)}" if given else ""
        headers = {"Accept-Encoding": "gzip"}
        if etag:
            headers["If-None-Match"] = etag
        begin = time.perf_counter()
        self._connection.request("GET", f"{PREFIX}/{route}{query}", headers=headers)
        response = self._connection.getresponse()
        body = response.read()
        return Answer(
            time.perf_counter() - begin, response.status, body, response.headers.get("ETag", "")
        )


@dataclass(frozen=True, slots=True)
class Board:
    """A running TensorBoard.

    Attributes:
        port: where it listens.
        pid: of its process.
        start_seconds: until it listened.
    """

    port: int
    pid: int
    start_seconds: float

    def wait_until_idle(self) -> None:
        """Until it has loaded everything, as far as its processes' work tells."""
        before, quiet = -1.0, 0
        while quiet < 4:
            time.sleep(0.25)
            now = processor_seconds(self.pid)
            quiet = quiet + 1 if now - before <= 0.015 else 0
            before = now


@contextlib.contextmanager
def tensorboard(logdir: Path, fast: bool, *flags: str) -> Iterator[Board]:
    """TensorBoard on a free port, as its command line starts it."""
    command = [
        sys.executable, "-c", START, f"--logdir={logdir}", "--port=0", "--host=127.0.0.1",
        f"--load_fast={'true' if fast else 'false'}", *flags,
    ]
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - a program of ours
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            end = time.monotonic() + SECONDS
            while not (found := re.search(rb"at http://[^:]+:(\d+)", _text(log))):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"TensorBoard does not start: {_text(log)!r}")
                time.sleep(0.05)
            yield Board(int(found[1]), process.pid, time.perf_counter() - begin)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _text(file: Any) -> bytes:
    return os.pread(file.fileno(), 1_000_000, 0)
