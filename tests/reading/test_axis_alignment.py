"""Histograms of epochs among losses of batches, through both loaders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_loaders import read
from event_files import EventFile
from histogram_writers import tensorflow_2

BATCHES = 20


def write(logdir: Path, tag: str, clock: list[float], every: int = 1) -> None:
    """Three epochs of `BATCHES` batches, of one second each; histograms are written at `clock`."""
    with EventFile(logdir) as file:
        for batch in range(0, 3 * BATCHES, every):
            file.scalar(tag, batch, 1.0, wall_time=1e9 + batch)
        for epoch, time in enumerate(clock):
            tensorflow_2(file, "dense/kernel/histogram", epoch, np.ones(3), 1e9 + time)


@pytest.mark.parametrize(("tag", "axis"), [("batch_loss", "batch"), ("loss", "step")])
def test_an_epoch_ends_with_its_last_batch(tmp_path: Path, tag: str, axis: str) -> None:
    write(tmp_path, tag, [19.5, 39.5, 59.5])
    table = read(tmp_path).tables["variables"]
    assert (table.axis, table.steps.tolist()) == (axis, [19, 39, 59])


@pytest.mark.parametrize(("tag", "clock", "every"), [
    pytest.param("epoch_loss", [19.5, 39.5, 59.5], 1, id="nothing counts batches"),
    pytest.param("batch_loss", [19.5, 39.5, 39.7], 1, id="two epochs after one batch"),
    pytest.param("batch_loss", [-5.0, 39.5, 59.5], 1, id="before the first batch"),
    pytest.param("batch_loss", [19.5, 39.5, 59.5], 30, id="batches too few to tell"),
])
def test_what_the_clock_does_not_tell_still_counts_epochs(
    tmp_path: Path, tag: str, clock: list[float], every: int
) -> None:
    write(tmp_path, tag, clock, every)
    table = read(tmp_path).tables["variables"]
    assert (table.axis, table.steps.tolist()) == ("epoch", [0, 1, 2])


def test_means_of_epochs_are_placed_together_or_not_at_all(tmp_path: Path) -> None:
    def written(folder: Path, validation: list[float]) -> dict[str, tuple[str, list[int]]]:
        with EventFile(folder / "train") as file:
            for batch in range(3 * BATCHES):
                file.scalar("batch_loss", batch, 1.0, wall_time=1e9 + batch)
            for epoch, time in enumerate([19.5, 39.5, 59.5]):
                file.scalar("epoch_loss", epoch, 1.0, wall_time=1e9 + time)
        with EventFile(folder / "validation") as file:
            for epoch, time in enumerate(validation):
                file.scalar("epoch_loss", epoch, 2.0, wall_time=1e9 + time)
        scalars = read(folder).scalars
        return {
            name: (series.axis, series.steps.tolist())
            for name, series in scalars.items() if name != "loss"
        }

    ends = ("batch", [19, 39, 59])
    assert written(tmp_path / "a", [19.6, 39.6, 59.6]) == {
        "epoch_loss": ends, "validation_loss": ends,
    }
    counted = ("epoch", [0, 1, 2])
    assert written(tmp_path / "b", [39.6, 39.7, 59.6]) == {
        "epoch_loss": counted, "validation_loss": counted,
    }
