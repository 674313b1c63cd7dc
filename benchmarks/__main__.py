"""`python -m benchmarks`: runs the benchmarks, prints their tables, and writes the page."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

NAMES = (
    "steps", "short", "first", "records", "bytes", "page", "page-runs", "opening", "routes",
    "clients", "runs", "large", "landscape", "rates",
)
NEEDS_CASES = ("doctor",)
"""Run only by name: with --cases and --data, which are not part of this project."""


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", default=list(NAMES),
        help=f"which of {', '.join(NAMES)} to run, all by default; and {', '.join(NEEDS_CASES)}",
    )
    parser.add_argument("--quick", action="store_true",
                        help="a short run of about a minute, only to see that it works")
    parser.add_argument(
        "--output", type=Path,
        help="Markdown page to write; if only some benchmarks run, only their tables change",
    )
    parser.add_argument("--cases", type=Path, help="doctor: faulty programs, a JSON file")
    parser.add_argument("--data", type=Path, help="doctor: the folder of their arrays")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2],
                        help="doctor: seeds of the initial weights")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {*NAMES, *NEEDS_CASES}
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if set(arguments.names) & set(NEEDS_CASES) and not (arguments.cases and arguments.data):
        parser.error("doctor needs --cases FILE and --data FOLDER")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    # After the environment is set, and not for --help: TensorFlow takes seconds to load.
    from benchmarks import (  # noqa: PLC0415
        doctored,
        first_step,
        landscapes,
        many_runs,
        opening,
        page,
        page_of_runs,
        range_rules,
        records,
        routes,
        short,
        steps,
    )
    from benchmarks.report import (  # noqa: PLC0415
        Options,
        circumstances,
        document,
        merged,
    )

    programs = {
        "steps": steps.step_time,
        "short": short.short_trainings,
        "first": first_step.first_step,
        "records": records.time_of_a_record,
        "bytes": records.bytes_of_a_record,
        "page": page.page_speed,
        "page-runs": page_of_runs.page_of_many_runs,
        "opening": opening.first_answer,
        "routes": routes.warm,
        "clients": routes.at_once,
        "runs": many_runs.many,
        "large": opening.large_run,
        "landscape": landscapes.landscapes,
        "rates": range_rules.rates,
        "doctor": doctored.doctored,
    }
    options = Options(arguments.quick, arguments.cases, arguments.data, tuple(arguments.seeds))
    facts = circumstances()
    tables = []
    for name in arguments.names:
        tables.append(programs[name](options))
        sys.stdout.write(tables[-1].as_text())
        sys.stdout.flush()
    if arguments.output is not None:
        old = arguments.output
        whole = set(arguments.names) == set(NAMES) or not old.exists()
        text = document(tables, facts) if whole else merged(old.read_text("utf-8"), tables, facts)
        old.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
