"""Decides from the doctor's trials whether each diagnosis is confirmed, refuted, or undecided."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from tb_convergence.core.diagnosis import Finding
from tb_convergence.core.experiments import ExperimentVerdict, Outcome
from tb_convergence.core.text.numbers import number
from tb_convergence.experiments import optimizers
from tb_convergence.experiments.candidates import Candidate
from tb_convergence.experiments.changes import Change
from tb_convergence.experiments.intervals import MATTERS
from tb_convergence.experiments.prescription import Proof
from tb_convergence.experiments.search import Search

CLEARLY: Final = 0.3
"""Share of what can be learned by which one short training must be better to convict alone."""


def _of_optimizer(search: Search, candidates: Sequence[Candidate]
                  ) -> dict[str, tuple[Outcome, str]]:
    """The optimizer is to blame only where another learns what this one learns at no rate."""
    own = [one.value for one in candidates if one.change.id.startswith("learning-rate=")]
    others = [one.value for one in candidates if "optimizer" in one.change.settings]
    task = search.found.task
    if task is None or not others or others[0] is None:
        return {}
    mine = max([search.unchanged, *(value for value in own if value is not None)])
    why = (f"{search.steps} steps with Adam give {number(others[0])}; the program's optimizer "
           f"gives {number(mine)} at its best rate.")
    gain = task.learned(others[0]) - (task.learned(mine) if math.isfinite(mine) else 0.0)
    if gain > CLEARLY:
        return {"optimizer-mismatch": ("confirmed", why)}
    return {"optimizer-mismatch": ("refuted" if gain < MATTERS else "undecided", why)}


_CLEARER: Final = {"refuted": 0, "undecided": 1, "confirmed": 2}
"""Of several changes for one diagnosis: it is refuted only where all are."""


def verdicts(search: Search, findings: Sequence[Finding], candidates: Sequence[Candidate],
              proven: Proof | None) -> Iterator[ExperimentVerdict]:
    """The doctor's verdict on each diagnosis that a candidate addresses."""
    said: dict[str, tuple[Outcome, str]] = {}
    helping = set() if proven is None else {change.id for change in proven.changes}
    rate = optimizers.rate_of(search.found.model.optimizer)
    seen = {finding.id for finding in findings}
    for place, change in enumerate(() if proven is None else proven.changes):
        for id_ in addressed(change, rate):
            # Of changes made together only the first is known to help by itself.
            if proven is not None and (place == 0 or id_ in seen):
                said[id_] = ("confirmed", proven.sentence(search.found.task))
    for one in candidates:
        if one.value is None or one.change.id in helping:
            continue
        outcome = _outcome(search, one.value)
        why = (f"{search.steps} steps {one.change.title} give {number(one.value)}; the unchanged "
               f"program gives {number(search.unchanged)}.")
        for id_ in addressed(one.change, rate):
            known = said.get(id_)
            if known is None or _CLEARER[outcome] > _CLEARER[known[0]]:
                said[id_] = (outcome, why)
    said |= _of_optimizer(search, candidates)
    for id_, (outcome, why) in said.items():
        yield ExperimentVerdict(id_, outcome, why)


def _outcome(search: Search, value: float) -> Outcome:
    """The outcome for a cause, from one short training with a change that addresses it.

    It confirms where the unchanged program learns nothing and the change alone makes it learn half
    of what there is: no choice of seeds does that.
    """
    task = search.found.task
    if task is not None:
        before, after = (task.learned(v) if math.isfinite(v) else 0.0
                         for v in (search.unchanged, value))
        if before < MATTERS and after > 0.5:
            return "confirmed"
        if max(before, after) < MATTERS:
            return "undecided"  # one fault may hide another
    return "undecided" if value > search.unchanged + MATTERS / 2 else "refuted"


def addressed(change: Change, rate_in_use: float) -> tuple[str, ...]:
    """The diagnoses that a change addresses; of a rate only the one on its side."""
    rate = change.settings.get("learning_rate")
    if rate is None or "optimizer" in change.settings or not math.isfinite(rate_in_use):
        return tuple(id_ for id_ in change.addresses if change.slot != "rate"
                     or id_ == "optimizer-mismatch")
    side = "learning-rate-too-high" if rate < rate_in_use else "learning-rate-too-low"
    return tuple(id_ for id_ in change.addresses if id_ == side)
