"""Several trainings in one folder: the newest is judged, the others are offered, none are mixed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS
from event_files import EventFile

import tb_convergence
from tb_convergence.cli.questions import questions
from tb_convergence.reading.logdir import examine
from tb_convergence.reading.trainings import WHOLE, Points, chosen_training

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


def points(steps: list[int], times: list[float]) -> Points:
    return Points(np.array(steps), np.array(times), np.zeros(len(steps)))


@pytest.mark.parametrize("first", [1_000.5, 1_800.5])
def test_a_validation_by_epoch_does_not_make_a_resumed_training_another(first: float) -> None:
    """It counts 0, 1, 2: its first or second point after the pause is no beginning."""
    def later(time: float) -> float:
        return 1e9 + time + (HOUR if time > 1_500 else 0.0)

    steps = list(range(0, 3_000, 10))
    loss = points(steps, [later(step + 0.1) for step in steps])
    validation = points([0, 1, 2], [later(time) for time in (first, 2_000.5, 2_990.5)])
    assert chosen_training({("r", "loss"): loss, ("r", "val_loss"): validation}) == (WHOLE, ())


def test_a_series_of_another_name_that_begins_after_a_pause_is_another_training() -> None:
    old = points(list(range(0, 500, 10)), [1e9 + step for step in range(0, 500, 10)])
    new = points(list(range(0, 300, 5)), [2e9 + step for step in range(0, 300, 5)])
    (begin, _), earlier = chosen_training({("r", "loss"): old, ("r", "train/loss"): new})
    assert begin == 2e9
    assert [one.last_step for one in earlier] == [490]


def test_histograms_of_an_earlier_training_are_not_told_of_the_newest(tmp_path: Path) -> None:
    counts = np.array([[-1.0, 0.0, 5.0], [0.0, 1.0, 5.0]])
    with EventFile(tmp_path / "r", "events.out.tfevents.1.x") as file:
        for step in range(0, 200, 10):
            file.simple("train/loss", step, 1.0, 1e9 + step)
            file.tensor("dense/kernel_0/gradient", step, counts, plugin="histograms",
                        wall_time=1e9 + step)
    (before, history) = next(iter(examine(tmp_path, loader="python")))
    assert before.earlier_trainings == ()
    assert history is not None
    assert history.table("variables") is not None
    with EventFile(tmp_path / "r", "events.out.tfevents.2.x") as file:
        for step in range(0, 300, 10):
            file.simple("train/loss", step, 1.0, 2e9 + step)
    (run, history) = next(iter(examine(tmp_path, loader="python")))
    assert len(run.earlier_trainings) == 1
    assert history is not None
    assert history.table("variables") is None
