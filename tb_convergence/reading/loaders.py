"""Starting and ending TensorBoard's two loaders for one log directory."""

from __future__ import annotations

import logging
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.context import RequestContext
from tensorboard.data import server_ingester
from tensorboard.util import grpc_util

from tb_convergence.reading.source import DataUnavailableError, Source

START_SECONDS: Final = 30.0
"""How long the data server may take to open its port, and to begin loading after that."""

_BEGUN: Final = "Starting load cycle"
_LOADED: Final = "Finished load cycle"

logger = logging.getLogger(__name__)


def fast_binary() -> str | None:
    """Path of TensorBoard's data server; None where the platform has none."""
    try:
        return str(server_ingester.get_server_binary().path)
    except server_ingester.NoDataServerError:
        return None


@contextmanager
def fast(logdir: Path, binary: str, samples: Mapping[str, int]) -> Iterator[Source]:
    """A `Source` from a data server of our own, loaded; the server is gone afterwards.

    TensorBoard's own ingester neither says when loading is done nor ends its child, so the server
    is started here; it is the binary's documented interface that is used.
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
        with subprocess.Popen(  # noqa: S603 - the binary that TensorBoard names, no shell
            arguments,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        ) as server:
            try:
                watch = _Watch(server)
                port = _port(port_file, server, watch)
                watch.wait_until_loaded()
                ingester = server_ingester.ExistingServerDataIngester(
                    f"localhost:{port}", channel_creds_type=grpc_util.ChannelCredsType.LOCAL
                )
                yield Source(ingester.data_provider, RequestContext(), "")
            finally:
                server.kill()


class _Watch:
    """Follows the server's log: it is the only place that says when loading is done."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server
        self._begun = threading.Event()
        self._loaded = threading.Event()
        self._last = ""
        threading.Thread(target=self._follow, name="data server log", daemon=True).start()

    def _follow(self) -> None:
        assert self._server.stderr is not None
        for line in self._server.stderr:
            text = line.strip()
            self._last = text or self._last
            if _BEGUN in text:
                self._begun.set()
            elif _LOADED in text:
                self._loaded.set()
            elif "WARN" in text or "ERROR" in text:
                logger.warning("TensorBoard's data server: %s", text)
        self._begun.set()
        self._loaded.set()

    def wait_until_loaded(self) -> None:
        """Block until everything is loaded, however long that takes.

        Raises:
            DataUnavailableError: the server ended instead.
        """
        if not self._begun.wait(START_SECONDS):
            raise DataUnavailableError("TensorBoard's data server does not begin to load")
        self._loaded.wait()
        self.check()

    def check(self) -> None:
        """Raise `DataUnavailableError` if the server has ended."""
        if self._server.poll() is not None:
            raise DataUnavailableError(
                f"TensorBoard's data server ended with {self._server.returncode}: {self._last}"
            )


def _port(port_file: Path, server: subprocess.Popen[str], watch: _Watch) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if port_file.exists():
            text = port_file.read_text()
            if text.endswith("\n"):
                return int(text)
        watch.check()
        time.sleep(0.005)
    raise DataUnavailableError("TensorBoard's data server does not open a port")


@contextmanager
def python(logdir: Path, samples: Mapping[str, int]) -> Iterator[Source]:
    """A `Source` from TensorBoard's Python loader in this process, loaded."""
    multiplexer = plugin_event_multiplexer.EventMultiplexer(
        tensor_size_guidance=dict(samples), purge_orphaned_data=False
    )
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(logdir))
    yield Source(provider, RequestContext(), "")
