"""A run looked at again as it grew: no look sees the future, and a recovery is told."""

from __future__ import annotations

import json
from dataclasses import replace

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import Match, Rule, diagnose_history, replay, timeline
from tb_convergence.core.diagnosis.finding import as_json
from tb_convergence.core.diagnosis.timeline import CUTS, cut_points
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory

N = 200


def plateau_then_fall(length: int = N) -> RunHistory:
    """A loss that stands still for half of the run, and then falls."""
    half = length // 2
    loss = np.concatenate([draw.flat(half), draw.falling(length - half)])
    base = draw.healthy(length)
    return replace(base, tables={**base.tables, "run": draw.run_table(loss)})


def finite(history: RunHistory) -> RunHistory:
    """Said to be planned for as many steps as it has: no prefix of it stopped early."""
    return replace(history, config={"epochs": 1, "steps_per_epoch": history.last_step + 1})


def spoiled(length: int, step: int) -> RunHistory:
    """A healthy run whose gradients are NaN from `step` on."""
    base = draw.healthy(length)
    table = base.tables["variables"]
    values = np.array(table.low)
    values[step:, 1, table.columns.index("gradient_nan_fraction")] = 0.5
    return replace(base, tables={**base.tables, "variables": replace(table, low=values,
                                                                     high=values)})


@pytest.mark.parametrize("length", [6, 40, 117])
@pytest.mark.parametrize("make", [draw.healthy, plateau_then_fall, lambda n: spoiled(n, 100)])
def test_a_prefix_does_not_see_the_future(make, length: int) -> None:
    """Whatever comes later, numbers made absurd included, the prefix is judged the same."""
    history = make(N)
    absurd = {}
    for group, table in history.tables.items():
        low = np.array(table.low)
        low[table.steps >= length] = 1e30
        absurd[group] = replace(table, low=low, high=low)
    prefix = diagnose_history(history.until(length - 1))
    assert prefix == diagnose_history(replace(history, tables=absurd).until(length - 1))
    assert prefix.last_step == length - 1


def test_until_is_the_history_truncated() -> None:
    validation = draw.series("validation_loss", np.arange(20), np.arange(20) * 10)
    history = replace(
        draw.healthy(),
        skipped=(Skipped("a", 9, "r"), Skipped("b", 90, "r"), Skipped("c", None, "r")),
        restarts=(5, 50),
        scalars={"validation_loss": validation},
    )
    cut = history.until(49)
    assert [item.tag for item in cut.skipped] == ["a", "c"]
    assert cut.restarts == (5,)
    assert cut.scalars["validation_loss"].steps.tolist() == [0, 10, 20, 30, 40]
    for group, table in cut.tables.items():
        whole = history.tables[group]
        kept = whole.steps <= 49
        assert table.exact
        assert table.steps.tolist() == whole.steps[kept].tolist()
        np.testing.assert_array_equal(table.low, whole.low[kept])


def test_epochs_are_cut_at_the_time_of_the_step() -> None:
    steps = draw.series("loss", np.ones(100))
    epochs = draw.series("validation_loss", np.ones(5), axis="epoch")
    epochs = replace(epochs, wall_times=np.array([19.5, 39.5, 59.5, 79.5, 99.5]))
    history = RunHistory("drawn", scalars={"loss": steps, "validation_loss": epochs})
    assert len(history.until(60).scalars["validation_loss"]) == 3
    assert history.recorded_steps.tolist() == list(range(100))


@pytest.mark.parametrize("length", [1, 2, 5, 50, 5000])
def test_cuts_are_bounded_and_end_with_the_run(length: int) -> None:
    points = cut_points(draw.history(draw.run_table(np.ones(length))))
    assert 1 <= len(points) <= CUTS
    assert list(points) == sorted(set(points))
    assert (points[0], points[-1]) == (0, length - 1)
    if length == 5000:
        gaps = np.diff(points)
        assert max(gaps) <= length / 11 + 1
        assert points[1] < 10


def test_an_empty_run_has_no_timeline() -> None:
    result = replay(RunHistory("empty"))
    assert (result.episodes, result.cuts, result.diagnosis.findings) == ((), (), ())


def test_a_fault_is_dated_and_stays_open() -> None:
    (episode,) = [e for e in timeline(spoiled(N, 100)) if e.id == "non-finite-values"]
    assert episode.onset_step == 100
    assert 100 <= episode.reported_step <= 100 + N / 11
    assert episode.opened_step == episode.reported_step  # critical: told at once
    assert episode.closed_step is None


def test_a_finding_carries_the_step_of_its_first_report() -> None:
    result = replay(spoiled(N, 100))
    (finding,) = [f for f in result.diagnosis.findings if f.id == "non-finite-values"]
    (episode,) = [e for e in result.episodes if e.id == "non-finite-values"]
    assert finding.reported_step == episode.reported_step
    assert as_json(result.diagnosis)["findings"][0]["reported_step"] == episode.reported_step


def test_a_run_that_recovers_says_so() -> None:
    result = replay(plateau_then_fall())
    (note,) = [f for f in result.diagnosis.findings if f.recovered_step is not None]
    assert (note.id, note.severity) == ("loss-not-decreasing", "info")
    assert 100 <= note.recovered_step <= N
    assert f"Recovered at step {note.recovered_step}" in note.summary
    assert note.title.endswith("(recovered)")
    json.dumps(as_json(result.diagnosis), allow_nan=False)


def test_a_recovered_cause_is_not_the_first_cause() -> None:
    calm = draw.healthy()
    cause = Rule("cause", "cause", "Cause", (), lambda h, _: Match(
        "warning", 0.9, "it was so", 3, h.last_step) if h.last_step < 80 else None)
    diagnosis = replay(calm, [cause]).diagnosis
    (note,) = diagnosis.findings
    assert (note.id, note.kind, note.severity) == ("cause", "cause", "info")
    assert diagnosis.first_cause is None


def test_a_finding_that_gives_way_to_another_has_not_recovered() -> None:
    def story(name: str, first: int, last: int) -> Rule:
        return Rule(name, "cause", name, (), lambda h, _: Match(
            "warning", 0.9, name, first, h.last_step) if first <= h.last_step < last else None)

    rules = [story("first guess", 3, 80), story("the truth", 60, 10**6)]
    assert [f.id for f in replay(draw.healthy(), rules).diagnosis.findings] == ["the truth"]


def test_a_healthy_run_has_nothing_to_recover_from() -> None:
    result = replay(finite(draw.healthy()))
    assert result.episodes == ()
    assert result.diagnosis == diagnose_history(finite(draw.healthy()))
