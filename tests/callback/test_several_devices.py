"""`MirroredStrategy` on two logical devices: what is recorded is what the optimizer applies."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_convergence.core.history import RunHistory
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of three trainings, of which the process has compared the weights bit for bit."""
    pytest.importorskip("tensorflow")
    folder = tmp_path_factory.mktemp("mirrored")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(HERE / "train_mirrored.py"), str(folder)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )
    assert "trained alike" in done.stdout, done.stderr[-3000:]
    return folder


def read(folder: Path) -> RunHistory:
    with open_logdir(folder, "python") as source:
        (run,) = fold_runs(source.runs())
        return read_folded(source, run)


def forward(weights: list[Any], x: Any, y: Any) -> tuple[float, Any]:
    """Loss of one replica's half, and its gradient for the last kernel; all in float64."""
    first, bias, gamma, beta, last, last_bias = weights
    hidden = x @ first + bias
    normal = (hidden - hidden.mean(0)) / np.sqrt(hidden.var(0) + 1e-3)
    active = np.maximum(normal * gamma + beta, 0)
    error = active @ last + last_bias - y
    return float(np.mean(error**2)), 2 * active.T @ error / error.size


@pytest.mark.parametrize("name", ["momentum", "scaled"])
def test_gradients_are_those_after_the_sum(trained: Path, name: str) -> None:
    values = np.load(trained / f"{name}.npz")
    weights = [values[f"arr_{index}"].astype(np.float64) for index in (0, 1, 2, 3, 6, 7)]
    x = np.random.default_rng(0).normal(size=(256, 4)).astype("float32")[:16].astype(np.float64)
    halves = [forward(weights, half, half[:, :3]) for half in (x[:8], x[8:])]
    history = read(trained / name)
    variables, run = history.tables["variables"], history.tables["run"]
    mean = np.linalg.norm((halves[0][1] + halves[1][1]) / 2)
    assert variables.column("gradient_norm")[0, 4] == pytest.approx(mean, rel=1e-4)
    assert variables.column("update_norm")[0, 4] == pytest.approx(0.05 * mean, rel=1e-3)
    assert run.column("loss")[0, 0] == pytest.approx((halves[0][0] + halves[1][0]) / 2, rel=1e-4)
    replicas = history.tables["replicas"]
    assert [row.name for row in replicas.rows] == ["replica 0", "replica 1"]
    found = replicas.column("replica_loss")[0]
    np.testing.assert_allclose(found, [halves[0][0], halves[1][0]], rtol=1e-4)
    assert not replicas.column("replica_nonfinite").any()


def test_one_writer(trained: Path) -> None:
    assert len(list((trained / "momentum").glob("*tfevents*"))) == 1


def test_beside_the_training_updates_are_recorded(trained: Path) -> None:
    """Without a hand in the step there are no gradients, and nobody takes them for missing."""
    history = read(trained / "sparse")
    run, variables = history.tables["run"], history.tables["variables"]
    assert run.steps.tolist() == [*range(10), 12, 15]
    assert np.isfinite(run.column("loss")).all()
    assert (variables.column("update_norm") > 0).any(axis=0).all()
    assert np.isnan(variables.column("gradient_norm")).all()
    assert np.isnan(variables.column("gradient_missing")).all()


def test_whose_batch_went_bad_is_told(trained: Path) -> None:
    history = read(trained / "clipped")
    replicas = history.tables["replicas"]
    assert 11 in replicas.steps.tolist(), "between two records"
    bad = replicas.column("replica_nonfinite")[replicas.steps.tolist().index(11)]
    assert bad.tolist() == [0.0, 1.0]
    before = replicas.column("replica_nonfinite")[replicas.steps < 11]
    assert not before.any()


def free_addresses(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{item.getsockname()[1]}" for item in sockets]
    finally:
        for item in sockets:
            item.close()


def test_several_workers_are_not_recorded(tmp_path: Path) -> None:
    """Two real processes. Keras 3 itself fails to `fit` there, before any callback is asked, as it
    hands a `PerReplica` to an operation; a Keras that can is told that we do not record it."""
    pytest.importorskip("tensorflow")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    addresses = free_addresses(2)
    workers = [
        subprocess.Popen(
            [sys.executable, str(HERE / "train_workers.py"), str(index), *addresses,
             str(tmp_path / "run")],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )
        for index in range(2)
    ]
    try:
        printed = [worker.communicate(timeout=240)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for text in printed:
        (line,) = [line for line in text.splitlines() if line.startswith("OUTCOME ")]
        outcome = json.loads(line.removeprefix("OUTCOME "))
        assert outcome["replicas"] == 2
        if outcome["error"]:
            assert "PerReplica" in outcome["error"]
            assert outcome["reason"] is None
        else:
            assert "MultiWorkerMirroredStrategy" in outcome["reason"]
    assert not (tmp_path / "run").exists()
