"""Evaluates every rule on the history of a run and ranks what fired.

The engine works in this order:

1. Symptoms are evaluated on the history alone. Cautions and causes see which symptoms fired.
2. A rule that lacks data is listed as not evaluated, with the data that it needs.
3. A finding is dropped if one of its rivals (`excluded_by`) began before it or with it.
4. Causes are ranked by severity, then confidence, then onset. A cause that a better cause explains
   is attached to that cause, as is every symptom: one fault gives one story.
5. Findings that need action come before information, including causes.
6. A finding that needs action gets the severity of its effect on the run (`severity`). The cause
   also describes the state in which it left the run (`end_states`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.end_states import EndState, describe_states
from tb_convergence.core.diagnosis.finding import (
    SEVERITIES,
    Finding,
    NotEvaluated,
    RunDiagnosis,
    Severity,
)
from tb_convergence.core.diagnosis.framework_advice import fitted
from tb_convergence.core.diagnosis.judgment import verdict_of
from tb_convergence.core.diagnosis.loss_summary import loss_summary
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.objective import objective
from tb_convergence.core.diagnosis.onsets import sound_part
from tb_convergence.core.diagnosis.recipes import recipes
from tb_convergence.core.diagnosis.rule import Match, Rule
from tb_convergence.core.diagnosis.severity import effect_on, reported_severity, worst
from tb_convergence.core.diagnosis.tested import command_for, moved, tested_of
from tb_convergence.core.diagnosis.trainable_changes import trainable_changes
from tb_convergence.core.experiments import Tested
from tb_convergence.core.history import NoStatisticError, RunHistory
from tb_convergence.core.measures import group_of

_LOG = logging.getLogger(__name__)

_ORDER: Final = ("symptom", "caution", "cause")

SURE_ENOUGH: Final = 0.7
"""A cause may explain another cause only if its confidence is at least this part of the other's."""

SURE: Final = 0.9
"""From this confidence on, no experiment is needed to decide."""

MAX_LAYERS: Final = 64
"""Layers or rows named by one finding: all rows of an input, so that their number is that of the
text; a person reads a few, and a reply stays bounded."""


def diagnose_history(history: RunHistory, rules: Sequence[Rule] | None = None) -> RunDiagnosis:
    """The whole diagnosis of `history`, in reading order.

    Never raises on data: a rule that fails is reported as not evaluated, and the failure is logged.

    Args:
        history: the run.
        rules: the catalogue to apply; by default all rules in force (`core.rules.in_force`).
    """
    if rules is None:
        # Rules import this package for their types, so import the catalogue only when needed.
        from tb_convergence.core.rules import in_force  # noqa: PLC0415

        rules = in_force()
    fired: dict[str, Match] = {}
    missing: list[NotEvaluated] = []
    lacking: list[str] = []
    signals = history.signals
    rules = [rule for rule in rules if not (rule.special and _absent(rule, signals))]
    for rule in sorted(rules, key=lambda rule: _ORDER.index(rule.kind)):
        looked_at = sound_part(history) if rule.of_sound else history
        lacks = _lacks(rule, history, looked_at, signals)
        if lacks:
            missing.append(NotEvaluated(rule.id, lacks))
            lacking += [name for need in _absent(rule, signals) for name in need.split("|")]
            continue
        try:
            # A log may contain any float32. Sums may overflow to infinity, and differences of
            # infinities are NaN. Both compare correctly.
            with np.errstate(over="ignore", invalid="ignore"):
                match = rule.evaluate(looked_at, fired)
        except NoStatisticError as error:
            # Its data was recorded, but for something else, or incompletely.
            missing.append(NotEvaluated(rule.id, (error.name,)))
            continue
        except Exception:
            _LOG.exception("rule %s failed on run %r", rule.id, history.run)
            needed = "a fix of this rule, which failed (see the log)"
            missing.append(NotEvaluated(rule.id, (needed,)))
            continue
        if match is not None:
            fired[rule.id] = _resolved(match, rule)
    known = {rule.id: rule for rule in rules}
    kept = {id_: match for id_, match in fired.items() if not _excluded(known[id_], match, fired)}
    tested = tested_of(history.experiments)
    kept = moved(kept, known, tested)
    severities = _severities(history, kept)
    findings = _rank(history, [(known[id_], match) for id_, match in kept.items()], severities)
    findings = [_with_experiments(finding, history, tested) for finding in findings]
    order = {rule.id: position for position, rule in enumerate(rules)}
    missing.sort(key=lambda item: order[item.id])
    return RunDiagnosis(
        history.run, history.last_step, tuple(findings), tuple(missing), history.skipped,
        history.tag_families, recipes(history, lacking), history.sampled, history.axis,
        loss_summary(history),
        verdict_of(history, findings, len(rules) - len(missing), len(rules)),
        history.scalar_tags, history.earlier_trainings, trainable_changes(history),
    )


def _lacks(
    rule: Rule, history: RunHistory, looked_at: RunHistory, signals: frozenset[str]
) -> tuple[str, ...]:
    """What `rule` needs but `history`, with its `signals`, lacks; empty if it can be evaluated.

    `looked_at` is the part of the history that the rule uses.
    """
    lacks = tuple(need.replace("|", " or ") for need in _absent(rule, signals))
    goal = objective(history)
    if not lacks and rule.assumes_progress and not goal.measures_progress:
        return (f"a loss that measures progress: {goal.why}",)
    if lacks or rule.at_least <= 1 or not rule.needs:
        return lacks
    names = rule.needs[0].split("|")
    points = max(looked_at.points(name) for name in names)
    if points >= rule.at_least:
        return ()
    before = "" if looked_at is history else " before weights or outputs became NaN"
    return (f"{rule.at_least} records of {' or '.join(names)}{before} (has {points})",)


def _absent(rule: Rule, signals: frozenset[str]) -> tuple[str, ...]:
    """The needs of the rule for which nothing was recorded at all."""
    return tuple(
        need for need in rule.needs if not any(name in signals for name in need.split("|"))
    )


def _excluded(rule: Rule, match: Match, fired: dict[str, Match]) -> bool:
    rivals = (fired[id_] for id_ in rule.excluded_by if id_ in fired)
    return any(rival.first_step <= match.first_step for rival in rivals)


def _priority(pair: tuple[Rule, Match]) -> tuple[int, float, int]:
    _, match = pair
    return (SEVERITIES.index(match.severity), -match.confidence, match.first_step)


def _severities(history: RunHistory, kept: Mapping[str, Match]) -> dict[str, Severity]:
    """Severity of each finding in this run, by id."""
    found = effect_on(history, kept)
    return {id_: reported_severity(match, found) for id_, match in kept.items()}


def _rank(
    history: RunHistory,
    pairs: Iterable[tuple[Rule, Match]],
    severities: Mapping[str, Severity],
) -> list[Finding]:
    ordered = sorted(pairs, key=_priority)
    causes = [pair for pair in ordered if pair[0].kind == "cause"]
    explained_by: dict[str, str] = {}
    for rule, match in causes:
        effects = {*rule.explains, *match.explains}
        for other, effect in ordered:
            if other.id not in effects and rule.id not in effect.caused_by:
                continue
            if other.id in explained_by or other.id == rule.id:
                continue
            # Two causes may name each other; the better one explains, never both.
            if explained_by.get(rule.id) == other.id:
                continue
            if other.id not in rule.restates and _too_late(rule, match, effect):
                continue
            if other.kind == "cause" and match.severity == "info" != effect.severity:
                continue  # what needs no action is no reason for what does
            if effect.benign and severities[rule.id] == "critical":
                continue  # and what does no harm is no part of what leaves nothing of worth
            if other.kind == "cause" and match.confidence < SURE_ENOUGH * effect.confidence:
                continue
            explained_by[other.id] = rule.id
    matches = {rule.id: match for rule, match in ordered}
    findings = []
    for rule, match in ordered:
        explained, above = _explained(rule.id, explained_by), explained_by.get(rule.id)
        severity = worst([severities[rule.id], *(severities[id_] for id_ in explained)])
        states = [] if above is not None else _state_text(rule.id, matches, explained_by)
        reported_match = replace(match, summary=match.summary + _states_of(history, match, states))
        finding = _finding(rule, reported_match, severity, above, explained)
        advice = fitted(finding.advice, history)
        findings.append(replace(finding, advice=advice))
    return sorted(findings, key=_reading_order)


def _reading_order(finding: Finding) -> tuple[bool, bool, bool]:
    """Unexplained before explained, findings that need action before information, causes first."""
    return (
        finding.explained_by is not None,
        finding.severity == "info",
        finding.kind != "cause",
    )


def _too_late(rule: Rule, cause: Match, effect: Match) -> bool:
    """Whether the cause began too late to have caused the finding."""
    begun = effect.first_step if effect.judged_step is None else effect.judged_step
    return cause.first_step + rule.delay_steps > begun


def _state_text(
    cause: str, matches: Mapping[str, Match], explained_by: Mapping[str, str]
) -> list[EndState]:
    """The states of all findings that `cause` explains, directly or indirectly."""
    found = []
    for effect in _explained(cause, explained_by):
        state = matches[effect].state
        found += [state] if state is not None and matches[effect].severity != "info" else []
        found += _state_text(effect, matches, explained_by)
    return found


def _states_of(history: RunHistory, match: Match, states: list[EndState]) -> str:
    trajectory = loss_trajectory(history)
    known = trajectory is not None and trajectory.nonfinite_step is None
    loss = trajectory.end if trajectory is not None and known else None
    unit = "epoch" if history.axis == "epoch" else "step"
    return describe_states(states, match.state, loss, unit)


def _explained(cause: str, explained_by: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(effect for effect, by in explained_by.items() if by == cause)


def _finding(
    rule: Rule, match: Match, severity: Severity, explained_by: str | None,
    explains: tuple[str, ...],
) -> Finding:
    return Finding(
        id=rule.id,
        kind=rule.kind,
        severity=severity,
        confidence=min(1.0, max(0.0, match.confidence)),
        title=match.title or rule.title,
        summary=match.summary,
        first_step=match.first_step,
        last_step=match.last_step,
        layers=match.layers[:MAX_LAYERS],
        layer_count=len(match.layers),
        evidence=match.evidence[:MAX_LAYERS],
        shows=_shown(rule, match),
        explains=explains,
        explained_by=explained_by,
        advice=tuple(match.advice) or rule.advice,
        falsified_by=rule.falsified_by,
        references=rule.references,
        experiment=(match.experiment or rule.experiment) if match.confidence < SURE else "",
    )


def _resolved(match: Match, rule: Rule) -> Match:
    """`match` with the measures that the rule declares itself.

    A rule may pass on the evidence of another rule, which names that rule's measures.
    """
    if not rule.measures:
        return match
    own = {measure.id: measure for measure in rule.measures}
    return replace(match, evidence=tuple(
        replace(item, measure=own[item.statistic]) if item.statistic in own else item
        for item in match.evidence
    ))


def _shown(rule: Rule, match: Match) -> tuple[str, ...]:
    """Statistics that show this match: the data columns in its evidence, then the rule's own.

    Which data column matters (smallest, largest, mean) differs from match to match, and only the
    evidence says so.
    """
    columns = [
        (item.limit is None, item.measure.of[0]) for item in match.evidence
        if item.measure is not None and item.measure.of
        and group_of(item.measure.of[0]) == "inputs"
    ]
    limited_first = sorted(columns, key=lambda column: column[0])
    shown = [name for _, name in limited_first] + list(match.shows or rule.shows)
    return tuple(dict.fromkeys(shown))


def _with_experiments(
    finding: Finding, history: RunHistory, tested: Mapping[str, Tested]
) -> Finding:
    """The finding with the results of experiments, or the command of the experiment that decides.
    """
    word = tested.get(finding.id)
    settled = word is not None and word.outcome != "undecided"
    experiment = "" if settled else finding.experiment
    return replace(
        finding, tested=word, experiment=experiment,
        command=command_for(experiment, history.config),
    )
