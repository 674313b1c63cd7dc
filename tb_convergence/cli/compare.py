"""`tb-convergence compare`: what differs between two runs, and from which step on."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any

from tb_convergence.cli import output
from tb_convergence.cli.diagnose import add_reading
from tb_convergence.cli.formats import comparison_pages, comparison_text, json_document
from tb_convergence.cli.selection import did_you_mean
from tb_convergence.cli.wording import printable
from tb_convergence.core.comparison import as_json, compare
from tb_convergence.core.history import RunHistory


class ChoiceError(ValueError):
    """The run does not exist, or a directory contains several runs."""


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "compare",
        help="show how two runs differ: settings, findings, layers, loss",
        description=(
            "Compare RUN_B with RUN_A. The report shows the settings that differ, findings of only "
            "one run, layer statistics that differ by a factor of 3.2 or more, and the step at "
            "which the runs diverge. The arguments name two runs of --logdir, or two directories "
            "with one run each."
        ),
        epilog="exit status: 0 the runs were compared; 1 data is unavailable; 2 usage error",
    )
    parser.add_argument("first", metavar="RUN_A", help="a run of --logdir, or a directory")
    parser.add_argument("second", metavar="RUN_B", help="the run or directory to compare with it")
    parser.add_argument("--logdir", metavar="DIR", help="the log directory, as for TensorBoard")
    parser.add_argument("--format", choices=("text", "json", "markdown", "html"), default="text",
                        help="format of the comparison (default: text)")
    parser.add_argument("--output", "-o", metavar="FILE",
                        help="write to FILE, in UTF-8 (default: standard output)")
    parser.add_argument("--verbose", "-v", action="store_true",
                        help="text format: list all differences, not only the largest")
    add_reading(parser)
    parser.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """The command. Returns the exit status."""
    reading = import_module("tb_convergence.reading")
    try:
        first, second = _histories(reading, options)
        result = compare(first, second)
        if options.format == "json":
            text = json_document.dumps(as_json(result))
        elif options.format == "markdown":
            text = comparison_pages.markdown(result, (options.first, options.second))
        elif options.format == "html":
            text = comparison_pages.html(result, (options.first, options.second))
        else:
            text = comparison_text.report(
                result, names=(options.first, options.second),
                color=options.output is None and output.colored(), verbose=options.verbose,
            )
        output.emit(text, options.output)
    except (reading.LogdirError, output.OutputError, ChoiceError) as error:
        return output.complain(printable(str(error)), output.USAGE)
    except reading.DataUnavailableError as error:
        return output.complain(
            f"TensorBoard's data server returned no data ({error}): try again, or use --loader "
            "python", output.UNAVAILABLE,
        )
    return 0


def _histories(reading: Any, options: argparse.Namespace) -> tuple[RunHistory, RunHistory]:
    if options.logdir is None:
        return (_only_run(reading, options.first, options),
                _only_run(reading, options.second, options))
    wanted = {options.first, options.second}
    names: list[str] = []

    def choose(name: str) -> bool:
        names.append(name)
        return name in wanted

    found = dict(_read(reading, options.logdir, options, choose))
    for name in (options.first, options.second):
        if name not in found:
            raise ChoiceError(f"no run {name!r} in {options.logdir!r}: {did_you_mean(name, names)}")
    return found[options.first], found[options.second]


def _only_run(reading: Any, path: str, options: argparse.Namespace) -> RunHistory:
    """The run in the directory `path`."""
    names: list[str] = []

    def choose(name: str) -> bool:
        names.append(name)
        return len(names) == 1  # of several none is meant, so no other is read

    found = _read(reading, path, options, choose)
    if len(names) > 1:
        raise ChoiceError(
            f"{path!r} contains {len(names)} runs "
            f"({', '.join(map(repr, names[:3]))}{', ...' if len(names) > 3 else ''}): name two of "
            "them with --logdir"
        )
    return found[0][1]


def _read(
    reading: Any, path: str, options: argparse.Namespace, only: Any
) -> list[tuple[str, RunHistory]]:
    found = []
    for diagnosis, history in reading.examine(
        path, loader=options.loader, only=only, patterns=options.tags
    ):
        if history is None:
            raise ChoiceError(f"{diagnosis.run!r}: {diagnosis.skipped[0].reason}")
        found.append((diagnosis.run, history))
    return found
