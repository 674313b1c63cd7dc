"""Histograms of one variable, read when somebody looks: both loaders tell the same of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS
from event_files import EventFile
from histogram_writers import WRITERS, tensorflow_1, tensorflow_2

from tb_convergence.core.histogram_bands import SHARES, bands_over_time
from tb_convergence.core.schema import Row, layout_of
from tb_convergence.reading import open_logdir
from tb_convergence.reading.recorded_histograms import (
    RecordedHistograms,
    read_recorded_histograms,
)


def recorded(
    logdir: Path, variable: str, run: str = "."
) -> dict[str, tuple[RecordedHistograms, ...]]:
    """What each loader gives."""
    found = {}
    for loader in LOADERS:
        with open_logdir(logdir, loader) as source:  # type: ignore[arg-type]
            found[loader] = read_recorded_histograms(source, (run,), variable)
    return found


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS)
def test_bands_hold_what_was_written(tmp_path: Path, writer: Callable[..., None]) -> None:
    rng = np.random.default_rng(0)
    truth = [rng.normal(0, 0.1 / (step + 1), 4_000).astype(np.float32) for step in range(5)]
    with EventFile(tmp_path) as file:
        for step, values in enumerate(truth):
            writer(file, "gradients/dense/kernel", 10 * step, values)
            writer(file, "variables/dense/kernel", 10 * step, values + 1)
            writer(file, "gradients/other", 10 * step, values * 100)
    found = recorded(tmp_path, "dense/kernel")
    bands = {}
    for loader, (gradient, variable) in found.items():
        assert (gradient.role, variable.role) == ("gradient", "variable")
        assert (gradient.axis, gradient.steps.tolist()) == ("step", [0, 10, 20, 30, 40])
        bands[loader] = bands_over_time(gradient.histograms)
        for step, values in enumerate(truth):
            for share, low, high in zip(
                SHARES, bands[loader].low[step], bands[loader].high[step], strict=True
            ):
                assert np.mean(values < low - 1e-7) <= (1 - share) / 2
                assert np.mean(values > high + 1e-7) <= (1 - share) / 2
            assert bands[loader].high[step, 2] < 0.5 * values.max(), "half lies well inside"
    fast, python = (bands[loader] for loader in LOADERS)
    np.testing.assert_allclose(fast.low, python.low, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(fast.high, python.high, rtol=1e-5, atol=1e-8)


def test_what_is_not_finite_and_what_is_no_histogram(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        tensorflow_2(file, "gradients/w", 0, np.ones(3))
        tensorflow_2(file, "gradients/w", 1, np.array([1.0, np.nan]))
        file.tensor("gradients/w", 2, np.zeros((3, 4)), plugin="histograms")
        tensorflow_2(file, "gradients/w", 3, np.array([1.0, np.inf]))
    for (gradient,) in recorded(tmp_path, "w").values():
        assert gradient.steps.tolist() == [0, 1, 3]
        found = bands_over_time(gradient.histograms)
        assert found.nan_seen.tolist() == [False, True, False]
        assert found.infinity_seen.tolist() == [False, False, True]


def test_restarts_are_folded(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for time, step in enumerate([0, 1, 2, 3, 1, 2]):
            tensorflow_1(file, "gradients/w", step, np.full(4, float(time)), 1e9 + time)
    for (gradient,) in recorded(tmp_path, "w").values():
        assert gradient.steps.tolist() == [0, 1, 2]
        assert bands_over_time(gradient.histograms).low[:, 0] == pytest.approx([0, 4, 5])


def test_beside_the_recorder_and_beside_keras(tmp_path: Path) -> None:
    layout = layout_of("variables", (Row("dense/kernel", "dense", "kernel"),), ("gradient_norm",))
    with EventFile(tmp_path) as file:
        file.record(layout, 0, [[1.0]])
        tensorflow_2(file, "dense/kernel/histogram", 0, np.ones(3))
    for (weights,) in recorded(tmp_path, "dense/kernel").values():
        assert (weights.role, weights.axis) == ("variable", "epoch")
    assert set(recorded(tmp_path, "nobody").values()) == {()}
    assert set(recorded(tmp_path, "dense/kernel", "no such run").values()) == {()}
