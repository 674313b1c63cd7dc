"""One environment's TensorBoard with the installed plugin: write, diagnose, serve, ask.

`tools/tensorboard_versions.py` runs this with the environment's interpreter; it needs neither
TensorFlow nor the source tree.
"""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

import tb_convergence
from tb_convergence.reading.tensorboard.compat import PRIVATE_NAMES

STEPS: Final = 60
SECONDS: Final = 120
LOADERS: Final = ("false", "true")
EXPECTED: Final = "vanishing-gradient"


def check(holds: bool, what: str) -> None:
    """End with `what` unless it holds."""
    if not holds:
        sys.exit(f"  tensorboard {version('tensorboard')}: {what}")


def write(logdir: Path) -> None:
    """A run whose loss stands still while its first layers get hardly any gradient."""
    rng = np.random.default_rng(4)
    names = [f"dense_{index}/kernel" for index in range(6)]
    for step in range(STEPS):
        tb_convergence.log_health(
            logdir / "run", step, loss=2.3 + 0.01 * float(rng.standard_normal()),
            learning_rate=1e-3,
            gradients={
                name: 10.0 ** (index - 8) * rng.standard_normal((8, 8))
                for index, name in enumerate(names)
            },
            variables={name: rng.standard_normal((8, 8)) for name in names},
        )


def diagnosed(logdir: Path) -> set[str]:
    """Ids of the findings, by the command line."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "ignore", "-m", "tb_convergence", "diagnose", str(logdir),
         "--format", "json"],
        capture_output=True, text=True, check=False, timeout=SECONDS,
    )
    check(result.returncode in (0, 1), f"diagnose failed: {result.stderr}")
    (run,) = json.loads(result.stdout)["runs"]
    check(run["last_step"] == STEPS - 1, f"diagnose read up to step {run['last_step']}")
    return {finding["id"] for finding in run["findings"]}


@contextlib.contextmanager
def served(logdir: Path, fast: str) -> Iterator[str]:
    """Address of a TensorBoard with this loader."""
    log = logdir.parent / f"server-{fast}.txt"
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-W", "ignore", "-m", "tensorboard.main", "--logdir", str(logdir),
             "--port=0", "--host=127.0.0.1", "--reload_interval=1", f"--load_fast={fast}"],
            stdout=out, stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + SECONDS
        while not (found := re.search(rb"at (http://\S+)", log.read_bytes())):
            check(process.poll() is None and time.monotonic() < end, log.read_text())
            time.sleep(0.2)
        yield found[1].decode().rstrip("/")
    finally:
        process.kill()
        process.wait()


def ask(url: str) -> bytes:
    """The body of a reply, which must be a success."""
    with urllib.request.urlopen(url, timeout=60) as reply:  # noqa: S310 - our own server
        body: bytes = reply.read()
    return body


def told(url: str) -> set[str]:
    """Ids of the run's findings, once the server has read all of it."""
    plugin = f"{url}/data/plugin/convergence"
    end = time.monotonic() + SECONDS
    reply: dict[str, Any] = {}
    while time.monotonic() < end:
        runs = json.loads(ask(f"{plugin}/runs"))["runs"]
        if [run["run"] for run in runs] == ["run"]:
            reply = json.loads(ask(f"{plugin}/findings?run=run"))
            if reply["last_step"] == STEPS - 1:
                break
        time.sleep(0.5)
    else:
        check(False, f"the server never read the whole run: {reply.get('last_step')}")
    listing = json.loads(ask(f"{url}/data/plugins_listing"))
    check(listing["convergence"]["enabled"], "the tab is not offered")
    check(len(ask(f"{plugin}/index.js")) > 10_000, "the page is not served")
    check(len(ask(f"{plugin}/series?run=run")) > 100, "no series")
    return {finding["id"] for finding in reply["findings"]}


def main() -> int:
    """Try this environment."""
    check(version("tensorboard") == sys.argv[1], f"installed instead of {sys.argv[1]}")
    for name in PRIVATE_NAMES:
        check(name.exists(), f"{name.module} has no {name.name}: {name.lost}")
    with tempfile.TemporaryDirectory() as folder:
        logdir = Path(folder) / "logs"
        write(logdir)
        tb_convergence.close_health()
        ids = diagnosed(logdir)
        check(EXPECTED in ids, f"diagnose found only {sorted(ids)}")
        for fast in LOADERS:
            with served(logdir, fast) as url:
                check(told(url) == ids, f"--load_fast={fast} does not show {sorted(ids)}")
    sys.stdout.write(f"  tensorboard {version('tensorboard')}, protobuf {version('protobuf')}, "
                     f"Python {sys.version.split()[0]}: {', '.join(sorted(ids))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
