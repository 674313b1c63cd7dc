"""Runs every check of the project, each to its end, and says which failed.

    python tools/check.py                      all of them
    python tools/check.py ruff pytest          some of them
    python tools/check.py lint                 those that start nothing
    python tools/check.py pytest -- -k rules   what follows -- is for pytest

The other tests run in three processes: many wait for servers, which leaves a core idle where two
processes share two cores. The browser tests run last and alone, in two processes. Each process has
its own servers and its own browser, and runs all tests of a file, so that what these train or write
is made once.

A check that makes no progress is ended (SILENT_SECONDS); a slow one is not.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
ARTIFACTS = ROOT / "artifacts"
BUNDLE = ("tools/bundle.py", "run", "npm")
SILENT_SECONDS = 20 * 60
"""A check that prints nothing for this long makes no progress: pytest prints a character a test,
and the longest test takes under two minutes. The length of a whole check says nothing: machines
differ.
"""

CHECKS: dict[str, tuple[str, ...]] = {
    "ruff": ("-m", "ruff", "check", "."),
    # NumPy's types for one version of Python are not valid for another.
    "mypy": ("-m", "mypy", "--python-version", "{}.{}".format(*sys.version_info)),
    "frontend-check": (*BUNDLE, "run", "check"),
    "frontend-test": (*BUNDLE, "test"),
    "pytest": ("-m", "pytest", "-n", "3", "--dist", "worksteal", "-m", "not browser"),
    "browser": ("-m", "pytest", "-n", "2", "--dist", "loadfile", "-m", "browser", "tests/browser"),
}
"""Arguments of this interpreter. pytest comes last, so that its summary is seen."""

if sys.version_info < (3, 11):
    # The last NumPy for Python 3.10 has older types, which contradict those of its successors.
    del CHECKS["mypy"]

LINT = [name for name in ("ruff", "mypy", "frontend-check") if name in CHECKS]

NO_TEST_CHOSEN = 5
"""pytest's status when `-k` leaves nothing: no failure, when a person chose."""


@dataclass(frozen=True)
class Result:
    """How one check ended; `counts` is what its tests came to."""

    name: str
    passed: bool
    seconds: float
    counts: str

    def __str__(self) -> str:
        sign = "ok    " if self.passed else "FAILED"
        return f"  {sign}  {self.name:<16}{self.seconds:6.1f} s  {self.counts}".rstrip()


class SilentError(Exception):
    """A command made no progress."""


def follow(command: list[str], silent_seconds: float) -> int:
    """Run `command` in the project's folder, pass its output on as it comes, return its status.

    Raises:
        SilentError: it printed nothing for `silent_seconds`; it and its children are killed.
    """
    # Unbuffered, so that what it prints is seen as progress when it is made.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        try:
            _pass_on(process, silent_seconds)
            return process.wait(silent_seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise SilentError(f"printed nothing for {silent_seconds:g} s") from None
        except BaseException:
            _kill(process)
            raise


def _pass_on(process: subprocess.Popen[bytes], silent_seconds: float) -> None:
    """Copy output to ours until it ends or `process` does: a child left behind may hold the pipe.

    Raises:
        subprocess.TimeoutExpired: nothing came for `silent_seconds`.
    """
    assert process.stdout is not None
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    descriptor = process.stdout.fileno()

    def read() -> None:
        while chunk := os.read(descriptor, 1 << 16):
            lines.put(chunk)
        lines.put(b"")

    threading.Thread(target=read, daemon=True).start()
    heard = time.monotonic()
    while True:
        try:
            chunk = lines.get(timeout=min(1.0, silent_seconds))
        except queue.Empty:
            if process.poll() is not None:
                return
            if time.monotonic() - heard > silent_seconds:
                raise subprocess.TimeoutExpired(process.args, silent_seconds) from None
            continue
        if not chunk:
            return
        heard = time.monotonic()
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End `process` with all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run(name: str, for_pytest: list[str]) -> Result:
    """Run one check with its output shown."""
    report = ARTIFACTS / f"{name}.xml"
    command = [sys.executable, *CHECKS[name]]
    tested = "pytest" in command
    if tested:
        report.unlink(missing_ok=True)
        command += [f"--junitxml={report}", *for_pytest]
    sys.stdout.write(f"\n==> {name}\n")
    sys.stdout.flush()
    start = time.monotonic()
    try:
        status = follow(command, SILENT_SECONDS)
    except SilentError as error:
        sys.stdout.write(f"\n{name} {error} and was ended.\n")
        status = 1
    if status < 0:
        sys.stdout.write(f"\n{name} did not end by itself: signal {-status}.\n")
    passed = status == 0 or (tested and bool(for_pytest) and status == NO_TEST_CHOSEN)
    return Result(name, passed, time.monotonic() - start, counts(report) if tested else "")


def counts(report: Path) -> str:
    """Such as "812 passed, 2 skipped", from a JUnit report; empty where it was not written."""
    if not report.is_file():
        return ""
    suites = ElementTree.parse(report).getroot().iter("testsuite")  # noqa: S314 - written by pytest
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in suites:
        for key in total:
            total[key] += int(suite.get(key, 0))
    bad = total["failures"] + total["errors"]
    parts = {"passed": total["tests"] - bad - total["skipped"], "failed": bad}
    parts["skipped"] = total["skipped"]
    return ", ".join(f"{n} {word}" for word, n in parts.items() if n or word == "passed")


def main(arguments: list[str]) -> int:
    """Command line; see the module docstring. Returns 1 when a check failed, 2 for a bad name."""
    split = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, for_pytest = arguments[:split], arguments[split + 1 :]
    chosen = LINT if chosen == ["lint"] else chosen
    unknown = [name for name in chosen if name not in CHECKS]
    if unknown:
        sys.stderr.write(f"error: unknown check {unknown[0]!r}; there are {', '.join(CHECKS)}\n")
        return 2
    ARTIFACTS.mkdir(exist_ok=True)
    results = [run(name, for_pytest) for name in chosen or CHECKS]
    sys.stdout.write("\n" + "\n".join(map(str, results)) + "\n")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
