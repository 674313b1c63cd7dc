"""Findings over time: when each began, when it was first reported, and when it ended.

One diagnosis of a growing run may report what the next one takes back: a spike, a plateau.
`Monitor` receives one diagnosis per look while a run trains, and applies hysteresis. A finding
*opens* when two looks in a row report it, or at once if it is critical. It *closes* when several
looks in a row do not report it. A finding that comes and goes in between is one episode, not many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from tb_convergence.core.diagnosis.finding import Finding, RunDiagnosis

OPENS_AFTER: Final = 2
"""Looks in a row that must report a finding before it opens; a critical one opens at once."""
CLOSES_AFTER: Final = 3
"""Looks in a row without a finding after which it closes."""


@dataclass(frozen=True, slots=True)
class Change:
    """The changes of one look.

    Attributes:
        id: of the finding.
        what: whether the finding opened or closed.
        step: last step of the run at the look that decided it.
        finding: as it was last reported.
    """

    id: str
    what: Literal["opened", "closed"]
    step: int
    finding: Finding


@dataclass(frozen=True, slots=True)
class Episode:
    """One stretch of the run during which a finding held.

    Attributes:
        id: of the finding.
        onset_step: where it began, as the finding's first report dates it.
        reported_step: last step of the run when it was first reported.
        opened_step: as `reported_step`, of the look at which it opened.
        closed_step: last step of the run at the first look without it; None while it is open.
        finding: as it was last reported.
    """

    id: str
    onset_step: int
    reported_step: int
    opened_step: int
    closed_step: int | None
    finding: Finding

    @property
    def delay_steps(self) -> int:
        """Steps from the onset to the first report: the delay of the diagnosis."""
        return max(0, self.reported_step - self.onset_step)


@dataclass(slots=True)
class _Watched:
    """A finding that was seen lately.

    `seen` and `missed` count looks in a row; `absent_step` is the first of those that missed it.
    """

    finding: Finding
    onset_step: int
    reported_step: int
    seen: int = 0
    missed: int = 0
    absent_step: int = -1
    opened_step: int | None = None


class Monitor:
    """Follows the findings of one growing run. Not thread-safe.

    If the last step of a look precedes that of the previous one, the training resumed from an
    earlier step. The monitor then forgets everything it saw.
    """

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._closed: list[Episode] = []
        self._last_step = -1

    def update(self, diagnosis: RunDiagnosis) -> tuple[Change, ...]:
        """Process one more diagnosis. Returns the findings that opened, then those that closed."""
        step = diagnosis.last_step
        if step < self._last_step:
            self._watched, self._closed = {}, []
        self._last_step = step
        present = {finding.id: finding for finding in diagnosis.findings}
        opened = [self._see(finding, step) for finding in present.values()]
        closed = [self._miss(id_, step) for id_ in list(self._watched) if id_ not in present]
        return tuple(change for change in (*opened, *closed) if change is not None)

    def _see(self, finding: Finding, step: int) -> Change | None:
        known = self._watched.get(finding.id)
        if known is None or (known.opened_step is None and known.missed):
            # Keep the onset of the first report, because a later one may move it.
            known = _Watched(finding, finding.first_step, step)
            self._watched[finding.id] = known
        known.finding, known.seen, known.missed = finding, known.seen + 1, 0
        known.onset_step = min(known.onset_step, finding.first_step)
        if known.opened_step is not None:
            return None
        if known.seen < OPENS_AFTER and finding.severity != "critical":
            return None
        known.opened_step = step
        return Change(finding.id, "opened", step, finding)

    def _miss(self, id_: str, step: int) -> Change | None:
        known = self._watched[id_]
        if not known.missed:
            known.absent_step = step
        known.seen, known.missed = 0, known.missed + 1
        if known.missed < CLOSES_AFTER:
            return None
        del self._watched[id_]
        if known.opened_step is None:
            return None
        episode = replace(_episode(id_, known), closed_step=known.absent_step)
        self._closed.append(episode)
        return Change(id_, "closed", step, known.finding)

    @property
    def open(self) -> tuple[Finding, ...]:
        """Open findings as last reported, in the order in which they opened."""
        return tuple(
            known.finding for known in self._watched.values() if known.opened_step is not None
        )

    @property
    def episodes(self) -> tuple[Episode, ...]:
        """All episodes so far, closed and open, by first report."""
        still = [
            _episode(id_, known)
            for id_, known in self._watched.items() if known.opened_step is not None
        ]
        every = [*self._closed, *still]
        return tuple(sorted(every, key=lambda episode: (episode.reported_step, episode.id)))


def _episode(id_: str, known: _Watched) -> Episode:
    opened = known.reported_step if known.opened_step is None else known.opened_step
    return Episode(id_, known.onset_step, known.reported_step, opened, None, known.finding)
