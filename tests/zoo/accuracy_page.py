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

This page shows how often the tool names the right cause, and how often it reports a problem in a
healthy run. `make zoo` trains the programs, diagnoses the recorded runs, and writes this page.

The *zoo* is a collection of small training programs, each with one known fault. Each has a *healthy
twin* that differs only in that fault. A measurement verifies each label: the twin must reach a good
score on held-out data, and the faulty program must stay below it. *Published cases* are programs
from question-and-answer sites and benchmarks, with their published fixes. The file that describes
them is not part of this project.

**Which figures to use.** For a new program, expect the results in [First contact](#first-contact).
The *held-out programs* were written without knowledge of the rules, and that table has their first
results, before anyone studied them. All other totals are optimistic: the authors of the rules knew
the zoo and the published cases, and studied the failures.

The tables use these terms:

* *Named first*: the first reported cause is the expected one.
* *Found*: the expected cause is reported, at any severity.
* *Wrong*: a wrong first cause, or another warning or critical cause that does not apply to the
  program.
* *On the healthy twin*: warning or critical findings on the twin.
* *First report*: for each seed, the first step whose records are enough to report the cause.

The intervals are 95% Wilson intervals. Runs of one program with different seeds are correlated, so
the intervals are too narrow.

[Public logs](development/public_logs.md) measures the diagnosis on event files from public
repositories.
"""

LEFT_OUT = """## Leave one family out

Every threshold comes from the literature or from an argument; [diagnoses.md](diagnoses.md) gives
the source of each. No threshold was fitted to these programs, but a wrong diagnosis of one of them
was sometimes the reason to look for an argument.

This table tests the confidence that the tool states for a cause. A logistic curve that corrects the
confidence is fitted to all families except one, and tested on that one. *Stated* and *calibrated*
are Brier scores (Brier 1950) before and after the correction: the mean squared error of the
confidence, over all warning or critical causes that no other cause explains. Lower is better; a
constant confidence of 50% scores 0.25. If the correction helps in every family, the confidence is
off by the same amount everywhere. If it harms a family, that family differs from the others.
"""


def parts(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """The zoo's programs, the held-out sets, and the published ones."""
    kinds = {**first_contact.SETS, "published": "published cases"}
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
        text.append(tables.as_markdown(lines, ("", "fraction, with interval")) + "\n")
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
        return "all with the current recorder"
    if not current:
        return "all with earlier versions of the recorder"
    return f"{len(outcomes) - current} of them with earlier versions of the recorder"


def _names() -> str:
    """How names of faults in the file of published cases become ids."""
    lines = [(name, id_, why) for name, (id_, why) in NAMES.items()]
    lines += [(name, id_, "a symptom: not counted as a cause") for name, id_ in SYMPTOMS.items()]
    return ("### How the fault names of the published cases map to ids\n\n"
            + tables.as_markdown(lines, ("name in the file", "id", "reason")) + "\n")


def _missing(outcomes: Sequence[Outcome], options: Any) -> str:
    """Seeds that not every program was trained with."""
    names = {o.task.name for o in outcomes}
    per_seed = {seed: sum(o.task.seed == seed for o in outcomes) for seed in options.seeds}
    most = max(per_seed.values(), default=0)
    lines = [(str(seed), str(n)) for seed, n in per_seed.items() if n < most]
    if not lines:
        return ""
    return (f"## Incomplete\n\nNot every training of the {len(names)} programs and their twins was "
            f"made with every seed. The most complete seed has {most} trainings. These seeds have "
            "fewer:\n\n"
            + tables.as_markdown(lines, ("seed", "trainings")) + "\n")


def _doubts(outcomes: Sequence[Outcome]) -> str:
    """Labels that this time's measurement does not support."""
    lines = [(str(o.task), o.at_fault) for o in outcomes if o.at_fault]
    if not lines:
        return ""
    return ("## Labels in doubt\n\nThe totals include these runs.\n\n"
            + tables.as_markdown(lines, ("training", "measured")) + "\n")
