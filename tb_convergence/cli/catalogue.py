"""`tb-convergence rules` and `explain`: the catalogue of diagnoses, and one of them in full."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from tb_convergence.cli import account, output
from tb_convergence.cli.formats import json_document, markdown
from tb_convergence.cli.formats.text import Page
from tb_convergence.cli.rule_files import add_rules
from tb_convergence.cli.selection import did_you_mean
from tb_convergence.cli.wording import printable
from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.rules import in_force


def add(commands: Any) -> None:
    """Add both commands to the parser's `commands`."""
    rules: argparse.ArgumentParser = commands.add_parser(
        "rules",
        help="list all diagnoses and the data that they need",
        description="List all diagnoses: id, kind, title, and the statistics that each needs.",
    )
    rules.add_argument("--format", choices=("text", "json", "markdown"), default="text",
                       help="format of the list (default: text)")
    add_rules(rules)
    rules.set_defaults(command=_rules)

    explain: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="explain one diagnosis in full",
        description=(
            "Explain a diagnosis: what it means, the data that it needs, its thresholds with their "
            "reasons, what excludes it, known false alarms, and what to do."
        ),
    )
    explain.add_argument("id", metavar="ID", help=(
        "id of a diagnosis, such as dead-relu; `rules` lists them"
    ))
    add_rules(explain)
    explain.set_defaults(command=_explain)


def _rules(options: argparse.Namespace) -> int:
    if options.format == "json":
        document = {"schema": 1, "rules": [as_json(rule) for rule in in_force()]}
        output.emit(json_document.dumps(document))
    elif options.format == "markdown":
        output.emit(markdown_table())
    else:
        output.emit(_listing())
    return 0


def as_json(rule: Rule) -> Mapping[str, Any]:
    """The declaration of a rule as plain values. In `needs`, an inner list means either of it."""
    return {
        "id": rule.id,
        "kind": rule.kind,
        "title": rule.title,
        "needs": [need.split("|") for need in rule.needs],
        "at_least": rule.at_least,
        "explains": list(rule.explains),
        "excluded_by": list(rule.excluded_by),
    }


def markdown_table() -> str:
    """The catalogue as a table."""
    lines = ["| id | kind | title | needs |", "|---|---|---|---|"]
    for rule in in_force():
        needs = ", ".join(" or ".join(f"`{name}`" for name in need.split("|"))
                          for need in rule.needs)
        lines.append(f"| `{rule.id}` | {rule.kind} | {markdown.escaped(rule.title)} | {needs} |")
    return "\n".join(lines) + "\n"


def _listing() -> str:
    page = Page(output.colored())
    width = max(len(rule.id) for rule in in_force())
    for kind, what in account.KINDS.items():
        rules = [rule for rule in in_force() if rule.kind == kind]
        if not rules:
            continue
        page.line(page.paint(f"{kind}s: {what}", "strong"))
        for rule in rules:
            page.line(f"  {rule.id:<{width}}  {rule.title}")
            page.wrapped(f"{'':<{width}}  needs ", ", ".join(account.needs(rule)), 2)
        page.line()
    page.line("tb-convergence explain ID describes one of them in full.")
    return page.text()


def _explain(options: argparse.Namespace) -> int:
    rule = account.rule_of(options.id)
    if rule is None:
        near = did_you_mean(options.id, [rule.id for rule in in_force()])
        return output.complain(
            f"unknown diagnosis {printable(repr(options.id[:100]))}: {near}", output.USAGE
        )
    output.emit(explanation(rule, color=output.colored()))
    return 0


def explanation(rule: Rule, *, color: bool = False) -> str:
    """All there is to say of `rule`, for the terminal."""
    page = Page(color)
    page.line(page.paint(rule.id, "strong") + f"  ({rule.kind}: {account.KINDS[rule.kind]})")
    page.wrapped("", f"{rule.title}.", 2)
    for paragraph in account.story(rule):
        page.line()
        page.wrapped("", paragraph, 2)
    _part(page, "needs", [
        f"{name}: {meaning}" if meaning else name
        for name, meaning in account.needed_statistics(rule)
    ])
    if rule.at_least > 1:
        page.wrapped("- ", f"at least {rule.at_least} records", 4)
    _part(page, "thresholds", [
        f"{what}: {limits}" + (f". {source}" if source else "")
        for what, limits, source in account.thresholds(rule)
    ])
    _part(page, "explains these findings if it began with them or before", rule.explains)
    _part(page, "not reported if one of these began earlier or at the same step", rule.excluded_by)
    _part(page, "what to do", rule.advice or (
        "This depends on the run: `diagnose` names the layers, the numbers, and the change.",))
    if rule.experiment:
        _part(page, "experiment that decides", (rule.experiment,))
    _part(page, "the finding is wrong if", rule.falsified_by)
    _part(page, "known false alarms", rule.false_alarms)
    _part(page, "references", rule.references)
    return page.text()


def _part(page: Page, title: str, texts: Any) -> None:
    if texts:
        page.line()
        page.line("  " + page.paint(title, "strong"))
        for text in texts:
            page.wrapped("- ", text, 4)
