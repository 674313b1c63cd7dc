"""What a rule says of itself, apart from how it is shown: its account, its thresholds, its needs.

A rule's file is its documentation: the docstring tells the story, and each constant stands there
with the sentence that says where it comes from. Both are read here, for `explain` and for
docs/diagnoses.md.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tb_convergence.cli.wording import number
from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.rules import RULES
from tb_convergence.core.statistics import BY_NAME

KINDS: Final = {"cause": "what to fix", "caution": "what to bear in mind",
                "symptom": "what was observed"}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One constant of a rule.

    Attributes:
        name: as in the rule's file, in words: "small batch".
        value: a number, or what is listed.
        source: the sentences that stand with it; "" where the name says all.
    """

    name: str
    value: str
    source: str


def rule_of(id_: str) -> Rule | None:
    """The rule of that id."""
    return next((rule for rule in RULES if rule.id == id_), None)


def story(rule: Rule) -> tuple[str, ...]:
    """The account of the rule's file, by paragraphs."""
    text = inspect.cleandoc(sys.modules[rule.evaluate.__module__].__doc__ or "")
    return tuple(" ".join(part.split()) for part in text.split("\n\n") if part.strip())


def thresholds(rule: Rule) -> tuple[Threshold, ...]:
    """Numbers the rule holds statistics against, in the order of its file.

    Empty where the source is not at hand, as in an installation of compiled files alone.
    """
    module = sys.modules[rule.evaluate.__module__]
    try:
        body = ast.parse(inspect.getsource(module)).body
    except (OSError, SyntaxError):
        return ()
    return tuple(_constants(body, vars(module)))


def _constants(body: list[ast.stmt], values: dict[str, Any]) -> Iterator[Threshold]:
    for statement, after in zip(body, [*body[1:], None], strict=True):
        targets = statement.targets if isinstance(statement, ast.Assign) else \
            [statement.target] if isinstance(statement, ast.AnnAssign) else []
        for target in targets:
            if not isinstance(target, ast.Name) or not target.id.isupper() or target.id[0] == "_":
                continue
            value = values.get(target.id)
            source = _sentence(after)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                yield Threshold(_words(target.id), number(float(value)), source)
            elif source and isinstance(value, (tuple, frozenset)) and \
                    all(isinstance(item, str) for item in value):
                yield Threshold(_words(target.id), ", ".join(sorted(value)), source)


def _sentence(after: ast.stmt | None) -> str:
    """The text that stands beneath a constant."""
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) \
            and isinstance(after.value.value, str):
        return " ".join(after.value.value.split())
    return ""


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def needs(rule: Rule) -> tuple[str, ...]:
    """What the rule needs, by name; alternatives stand together: "loss or epoch_loss"."""
    return tuple(need.replace("|", " or ") for need in rule.needs)


def needed_statistics(rule: Rule) -> tuple[tuple[str, str], ...]:
    """Name and meaning of each statistic the rule needs or takes instead."""
    names = [name for need in rule.needs for name in need.split("|")]
    return tuple((name, meaning(name)) for name in names)


def meaning(name: str) -> str:
    """What a need means, in a sentence."""
    if name in BY_NAME:
        return BY_NAME[name].summary
    return "The run's configuration, as ConvergenceCallback records it." if name == "config" else ""
