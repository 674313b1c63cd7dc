"""`tb-convergence diagnose`: the findings of each run, in four formats, and an exit status."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tb_convergence.cli import output
from tb_convergence.cli.formats import json_document, markdown, text
from tb_convergence.cli.progress import progress_bar
from tb_convergence.cli.rule_files import add_rules
from tb_convergence.cli.selection import chosen, did_you_mean
from tb_convergence.cli.wording import printable
from tb_convergence.core.diagnosis.finding import SEVERITIES, RunDiagnosis
from tb_convergence.core.history import RunHistory

FORMATS = ("text", "json", "markdown", "html")
MAX_JOBS = 256
EPILOG = """\
exit status:
  0  the report is complete; with --fail-on: all runs were read, and none has a finding of that
     severity or worse
  1  TensorBoard's data server stopped, so data is missing; with --fail-on, also if a run is
     unreadable or empty, because its state is then unknown
  2  usage error: an unknown option, a missing directory, no matching run, or an output file that
     cannot be written
  3  with --fail-on: a run has a finding of that severity or worse
"""


def add(commands: Any) -> None:
    """Add the command to the parser's `commands`."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "diagnose",
        help="report the problems of each run in a log directory, and their causes",
        description="Read every run below LOGDIR and print its findings, causes first.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("logdir", metavar="LOGDIR",
                        help="the log directory, as for TensorBoard; also gs:// and s3://")
    parser.add_argument("--format", choices=FORMATS, default="text",
                        help="format of the findings (default: text)")
    parser.add_argument("--output", "-o", metavar="FILE",
                        help="write to FILE, in UTF-8 (default: standard output)")
    parser.add_argument("--only", action="append", default=[], metavar="RUN",
                        help="read only the runs whose name contains RUN; if RUN contains *, the "
                        "whole name must match, and * stands for any text; may be repeated")
    parser.add_argument("--fail-on", choices=("warning", "critical"),
                        help="exit with status 3 if a run has a finding of this severity or worse")
    parser.add_argument("--over-time", action="store_true",
                        help=(
                            "also evaluate the rules on earlier parts of each run, to show when a "
                            "finding could first have been reported and what the run recovered "
                            "from (takes about twenty times as long)"
                        ))
    parser.add_argument("--jobs", "-j", type=_jobs, default=1, metavar="N",
                        help="diagnose runs in N processes (default: 1)")
    parser.add_argument("--verbose", "-v", action="store_true",
                        help="text format: also show evidence, references, and rules that need "
                        "more data")
    add_reading(parser)
    parser.set_defaults(command=run)


def _jobs(given: str) -> int:
    """A number of processes.

    Raises:
        ValueError, ArgumentTypeError: it is none.
    """
    number = int(given)
    if not 1 <= number <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"expected 1 to {MAX_JOBS}, not {number}")
    return number


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to read: with which loader, and what histograms mean."""
    parser.add_argument("--loader", choices=("auto", "fast", "python"), default="auto",
                        help=(
                            "TensorBoard's loader: its data server (fast), the one written in "
                            "Python (python), or the data server if it is installed (auto, the "
                            "default)"
                        ))
    parser.add_argument("--tags", metavar="RULES", type=_tags, default=(),
                        help=(
                            "what histograms and scalars are, if their names are ambiguous: "
                            "'gradients=dW/{v},variables=W/{v},loss=train/a' (docs/cli.md)"
                        ))
    add_rules(parser)


def _tags(text: str) -> Any:
    """Parse `text` as rules for tags; argparse shows the message of an error."""
    reading = import_module("tb_convergence.reading")
    try:
        return reading.parse_tags(text)
    except reading.TagPatternError as error:
        raise argparse.ArgumentTypeError(printable(str(error))) from error


def run(options: argparse.Namespace) -> int:
    """The command. Returns the exit status; see `EPILOG`."""
    reading = import_module("tb_convergence.reading")
    import_module("tb_convergence.reading.heap").share_one_heap()
    try:
        names: list[str] = []
        runs, sections = _examine(reading, options, names)
        if not runs:
            wanted = options.only[-1] if options.only else ""
            return output.complain(
                printable(f"--only {wanted!r} matches no run: {did_you_mean(wanted, names)}"),
                output.USAGE,
            )
        output.emit(_report(options, runs, sections), options.output)
        _complain_unused(runs)
    except (reading.LogdirError, output.OutputError) as error:
        return output.complain(printable(str(error)), output.USAGE)
    except reading.DataUnavailableError as error:
        return output.complain(
            f"TensorBoard's data server returned no data ({error}): try again, or use --loader "
            "python", output.UNAVAILABLE,
        )
    return verdict(runs, options.fail_on) if options.fail_on else 0


def _examine(
    reading: Any, options: argparse.Namespace, names: list[str]
) -> tuple[list[RunDiagnosis], list[str]]:
    """The runs and, for html, their sections: made while a run's history is at hand.

    `names` is given the name of every run there is, chosen or not.
    """

    def choose(name: str) -> bool:
        names.append(name)
        return chosen(name, options.only)

    told = reading.each_run(
        options.logdir, Telling(options.over_time, options.format == "html"),
        jobs=options.jobs, loader=options.loader, progress=progress_bar(), only=choose,
        patterns=options.tags,
    )
    runs: list[RunDiagnosis] = []
    sections: list[str] = []
    for diagnosis, section in told:
        runs.append(diagnosis)
        sections.append(section)
    return runs, sections


@dataclass(frozen=True, slots=True)
class Telling:
    """What is kept of a run: its diagnosis and, for html, its section, made beside its history.

    Can be sent to another process.
    """

    over_time: bool
    html: bool

    def __call__(
        self, diagnosis: RunDiagnosis, history: RunHistory | None
    ) -> tuple[RunDiagnosis, str]:
        """The diagnosis, and the section or ""."""
        if self.over_time and history is not None:
            replay = import_module("tb_convergence.core.diagnosis").replay
            diagnosis = replay(history, diagnosis=diagnosis).diagnosis
        section = ""
        if self.html:
            section = import_module("tb_convergence.cli.formats.html").section(diagnosis, history)
        return diagnosis, section


def _complain_unused(runs: Sequence[RunDiagnosis]) -> None:
    """Say which of `--tags` fit nothing: most likely a slip of the pen."""
    told = [family for run in runs for family in run.tag_families if family.why == "user"]
    used = {family.pattern for family in told if family.count}
    for pattern in dict.fromkeys(family.pattern for family in told):
        if pattern not in used:
            output.complain(printable(f"--tags: no histogram matches {pattern!r}"), 0)


def _report(
    options: argparse.Namespace, runs: Sequence[RunDiagnosis], sections: Sequence[str]
) -> str:
    if options.format == "json":
        return json_document.report(runs)
    if options.format == "markdown":
        return markdown.report(runs)
    if options.format == "html":
        return str(import_module("tb_convergence.cli.formats.html").report(runs, sections))
    color = options.output is None and output.colored()
    return text.report(runs, color=color, verbose=options.verbose)


def verdict(runs: Sequence[RunDiagnosis], fail_on: str) -> int:
    """Exit status of `--fail-on`; one line on standard error gives the reason if it is not 0."""
    bad = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    failed = [one.run for one in runs if any(f.severity in bad for f in one.findings)]
    unknown = [one.run for one in runs if one.last_step < 0]
    if failed:
        what = "a critical finding" if fail_on == "critical" else "a finding of warning or worse"
        return output.complain(f"{what} in {_listed(failed)}", output.FOUND)
    if unknown:
        return output.complain(f"unknown state, because there is no data in {_listed(unknown)}",
                               output.UNAVAILABLE)
    return 0


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:5])
    return shown + (f" and {len(names) - 5} more runs" if len(names) > 5 else "")
