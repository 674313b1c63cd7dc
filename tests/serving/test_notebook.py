"""What `%tensorboard --logdir ...` does in a notebook: TensorBoard as its own manager starts it."""

from __future__ import annotations

import importlib.metadata
import json
import os
import signal
import sys
import tempfile
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
from tensorboard import manager

from tests.serving.event_logs import write
from tests.serving.samples import trained

BINARY = Path(sys.executable).with_name("tensorboard")


def installed() -> bool:
    """Whether TensorBoard, started by itself, finds the plugin."""
    found = importlib.metadata.entry_points(group="tensorboard_plugins")
    return any(entry.value.startswith("tb_convergence.") for entry in found)


@pytest.mark.skipif(not (installed() and BINARY.exists()), reason="the package is not installed")
@pytest.mark.xdist_group("tensorboard")
# The manager leaves the process to itself, as a notebook needs it; the test ends it.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_notebook_starts_a_tensorboard_with_the_tab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "logs", trained("r", layers=2, records=20))
    # Where TensorBoards leave word of themselves: not among those of the person who runs this.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("TENSORBOARD_BINARY", str(BINARY))
    arguments = ["--logdir", str(tmp_path / "logs"), "--port", "0"]
    started = manager.start(arguments, timeout=timedelta(seconds=120))
    assert isinstance(started, manager.StartLaunched), started
    try:
        # A second cell with the same line is shown the same TensorBoard.
        assert isinstance(manager.start(arguments), manager.StartReused)
        address = f"http://localhost:{started.info.port}{started.info.path_prefix}"
        with urllib.request.urlopen(f"{address}/data/plugins_listing", timeout=60) as reply:
            tab = json.loads(reply.read())["convergence"]
        assert tab["tab_name"] == "Convergence"
        with urllib.request.urlopen(f"{address}/data/plugin/convergence/runs", timeout=60) as reply:
            assert json.loads(reply.read())["schema"] == 1
            assert "X-Frame-Options" not in reply.headers
    finally:
        os.kill(started.info.pid, signal.SIGTERM)
