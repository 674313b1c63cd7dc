"""TensorBoards that tests start, and end."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def tensorboard(logdir: Path, *arguments: str, port: int | None = None) -> Iterator[str]:
    """Address of a TensorBoard that serves `logdir`; ended afterward."""
    port = free_port() if port is None else port
    starter = [sys.executable, str(ROOT / "tests" / "serving" / "start_tensorboard.py")]
    command = [*starter, "--logdir", str(logdir), "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    prefixes = [one.partition("=")[2] for one in arguments if one.startswith("--path_prefix=")]
    address = f"http://127.0.0.1:{port}{''.join(prefixes)}"
    try:
        deadline = time.monotonic() + 120
        while not _answers(f"{address}/data/plugins_listing"):
            assert process.poll() is None, "TensorBoard ended at start-up"
            assert time.monotonic() < deadline, "TensorBoard does not answer"
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # busy with a request: nothing of it is needed any more
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
