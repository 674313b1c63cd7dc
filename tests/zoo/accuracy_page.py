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

How often the right cause is named, and how often a healthy run is accused. `make zoo` trains the
programs, diagnoses what the callback recorded, and writes this page; nothing here is typed by hand.

Each program of the zoo is a small training with one known fault, and has a healthy twin that
differs in the fault alone. A label is held against a measurement: the twin must reach a good score
on data it has not seen, and the sick program must stay below it. Published cases are programs from
question-and-answer posts and benchmarks with their published fix, read from a file that is not
part of this project.

**Which figures to believe.** The rules were worked on with the zoo's programs and the published
cases at hand. Their thresholds come from reasons, but what fails is looked at, so these figures
flatter. *Programs kept apart* were written after the rules and met them once before anyone looked:
[first contact](#first-contact) tells what to expect of a program that nobody here has seen, within
the width of its intervals.

*Named first*: the cause that a person reads first is the expected one. *Found*: it is among the
findings, of whatever severity. *Instead or beside*: what was named first where that was wrong, and
causes of warning or worse that are not true of the program. *On the healthy twin*: any finding of
warning or worse. *First report*: step, for each seed, at which what had been recorded until then
first named the cause. Intervals are Wilson's, of 95 %; runs of one program with another seed
resemble each other, so that they are narrower than they should be.
"""

LEFT_OUT = """## One family left out

Thresholds come from literature and from reasons, each stated with its source in the catalogue, and
not from a search over these programs; but some reasons were found because one of them failed. The
confidence of a finding is calibrated on all families but one (a logistic curve over the
stated confidence, fitted to whether the cause was right), and tested on the one left out. *Stated*
and *calibrated* are mean squared errors of the confidence (Brier 1950; lower is better, 0.25 is a
coin), over all causes of warning or worse that no other explains. Where calibration learnt
elsewhere helps in every family, stated confidence is off by the same amount everywhere; where it
harms one, that family is unlike the others.
"""


def parts(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """The zoo's programs, those that were kept apart, and the published ones."""
    kinds = {"apart": "programs kept apart", "published": "published cases"}
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
        "family left out", "found", "named first", "healthy runs quiet", "causes judged",
        "stated", "calibrated")) + "\n")
    for name, chosen in parts(outcomes):
        text.append(f"## {name[0].upper()}{name[1:]}: every program\n")
        text.append(tables.as_markdown(tables.rows(chosen)) + "\n")
    if any(o.task.published for o in outcomes):
        text.append(_names())
    text += [_missing(outcomes, options), _doubts(outcomes)]
    PAGE.write_text("\n".join(part for part in text if part).rstrip() + "\n")


def _recorders(outcomes: Sequence[Outcome]) -> str:
    """How many of them the recorder as it stands has written."""
    current = sum(o.facts.get("recorder") == recorder() for o in outcomes)
    if current == len(outcomes):
        return "all written by the recorder as it stands"
    return f"{len(outcomes) - current} of them written by earlier versions of the recorder"


def _names() -> str:
    """How names of faults in the file of published cases become ids."""
    lines = [(name, id_, why) for name, (id_, why) in NAMES.items()]
    lines += [(name, id_, "a symptom: not counted as a cause") for name, id_ in SYMPTOMS.items()]
    return ("### What their faults are called here\n\n"
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
