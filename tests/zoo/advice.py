"""Follows the first advice on recorded sick programs, trains again, and prints what it brought.

`python -m zoo.advice [--only PATTERN] [--cache FOLDER]`. What counts is whether the program then is
as good as its healthy twin must be. Programs are trained without the recorder.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from tb_convergence.core.diagnosis import Finding, diagnose_history
from zoo import tables
from zoo.cache import CACHE, ROOT, Cache
from zoo.figures import Share
from zoo.listing import Listing
from zoo.outcome import read
from zoo.task import Task

PAGE = ROOT / "docs" / "development" / "advice.md"
HEAD = ("case", "first cause", "advice", "score before", "score after", "score needed", "fixed")


@dataclass(frozen=True, slots=True)
class Followed:
    """One program whose advice was followed.

    Attributes:
        task: which training.
        cause: id of the first cause.
        advice: its first piece.
        before: score of the sick program.
        after: score with the advice followed; None where only a person can follow it.
        good: score of a healthy one at least.
    """

    task: Task
    cause: str
    advice: str
    before: float
    after: float | None
    good: float

    @property
    def fixed(self) -> bool:
        return self.after is not None and self.after >= self.good

    def row(self) -> tuple[str, ...]:
        """Of the table."""
        after = "not tried" if self.after is None else f"{self.after:.2f}"
        return (self.task.name, self.cause, self.advice, f"{self.before:.2f}", after,
                f"{self.good:g}", "-" if self.after is None else "yes" if self.fixed else "no")


def first_cause(findings: Sequence[Finding]) -> Finding | None:
    """The cause a person reads first."""
    return next((f for f in findings if f.kind == "cause" and f.advice), None)


def follow(task: Task, folder: Path, facts: Any) -> Followed | None:
    """Diagnose one recording, follow the advice and train; None where nothing is advised."""
    import keras  # noqa: PLC0415 - slow

    from zoo.catalogue import PROGRAMS  # noqa: PLC0415 - imports Keras
    from zoo.remedies import apply  # noqa: PLC0415 - imports Keras

    finding = first_cause(diagnose_history(read(folder)).findings)
    if finding is None:
        return None
    program = PROGRAMS[task.name]
    keras.backend.clear_session()
    keras.utils.set_random_seed(task.seed)
    changed = apply(program.build(True), finding.advice[0], finding.layers)
    after = None
    if changed is not None:
        changed.model.fit(
            changed.x, changed.y, batch_size=changed.batch_size, epochs=changed.epochs,
            shuffle=changed.shuffle, verbose=0, class_weight=changed.class_weight,
            callbacks=list(changed.callbacks),
        )
        after = changed.judge(changed.model)
    return Followed(task, finding.id, finding.advice[0], facts["score"], after, program.good)


def main(argv: Sequence[str] | None = None) -> int:
    """Returns 1 where nothing was recorded that could be followed."""
    parser = argparse.ArgumentParser(prog="python -m zoo.advice", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--cache", type=Path, default=CACHE, metavar="FOLDER")
    parser.add_argument("--write", action="store_true",
                        help="write the table to docs/development/advice.md")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    listing = Listing(None, None)
    cache = Cache(options.cache, listing.content, any_recorder=True)
    followed = []
    for listed in listing.programs.values():
        task = Task(listed.name, True, options.seed)
        chosen = not options.only or any(fnmatch(listed.name, one) for one in options.only)
        facts = cache.facts(task) if True in listed.twins and chosen else None
        if facts is None:
            continue
        try:
            one = follow(task, cache.path(task), facts)
        except Exception as error:  # a remedy that does not fit the program is a failure of it
            sys.stderr.write(f"{task}: {type(error).__name__}: {error}\n")
            continue
        if one is not None:
            followed.append(one)
            sys.stdout.write(" | ".join(one.row()) + "\n")
            sys.stdout.flush()
    sys.stdout.write(f"\n{_summary(followed)}\n")
    if options.write and followed:
        PAGE.write_text(_page(followed))
    return 0 if followed else 1


def _summary(followed: Sequence[Followed]) -> str:
    tried = [one for one in followed if one.after is not None]
    fixed = Share(sum(one.fixed for one in tried), len(tried))
    return (f"The first advice, followed literally, fixed {fixed} programs. For "
            f"{len(followed) - len(tried)} more programs, only a person can follow the advice.")


def _page(followed: Sequence[Followed]) -> str:
    return "\n".join([
        "# Does the first advice work?\n",
        "`python -m zoo.advice --write`, run in `tests/`, diagnoses recorded faulty programs of "
        "the zoo, applies the first advice for the first cause, trains again, and writes this "
        "page. A program counts as fixed if it reaches the score that its healthy twin must reach. "
        "The authors of the rules knew these programs, so expect a lower fraction for others.\n",
        f"{time.strftime('%Y-%m-%d', time.gmtime())}. {_summary(followed)}\n",
        tables.as_markdown([one.row() for one in followed], HEAD), "",
    ])


if __name__ == "__main__":
    sys.exit(main())
