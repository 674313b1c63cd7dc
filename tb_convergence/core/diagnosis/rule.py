"""What a rule is: a declaration, and one function from a run's history to a match or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tb_convergence.core.diagnosis.finding import SEVERITIES, Evidence, Kind, Severity
from tb_convergence.core.diagnosis.states import State
from tb_convergence.core.diagnosis.threshold import Healthy, Threshold
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure


@dataclass(frozen=True, slots=True)
class Match:
    """What a rule saw when it fired. Attributes as in `Finding`.

    `severity` is how grave it is by itself, which ranks it; "info" asks for nothing. What a person
    is told is the effect on the run (see `severity`). `ruins` is said of what leaves the run's
    result worthless whatever its loss does.

    `advice`, `experiment` and `shows` replace the rule's own where the rule can name the concrete
    change, and `title` its headline where it can name the concrete fault.

    `explains` are ids that this very match accounts for, beyond those of its rule; `follows` are
    ids of causes that account for it, beyond those whose rules say so. `harmless` is said of what
    is odd in a run that learns in spite of it.

    `judged_step` is the first step at which the finding could be told from a run without it, where
    that is later than `first_step`: what began until then may be its cause. `state` is what the run
    is in since then, of a finding that names one (see `states`).
    """

    severity: Severity
    confidence: float
    summary: str
    first_step: int
    last_step: int
    layers: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    advice: tuple[str, ...] = ()
    title: str = ""
    ruins: bool = False
    experiment: str = ""
    explains: tuple[str, ...] = ()
    caused_by: tuple[str, ...] = ()
    benign: bool = False
    judged_step: int | None = None
    state: State | None = None
    shows: tuple[str, ...] = ()


def strongest(*found: Match | None) -> Match | None:
    """Of several forms of one fault that were seen, the one with the best evidence.

    Severity decides, then confidence, then the order given; None where none was seen.
    """
    seen = [match for match in found if match is not None]
    return min(
        seen, key=lambda match: (SEVERITIES.index(match.severity), -match.confidence), default=None
    )


__all__ = ["Healthy", "Match", "Rule", "Signs", "Threshold"]

Signs = Mapping[str, Match]
"""Rules that fired before this one, by id: symptoms for a cause; nothing for a symptom."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One diagnosis of the catalogue.

    Attributes:
        id: contract; never renamed.
        kind: "cause" (what to fix), "symptom" (what was observed) or "caution".
        title: headline, plain words.
        needs: statistics without which the rule cannot be evaluated. "a|b" means either.
        evaluate: the match, or None where the rule does not fire. Must accept any history that has
            what it needs, also of one point or all NaN, and never raises on data.
        at_least: records needed of the first of `needs`.
        measures: numbers that this rule alone computes (see `core.measures`).
        thresholds: the numbers that it holds statistics against, each with its source.
        healthy: the ranges of statistics that it does not object to, row by row.
        shows: statistics that show the finding best, the best first: views open the first that they
            have. What its evidence tells of columns of the data comes before these.
        explains: ids this cause accounts for when they begin with it or after it.
        restates: ids among them that say the same in other words, and are explained whenever they
            began.
        excluded_by: ids that, when they begin before or with it, account for it instead.
        of_sound: whether what it looks at means nothing once weights or outputs are NaN: it is then
            evaluated on the part of the run before (`dating.sound_part`).
        assumes_progress: whether it takes the training loss for a measure of progress: it is then
            evaluated only where `objective` says that it is one.
        delay_steps: how long after its own first sign the earliest effect can show. A cause that
            acts through updates has 1: statistics of a step are taken before its update.
        advice: what to do, most promising first.
        experiment: what decides the matter where watching cannot, such as "small-sample fit".
        falsified_by: what would show that this finding is wrong.
        false_alarms: when it is known to fire on a healthy run.
        references: sources of definition and thresholds.
    """

    id: str
    kind: Kind
    title: str
    needs: tuple[str, ...]
    evaluate: Callable[[RunHistory, Signs], Match | None]
    at_least: int = 1
    measures: tuple[Measure, ...] = ()
    shows: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    healthy: tuple[Healthy, ...] = ()
    explains: tuple[str, ...] = ()
    restates: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    of_sound: bool = False
    assumes_progress: bool = False
    delay_steps: int = 0
    advice: tuple[str, ...] = ()
    experiment: str = ""
    falsified_by: tuple[str, ...] = ()
    false_alarms: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
