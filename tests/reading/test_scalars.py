"""Ordinary scalars through both loaders: which tag is read, on which axis, and what is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS, histories, read
from event_files import EventFile
from tensorboard.compat.proto import summary_pb2

from tb_convergence.core.schema import Row, layout_of

RUN = layout_of("run", (Row("run", "", "run"),), ("loss",))


def test_keras_runs_are_one(tmp_path: Path) -> None:
    with EventFile(tmp_path / "a" / "train") as file:
        for epoch in range(3):
            file.scalar("epoch_loss", epoch, 3.0 - epoch)
            file.scalar("epoch_learning_rate", epoch, 0.1)
            file.scalar("epoch_accuracy", epoch, 0.5)
        for batch in range(6):
            file.scalar("batch_loss", batch, 4.0 - batch)
    with EventFile(tmp_path / "a" / "validation") as file:
        for epoch in range(3):
            file.scalar("epoch_loss", epoch, 3.5 - epoch)
            file.scalar("evaluation_loss_vs_iterations", 10 * (epoch + 1), 3.5 - epoch)
    history = read(tmp_path, "a")
    assert history.source_runs == ("a/train", "a/validation")
    assert {name: (s.axis, s.source) for name, s in history.scalars.items()} == {
        # Written at the times of the first three batches, and so placed there.
        "epoch_loss": ("batch", "epoch_loss"),
        "loss": ("batch", "batch_loss"),
        "learning_rate": ("batch", "epoch_learning_rate"),
        "validation_loss": ("batch", "epoch_loss"),
        "metric": ("batch", "epoch_accuracy"),
    }
    assert history.scalars["epoch_loss"].values.tolist() == [3.0, 2.0, 1.0]
    assert history.scalars["validation_loss"].values.tolist() == [3.5, 2.5, 1.5]
    assert history.last_step == 5


def test_the_recorder_beside_keras_is_one_run(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(4):
            file.record(RUN, step, [[4.0 - step]])
    with EventFile(tmp_path / "train") as file:
        file.scalar("batch_loss", 0, 99.0)
        file.scalar("epoch_loss", 0, 2.0)
    with EventFile(tmp_path / "validation") as file:
        file.scalar("epoch_loss", 0, 2.5)
    history = read(tmp_path)
    assert (history.run, history.source_runs) == (".", (".", "train", "validation"))
    loss = history.series("loss")
    assert loss is not None
    assert loss.values.tolist() == [4.0, 3.0, 2.0, 1.0]
    assert "loss" not in history.scalars
    assert history.scalars["validation_loss"].values.tolist() == [2.5]


def test_pytorch_scalars(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(5):
            file.simple("Loss/train", step, 5.0 - step)
            file.simple("Loss/test", step, 6.0 - step)
            file.simple("lr", step, 1e-3)
    history = read(tmp_path)
    assert {name: series.source for name, series in history.scalars.items()} == {
        "loss": "Loss/train", "validation_loss": "Loss/test", "learning_rate": "lr",
    }
    assert all(series.axis == "step" for series in history.scalars.values())
    assert history.scalars["learning_rate"].values == pytest.approx(1e-3)


def test_nan_and_infinity_are_data(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step, value in enumerate([1.0, np.inf, -np.inf, np.nan]):
            file.simple("loss", step, value)
    values = read(tmp_path).scalars["loss"].values
    np.testing.assert_array_equal(values, [1.0, np.inf, -np.inf, np.nan])


def test_the_next_best_tag_is_read_where_the_best_cannot_be(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(3):
            file.tensor("train_loss_step", step, np.float32([1.0, 2.0]), plugin="scalars",
                        data_class=summary_pb2.DATA_CLASS_SCALAR)
            file.scalar("loss", step, 3.0 - step)
    for loader in LOADERS:
        history = histories(tmp_path, loader)["."]
        assert history.scalars["loss"].source == "loss"
        # The fast loader does not even list a series without a single scalar in it.
        told = [(skipped.tag, skipped.step) for skipped in history.skipped]
        assert told == ([] if loader == "fast" else [("train_loss_step", n) for n in range(3)])


@pytest.mark.parametrize("dtype", [np.float64, np.int32, np.float16])
def test_other_types_are_read_where_the_loader_can(tmp_path: Path, dtype: type) -> None:
    with EventFile(tmp_path) as file:
        for step in range(3):
            file.tensor("loss", step, np.asarray(2 * step, dtype), plugin="scalars",
                        data_class=summary_pb2.DATA_CLASS_SCALAR)
    python = histories(tmp_path, "python")["."]
    assert python.scalars["loss"].values.tolist() == [0.0, 2.0, 4.0]
    # The fast loader knows float32 only, and hides the rest.
    assert histories(tmp_path, "fast")["."].scalars == {}


def test_restarts_duplicates_and_negative_steps(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for wall_time, step in enumerate([-5, 0, 1, 2, 3, 1, 2]):
            file.simple("loss", step, float(wall_time), wall_time=1e9 + wall_time)
    history = read(tmp_path)
    assert history.scalars["loss"].steps.tolist() == [0, 1, 2]
    assert history.scalars["loss"].values.tolist() == [1.0, 5.0, 6.0]
    assert [skipped.step for skipped in history.skipped] == [-5]


def test_a_run_of_other_things_has_nothing(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.simple("accuracy", 0, 0.5)
        file.tensor("text", 0, "hello", plugin="text")
    history = read(tmp_path)
    assert not history.scalars
    assert not history.tables
    assert history.skipped == ()


def test_means_of_epochs_are_read_where_steps_are_fewer(tmp_path: Path) -> None:
    """A logger that writes every 50th step leaves one of a short training."""
    with EventFile(tmp_path / "a") as file:
        for epoch in range(20):
            file.simple("train_loss_epoch", epoch, 9.0 - 0.2 * epoch)
            file.simple("val_loss", epoch, 9.5 - 0.2 * epoch)
        file.simple("train_loss_step", 12, 4.4)
    history = read(tmp_path, "a")
    assert history.scalars.keys() == {"epoch_loss", "validation_loss"}
    assert len(history.scalars["epoch_loss"]) == 20
    assert [one.use for one in history.scalar_tags if one.tag == "train_loss_step"] == ["spare"]


@pytest.mark.parametrize(("values", "expected"), [
    ([12.0, 6.0, 3.0, float("inf")], np.log([12.0, 6.0, 3.0, np.inf]).tolist()),
    ([12.0, 6.0, 0.0], None),  # no perplexity
    ([0.9, 0.5, 0.25], None),  # a share of a codebook, or the logarithm of a perplexity
])
def test_a_perplexity_is_the_exponential_of_the_loss(
    tmp_path: Path, values: list[float], expected: list[float] | None
) -> None:
    with EventFile(tmp_path) as file:
        for step, value in enumerate(values):
            file.simple("train/ppl", step, value)
            file.simple("accuracy", step, 0.5)
    history = read(tmp_path)
    loss = history.scalars.get("loss")
    assert (None if loss is None else loss.values.tolist()) == expected
