"""What each rule says of its own series, as text under `tests/snapshots/`.

    python tools/snapshots.py            write them anew: `git diff` shows what reads differently
    python tools/snapshots.py --check    say what is stale, and write nothing

One finding of each rule is enough to review its wording; numbers and dates have tests of their own.
"""

from __future__ import annotations

import argparse
import difflib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from histories.fault_cases import CASES  # noqa: E402

from tb_convergence.cli.wording import about, evidence_text, finding_steps, unit_of  # noqa: E402
from tb_convergence.core.diagnosis import diagnose_history  # noqa: E402

SNAPSHOT: Final = ROOT / "tests" / "snapshots" / "findings.txt"


def findings() -> str:
    """The finding of every rule on the series on which it fires, in the order of the ids."""
    return "\n".join("\n".join(_finding(rule)) + "\n" for rule in sorted(CASES))


def _finding(rule: str) -> Iterator[str]:
    run = diagnose_history(CASES[rule][0]())
    (finding, *_) = [one for one in run.findings if one.id == rule]
    yield f"{rule}: {finding.title}"
    yield f"  {about(finding, run)}, {finding_steps(finding, unit_of(run))}"
    yield from _wrapped("", finding.summary)
    for item in finding.evidence:
        yield from _wrapped("- ", evidence_text(item, unit_of(run)))
    for advice in finding.advice:
        yield from _wrapped("try: ", advice)
    if finding.experiment:
        yield from _wrapped("experiment: ", finding.experiment)


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, 100, initial_indent=f"  {head}", subsequent_indent=" " * (2 + len(head)),
        break_long_words=False, break_on_hyphens=False,
    )


def differences() -> str:
    """How the stored text differs from today's, as a unified diff; "" where it does not."""
    stored = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    return "".join(difflib.unified_diff(
        stored.splitlines(keepends=True), findings().splitlines(keepends=True), "stored", "now", n=1
    ))


def main() -> int:
    """Write or check the snapshots."""
    parser = argparse.ArgumentParser(description="Wording of the findings, as snapshots.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where stale")
    if parser.parse_args().check:
        stale = differences()
        sys.stdout.write(stale or "current\n")
        return 1 if stale else 0
    SNAPSHOT.parent.mkdir(exist_ok=True)
    SNAPSHOT.write_text(findings(), encoding="utf-8")
    sys.stdout.write(f"wrote {SNAPSHOT.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
