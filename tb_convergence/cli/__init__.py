"""`tb-convergence`: diagnosis on the command line, the catalogue of diagnoses, and the demo.

Reads the same runs as the tab, through the same loader, and prints the same findings. One module
per command, one per format (`formats`); `drawing` makes the pictures.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from tb_convergence import __version__, rule_plugins
from tb_convergence.cli import catalogue, compare, demo, diagnose, landscape, scripts


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script.

    Returns the exit status: 0; 1 when data could not be had; 2 for bad usage; 3 for a finding that
    `--fail-on` names; 130 when interrupted.
    """
    rule_plugins.load_installed()
    options = parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away: not an error, and nothing may be written after it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> argparse.ArgumentParser:
    """The parser of all commands; parsed options carry the function to call as `command`."""
    top = argparse.ArgumentParser(
        prog="tb-convergence",
        description="Why won't my loss converge? Find the cause in TensorBoard logs.",
        epilog="tb-convergence COMMAND --help describes a command.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for command in (diagnose, compare, catalogue, scripts, landscape, demo):
        command.add(commands)
    return top
