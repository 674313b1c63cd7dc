"""docs/cli.md is complete: every command, option and key of the documents stands there."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import histories as draw
import pytest

from tb_convergence import cli
from tb_convergence.cli import diagnose, output
from tb_convergence.cli.catalogue import as_json as rule_as_json
from tb_convergence.core.comparison import as_json as comparison_as_json
from tb_convergence.core.comparison import compare
from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.finding import as_json
from tb_convergence.core.rules import RULES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = [a for a in cli.parser()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(action.choices)


def section(command: str) -> str:
    (text,) = [part for part in PAGE.split("\n## ") if command in part.splitlines()[0].split()]
    return text


@pytest.mark.parametrize("command", [name for name in commands() if name != "demo"])
def test_every_option_is_documented_and_no_other(command: str) -> None:
    usage = section(command)
    options = {option for action in commands()[command]._actions
               for option in action.option_strings if option not in ("-h", "--help")}
    for option in options:
        assert re.search(rf"(?<![\w-]){option}(?![\w-])", usage), option
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", usage))
    known = {o for parser in commands().values() for a in parser._actions for o in a.option_strings}
    assert named <= known | {"--steps", "--body-file", "--convergence"}


def test_every_command_is_in_the_list() -> None:
    for command in commands():
        assert re.search(rf"^\| \[?`{command}[ `]", PAGE, re.MULTILINE), command


def keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for item in value.values() for key in keys(item)}
    if isinstance(value, (list, tuple)):
        return {key for item in value for key in keys(item)}
    return set()


def test_every_key_of_the_documents_is_listed() -> None:
    flat = draw.history(draw.run_table(draw.flat()), config={"a": 1})
    bare = draw.history(draw.run_table(draw.falling(end=2.0)), config={"a": 2})
    documents = {
        "diagnose": as_json(diagnose_history(flat)),
        "compare": comparison_as_json(compare(flat, bare)),
        "rules": rule_as_json(RULES[0]),
    }
    assert documents["compare"]["settings"]
    for command, document in documents.items():
        text = section(command)
        for key in keys(document):
            assert f'"{key}"' in text, (command, key)


def test_the_exit_statuses_are_those_of_the_code() -> None:
    statuses = (0, output.UNAVAILABLE, output.USAGE, output.FOUND)
    rows = re.findall(r"^\| (\d) \|", PAGE, re.MULTILINE)
    assert tuple(map(int, rows)) == statuses
    assert tuple(map(int, re.findall(r"^  (\d)  ", diagnose.EPILOG, re.MULTILINE))) == statuses
