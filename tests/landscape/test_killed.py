"""A landscape in a process that is killed outright goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("keras")

pytestmark = pytest.mark.tensorflow

ROOT = Path(__file__).resolve().parents[2]
POINTS = 31
PATIENCE_SECONDS = 600
"""Until the child has evaluated something; how long that takes decides nothing else."""

PROGRAM = f'''
import sys
import time
import keras
import numpy as np
from tb_convergence.experiments.loss_landscape import journal, landscape

slowly, resume = sys.argv[1] == "slowly", (sys.argv[2] or None)
journal.SAVE_SECONDS = 0.0  # after every call: the test need not wait
keras.utils.set_random_seed(0)
random = np.random.default_rng(0)
x = random.normal(size=(64, 3)).astype("float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, activation="tanh"),
                          keras.layers.Dense(1)])
model.compile("sgd", "mse")

def progress(done, total, what):
    if slowly and done >= total // 3:
        time.sleep({PATIENCE_SECONDS})  # until it is killed

found = landscape(model, (x, x.sum(1, keepdims=True)), points={POINTS}, pairs=1, refine_to=None,
                  curvature=False, progress=progress, resume=resume)
assert found.complete
found.save(sys.argv[3])
print("restored", found.settings["restored"])
'''


def child(folder: Path, speed: str, journal: str, record: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, speed, journal, record], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3",
             "CUDA_VISIBLE_DEVICES": "-1"},
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


def test_a_killed_process_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    journal = tmp_path / "points.npz"
    killed = child(tmp_path, "slowly", str(journal), "never.json")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not journal.is_file() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert journal.is_file(), killed.communicate()[1] if killed.poll() is not None else "no journal"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "never.json").exists()

    restored = int(finished(child(tmp_path, "fast", str(journal), "resumed.json")).split()[-1])
    assert 0 < restored < POINTS**2
    assert not journal.exists(), "a complete landscape needs it no more"
    assert finished(child(tmp_path, "fast", "", "whole.json")).split()[-1] == "0"

    resumed, whole = (json.loads((tmp_path / name).read_text()) for name in (
        "resumed.json", "whole.json"))
    assert resumed["planes"] == whole["planes"]
    assert resumed["statistics"] == whole["statistics"]
