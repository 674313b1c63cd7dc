"""The long run: many damaged files, and the seed of each that shows something wrong.

    python -m tests.fuzzing                         50,000 seeds that the suite has not seen
    python -m tests.fuzzing --first 0 --count 500   others
    python -m tests.fuzzing --show 804              one of them: why it fails
    python -m tests.fuzzing --keep 804 what-was-wrong    its file, as a test for ever

It goes on where it was stopped (--restart begins anew). Files that fail lie under artifacts/fuzz/;
what was found and mended belongs into tests/regressions/.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

from tests.fuzzing import kept
from tests.fuzzing.judge import Failure, judge
from tests.fuzzing.mutations import Mutant, mutant

ROOT = Path(__file__).resolve().parents[2]
FAILED = ROOT / "artifacts" / "fuzz"


def main() -> int:
    """Returns 1 where anything failed."""
    parser = argparse.ArgumentParser(description="Read damaged event files with both loaders.")
    parser.add_argument("--first", type=int, default=2_000, help="first seed")
    parser.add_argument("--count", type=int, default=50_000, help="how many seeds")
    parser.add_argument("--batch", type=int, default=250, help="files of one log directory")
    parser.add_argument("--restart", action="store_true", help="do not go on where it was stopped")
    parser.add_argument("--show", type=int, help="judge one seed only")
    parser.add_argument("--keep", nargs=2, metavar=("SEED", "NAME"), help="add a regression")
    options = parser.parse_args()
    # As in the suite: a warning of NumPy's is a number nobody thought of.
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", module="tensorboard")
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    if options.keep:
        kept.keep(mutant(int(options.keep[0])), options.keep[1])
        return 0
    if options.show is not None:
        return _said(judge([mutant(options.show)]), {})
    return _long(options.first, options.first + options.count, options.batch, options.restart)


def _long(first: int, end: int, batch: int, restart: bool) -> int:
    state = FAILED / f"{first}-{end}.json"
    FAILED.mkdir(parents=True, exist_ok=True)
    done, failed = (first, 0) if restart or not state.exists() else json.loads(state.read_text())
    begin, began_at = time.monotonic(), done
    while done < end:
        mutants = {one.name: one for one in map(mutant, range(done, min(end, done + batch)))}
        failed += _said(judge(list(mutants.values())), mutants)
        done += len(mutants)
        state.write_text(json.dumps([done, failed]))
        rate = (done - began_at) / (time.monotonic() - begin)
        _say(f"{done - first:,} of {end - first:,} files, {failed} failed, {rate:.1f} a second, "
             f"{(end - done) / rate / 60:.0f} min left")
    return 1 if failed else 0


def _said(failures: list[Failure], mutants: dict[str, Mutant]) -> int:
    """Print the failures, keep their files; how many files failed."""
    for failure in failures:
        _say(f"FAILED {failure}")
        if failure.run in mutants:
            (FAILED / f"{failure.run}.tfevents").write_bytes(mutants[failure.run].content)
    return len({failure.run for failure in failures})


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
