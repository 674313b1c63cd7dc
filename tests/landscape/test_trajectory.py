"""The bounded path: its memory, its sketches, its file, and what is drawn of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_convergence.experiments.loss_landscape.directions import Directions
from tb_convergence.experiments.loss_landscape.path import PathError, path_plane, project
from tb_convergence.training.host.trajectory import (
    MOST_SAMPLES,
    SKETCH,
    Trajectory,
    TrajectoryError,
    sketch_of,
)

Weights = tuple[np.ndarray, ...]


def spiral(step: int, size: int = 300) -> Weights:
    """Weights on a known curve in two fixed directions."""
    first, second = np.eye(2, size)
    part = np.exp(-step / 40)
    return (np.float32(3 * part) * first.astype("f4") + np.float32(np.sin(step / 9) * part) *
            second.astype("f4"),)


def recorded(steps: int, **options: int) -> Trajectory:
    found = Trajectory(**options)
    for step in range(steps):
        found.observe(step, spiral(step))
    return found


@given(st.integers(0, 50))
@settings(max_examples=20)
def test_sketches_keep_inner_products(seed: int) -> None:
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, 20_000)).astype("f4")
    b = a + 0.5 * b
    got = float(sketch_of([a]).astype("f8") @ sketch_of([b]).astype("f8"))
    error = np.linalg.norm(a) * np.linalg.norm(b) / np.sqrt(SKETCH)
    assert abs(got - float(a.astype("f8") @ b)) < 6 * error


def test_sketches_are_linear_and_cut_anywhere() -> None:
    values = np.random.default_rng(0).normal(size=3_000_000).astype("f4")
    whole = sketch_of([values])
    parts = sketch_of([values[:17], values[17:2_000_000], values[2_000_000:]])
    np.testing.assert_allclose(whole, parts, atol=1e-2)
    np.testing.assert_allclose(sketch_of([2 * values]), 2 * whole, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size", [100, 100_000, 3_000_000])
def test_memory_is_bounded_whatever_the_model_and_the_training(size: int) -> None:
    budget = 20_000_000
    found = Trajectory(budget)
    weights = [np.ones(size, np.float32)]
    for step in range(700 if size < 1_000_000 else 12):
        found.observe(step, weights)
        assert found.bytes <= budget
    assert len(found.steps) <= MOST_SAMPLES
    assert found.steps[0] == 0
    assert len(found.kept) >= 2


def test_long_trainings_are_sampled_evenly_from_the_first_step_on() -> None:
    found = recorded(3_000)
    assert found.steps[0] == 0
    gaps = np.diff(found.steps)
    assert gaps.max() <= 2 * np.median(gaps)
    assert found.steps[-1] > 2_900


def test_a_training_begun_anew_replaces_what_came_after() -> None:
    found = recorded(50)
    found.observe(20, spiral(0))
    assert found.steps[-1] == 20
    assert max(found.kept) == 20
    found.observe(21, (np.zeros((7, 7), "f4"),))
    assert found.steps == [21]


def test_weights_that_are_not_finite_end_the_path() -> None:
    found = recorded(5)
    found.observe(6, (np.full(300, np.nan, "f4"),))
    assert found.steps == [0, 1, 2, 3, 4]


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    found = recorded(40)
    found.save(tmp_path / "run" / "trajectory.npz")
    again = Trajectory.load(tmp_path / "run" / "trajectory.npz")
    assert again.steps == found.steps
    assert again.shapes == found.shapes
    for step in found.kept:
        np.testing.assert_array_equal(again.weights_at(step)[0], found.weights_at(step)[0])
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["trajectory.npz"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 damaged", b"\x93NUMPY"])
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "trajectory.npz"
    file.write_bytes(content)
    with pytest.raises(TrajectoryError, match="not a trajectory file"):
        Trajectory.load(file)
    with pytest.raises(TrajectoryError, match="not a trajectory file"):
        Trajectory.load(tmp_path / "none.npz")


def test_a_plane_of_a_path_in_two_dimensions_shows_it_exactly() -> None:
    found = recorded(120)
    end = spiral(10_000)
    plane = path_plane(found, end)
    assert plane.exact
    assert sum(plane.explained) == pytest.approx(1, abs=1e-6)
    for step, x, y in zip(plane.steps[:-1], plane.x, plane.y, strict=False):
        back = x * plane.vectors[0][0] + y * plane.vectors[1][0]
        np.testing.assert_allclose(back, spiral(step)[0] - end[0], atol=1e-4)


def test_samples_without_weights_are_placed_by_their_sketches() -> None:
    exact = recorded(120)
    few = recorded(120)
    for step in few.kept[1::2]:
        del few.weights[step]
    end = spiral(10_000)
    near = path_plane(few, end)
    assert not near.exact
    back = project(exact, end, Directions("path", near.vectors, ("a", "b")))
    np.testing.assert_allclose(near.x, back.x, atol=0.15)
    np.testing.assert_allclose(near.y, back.y, atol=0.15)


def test_paths_that_cannot_be_drawn_say_why() -> None:
    with pytest.raises(PathError, match="another architecture"):
        path_plane(recorded(9), (np.zeros(3, "f4"),))
    with pytest.raises(PathError, match="1 sets of weights"):
        path_plane(recorded(1), spiral(7))
