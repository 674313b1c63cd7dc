"""An experiment in a process that is killed outright goes on where it was, to the same result."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import keras
import models
import numpy as np
import pytest

from tb_convergence.experiments import Settings, ablate, lr_range_test, overfit_small_sample
from tb_convergence.experiments.training_log import TrainingLog, TrainingLogError, identity_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 600
"""Until the child has trained something; how long that takes decides nothing else."""

PROGRAM = f'''
import json
import sys
import time
import keras
import models
from tb_convergence.experiments import Settings, ablate, doctor
from tb_convergence.experiments.training_log import TrainingLog

experiment, kept, made = sys.argv[1], int(sys.argv[2]), 0
keep = TrainingLog.put

def put(self, entry, *parts):
    global made
    keep(self, entry, *parts)
    made += 1
    if made == kept:
        time.sleep({PATIENCE_SECONDS})  # until it is killed

TrainingLog.put = put


def done(log_dir):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([
        keras.Input((models.FEATURES,)), keras.layers.Dense(32, activation="relu"),
        keras.layers.Dropout(0.3), keras.layers.Dense(models.CLASSES, activation="softmax")])
    model.compile(keras.optimizers.SGD(1e-4, clipnorm=1.0), "sparse_categorical_crossentropy")
    x, y = models.data(0, 512)
    run = Settings(seconds=1e6, progress=False, log_dir=log_dir, steps=1600)
    if experiment == "ablate":
        found = ablate(model, x, y, changes=["without-dropout", "adam"], steps=20, settings=run)
    else:
        found = doctor(model, x, y, epochs=8, settings=run)
    data = dict(found.record.data, seconds=0)
    return [found.restored, made, found.summary, repr(data)]

print(json.dumps([done("run"), done("other")]))
'''


def child(folder: Path, experiment: str, kept: int) -> subprocess.Popen[str]:
    program = folder / "program.py"  # the source of functions is part of what is compared
    program.write_text(PROGRAM, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(program), experiment, str(kept)], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}",
             "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )


@pytest.mark.parametrize(("experiment", "kept"), [("ablate", 4), ("doctor", 4)])
def test_a_killed_experiment_repeats_no_training(
    tmp_path: Path, experiment: str, kept: int
) -> None:
    log = tmp_path / "run" / f"{experiment}.trainings.jsonl"
    killed = child(tmp_path, experiment, kept)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while killed.poll() is None and time.monotonic() < deadline:
        if log.is_file() and log.read_text().count("\n") > kept:
            break
        time.sleep(0.1)
    assert killed.poll() is None, killed.communicate()[1]
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    with log.open("a") as file:
        file.write('{"key": "cut sh')  # what a kill in the middle of a line leaves

    again = child(tmp_path, experiment, 0)
    out, err = again.communicate()
    assert again.returncode == 0, err
    resumed, whole = json.loads(out.splitlines()[-1])
    assert resumed[0] == kept
    assert not log.exists(), "a finished experiment needs it no more"
    assert whole[0] == 0
    assert resumed[1] == whole[1] - resumed[1] - kept, "no finished training was made again"
    assert resumed[2:] == whole[2:]


def network(**options: Any) -> Any:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((models.FEATURES,)),
                              keras.layers.Dense(models.CLASSES, **options)])
    model.compile(keras.optimizers.SGD(0.1),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


EXPERIMENTS: dict[str, Any] = {
    "ablate": lambda run: ablate(
        network(), *models.data(), changes=["adam"], steps=10, settings=run),
    "lr_range_test": lambda run: lr_range_test(
        network(), *models.data(), steps=20, compare=10, settings=run),
    "overfit_small_sample": lambda run: overfit_small_sample(
        network(), *models.data(), sizes=(32, 64), steps=60, settings=run),
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_interrupted_experiment_goes_on_in_the_same_process(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment, file = EXPERIMENTS[name], tmp_path / "trainings.jsonl"
    keep, made = TrainingLog.put, [0]

    def put(self: TrainingLog, entry: Any, *parts: object) -> None:
        keep(self, entry, *parts)
        made[0] += 1
        if made[0] == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(TrainingLog, "put", put)
    first = experiment(Settings(progress=False, resume=file))
    assert first.ended == "interrupted"
    then = experiment(Settings(progress=False, resume=file))
    assert then.restored == 1
    assert not file.exists()
    before, whole = made[0], experiment(Settings(progress=False))
    assert made[0] - before == before, "each training was made once"
    assert repr(then.record.data) == repr(whole.record.data)
    assert (then.summary, whole.restored) == (whole.summary, 0)


def own_loss(y: Any, predicted: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(y, predicted, from_logits=True)


def test_other_programs_and_other_data_are_other_trainings() -> None:
    from tb_convergence.experiments.sample import Sample  # noqa: PLC0415

    x, y = models.data()
    sample = Sample(x, y)

    def identity(model: Any, sample: Any = sample, held: Any = None) -> str:
        return identity_of(model, sample, held)

    same = identity(network())
    assert identity(network()) == same, "layers of the second one have other names"
    other_loss = network()
    other_loss.compile(keras.optimizers.SGD(0.1), own_loss)
    other_rate = network()
    other_rate.compile(keras.optimizers.SGD(0.2),
                       keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    moved = network()
    moved.set_weights([weight + 1e-6 for weight in moved.get_weights()])
    found = {
        same, identity(network(activation="tanh")), identity(other_loss), identity(other_rate),
        identity(moved), identity(network(), Sample(x, 1 - y)),
        identity(network(), Sample(x, y, batch_size=8)), identity(network(), held=sample),
    }
    assert len(found) == 8


def test_a_file_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import keras\n")
    with pytest.raises(TrainingLogError, match="is not overwritten"):
        lr_range_test(network(), *models.data(), settings=Settings(resume=script))
    assert script.read_text() == "import keras\n"


def test_numbers_come_back_bit_for_bit(tmp_path: Path) -> None:
    losses = np.array([0.1, 1e-300, np.nan, np.inf, 1 / 3])
    log = TrainingLog(tmp_path / "deep" / "log.jsonl", "a")
    log.put({"losses": losses, "score": np.float32(0.3)}, "trial", 1)
    again = TrainingLog(tmp_path / "deep" / "log.jsonl", "a")
    entry = again.get("trial", 1)
    assert entry is not None
    np.testing.assert_array_equal(np.array(entry["losses"]), losses)
    assert entry["score"] == float(np.float32(0.3))
    assert again.restored == 1
    assert again.get("trial", 2) is None
    assert TrainingLog(tmp_path / "deep" / "log.jsonl", "b").get("trial", 1) is None
