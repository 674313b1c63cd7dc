"""Findings over a growing run: what opens, what closes, and what is only noise."""

from __future__ import annotations

import pytest

from tb_convergence.core.diagnosis import Finding, Monitor, RunDiagnosis


def finding(id_: str, severity: str, first_step: int) -> Finding:
    return Finding(id_, "symptom", severity, 0.8, id_, f"{id_} happened", first_step, first_step)


def follow(looks: str, severity: str = "warning") -> tuple[Monitor, list[tuple[str, int]]]:
    """Feed one look each 10 steps: "x" reports the finding (begun at step 3), "." does not."""
    monitor = Monitor()
    changes = []
    for number, look in enumerate(looks):
        found = (finding("odd", severity, 3),) if look == "x" else ()
        step = 10 * (number + 1)
        seen = monitor.update(RunDiagnosis("drawn", step, found, (), ()))
        changes += [(change.what, change.step) for change in seen]
    return monitor, changes


@pytest.mark.parametrize(
    ("looks", "severity", "expected"),
    [
        ("....", "warning", []),
        (".x.x.x.", "warning", []),  # never two looks in a row: noise
        ("..xx", "warning", [("opened", 40)]),
        ("..xx", "info", [("opened", 40)]),
        ("..x", "critical", [("opened", 30)]),
        ("xx..x..xx", "warning", [("opened", 20)]),  # it flaps: one episode, still open
        ("xx...", "warning", [("opened", 20), ("closed", 50)]),
        ("xx...xx", "warning", [("opened", 20), ("closed", 50), ("opened", 70)]),
        ("x...", "critical", [("opened", 10), ("closed", 40)]),
    ],
)
def test_hysteresis(looks: str, severity: str, expected: list[tuple[str, int]]) -> None:
    assert follow(looks, severity)[1] == expected


def test_an_episode_tells_when_it_began_was_reported_opened_and_ended() -> None:
    monitor, _ = follow(".xx.x...")
    (episode,) = monitor.episodes
    assert (episode.onset_step, episode.reported_step, episode.opened_step) == (3, 20, 30)
    assert episode.closed_step == 60  # the first look of those in a row that missed it
    assert episode.delay_steps == 17
    assert monitor.open == ()


def test_what_flickered_before_is_not_the_first_report() -> None:
    monitor, _ = follow("x..xx")
    assert [episode.reported_step for episode in monitor.episodes] == [40]


def test_open_findings_are_as_last_reported() -> None:
    monitor = Monitor()
    for step, severity in ((1, "warning"), (2, "warning"), (3, "critical")):
        monitor.update(RunDiagnosis("drawn", step, (finding("odd", severity, 1),), (), ()))
    assert [f.severity for f in monitor.open] == ["critical"]


def test_a_run_that_goes_back_starts_over() -> None:
    monitor, _ = follow("xx")
    assert monitor.update(RunDiagnosis("drawn", 5, (), (), ())) == ()
    assert monitor.episodes == ()
