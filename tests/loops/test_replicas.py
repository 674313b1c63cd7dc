"""A loop of one's own on several replicas: recorded is the step that all of them make together."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records
import train_replicas

pytest.importorskip("tensorflow")

HERE = Path(__file__).parent


def start(*arguments: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, str(HERE / "train_replicas.py"), *map(str, arguments)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


def finished(process: subprocess.Popen[str]) -> None:
    out, err = process.communicate(timeout=600)
    assert "trained alike" in out, err[-3000:]


def one_process(folder: Path) -> None:
    """Two logical devices. The process compares the weights, bit for bit."""
    finished(start(folder))


def two_workers(folder: Path) -> None:
    """Two processes on this machine. Each compares its weights."""
    addresses = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            addresses.append(f"127.0.0.1:{free.getsockname()[1]}")
    workers = [start(folder, index, *addresses) for index in range(2)]
    try:
        for worker in workers:
            finished(worker)
    finally:
        for worker in workers:
            worker.kill()


HOW: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "mirrored": (one_process, ("function", "eager")),
    "workers": (two_workers, ("function",)),
}


@pytest.fixture(scope="module", params=HOW)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, tuple[str, ...]]:
    folder = tmp_path_factory.mktemp(request.param)
    train, modes = HOW[request.param]
    train(folder)
    return folder, modes


def test_what_is_recorded_is_the_step_of_all(trained: tuple[Path, tuple[str, ...]]) -> None:
    folder, modes = trained
    x, y = train_replicas.halves()
    weights = np.load(next(folder.glob("weights-*.npz")))
    for mode in modes:
        history = records.only(folder / mode)
        assert history.tables["run"].steps.tolist() == list(range(train_replicas.STEPS))
        oracle = records.Regression(weights["arr_0"], weights["arr_1"], train_replicas.RATE)
        for step in range(train_replicas.BAD_STEP):
            both, targets = (values[step].reshape(2 * train_replicas.HALF, -1) for values in (x, y))
            error = x[step] @ oracle.w + oracle.b - y[step]
            records.assert_told(history, step, oracle.step(both, targets))
            for replica in range(2):
                found = records.value(history, "replicas", "replica_loss", step, replica)
                assert found == pytest.approx(float(np.mean(error[replica] ** 2)), rel=1e-5)
        assert history.config["batch_size"] == 2 * train_replicas.HALF


def test_the_replica_that_goes_bad_is_told(trained: tuple[Path, tuple[str, ...]]) -> None:
    folder, modes = trained
    for mode in modes:
        table = records.only(folder / mode).tables["replicas"]
        assert [row.name for row in table.rows] == ["replica 0", "replica 1"]
        bad = table.column("replica_nonfinite")
        step = train_replicas.BAD_STEP
        assert not bad[:step].any()
        assert bad[step].tolist() == [0.0, 1.0]


def test_one_process_writes(trained: tuple[Path, tuple[str, ...]]) -> None:
    folder, modes = trained
    for mode in modes:
        assert len(list((folder / mode).glob("events*"))) == 1


def test_a_replica_that_cannot_be_measured_takes_part_all_the_same(
    trained: tuple[Path, tuple[str, ...]]
) -> None:
    """Nobody waits for it, the weights are the same (the process compares them), and where it is
    another process the chief records every step."""
    folder, modes = trained
    if modes == ("function",):
        table = records.only(folder / "replica").tables["replicas"]
        assert table.steps.tolist() == list(range(train_replicas.STEPS))
        loss = table.column("replica_loss")[: train_replicas.BAD_STEP]
        assert np.isfinite(loss[:, 0]).all()
        assert np.isnan(loss[:, 1]).all()
        run = records.only(folder / "replica").tables["run"]
        np.testing.assert_allclose(run.column("loss")[: len(loss), 0], loss[:, 0], rtol=1e-6)


def test_sparse_gradients_are_recorded(trained: tuple[Path, tuple[str, ...]]) -> None:
    table = records.only(trained[0] / "sparse").tables["variables"]
    assert table.steps.tolist() == list(range(train_replicas.STEPS))
    assert (table.column("gradient_norm")[:, 0] > 0).all()
    assert (table.column("update_norm")[:, 0] > 0).all()
