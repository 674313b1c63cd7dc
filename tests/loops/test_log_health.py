"""`log_health`: any framework, NumPy only; right numbers, clear errors, no TensorFlow."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import records

import tb_convergence
from tb_convergence import close_health, log_health
from tb_convergence.training.host import event_file
from tb_convergence.training.loops import health_log


@pytest.fixture(autouse=True)
def closed() -> Any:
    yield
    close_health()


def test_a_training_by_hand_against_the_closed_form(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = records.Regression(rng.normal(size=(5, 2)), np.zeros(2), rate=0.05)
    told = []
    for step in range(4):
        x, y = rng.normal(size=(16, 5)), rng.normal(size=(16, 2))
        before = {"layer/w": model.w.copy(), "layer/b": model.b.copy()}
        outputs = x @ before["layer/w"] + before["layer/b"]
        error = outputs - y
        gradients = {
            "layer/w": 2 * x.T @ error / error.size, "layer/b": 2 * error.sum(0) / error.size
        }
        told.append(model.step(x, y))
        after = {"layer/w": model.w, "layer/b": model.b}
        log_health(
            tmp_path, step, gradients=gradients, variables=before,
            updates={name: after[name] - before[name] for name in before},
            activations={"layer": outputs}, inputs=x, targets=y, outputs=outputs,
            loss=told[-1]["loss"], learning_rate=0.05, validation_loss=3.0 + step,
        )
    close_health(tmp_path)
    history = records.only(tmp_path)
    assert [(row.layer, row.kind) for row in history.tables["variables"].rows] == [
        ("layer", "kernel"), ("layer", "bias"),
    ]
    for step, numbers in enumerate(told):
        records.assert_told(history, step, numbers)
        assert records.value(history, "run", "learning_rate", step) == pytest.approx(0.05)
    assert history.tables["epoch"].column("validation_loss")[:, 0].tolist() == [3, 4, 5, 6]
    assert history.config["batch_size"] == 16
    assert history.config["validation"] is True
    inputs = history.tables["inputs"]
    assert [row.kind for row in inputs.rows] == ["input"] * 5 + ["target"] * 2 + ["prediction"] * 2
    np.testing.assert_allclose(inputs.column("feature_std")[3, :5], x.std(axis=0), rtol=1e-6)
    spread = records.value(history, "activations", "activation_batch_std", 3)
    assert spread == pytest.approx(outputs.std(axis=0).mean(), rel=1e-6)


def test_the_same_numbers_as_inside_a_tensorflow_graph(tmp_path: Path) -> None:
    """The NumPy tables and the recorder's, of the same step: every column both have."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(4)
    value = rng.normal(size=(7, 3)).astype("float32")
    gradient = rng.normal(size=(7, 3)).astype("float32")
    gradient[0, 0], gradient[1, 1], gradient[2] = np.nan, np.inf, 0.0
    x = rng.normal(size=(6, 4)).astype("float32")
    x[0, 0] = np.nan
    variable = tf.Variable(value, name="only/w")
    with (
        tb_convergence.ConvergenceRecorder(tmp_path / "graph", [variable]) as recorder,
        recorder.step([gradient_tensor := tf.constant(gradient)], loss=2.5, inputs=x,
                      activations={"hidden": x}),
    ):
        variable.assign_sub(0.1 * tf.where(tf.math.is_finite(gradient_tensor), 1.0, 0.0))
    log_health(
        tmp_path / "numpy", 0, gradients={"only/w": gradient}, variables={"only/w": value},
        updates={"only/w": variable.numpy() - value}, loss=2.5, inputs=x,
        activations={"hidden": x},
    )
    close_health()
    found = records.runs(tmp_path)
    for group, table in found["numpy"].tables.items():
        other = found["graph"].tables[group]
        assert [row.name for row in table.rows] == [row.name for row in other.rows]
        for column in table.columns:
            np.testing.assert_allclose(
                table.column(column), other.column(column), rtol=1e-5, err_msg=column
            )


PROGRAM = """
import sys
import numpy as np
import tb_convergence
for step in range(3):
    tb_convergence.log_health(
        sys.argv[1], step, gradients={"a.weight": np.ones((2, 2))}, loss=1.0 / (step + 1)
    )
print(*[m for m in ("tensorflow", "keras", "torch") if m in sys.modules])
"""


def test_no_tensorflow_and_nothing_lost_at_exit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
    history = records.only(tmp_path)
    assert history.tables["variables"].steps.tolist() == [0, 1, 2]
    assert set(history.tables["variables"].column("gradient_norm").ravel()) == {2.0}
    assert not history.tables["variables"].has("variable_norm"), "what was not given is not told"


def test_threads_share_the_file_of_a_folder(tmp_path: Path) -> None:
    def write(first: int) -> None:
        for step in range(first, 80, 8):
            log_health(tmp_path, step, variables={"w": np.full(3, float(step))}, loss=float(step))

    threads = [threading.Thread(target=write, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close_health()
    assert len(list(tmp_path.iterdir())) == 1
    history = records.only(tmp_path)
    losses = dict(zip(
        history.tables["run"].steps.tolist(), history.tables["run"].column("loss")[:, 0],
        strict=True,
    ))
    assert all(loss == step for step, loss in losses.items())


def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    log_health(tmp_path / "parent", 0, loss=1.0)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_child, args=(str(tmp_path / "child"),))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    log_health(tmp_path / "parent", 1, loss=2.0)
    close_health()
    found = records.runs(tmp_path)
    assert {name: history.last_step for name, history in found.items()} == {"parent": 1, "child": 0}


def _child(folder: str) -> None:
    log_health(folder, 0, loss=1.0)
    close_health()


def test_missing_gradients_and_half_precision(tmp_path: Path) -> None:
    log_health(
        tmp_path, 0,
        gradients={"a": np.full(1000, 300.0, np.float16), "b": None},
        variables={"a": np.zeros(1000, np.float16), "b": np.ones(2)},
    )
    close_health()
    history = records.only(tmp_path)
    missing = history.tables["variables"].column("gradient_missing")[0].tolist()
    assert missing == [0.0, 1.0]
    assert records.value(history, "variables", "gradient_norm", 0) == pytest.approx(
        300 * 1000**0.5
    )
    assert np.isnan(records.value(history, "variables", "gradient_norm", 0, 1))


def test_a_number_too_large_for_the_file_is_not_called_infinite(tmp_path: Path) -> None:
    log_health(tmp_path, 0, gradients={"a": np.array([1e200])}, loss=float("inf"))
    close_health()
    history = records.only(tmp_path)
    assert records.value(history, "variables", "gradient_norm", 0) == np.finfo(np.float32).max
    assert records.value(history, "run", "loss", 0) == np.inf


def test_numbers_of_an_epoch_beyond_float32_are_no_infinities(tmp_path: Path) -> None:
    log_health(tmp_path, 0, epoch_loss=1e300, validation_loss=-np.inf)
    close_health()
    epoch = records.only(tmp_path).tables["epoch"]
    assert epoch.column("epoch_loss")[0, 0] == np.finfo(np.float32).max
    assert epoch.column("validation_loss")[0, 0] == -np.inf


def test_a_loss_in_bfloat16_is_a_number(tmp_path: Path) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    log_health(tmp_path, 0, loss=np.array(1.5, ml_dtypes.bfloat16), learning_rate=0.5)
    close_health()
    assert records.value(records.only(tmp_path), "run", "loss", 0) == 1.5


def writing_threads() -> int:
    return sum(thread.name == event_file.THREAD_NAME for thread in threading.enumerate())


def test_open_files_are_bounded_however_many_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_log, "MOST_OPEN", 3)
    before = writing_threads()
    for step in range(2):
        for number in range(6):
            log_health(tmp_path / str(number), step, loss=1.0)
            assert writing_threads() - before <= 3
    close_health()
    for history in records.runs(tmp_path).values():
        assert history.tables["run"].steps.tolist() == [0, 1], "a file that was closed goes on"


def test_an_address_is_closed_like_a_folder() -> None:
    pytest.importorskip("tensorflow")
    before = writing_threads()
    log_health("ram://runs/first", 0, loss=1.0)
    close_health("ram://runs/first")
    assert writing_threads() == before


FORK = """
import os, sys, threading
from tb_convergence import log_health
from tb_convergence.training.loops import health_log
held, forked = threading.Event(), threading.Event()
def hold():
    with health_log._LOCK:
        held.set()
        forked.wait()
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    log_health(sys.argv[1], 0, loss=1.0)
    os._exit(0)
forked.set()
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_wait_for_a_lock_of_its_parent(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path)], capture_output=True, text=True,
        check=False, timeout=120,
    )
    assert done.returncode == 0, done.stderr


class Refuses:
    """A value whose conversion raises, as that of a PyTorch tensor with a gradient does."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("theirs")

    def __repr__(self) -> str:
        return "Refuses()"


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "nothing": ({}, ValueError, "nothing to record"),
    "step back": ({"step": -1, "loss": 1.0}, ValueError, "step is -1"),
    "step of text": ({"step": "3", "loss": 1.0}, TypeError, "step is '3'"),
    "step of truth": ({"step": True, "loss": 1.0}, TypeError, "step is True"),
    "no folder": ({"log_dir": "", "loss": 1.0}, ValueError, "log_dir is empty"),
    "a list": ({"gradients": [np.ones(2)]}, TypeError, "gradients is list; expected a dictionary"),
    "text": ({"variables": {"w": np.array(["a"])}}, TypeError, "variables\\['w'\\] holds <U1"),
    "complex": ({"variables": {"w": np.array([1j])}}, TypeError, "holds complex128"),
    "ragged": ({"gradients": {"w": [[1.0], [1.0, 2.0]]}}, TypeError, "gradients\\['w'\\]"),
    "shapes": (
        {"gradients": {"w": np.ones(2)}, "variables": {"w": np.ones(3)}},
        ValueError, "variables\\['w'\\] has shape \\(3,\\), gradients\\['w'\\] \\(2,\\)",
    ),
    "loss of many": ({"loss": np.ones(3)}, TypeError, "loss is array"),
    "masked": (
        {"inputs": np.ma.array([1.0, 2.0], mask=[False, True])}, TypeError, "is a masked array",
    ),
    "loss that refuses": ({"loss": Refuses()}, TypeError, "expected one number .theirs"),
    "batch": ({"loss": 1.0, "batch_size": 0}, ValueError, "batch_size is 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_raise_what_to_mend(tmp_path: Path, case: str) -> None:
    arguments, error, text = WRONG[case]
    with pytest.raises(error, match=text):
        log_health(**{"log_dir": tmp_path, "step": 0, **arguments})
    assert list(tmp_path.iterdir()) == [], "nothing is begun for a call that is refused"


def test_a_folder_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")
    with caplog.at_level(logging.WARNING, logger="tb_convergence"):
        for step in range(3):
            log_health(tmp_path / "taken" / "run", step, loss=1.0)
    assert len(caplog.records) == 1
    assert "stops recording" in caplog.text
