"""When NaN came, of runs whose records tell of their own step alone, through both loaders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from both_loaders import LOADERS, read
from event_files import EventFile
from histogram_writers import tensorflow_2

from tb_convergence import close_health, log_health
from tb_convergence.core.diagnosis import Finding, diagnose_history
from tb_convergence.core.history import RunHistory
from tb_convergence.reading import batches, logdir

SOUND = np.random.default_rng(1).normal(size=50)
BAD = np.append(SOUND[1:], np.nan)


def non_finite(history: RunHistory) -> Finding:
    """The only finding of NaN."""
    (found,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    return found


def histograms(
    folder: Path, steps: Sequence[int], gradient: float, weights: float | None = None,
    loss: Callable[[int], float] | None = None,
) -> RunHistory:
    """A run with records at `steps`: NaN in the gradient and the weights from those steps on."""
    with EventFile(folder) as file:
        for step in steps:
            tensorflow_2(file, "gradients/w/kernel", step, BAD if step >= gradient else SOUND)
            if weights is not None:
                tensorflow_2(file, "variables/w/kernel", step, BAD if step >= weights else SOUND)
        if loss is not None:
            for step in range(max(steps) + 1):
                file.simple("loss", step, loss(step))
    return read(folder)


def test_between_two_records(tmp_path: Path) -> None:
    finding = non_finite(histograms(tmp_path, range(0, 100, 10), 40))
    assert finding.first_step == 40
    assert finding.summary == (
        "NaN appeared after step 30 and no later than step 40; this log has no record of the 9 "
        "steps between. At step 40 it appears first in the gradient of w/kernel."
    )
    assert finding.advice[0].startswith("Look at the tensor that is named first")


def test_no_tensor_is_named_that_may_have_caught_it(tmp_path: Path) -> None:
    finding = non_finite(histograms(tmp_path, range(0, 100, 10), 40, 40))
    assert finding.summary == (
        "NaN appeared after step 30 and no later than step 40; this log has no record of the 9 "
        "steps between. By then the variables contained it, so its origin is not known."
    )
    assert finding.advice[0].startswith("Log the loss and the gradient norm of every step")
    assert "watch_every_step" not in " ".join(finding.advice)


def test_records_of_every_step_are_exact(tmp_path: Path) -> None:
    finding = non_finite(histograms(tmp_path, range(60), 40, 41))
    assert finding.summary == (
        "NaN appeared first in the gradient of w/kernel, at step 40."
    )


@pytest.mark.parametrize(("first", "said"), [
    (0, "NaN appeared first in the gradient of w/kernel, at step 0."),
    (1, "NaN appeared first in the gradient of w/kernel, at step 1."),
    (20, "NaN appeared no later than step 20; this log has no record of the 20 steps before. "
         "At step 20 it appears first in the gradient of w/kernel."),
])
def test_the_first_record_of_all(tmp_path: Path, first: int, said: str) -> None:
    assert non_finite(histograms(tmp_path, range(first, first + 50, 10), 0)).summary == said


def test_a_record_of_another_tensor_says_nothing_of_this_one(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(0, 60, 5):
            tensorflow_2(file, "gradients/a/kernel", step, SOUND)
            if step % 20 == 0:
                tensorflow_2(file, "gradients/b/kernel", step, BAD if step >= 40 else SOUND)
    summary = non_finite(read(tmp_path)).summary
    assert summary.startswith("NaN appeared after step 20 and no later than step 40; this log")


def test_a_loss_of_every_step_dates_it_though_histograms_do_not(tmp_path: Path) -> None:
    history = histograms(
        tmp_path, range(0, 100, 10), 40, 40, lambda step: np.nan if step >= 37 else 1.0
    )
    assert non_finite(history).summary == "NaN appeared first in the loss, at step 37."


def test_a_loss_now_and_then(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        for step in range(0, 500, 50):
            file.simple("loss", step, np.inf if step >= 300 else 1.0)
    assert non_finite(read(tmp_path)).summary == (
        "Inf appeared after step 250 and no later than step 300; this log has no record of the 49 "
        "steps between. At step 300 it appears first in the loss."
    )


@pytest.mark.parametrize(("every", "said"), [
    (1, "NaN or Inf appeared first in the variable w/kernel, at epoch 10."),
    (5, "NaN or Inf appeared after epoch 5 and no later than epoch 10; this log has no record of "
        "the 4 epochs between. By then the variables contained it, so its origin is not known."),
])
def test_weights_of_keras_own_callback_count_epochs(tmp_path: Path, every: int, said: str) -> None:
    with EventFile(tmp_path / "train") as file:
        for epoch in range(0, 20, every):
            values = BAD if epoch >= 10 else SOUND
            tensorflow_2(file, "w/kernel/histogram", epoch, values)
            file.scalar("epoch_loss", epoch, 1.0)
    assert non_finite(read(tmp_path)).summary == said


@pytest.mark.parametrize("loader", LOADERS)
def test_between_records_that_the_loader_kept(
    tmp_path: Path, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written at every step: what was dropped is not known, whoever dropped it."""
    monkeypatch.setitem(batches.SAMPLES, "histograms", 20)  # type: ignore[arg-type]
    with EventFile(tmp_path) as file:
        for step in range(1000):
            tensorflow_2(file, "gradients/w/kernel", step, BAD if step >= 500 else SOUND)
    ((_, history),) = logdir.examine(tmp_path, loader=loader)
    assert history is not None
    kept = history.tables["variables"].steps
    assert len(kept) == 20
    before, seen = int(kept[kept < 500].max()), int(kept[kept >= 500].min())
    finding = non_finite(history)
    assert finding.first_step == seen
    assert finding.summary == (
        f"NaN appeared after step {before} and no later than step {seen}; this log has no record "
        f"of the {seen - before - 1} steps between. At step {seen} it appears first in the "
        "gradient of w/kernel."
    )


def test_arrays_that_were_logged_now_and_then(tmp_path: Path) -> None:
    for step in range(0, 500, 50):
        values = (BAD if step >= 300 else SOUND).astype(np.float32)
        log_health(tmp_path, step, gradients={"w/kernel": values}, variables={"w/kernel": SOUND})
    close_health(tmp_path)
    summary = non_finite(read(tmp_path)).summary
    assert summary.startswith("NaN appeared after step 250 and no later than step 300; this log")


def test_a_cause_does_not_date_it_either(tmp_path: Path) -> None:
    """Gradients that grew a hundredfold: NaN followed by the step that shows it."""
    with EventFile(tmp_path) as file:
        for step in range(0, 100, 10):
            values = BAD if step >= 80 else SOUND * 2.0 ** (step // 10)
            tensorflow_2(file, "gradients/w/kernel", step, values)
            file.simple("loss", step, np.nan if step >= 80 else 1.0 + step)
    (cause,) = [f for f in diagnose_history(read(tmp_path)).findings
                if f.id == "learning-rate-too-high"]
    assert "NaN or Inf appeared by step 80" in cause.summary
