"""Every guide ends in a proven fix that was really printed, and its commands exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import guides  # noqa: E402

from tb_convergence.cli import main  # noqa: E402

COMMAND = re.compile(r"tb-convergence (doctor[^`\n]*train\.py)")


def test_every_guide_has_its_script_its_output_and_its_picture() -> None:
    assert guides.missing() == []


@pytest.mark.parametrize("command", sorted(set(COMMAND.findall(guides.PAGE.read_text("utf-8")))))
def test_commands_are_understood(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where there is no such script, that is all that is wrong."""
    monkeypatch.chdir(tmp_path)
    assert main(command.split()) == 2
    assert "'train.py'" in capsys.readouterr().err


def test_losses_are_read_as_keras_prints_them() -> None:
    printed = ("Epoch 1/2\n43/43 - 1s - 9ms/step - accuracy: 0.1 - loss: 2.5e+00 - "
               "val_accuracy: 0.2 - val_loss: 2.25\n"
               "43/43 - 0s - 7ms/step - accuracy: 0.1 - loss: nan - val_accuracy: 0.2 - "
               "val_loss: nan\n")
    found = guides.losses(printed)
    assert found["loss"][0] == 2.5
    assert found["val_loss"][0] == 2.25
    assert found["loss"][1] != found["loss"][1]
    assert len(found["loss"]) == len(found["val_loss"]) == 2
