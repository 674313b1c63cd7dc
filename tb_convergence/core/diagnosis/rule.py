"""What a rule is: a declaration, and a function from the history of a run to a match or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tb_convergence.core.diagnosis.end_states import EndState
from tb_convergence.core.diagnosis.finding import SEVERITIES, Evidence, Kind, Severity
from tb_convergence.core.diagnosis.threshold import Healthy, Threshold
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure


@dataclass(frozen=True, slots=True)
class Match:
    """The result of a rule that fired. The attributes are those of `Finding`.

    `severity` is the rule's own, which ranks the finding; "info" asks for no action. The severity
    shown to users is the effect on the run (see `severity`). `ruins` marks a finding that makes the
    result of the run worthless, whatever its loss does.

    `advice`, `experiment` and `shows` replace those of the rule if it can name the concrete change.
    `title` replaces the headline if it can name the concrete fault.

    `explains` are further ids that this match accounts for, in addition to those of the rule.
    `caused_by` are further ids of causes that account for it. `benign` marks something unusual in a
    run that learns despite it.

    `judged_step` is the first step at which the finding can be recognized, if that is later than
    `first_step`: anything that began until then may be its cause. `state` is the lasting state of
    the run, if the finding names one (see `states`).
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
    state: EndState | None = None
    shows: tuple[str, ...] = ()


def strongest(*found: Match | None) -> Match | None:
    """The match with the best evidence among several forms of one fault.

    Severity decides, then confidence, then the order given. None if nothing was found.
    """
    seen = [match for match in found if match is not None]
    return min(
        seen, key=lambda match: (SEVERITIES.index(match.severity), -match.confidence), default=None
    )


__all__ = ["Healthy", "Match", "Rule", "Signs", "Threshold"]

Signs = Mapping[str, Match]
"""Rules that fired before this one, by id: symptoms for a cause, nothing for a symptom."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One diagnosis of the catalogue.

    Attributes:
        id: contract; never renamed.
        kind: "cause" (what to fix), "symptom" (what was observed) or "caution".
        title: headline in plain words.
        needs: statistics without which the rule cannot be evaluated. "a|b" means either.
        evaluate: returns the match, or None if the rule does not fire. It must accept any history
            that has what the rule needs, also with a single point or only NaN, and never raise on
            data.
        at_least: minimum number of records of the first of `needs`.
        measures: numbers that only this rule computes (see `core.measures`).
        thresholds: the numbers that it compares statistics with, each with its source.
        healthy: healthy ranges of statistics, row by row.
        shows: statistics that show the finding best, the best first. Views open the first one that
            exists. Columns of the data in the evidence come before these.
        explains: ids that this cause accounts for if they begin with it or after it.
        restates: ids among them that say the same in other words, and are explained whenever they
            began.
        excluded_by: ids that account for this rule if they begin before it or with it.
        of_sound: whether its statistics are meaningless once weights or outputs are NaN. It is then
            evaluated on the part of the run before (`dating.sound_part`).
        assumes_progress: whether it treats the training loss as progress. It is then evaluated only
            if `objective` says that the loss measures progress.
        special: whether the rule is about one kind of training, which shows by what the rule needs
            (a reward, a pair of adversaries). It does not apply to a run that has none of it.
        delay_steps: how long after its first sign the earliest effect can show. It is 1 for a cause
            that acts through updates, because statistics of a step are taken before its update.
        advice: what to do, most promising first.
        experiment: the experiment that decides if recorded data cannot, such as "small-sample fit".
        falsified_by: what would show that this finding is wrong.
        false_alarms: when it is known to fire on a healthy run.
        references: sources of the definition and the thresholds.
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
    special: bool = False
    delay_steps: int = 0
    advice: tuple[str, ...] = ()
    experiment: str = ""
    falsified_by: tuple[str, ...] = ()
    false_alarms: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
