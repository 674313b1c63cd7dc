"""`tb-convergence`: diagnosis on the command line, and the demo.

Reads the same runs as the tab, through the same loader, and prints the same findings.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tb_convergence import __version__
from tb_convergence.core.diagnosis.finding import (
    FINDINGS_SCHEMA,
    Finding,
    RunDiagnosis,
    as_json,
)

_MARKS = {"critical": "✖", "warning": "▲", "info": "●"}
_COLOURS = {"critical": "31", "warning": "33", "info": "34", "healthy": "32", "faint": "2"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of the console script.

    Returns the exit status: 0; 2 for bad input; 1 when the data could not be had.
    """
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) went away: not an error, and nothing may be written after it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tb-convergence",
        description="Why won't my loss converge? Names the cause from TensorBoard logs.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    diagnose = commands.add_parser(
        "diagnose",
        help="print what is wrong with each run of a log directory",
        description="Reads every run below LOGDIR and prints its findings, causes first.",
    )
    diagnose.add_argument("logdir", metavar="LOGDIR", help="directory TensorBoard would be given")
    diagnose.add_argument(
        "--format", choices=("text", "json"), default="text", help="output (default: text)"
    )
    diagnose.add_argument(
        "--loader",
        choices=("auto", "fast", "python"),
        default="auto",
        help="TensorBoard's data server where it is installed (auto), or one of the two by name",
    )
    diagnose.add_argument(
        "--verbose", "-v", action="store_true", help="show references and what was not evaluated"
    )
    diagnose.set_defaults(command=_diagnose)

    demo = commands.add_parser(
        "demo",
        help="train sick and healthy networks on real data and open the tab",
        description="Trains small networks on scikit-learn's digits, one for each of several "
        "faults and a healthy one, then serves them in TensorBoard.",
    )
    demo.add_argument("--logdir", metavar="DIR", help="where to write (default: a new directory)")
    demo.add_argument("--no-serve", action="store_true", help="train only")
    demo.add_argument("--port", type=int, metavar="N", help="port of TensorBoard (default: 6006)")
    demo.add_argument("--seed", type=int, default=0, metavar="N", help="random seed (default: 0)")
    demo.set_defaults(command=_demo)
    return parser


def _demo(options: argparse.Namespace) -> int:
    run = import_module("tb_convergence.demo").run
    return int(
        run(options.logdir, seed=options.seed, serve=not options.no_serve, port=options.port) or 0
    )


def _diagnose(options: argparse.Namespace) -> int:
    reading = import_module("tb_convergence.reading")
    try:
        runs = reading.diagnose(options.logdir, loader=options.loader, progress=_progress())
    except reading.LogdirError as error:
        print(f"tb-convergence: {error}", file=sys.stderr)
        return 2
    except reading.DataUnavailableError as error:
        print(
            f"tb-convergence: TensorBoard's data server gave no data ({error}): try again, or "
            "with --loader python",
            file=sys.stderr,
        )
        return 1
    if options.format == "json":
        print(json.dumps(document(runs), allow_nan=False, indent=2, ensure_ascii=True))
        return 0
    for line in report(runs, colour=sys.stdout.isatty(), verbose=options.verbose):
        print(line)
    return 0


def document(runs: Sequence[RunDiagnosis]) -> dict[str, Any]:
    """The JSON document of `diagnose --format json`, as plain Python values."""
    return {"schema": FINDINGS_SCHEMA, "runs": [as_json(run) for run in runs]}


def _progress() -> Any:
    """A callback `(done, total, name)` that keeps one line on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        return None

    def show(done: int, total: int, name: str) -> None:
        text = f"reading {done}/{total} {_printable(name)}"
        end = "\r" if done < total else "\r\x1b[K"
        print("\x1b[K" + text[: shutil.get_terminal_size().columns - 1], end=end, file=sys.stderr)

    return show


def report(
    runs: Sequence[RunDiagnosis], *, colour: bool = False, verbose: bool = False
) -> list[str]:
    """Lines of the text report: per run its causes with their symptoms beneath, then the rest."""
    width = min(100, max(60, shutil.get_terminal_size().columns))
    writer = _Writer(colour, width)
    for run in runs:
        _report_run(writer, run, verbose)
    return writer.lines


class _Writer:
    """Collects lines; knows the width and whether colour may be used."""

    def __init__(self, colour: bool, width: int) -> None:
        self.lines: list[str] = []
        self._colour = colour
        self._width = width

    def paint(self, text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if self._colour else text

    def line(self, text: str = "") -> None:
        self.lines.append(text)

    def wrapped(self, label: str, text: str, indent: int) -> None:
        first = " " * indent + label
        self.lines.extend(
            textwrap.wrap(
                _printable(text), self._width, initial_indent=first,
                subsequent_indent=" " * len(first),
            )
        )


def _report_run(writer: _Writer, run: RunDiagnosis, verbose: bool) -> None:
    title = _printable(run.run)
    at = f"step {run.last_step:,}" if run.last_step >= 0 else "no steps"
    writer.line(f"{title}  {writer.paint(f'({at})', 'faint')}")
    for finding in run.findings:
        if finding.explained_by is None:
            _report_finding(writer, finding, run, verbose)
    if not run.findings and run.last_step >= 0:
        skipped = len(run.not_evaluated)
        note = f"; {skipped} rules need more data (-v shows which)" if skipped else ""
        writer.line("  " + writer.paint(f"✔ no finding{note}", "healthy"))
    if run.skipped:
        first = run.skipped[0]
        writer.wrapped("", f"{len(run.skipped)} records skipped, the first: {first.tag}: "
                       f"{first.reason}", 2)
    if verbose and run.not_evaluated:
        _report_not_evaluated(writer, run)
    writer.line()


def _report_finding(writer: _Writer, finding: Finding, run: RunDiagnosis, verbose: bool) -> None:
    mark = writer.paint(f"{_MARKS[finding.severity]} {finding.id}", finding.severity)
    about = f"{finding.severity} {finding.kind}, confidence {finding.confidence:.2f}"
    writer.line(f"  {mark}  {writer.paint(about, 'faint')}")
    writer.wrapped("", finding.summary, 4)
    for advice in finding.advice:
        writer.wrapped("try: ", advice, 4)
    for disproof in finding.disproof if verbose else ():
        writer.wrapped("wrong if: ", disproof, 4)
    for reference in finding.references if verbose else ():
        writer.wrapped("see: ", reference, 4)
    for other in run.findings:
        if other.explained_by == finding.id:
            writer.wrapped("explains ", f"{other.id}: {other.summary}", 4)


def _report_not_evaluated(writer: _Writer, run: RunDiagnosis) -> None:
    writer.line(f"  not evaluated ({len(run.not_evaluated)} rules):")
    for item in run.not_evaluated:
        writer.wrapped("- ", f"{item.id} needs {', '.join(item.needs)}", 4)
    writer.wrapped("", "ConvergenceCallback(log_dir) records all of this, with validation_data "
                   "for what needs validation_loss.", 4)


def _printable(text: str) -> str:
    """Names come from event files: control characters are shown, never sent to the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


if __name__ == "__main__":
    sys.exit(main())
