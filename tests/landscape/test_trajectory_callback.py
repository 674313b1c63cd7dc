"""The path as a callback records it, alone and inside ConvergenceCallback."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from tb_convergence import landscape  # noqa: E402
from tb_convergence.keras import ConvergenceCallback  # noqa: E402
from tb_convergence.training.host.trajectory import Trajectory  # noqa: E402
from tb_convergence.training.keras.trajectory_callback import TrajectoryCallback  # noqa: E402

pytestmark = pytest.mark.tensorflow

X = np.random.default_rng(0).normal(size=(160, 4)).astype("float32")
Y = (X[:, 0] > 0).astype("int32")


def trained(callbacks: list[Any], epochs: int = 3) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.2),
        keras.layers.Dense(2),
    ])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(X, Y, batch_size=16, epochs=epochs, verbose=0, callbacks=callbacks)
    return model


@pytest.mark.parametrize("kind", ["alone", "inside"])
def test_every_step_of_a_short_training_is_sampled(tmp_path: Path, kind: str) -> None:
    callback = (
        TrajectoryCallback(tmp_path) if kind == "alone"
        else ConvergenceCallback(tmp_path, trajectory=True)
    )
    model = trained([callback])
    found = Trajectory.load(tmp_path / "trajectory.npz")
    assert found.steps == list(range(31))
    for a, v in zip(found.weights_at(30), model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, v.numpy())
    drawn = landscape(
        model, (X, Y), path=tmp_path, points=9, curvature=False, progress=False
    )
    path = drawn.planes[0].path
    assert path is not None
    assert path.loss[0] is not None
    assert path.loss[-1] == pytest.approx(drawn.settings["end_loss"])
    assert path.loss[0] > path.loss[-1]


def test_the_training_is_the_same_with_and_without(tmp_path: Path) -> None:
    plain, watched = trained([]), trained([TrajectoryCallback(tmp_path)])
    for a, b in zip(plain.variables, watched.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_without_it_nothing_is_written_and_no_batch_is_reported(tmp_path: Path) -> None:
    callback = ConvergenceCallback(tmp_path)
    assert "on_train_batch_end" not in vars(callback)
    trained([callback], epochs=1)
    assert not (tmp_path / "trajectory.npz").exists()
    assert copy.deepcopy(ConvergenceCallback(tmp_path, trajectory=True)).trajectory


def test_a_fault_ends_the_sampling_and_not_the_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    model = trained([TrajectoryCallback(tmp_path / "file")])
    assert int(model.optimizer.iterations.numpy()) == 30
    assert "path stopped" in caplog.text
