"""Builds a catalogue of rules, and refuses a rule with a reference to something unknown.

A rule refers to other rules (`explains`, `restates`, `excluded_by`), statistics (`needs`, `shows`)
and measures by id. A misspelt id would silently disable the reference, so it raises here: when the
catalogue is imported, or when an external rule is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.measures import MEASURES, find, group_of

_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_KINDS: Final = ("cause", "symptom", "caution")
_NEEDS: Final = ("config", "hparams")
"""Needs that are not statistics."""


class CatalogueError(ValueError):
    """A rule that cannot be part of the catalogue; the message names the rule, field and id."""


def catalogue(rules: Sequence[Rule], beside: Sequence[Rule] = ()) -> tuple[Rule, ...]:
    """`rules` in their order, after checking every id they refer to.

    Args:
        rules: rules to check.
        beside: rules that are already part of the catalogue; `rules` may refer to them.

    Raises:
        CatalogueError: a rule has an id that is taken or malformed, or refers to an unknown rule,
            statistic or measure.
    """
    taken = {rule.id for rule in beside}
    for rule in rules:
        if rule.id in taken:
            raise CatalogueError(f"two rules have the id {rule.id!r}: rename one of them")
        taken.add(rule.id)
    for rule in rules:
        for message in _faults(rule, taken):
            raise CatalogueError(f"rule {rule.id!r}: {message}")
    return tuple(rules)


def _faults(rule: Rule, ids: set[str]) -> Iterator[str]:
    if not _ID.fullmatch(rule.id):
        yield "an id consists of lower-case words joined by hyphens, such as 'dead-relu'"
    if rule.kind not in _KINDS:
        yield f"kind is {rule.kind!r}; it is one of {', '.join(_KINDS)}"
    if not rule.title:
        yield "title is empty"
    for field in ("explains", "restates", "excluded_by"):
        for name in _unknown(getattr(rule, field), ids):
            yield f"{field} names {name!r}, which is not a rule{_meant(name, ids)}"
    for name in rule.restates:
        if name not in rule.explains:
            yield f"restates names {name!r}, which explains does not name"
    yield from _unknown_numbers(rule)


def _unknown_numbers(rule: Rule) -> Iterator[str]:
    own = [measure.id for measure in rule.measures]
    for measure in rule.measures:
        if own.count(measure.id) > 1 or find(measure.id) is not None:
            yield f"measure {measure.id!r} already exists: use it, or choose another id"
        for name in measure.of:
            if group_of(name) is None:
                yield f"measure {measure.id!r} names {name!r} in `of`, which is not a statistic"
        if measure.reading and not measure.of:
            yield f"measure {measure.id!r} is a reading, but `of` names no statistic"
    for threshold in rule.thresholds:
        if threshold.low is None and threshold.high is None:
            yield f"the threshold of {threshold.statistic!r} has neither low nor high"
    known = {*own, *(measure.id for measure in MEASURES)}
    for field, names in (
        ("needs", [part for need in rule.needs for part in need.split("|")]),
        ("shows", rule.shows),
        ("thresholds", [threshold.statistic for threshold in rule.thresholds]),
        ("healthy", [healthy.statistic for healthy in rule.healthy]),
    ):
        for name in names:
            if name not in _NEEDS and find(name, rule.measures) is None:
                yield f"{field} names {name!r}, which is not a statistic{_meant(name, known)}"


def _unknown(names: Iterable[str], ids: set[str]) -> Iterator[str]:
    return (name for name in names if name not in ids)


def _meant(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), 1)
    return f": {close[0]!r}?" if close else ""
