"""Writes docs/accuracy.md: the zoo's table, its totals, and how far they can be trusted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from zoo import first_contact, tables
from zoo.cache import ROOT, recorder, versions
from zoo.calibration import families_left_out
from zoo.figures import Figures
from zoo.outcome import Outcome
from zoo.published import NAMES, SYMPTOMS

PAGE = ROOT / "docs" / "accuracy.md"

INTRODUCTION = """# Accuracy

This page measures how often the tool names the right cause, and how often it accuses a healthy run.
`make zoo` trains the programs, diagnoses what the callback recorded, and writes the page.

Each program of the zoo is a small training with one known fault. Its healthy twin differs in that
fault alone. A measurement confirms each label: the twin must reach a good score on unseen data,
and the faulty program must stay below it. Published cases are programs from question-and-answer
sites and benchmarks with their published fix; the file that describes them is not part of this
project.

**Which figures to believe.** The rules were developed with the zoo and the published cases at hand.
Thresholds come from the literature or from an argument, but failures were studied, so these
figures are optimistic. *Held-out programs* were written without knowledge of the rules and met
them once before anyone looked. [First contact](#first-contact) is the estimate for a program that
nobody here has seen.

* *Named first*: the first cause that a person reads is the expected one.
* *Found*: the expected cause is among the findings, at any severity.
* *Wrong*: a wrong first cause, or a further cause of warning or worse that is not true of the
  program.
* *On the healthy twin*: any finding of warning or worse.
* *First report*: for each seed, the step at which the records so far first named the cause.

Intervals are 95 % Wilson intervals. Runs of one program with different seeds resemble each other,
so the intervals are narrower than they should be.

How the diagnosis does on event files that strangers published, whatever wrote them, is on a page
of its own: [public logs](development/public_logs.md).
"""

LEFT_OUT = """## Leave one family out

Thresholds come from the literature or from an argument; the catalogue states the source of each.
None was found by a search over these programs, but some arguments were found because a program
failed.

This table tests the stated confidence. A logistic curve is fitted on all families but one and
tested on the one left out. *Stated* and *calibrated* are Brier scores (Brier 1950): the mean
squared error of the confidence, over all causes of warning or worse that no other cause explains.
Lower is better; a coin scores 0.25. If calibration helps in every family, the stated confidence is
off by the same amount everywhere. If it harms one, that family differs from the others.
"""


def parts(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """The zoo's programs, the held-out sets, and the published ones."""
    kinds = {"apart": "held-out programs, first set", "reported": "held-out programs, second set",
             "forum": "held-out programs, third set", "unusual": "healthy but unusual programs",
             "published": "published cases"}
    for name in ("zoo", *kinds.values()):
        chosen = [o for o in outcomes if kinds.get(o.family, "zoo") == name]
        if chosen:
            yield name, chosen


def write(outcomes: Sequence[Outcome], options: Any) -> None:
    """Write the page."""
    about = ", ".join(f"{name} {version}" for name, version in versions().items())
    seeds = ", ".join(map(str, options.seeds))
    text = [
        INTRODUCTION,
        f"Written on {time.strftime('%Y-%m-%d', time.gmtime())}; {about}; seeds {seeds}; "
        f"{len(outcomes)} trainings, {_recorders(outcomes)}.\n",
    ]
    for name, chosen in parts(outcomes):
        text.append(f"## {name[0].upper()}{name[1:]}: totals\n")
        lines = [(what, value) for what, value in Figures.of(chosen).lines()]
        text.append(tables.as_markdown(lines, ("", "share, with its interval")) + "\n")
    text += [first_contact.section(), LEFT_OUT]
    text.append(tables.as_markdown(families_left_out(outcomes), (
        "family left out", "found", "named first", "healthy without a warning", "causes judged",
        "stated", "calibrated")) + "\n")
    for name, chosen in parts(outcomes):
        text.append(f"## {name[0].upper()}{name[1:]}: every program\n")
        text.append(tables.as_markdown(tables.rows(chosen)) + "\n")
    if any(o.task.published for o in outcomes):
        text.append(_names())
    text += [_missing(outcomes, options), _doubts(outcomes)]
    PAGE.write_text("\n".join(part for part in text if part).rstrip() + "\n")


def _recorders(outcomes: Sequence[Outcome]) -> str:
    """How many of them the current recorder wrote."""
    current = sum(o.facts.get("recorder") == recorder() for o in outcomes)
    if current == len(outcomes):
        return "all recorded by the current recorder"
    return f"{len(outcomes) - current} of them recorded by earlier versions of the recorder"


def _names() -> str:
    """How names of faults in the file of published cases become ids."""
    lines = [(name, id_, why) for name, (id_, why) in NAMES.items()]
    lines += [(name, id_, "a symptom: not counted as a cause") for name, id_ in SYMPTOMS.items()]
    return ("### How their fault names map to ids\n\n"
            + tables.as_markdown(lines, ("in the file", "here", "why")) + "\n")


def _missing(outcomes: Sequence[Outcome], options: Any) -> str:
    """Seeds that not every program was trained with."""
    names = {o.task.name for o in outcomes}
    per_seed = {seed: sum(o.task.seed == seed for o in outcomes) for seed in options.seeds}
    most = max(per_seed.values(), default=0)
    lines = [(str(seed), str(n)) for seed, n in per_seed.items() if n < most]
    if not lines:
        return ""
    return (f"## Incomplete\n\nOf {len(names)} programs, these seeds have fewer trainings than the "
            f"{most} of a complete one:\n\n" + tables.as_markdown(lines, ("seed", "trainings"))
            + "\n")


def _doubts(outcomes: Sequence[Outcome]) -> str:
    """Labels that this time's measurement does not support."""
    lines = [(str(o.task), o.at_fault) for o in outcomes if o.at_fault]
    if not lines:
        return ""
    return ("## Labels in doubt\n\nCounted above all the same.\n\n"
            + tables.as_markdown(lines, ("training", "measured")) + "\n")
