"""What a run is worth after its writer was killed, its disk was full, or another wrote too."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import event_records
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tb_convergence.core.schema import Row
from tb_convergence.reading import open_logdir
from tb_convergence.reading.provider import read_folded
from tb_convergence.reading.runs import fold_runs
from tb_convergence.training.host.writer import FLUSH_SECONDS, RunWriter, channel

pytest.importorskip("tensorflow")
pytest.importorskip("resource")  # signals, forks and limits as POSIX has them
pytestmark = pytest.mark.tensorflow

HERE = Path(__file__).parent
SLACK_SECONDS = 4.0
"""The machine may be busy when a process should flush."""


def misfortune(mode: str, folder: Path) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, str(HERE / "write_and_die.py"), mode, str(folder)],
        env=environment, capture_output=True, text=True, timeout=180, check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("KNOWN ")]
    assert lines, done.stderr[-3000:]
    return json.loads(lines[-1].removeprefix("KNOWN "))


def events(folder: Path) -> list[Any]:
    return [
        event
        for path in sorted(folder.glob("*tfevents*"))
        for event in EventFileLoader(str(path)).Load()
        if event.summary.value
    ]


def test_killed_at_twenty_random_moments(tmp_path: Path) -> None:
    """A readable prefix without gaps; lost is at most what had not been flushed yet."""
    killed = misfortune("kill", tmp_path)
    assert len(killed) == 20
    for name, at in killed.items():
        found = events(tmp_path / name)
        assert [event.step for event in found] == list(range(len(found)))
        event_records.read(tmp_path / name)  # layouts and checksums hold
        if at - killed_first(tmp_path / name) > FLUSH_SECONDS + SLACK_SECONDS:
            assert found
        if found:
            assert at - found[-1].wall_time < FLUSH_SECONDS + SLACK_SECONDS


def killed_first(folder: Path) -> float:
    """When the file was begun."""
    (path,) = folder.glob("*tfevents*")
    return float(path.name.split(".")[3])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    with contextlib.suppress(OSError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            yield disk
            subprocess.run(["umount", "-l", str(disk)], check=False)
            return
    pytest.skip("only root may make a small disk; the file size limit is tested instead")


def check_lost_and_found(folder: Path, known: dict[str, Any]) -> None:
    found = events(folder / "run")
    steps = [event.step for event in found]
    assert len(list((folder / "run").glob("*tfevents*"))) >= 2, "a new file was begun"
    assert steps[-1] == known["written"] - 1, "the last record is there"
    assert len(set(steps)) == len(steps)
    missing = known["written"] - len(steps)
    assert 0 < missing <= known["lost"], "what is lost is counted, rather too much than too little"
    lines = [line for line in known["lines"] if "are being lost" in line]
    assert len(lines) == 1, known["lines"]
    with open_logdir(folder, "python") as source:
        (run,) = fold_runs(source.runs())
        table = read_folded(source, run).tables["variables"]
    assert table.steps.tolist() == sorted(steps)
    np.testing.assert_array_equal(table.column("gradient_norm")[:, 0], sorted(steps))


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    check_lost_and_found(tmp_path, misfortune("limit", tmp_path))


def test_a_full_disk(small_disk: Path) -> None:
    check_lost_and_found(small_disk, misfortune("fill", small_disk))


def test_two_writers_are_told_and_kept_apart(tmp_path: Path) -> None:
    known = misfortune("two", tmp_path)
    assert known["label"].startswith("process ")
    assert len([line for line in known["lines"] if "Another process" in line]) == 1
    with open_logdir(tmp_path, "python") as source:
        (run,) = fold_runs(source.runs())
        history = read_folded(source, run)
    assert history.skipped == ()
    table = history.tables["variables"]
    norms = table.column("gradient_norm")
    assert table.steps.tolist() == list(range(100))
    marked = np.array([row.name.startswith(known["label"]) for row in table.rows])
    assert marked.sum() == len(marked) / 2
    assert (norms[:, marked] == 2.0).all(), "no line mixes the two"
    assert (norms[:, ~marked] == 1.0).all()


def test_one_training_after_the_other_is_one_run(tmp_path: Path) -> None:
    for _ in range(2):
        writer = RunWriter(str(tmp_path))
        assert writer.label == ""
        writer.close()


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_leaves_the_file_to_its_parent(tmp_path: Path) -> None:
    writer = RunWriter(str(tmp_path))
    target = channel("variables", (Row("a", "a", "kernel"),), ("gradient_norm",))
    writer.table(target, np.ones((1, 1), np.float32), 0)
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            for step in range(100, 200):
                writer.table(target, np.ones((1, 1), np.float32), step)
            writer.flush()
            writer.close()
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    writer.table(target, np.ones((1, 1), np.float32), 1)
    writer.close()
    assert event_records.read(tmp_path).variables.steps == [0, 1]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning")
def test_the_callback_travels_without_its_training(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from tb_convergence.keras import ConvergenceCallback  # noqa: PLC0415 - needs Keras

    class Held(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.copy = pickle.loads(pickle.dumps(callback))
            self.model.save(tmp_path / "model.keras")
            self.bytes = pickle.dumps(self.model)

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    callback = ConvergenceCallback(tmp_path / "run", every_n_steps=7)
    model.recorder = callback  # as a person may hold it
    held = Held()
    x = np.ones((8, 2), "float32")
    model.fit(x, x[:, :1], batch_size=4, verbose=0, callbacks=[callback, held])
    assert callback.disabled_reason is None
    assert (held.copy.every_n_steps, held.copy.log_dir) == (7, callback.log_dir)
    assert len(pickle.dumps(held.copy)) < 10_000, "the settings, and nothing of the training"
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.count_params() == model.count_params()
    again.fit(x, x[:, :1], verbose=0, callbacks=[held.copy])
    assert held.copy.disabled_reason is None
    assert len(list((tmp_path / "run").glob("*tfevents*"))) == 2
