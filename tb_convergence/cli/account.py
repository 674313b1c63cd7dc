"""What a rule's file says about the rule: its explanation, its thresholds, and its needs.

A rule's file is its documentation. The docstring explains the rule. The declaration states which
data the rule needs, which numbers it uses, and where these come from. `explain` and
docs/diagnoses.md print both.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from typing import Final

from tb_convergence.cli.wording import amount
from tb_convergence.core.diagnosis.rule import Rule, Threshold
from tb_convergence.core.measures import find
from tb_convergence.core.rules import in_force
from tb_convergence.core.statistics import BY_NAME

KINDS: Final = {"cause": "what to fix", "caution": "what to watch out for",
                "symptom": "what was observed"}

_OTHER_DATA: Final[Mapping[str, str]] = {
    "config": "The run's configuration, as ConvergenceCallback records it.",
    "hparams": "The hyperparameters that the program logged for TensorBoard's HParams tab.",
}


def rule_of(id_: str) -> Rule | None:
    """The rule of that id."""
    return next((rule for rule in in_force() if rule.id == id_), None)


def story(rule: Rule) -> tuple[str, ...]:
    """The account of the rule's file, by paragraphs."""
    module = sys.modules.get(rule.evaluate.__module__)
    text = inspect.cleandoc(getattr(module, "__doc__", None) or "")
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def thresholds(rule: Rule) -> tuple[tuple[str, str, str], ...]:
    """The rule's thresholds: the measure, its limits, and where they come from.

    In words, such as ("dead units", "above 50%", "TheDeepChecker flags more than half.").
    """
    return tuple(
        (_what(rule, item), _limits(rule, item), item.source) for item in rule.thresholds
    )


def _what(rule: Rule, item: Threshold) -> str:
    measure = find(item.statistic, rule.measures)
    return item.statistic if measure is None else measure.words(item.detail)


def _limits(rule: Rule, item: Threshold) -> str:
    measure = find(item.statistic, rule.measures)
    unit = None if measure is None else measure.unit
    # What follows from no statistic is a count, and the limit itself counts.
    above = "above" if measure is not None and measure.of else "at least"
    parts = [
        f"{side} {amount(value, unit)}"
        for side, value in (("below", item.low), (above, item.high)) if value is not None
    ]
    return " or ".join(parts)


def needs(rule: Rule) -> tuple[str, ...]:
    """What the rule needs, by name; alternatives stand together: "loss or epoch_loss"."""
    return tuple(need.replace("|", " or ") for need in rule.needs)


def needed_statistics(rule: Rule) -> tuple[tuple[str, str], ...]:
    """Name and meaning of each statistic the rule needs or takes instead."""
    names = [name for need in rule.needs for name in need.split("|")]
    return tuple((name, meaning(name)) for name in names)


def meaning(name: str) -> str:
    """The meaning of a need, in a sentence."""
    if name in BY_NAME:
        return BY_NAME[name].summary
    return _OTHER_DATA.get(name, "")
