"""The demo's sick scripts: the doctor ends with a script that trains."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.observed_training import mark

pytest.importorskip("keras")
pytest.importorskip("sklearn")

from tb_convergence.demo.programs import PROGRAMS
from tb_convergence.experiments.changes import BY_ID, Change, learning_rate
from tb_convergence.experiments.source_edits import edited

ROOT = Path(__file__).resolve().parents[2]
SICK = ROOT / "demo" / "sick"
ENOUGH = 0.85
"""Accuracy on held-out digits, where guessing has .1: the script trains."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items, Path(__file__).parent)


def python(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, text=True, capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3",
             "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def accuracy(printed: str) -> float:
    """Of the validation samples after the last epoch, as Keras prints it."""
    return float(re.findall(r"val_accuracy: ([0-9.e+-]+)", printed)[-1])


def test_there_is_a_script_for_each_sick_program() -> None:
    names = {path.stem.replace("_", "-") for path in SICK.glob("*.py")}
    assert names == {one.name for one in PROGRAMS if one.causes}


@pytest.mark.tensorflow
def test_the_doctor_ends_with_a_script_that_trains(tmp_path: Path) -> None:
    script = SICK / "learning_rate_too_high.py"
    printed = python("-m", "tb_convergence", "doctor", "--write", "fixed.py", str(script),
                     folder=tmp_path)
    assert "At a learning rate of" in printed
    assert "Written: fixed.py" in printed
    assert accuracy(python("fixed.py", folder=tmp_path)) > ENOUGH


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("learning_rate_too_low", [learning_rate(3e-3)]),
        ("dead_relu", [BY_ID["he-normal"]]),
        ("unnormalized_input", [BY_ID["standardised-inputs"]]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_fix_can_be_written_into_its_script(
    tmp_path: Path, name: str, changes: list[Change]
) -> None:
    """What the doctor finds in a minute or two, without the search: the edits, and the training."""
    after, by_hand = edited((SICK / f"{name}.py").read_text(encoding="utf-8"), changes)
    assert by_hand == []
    (tmp_path / "fixed.py").write_text(after, encoding="utf-8")
    assert accuracy(python("fixed.py", folder=tmp_path)) > ENOUGH
