"""Replays a recorded run as it grew: when could each finding have been reported?

The history is cut at a few steps, each prefix is diagnosed as if nothing had come after it, and a
`Monitor` receives the diagnoses. Cuts are geometrically close at the start, where an excessive
learning rate does its harm, and never further apart than a twelfth of the run.

This costs one diagnosis per cut, so it runs when somebody opens a run, not for every run in a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.engine import diagnose_history
from tb_convergence.core.diagnosis.finding import Finding, RunDiagnosis
from tb_convergence.core.diagnosis.monitor import OPENS_AFTER, Episode, Monitor
from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.history import RunHistory

CUTS: Final = 24
"""Number of prefixes to diagnose: half of them spaced geometrically, half evenly."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run's findings over time.

    Attributes:
        diagnosis: of the whole history, each finding with the step of its first report, and with a
            note for each that a run recovered from.
        episodes: every stretch during which a finding held, by first report.
        cuts: last step of every prefix that was diagnosed.
    """

    diagnosis: RunDiagnosis
    episodes: tuple[Episode, ...]
    cuts: tuple[int, ...]


def cut_points(history: RunHistory, cuts: int = CUTS) -> tuple[int, ...]:
    """Last steps of the prefixes to diagnose: at most `cuts`, including the last step of the run.

    Empty for an empty run. Steps are those of the run's own axis (see `RunHistory.until`).
    """
    steps = history.recorded_steps
    if not len(steps):
        return ()
    last = len(steps) - 1
    early = np.geomspace(1, last + 1, cuts // 2) - 1
    even = np.linspace(0, last, cuts - cuts // 2)
    index = np.unique(np.round(np.concatenate([early, even])).astype(int))
    return tuple(int(step) for step in steps[np.unique(np.append(index, last))])


def replay(
    history: RunHistory,
    rules: Sequence[Rule] | None = None,
    cuts: int = CUTS,
    *,
    diagnosis: RunDiagnosis | None = None,
) -> Timeline:
    """Diagnose `history` as it grew.

    Args:
        history: the run, complete or not.
        rules: the catalogue to apply; all of `core.rules` by default.
        cuts: how many prefixes to diagnose, at least 2.
        diagnosis: of the whole history, where it is known already.

    The last prefix is the run itself: what it reports is an episode even if no earlier look saw it.
    """
    points = cut_points(history, max(2, cuts))
    monitor = Monitor()
    if diagnosis is None:
        diagnosis = diagnose_history(history, rules)
    for point in points[:-1]:
        monitor.update(diagnose_history(history.until(point), rules))
    if points:
        # The last look counts twice, so its findings open without a second report.
        for _ in range(OPENS_AFTER):
            monitor.update(diagnosis)
    reported = {episode.id: episode for episode in monitor.episodes}
    findings = [_dated(finding, reported.get(finding.id)) for finding in diagnosis.findings]
    findings += _recovered(diagnosis, monitor.episodes)
    return Timeline(replace(diagnosis, findings=tuple(findings)), monitor.episodes, points)


def timeline(history: RunHistory, rules: Sequence[Rule] | None = None) -> tuple[Episode, ...]:
    """The episodes of `replay(history)`: onset, first report and end of every finding."""
    return replay(history, rules).episodes


def _dated(finding: Finding, episode: Episode | None) -> Finding:
    if episode is None:
        return finding
    # A finding dated by the end of the run was reported for earlier ends, not for this one.
    return replace(finding, reported_step=max(finding.first_step, episode.reported_step))


def _recovered(diagnosis: RunDiagnosis, episodes: tuple[Episode, ...]) -> list[Finding]:
    """A note for each finding that needed action, has ended, and was not replaced by another one.
    """
    present = {finding.id for finding in diagnosis.findings}
    standing = [
        episode for episode in episodes
        if episode.id in present and episode.finding.severity != "info"
    ]
    notes: dict[str, Finding] = {}
    for episode in episodes:
        over, finding = episode.closed_step, episode.finding
        if over is None or episode.id in present or finding.severity == "info":
            continue
        # A better explanation may replace a finding, which is no recovery.
        if any(other.reported_step >= episode.reported_step for other in standing):
            continue
        notes[episode.id] = replace(
            finding,
            severity="info",
            title=f"{finding.title} (recovered)",
            summary=f"Recovered at step {over:,}. Before: {finding.summary}",
            first_step=episode.onset_step,
            last_step=over,
            explains=(),
            explained_by=None,
            reported_step=episode.reported_step,
            recovered_step=over,
        )
    return list(notes.values())
