"""`make zoo`: train what is not recorded yet, diagnose everything, print and write one table."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from zoo import accuracy_page, first_contact, tables
from zoo.cache import CACHE, Cache
from zoo.figures import Figures
from zoo.judging import judge
from zoo.listing import Listed, Listing
from zoo.outcome import Outcome
from zoo.runner import record_all
from zoo.task import Task


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="make zoo ARGS=...", description=__doc__,
        epilog="A second run trains nothing that is in the cache: after a change of a rule only "
        "the diagnosis is repeated.",
    )
    parser.add_argument("--seeds", default="0,1,2", help="comma-separated (default 0,1,2)")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time (default 2)")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="programs whose name or expected id matches, such as 'dead-*'")
    parser.add_argument("--cases", type=Path, metavar="FILE",
                        help="published cases as facts, beside the zoo's own programs")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="arrays of those cases")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER",
                        help="where recordings are kept (default tests/zoo/.cache)")
    parser.add_argument("--any-recorder", action="store_true",
                        help="accept what an earlier version of the recorder wrote")
    parser.add_argument("--no-train", action="store_true",
                        help="train nothing: diagnose what is recorded already")
    parser.add_argument("--no-moments", action="store_true",
                        help="leave out when each cause was first reported: four times faster")
    parser.add_argument("--compare", action="store_true",
                        help="also run other tools on the same recordings: docs/comparison.md")
    parser.add_argument("--first-contact", action="store_true",
                        help="keep the outcome of programs that the rules meet for the first time")
    parser.add_argument("--after", action="store_true",
                        help="keep what is measured now beside the first contact")
    parser.add_argument("--list", action="store_true", help="list the programs and end")
    parser.add_argument("--no-write", action="store_true", help="leave docs/ as it is")
    parser.add_argument("--verbose", action="store_true", help="print the findings of each run")
    chosen = parser.parse_args(argv)
    if (chosen.cases is None) != (chosen.data is None):
        parser.error("--cases and --data go together")
    if chosen.cases is not None and not chosen.cases.is_file():
        parser.error(f"--cases: no file {str(chosen.cases)!r}")
    if chosen.data is not None and not chosen.data.is_dir():
        parser.error(f"--data: no folder {str(chosen.data)!r}")
    if chosen.jobs < 1:
        parser.error("--jobs must be at least 1")
    try:
        chosen.seeds = [int(seed) for seed in chosen.seeds.split(",")]
    except ValueError:
        parser.error(f"--seeds: whole numbers with commas, not {chosen.seeds!r}")
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 where something could not be trained, or a label is not true."""
    options = arguments(argv)
    listing = Listing(options.cases, options.data)
    for line in listing.skipped:
        _say(f"skipped {line}")
    chosen = [
        listed for listed in listing.programs.values()
        if not options.only or any(_matches(listed, pattern) for pattern in options.only)
    ]
    if options.list:
        _say(tables.as_text([(p.name, p.architecture, " or ".join(p.expected) or "nothing", p.why)
                             for p in chosen], ("program", "architecture", "expected", "fault")))
        return 0
    if not chosen:
        _say("no program matches; --list shows them")
        return 1
    tasks = [
        Task(listed.name, sick, seed)
        for seed in options.seeds for listed in chosen for sick in listed.twins
    ]
    cache = Cache(options.cache, listing.content, any_recorder=options.any_recorder)
    where = [str(options.cases.resolve()), str(options.data.resolve())] if options.cases else []
    failed = {} if options.no_train else record_all(
        tasks, cache, jobs=options.jobs, where=where, out=sys.stderr
    )
    outcomes = judge(tasks, cache, listing.programs, moments=not options.no_moments)
    _show(outcomes, failed, options)
    if options.first_contact:
        first_contact.keep(outcomes)
    if options.after:
        first_contact.keep_after(outcomes)
    if options.after or options.first_contact:
        page = accuracy_page.PAGE
        page.write_text(first_contact.refreshed(page.read_text()))
        first_contact.DETAILS.write_text(first_contact.details())
    if options.compare:
        from zoo import comparison_page  # noqa: PLC0415 - needs tools that are not installed

        comparison_page.write(outcomes, cache, options)
    if not options.no_write and not options.only:
        accuracy_page.write(outcomes, options)
    false = [o for o in outcomes if o.at_fault and not o.task.published]
    return 1 if failed or false else 0


def _matches(listed: Listed, pattern: str) -> bool:
    return any(fnmatch(name, pattern) for name in (listed.name, *listed.expected))


def _show(outcomes: list[Outcome], failed: dict[Task, str], options: Any) -> None:
    if options.verbose:
        for outcome in outcomes:
            _say(f"{outcome.task}  score {outcome.facts['score']:.3f}")
            for f in outcome.findings:
                by = f" <- {f.explained_by}" if f.explained_by else ""
                _say(f"    {f.severity} {f.kind} {f.id} {f.confidence:.2f} @{f.first_step}{by}: "
                     f"{f.summary}")
    _say(tables.as_text(tables.rows(outcomes)))
    for name, part in accuracy_page.parts(outcomes):
        _say(f"\n{name}")
        for what, value in Figures.of(part).lines():
            _say(f"  {what:<62}{value}")
    for task, reason in failed.items():
        _say(f"failed   {task}: {reason}")
    for outcome in outcomes:
        if outcome.at_fault:
            _say(f"label?   {outcome.task}: {outcome.at_fault}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
