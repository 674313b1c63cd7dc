"""Questions to the user about a run: which histograms, which scalars, which training.

The report never guesses silently if names are ambiguous. It states what was read, what was not, and
the option that changes this.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Final

from tb_convergence.cli.wording import unclear_histograms
from tb_convergence.core.diagnosis.finding import RunDiagnosis
from tb_convergence.core.scalar_tags import EarlierTraining, ScalarTag
from tb_convergence.reading.patterns import ScalarChoice, ScalarRule

NAMED: Final = 4
"""Scalars that one question names; the JSON document lists all of them."""

_LOSSES: Final = ("loss", "epoch_loss")


def questions(run: RunDiagnosis) -> tuple[str, ...]:
    """One sentence, without a full stop, for each thing that a person may want to say."""
    return (*unclear_histograms(run), *unclear_scalars(run), *_earlier(run))


def unclear_scalars(run: RunDiagnosis) -> Iterator[str]:
    """The questions about scalars, and the choices that were made."""
    tags = run.scalar_tags
    read = [one for one in tags if one.use in ("read", "part", "told")]
    recorded = not any("loss" in need for item in run.not_evaluated for need in item.needs)
    losses = [one for one in read if one.role in _LOSSES]
    open_ones = [one for one in tags if one.use == "asked"]
    if tags and not losses and not recorded:
        yield from _no_loss(tags, open_ones)
        return
    for role, choice in (("loss", "loss"), ("validation_loss", "validation")):
        terms = [one for one in tags if one.use == "part" and one.role == role]
        if len(terms) > 1:
            name = "loss" if role == "loss" else "validation loss"
            yield (
                f"The {name} is read as the sum of {_listed(terms)}; use "
                f"{_option(choice, terms[:1])} to read another one"  # type: ignore[arg-type]
            )
    may_be = [one for one in open_ones if one.role in (*_LOSSES, "validation_loss")]
    if may_be:
        yield (
            f"{_listed(may_be)} may be a loss too, but {'is' if len(may_be) == 1 else 'are'} not "
            f"read; use {_option('validation', may_be[:1])} if it is the validation loss"
        )


def _no_loss(tags: Sequence[ScalarTag], open_ones: Sequence[ScalarTag]) -> Iterator[str]:
    """What to say of a run in which no scalar is read as the training loss."""
    none = "No scalar of this run has the name of a training loss"
    if open_ones:
        first = _option("loss", open_ones[:1])
        yield f"{none}. It contains {_listed(open_ones)}; use {first} to name the loss"
        return
    others = [one for one in tags if one.role in ("metric", "validation_loss")]
    if others:
        # Nothing of these is likely: to propose one would be to propose an accuracy as the loss.
        yield (
            f"{none}. It contains only {_listed(others)}; if another scalar is the loss, use "
            "--tags loss=NAME"
        )


def _option(choice: ScalarChoice, tags: Sequence[ScalarTag]) -> str:
    rule = ScalarRule(choice, tuple(one.tag for one in tags)).rule
    return f"--tags {shlex.quote(rule)}"


def _listed(tags: Sequence[ScalarTag]) -> str:
    names = list(dict.fromkeys(one.tag for one in tags))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _earlier(run: RunDiagnosis) -> Iterator[str]:
    for number, one in enumerate(run.earlier_trainings, 1):
        yield (
            f"The folder also contains an earlier training ({_span(one)}). The report is about the "
            f"newest one; for this one, use --tags training={number}"
        )


def _span(one: EarlierTraining) -> str:
    steps = f"steps {one.first_step:,} to {one.last_step:,}"
    try:
        day = datetime.fromtimestamp(one.ended, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, OSError, ValueError):
        return steps
    return f"{steps}, ended {day}"
