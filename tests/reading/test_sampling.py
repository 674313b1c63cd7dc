"""Whether TensorBoard kept only some of an ordinary series, through both loaders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS
from event_files import EventFile
from histogram_writers import tensorflow_2

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.gaps import Sampled
from tb_convergence.reading import batches, logdir, open_logdir, read_run, run_files
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.sampling import Sampling, sampled


@pytest.mark.parametrize("loader", LOADERS)
def test_what_the_loader_left_out_is_told(
    tmp_path: Path, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(batches.SAMPLES, "histograms", 20)  # type: ignore[arg-type]
    monkeypatch.setitem(batches.SAMPLES, "scalars", 50)  # type: ignore[arg-type]
    with EventFile(tmp_path) as file:
        for step in range(0, 1000, 10):
            tensorflow_2(file, "gradients/w", step, np.ones(3))
            if step < 500:
                file.simple("loss", step, 1.0)
    ((diagnosis, history),) = logdir.examine(tmp_path, loader=loader)
    assert history is not None
    found = history.summaries_sampled
    # Which are kept is drawn at random, but the last always is: the first may be missing.
    assert found is not None
    assert (found.kept, found.exact) == (20, False)
    assert 80 <= found.total <= 100
    assert diagnosis.sampled == found


@pytest.mark.parametrize("count", [49, 50, 51])
def test_a_series_of_exactly_so_many_points_is_whole(tmp_path: Path, count: int) -> None:
    with EventFile(tmp_path) as file:
        for step in range(count):
            file.simple("loss", 100 * step, 1.0)
    with open_logdir(tmp_path) as source:
        history = read_run(
            source.provider, source.context, "", ".", most_kept={"scalars": (50,)}
        )
    assert history.sampled is None
    assert diagnose_history(history).sampled is None


def test_the_series_of_which_most_is_missing_is_told() -> None:
    look = Sampling({"scalars": (3,), "histograms": (3, 5)})
    look.look("scalars", [0, 10, 30])
    assert look.found == Sampled(3, 4, exact=False)
    look.look("histograms", [0, 10, 20, 100, 200])
    look.look("histograms", [0, 1, 2, 3])  # not as many as are kept
    look.look("images", [0, 1, 999])
    assert look.found == Sampled(5, 21, exact=False)


@pytest.mark.parametrize("steps", [[], [3], [3, 3, 3], [-5, 0, 9], [0, 2**62]])
def test_no_number_is_made_up(steps: list[int]) -> None:
    assert sampled(steps) is None


def test_a_damaged_step_is_not_taken_for_missing_points() -> None:
    assert sampled([0, 1, 2, 3 * 10**11]) is not None
    assert sampled([0, 1, 2, 2**63 - 1]) is None


def test_a_run_read_around_the_data_server_tells_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "SAMPLES", {**batches.SAMPLES, "scalars": 20})
    with EventFile(tmp_path / "r") as file:
        for step in range(0, 500, 10):
            file.simple("loss", step, 1.0)
    run = run_files.RunFiles(tmp_path).read_around(FoldedRun("r", ("r",)), (), {"r": 1})
    assert run is not None
    assert run.summaries_sampled is not None
    assert run.summaries_sampled.kept == 20
