"""Results of experiments are read from a run's folder by both loaders, and damage is reported."""

from __future__ import annotations

from pathlib import Path

import both_loaders
import pytest

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict
from tb_convergence.experiments import records
from tb_convergence.experiments.records import write_record
from tb_convergence.reading.records import MOST_EXPERIMENTS


def test_records_are_read_oldest_first(tmp_path: Path) -> None:
    first = ExperimentRecord("lr_range_test", "0.01 is best", (
        ExperimentVerdict("learning-rate-too-low", "confirmed", "1e-6 in use"),),
        {"suggested": 0.01}, 3, 1e9)
    second = ExperimentRecord("ablate", "nothing helps", step=3, wall_time=1e9 + 5)
    for record in (first, second):
        write_record(tmp_path / "run", record)
    history = both_loaders.read(tmp_path)
    assert history.experiments == (first, second)
    assert history.skipped == ()


def test_damage_and_floods_are_reported(tmp_path: Path) -> None:
    forged = ExperimentRecord("ablate", "fine")
    for number in range(MOST_EXPERIMENTS + 3):
        write_record(tmp_path / "run", ExperimentRecord("ablate", f"number {number}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "encode", lambda record: b"{not json")
        write_record(tmp_path / "run", forged)
    history = both_loaders.read(tmp_path)
    assert len(history.experiments) in (MOST_EXPERIMENTS, MOST_EXPERIMENTS - 1)
    reasons = [one.reason for one in history.skipped]
    assert any("more than 200 experiments" in reason for reason in reasons)
