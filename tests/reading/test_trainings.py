"""Several trainings in one folder: the newest is judged, the others are offered, none are mixed."""

from __future__ import annotations

from pathlib import Path

import pytest
from both_loaders import LOADERS
from event_files import EventFile

import tb_convergence
from tb_convergence.cli.questions import questions

HOUR = 3_600.0


def write(folder: Path, *trainings: tuple[int, float, range]) -> None:
    """Files of trainings: (number, wall time it begins at, steps)."""
    for number, begin, steps in trainings:
        with EventFile(folder / "r", f"events.out.tfevents.{1_600_000_000 + number}.x") as file:
            for place, step in enumerate(steps):
                time = begin + 10.0 * place
                file.simple("train/loss", step, 100.0 * number + 1 / (step + 1), time)


def diagnosed(folder: Path, loader: str, tags: str = "") -> tb_convergence.RunDiagnosis:
    (run,) = tb_convergence.diagnose(folder, loader=loader, tags=tags)  # type: ignore[arg-type]
    return run


@pytest.mark.parametrize("loader", LOADERS)
def test_the_newest_is_judged_and_the_others_are_offered(tmp_path: Path, loader: str) -> None:
    write(tmp_path, (1, 1e9, range(0, 200, 10)), (2, 1e9 + 9 * HOUR, range(300, 900, 30)),
          (3, 1e9 + 99 * HOUR, range(0, 80, 5)))
    run = diagnosed(tmp_path, loader)
    assert run.last_step == 75
    assert "from 301 to 300" in run.loss_summary  # no number of the first two, 100 and 200
    if loader == "python":  # the data server drops what a restart replaced
        assert run.earlier_trainings[0].first_step == 0
        assert any("earlier training" in question for question in questions(run))
        old = diagnosed(tmp_path, loader, "training=1")
        assert old.last_step > 75


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(("second", "why"), [
    ((2, 1e9 + 50 * HOUR, range(200, 400, 10)), "resumed after two days"),
    ((2, 1e9 + 200.0, range(200, 400, 10)), "without a pause"),
])
def test_a_resumed_training_is_one(
    tmp_path: Path, loader: str, second: tuple[int, float, range], why: str
) -> None:
    write(tmp_path, (1, 1e9, range(0, 200, 10)), second)
    run = diagnosed(tmp_path, loader)
    assert run.earlier_trainings == (), why
    assert run.last_step == 390


@pytest.mark.parametrize("loader", LOADERS)
def test_epochs_that_last_hours_are_no_trainings(tmp_path: Path, loader: str) -> None:
    with EventFile(tmp_path / "r") as file:
        for epoch in range(8):
            file.simple("loss", epoch, 1 / (epoch + 1), 1e9 + epoch * 5 * HOUR)
    assert diagnosed(tmp_path, loader).earlier_trainings == ()


@pytest.mark.parametrize(("back_to", "last"), [(150, 150), (20, 20)])
def test_a_step_far_back_after_a_pause_begins_another_training(
    tmp_path: Path, back_to: int, last: int
) -> None:
    """One record is enough: of two trainings glued together, every sentence would be false."""
    write(tmp_path, (1, 1e9, range(0, 200, 10)), (2, 1e9 + 9 * HOUR, range(back_to, back_to + 1)))
    run = diagnosed(tmp_path, "python")
    assert run.last_step == last
    resumed = back_to > 100
    assert len(run.earlier_trainings) == (0 if resumed else 1)
    assert (run.verdict.state == "too-early") != resumed
