"""The option `--rules FILE` of every command that diagnoses runs or lists the rules."""

from __future__ import annotations

import argparse

from tb_convergence import rule_plugins
from tb_convergence.cli.wording import printable


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add the option. A file is run when it is read from the command line."""
    parser.add_argument(
        "--rules", action="append", default=[], metavar="FILE", type=_loaded,
        help=(
            "a Python file with custom rules (docs/rules.md). The command runs this code, so use "
            "only files that you trust. May be repeated"
        ),
    )


def _loaded(path: str) -> str:
    try:
        rule_plugins.load_file(path)
    except rule_plugins.RuleFileError as error:
        raise argparse.ArgumentTypeError(printable(str(error))) from error
    return path
