"""Starts TensorBoard on the demo's runs and prints the address."""

from __future__ import annotations

import http.client
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

FIRST_PORT = 6006
PATIENCE_SECONDS = 90.0
"""How long TensorBoard may take to answer: about 5 s, but importing TensorFlow may be cold."""


def explain(folder: Path, out: TextIO) -> int:
    """Print the commands that show the runs in `folder`. Returns 0."""
    where = shlex.quote(str(folder))
    out.write(
        "Read the findings here:   "
        f"{_program('tb-convergence')} diagnose {where}\n"
        "or open the tab:           "
        f"{_program('tensorboard')} --logdir {where}    then open "
        f"http://localhost:{FIRST_PORT}/#convergence\n"
    )
    out.flush()
    return 0


def _program(name: str) -> str:
    """How to call a program of this environment: by name where it is the one on PATH."""
    here = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).resolve() == here.resolve():
        return name
    below = here.relative_to(Path.cwd()) if here.is_relative_to(Path.cwd()) else here
    return shlex.quote(str(below))


def show(folder: Path, port: int | None, out: TextIO) -> int:
    """Serve the runs in `folder` until Ctrl-C. Returns 0, or 1 when TensorBoard did not start."""
    chosen = free_port() if port is None else port
    if _taken(chosen):
        # Not left to TensorBoard to find out: whoever has the port may answer in its stead.
        out.write(f"Port {chosen} is taken: choose another with --port, or omit --port.\n")
        return 1
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    command += ["--host", "localhost", "--port", str(chosen)]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    with process, _ending(process):
        if not answers(chosen, process):
            process.terminate()
            errors = process.stderr.read() if process.stderr else ""
            out.write(f"TensorBoard did not start on port {chosen}:\n{errors[-2000:]}\n")
            return 1
        out.write(f"\nOpen http://localhost:{chosen}/#convergence    (Ctrl-C stops it)\n")
        out.flush()
        # Drained, because a full pipe would stop TensorBoard.
        for _ in process.stderr or ():
            pass
    return 0


@contextmanager
def _ending(process: subprocess.Popen[str]) -> Iterator[None]:
    """End `process` with this block, also on Ctrl-C (which is not an error) and on SIGTERM."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    finally:
        signal.signal(signal.SIGTERM, before)
        if process.poll() is None:
            process.terminate()


def free_port(first: int = FIRST_PORT) -> int:
    """`first`, or the next port nobody listens on.

    Raises:
        OSError: a hundred ports in a row are taken.
    """
    for port in range(first, first + 100):
        if not _taken(port):
            return port
    raise OSError(f"no free port between {first} and {first + 99}: name one with --port")


def _taken(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As TensorBoard itself binds it; without this a port just given up looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def answers(port: int, process: subprocess.Popen[str]) -> bool:
    """Wait for `process` to answer on `port`; False when it ended or took too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("localhost", port, timeout=5)
        try:
            connection.request("GET", "/data/plugins_listing")
            if connection.getresponse().status == http.client.OK:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    return False
