"""Starts real TensorBoards and asks them, as a browser does: for tests of whole processes."""

from __future__ import annotations

import contextlib
import gzip
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tensorboard.data import server_ingester

from tests.serving import contract
from tests.serving.contract import PREFIX

START = Path(__file__).with_name("start_tensorboard.py")
SECONDS = 180


def has_fast_loader() -> bool:
    try:
        server_ingester.get_server_binary()
    except server_ingester.NoDataServerError:
        return False
    return True


LOADERS = [
    pytest.param("false", id="python"),
    pytest.param(
        "true", id="rust",
        marks=pytest.mark.skipif(not has_fast_loader(), reason="no data server here"),
    ),
]


@dataclass
class Board:
    """A running TensorBoard."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def ask(
        self, path: str, method: str = "GET", etag: str = "", **given: Any
    ) -> tuple[int, bytes, Any]:
        query = f"?{urlencode(given)}" if given else ""
        request = urllib.request.Request(
            f"{self.url}{path}{query}", method=method,
            headers={"Accept-Encoding": "gzip", **({"If-None-Match": etag} if etag else {})},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                body = response.read()
                status, headers = response.status, response.headers
        except urllib.error.HTTPError as error:
            with error:
                status, body, headers = error.code, error.read(), error.headers
        if headers.get("Content-Encoding") == "gzip" and body:
            body = gzip.decompress(body)
        return status, body, headers

    def data(self, route: str, **given: Any) -> Any:
        status, body, headers = self.ask(f"{PREFIX}/{route}", **given)
        assert status == 200, body[:300]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert len(body) <= contract.MOST_BYTES
        return contract.strict(body)

    def runs(self) -> dict[str, Any]:
        found = self.data("runs")
        contract.check_runs(found)
        return {entry["run"]: entry for entry in found["runs"]}

    def until(self, ready: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The runs, once TensorBoard has read what is waited for."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            runs = self.runs()
            if ready(runs):
                return runs
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.3)
        raise AssertionError(f"TensorBoard never got there: {runs}\n{self.log.read_text()}")


@contextlib.contextmanager
def started(logdir: Path, *flags: str, start: Path = START) -> Iterator[Board]:
    """TensorBoard on a free port, by the program `start`."""
    log = logdir.parent / f"{logdir.name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(start), f"--logdir={logdir}", "--port=0", "--host=127.0.0.1",
             "--reload_interval=1", *flags],
            stdout=out, stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + SECONDS
        while not (url := re.search(rb"at (http://\S+)", log.read_bytes())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield Board(url[1].decode().rstrip("/"), process, log)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
