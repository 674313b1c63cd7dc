"""The doctor's search: short trainings with one change each, then with the best of them together.

The changes that the first cause names are tried first, and the search ends as soon as one of them
makes the program learn. Rates come from a range test of the program as it is then changed, which
needs no further trace. What is left is tried longer: `proving` decides between the finalists.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from tb_convergence.experiments import range_curve
from tb_convergence.experiments.bench import Bench
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.candidates import OWN_RATE, Candidate, same_slot
from tb_convergence.experiments.changes import Change
from tb_convergence.experiments.changes import learning_rate as at_rate
from tb_convergence.experiments.edits import NotApplicableError
from tb_convergence.experiments.intervals import MATTERS
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.trials import value_of

Changes = tuple[Change, ...]

GOOD: Final = 0.9
"""Share of what can be learned from which no further candidates are tried."""
TOGETHER: Final = 3
"""Changes that are combined at most."""
RETUNED: Final = 3
"""Changes that are tried with a rate of their own."""
KEPT: Final = 5
"""Candidates that are tried on top of the best one."""
FINALISTS: Final = 3
"""Combinations that are trained longer before one of them is chosen."""
SWEEP: Final = (30, 100)
"""Steps of a range test, fewest and most; as many as a short training in between."""
LOWEST, HIGHEST = 1e-5, 3.0
"""Rates of a range test: hardly a network learns at others, and few steps must do."""
CLEARLY: Final = 0.5
"""Share of what can be learned that a change to the first cause must add to end the search: no
choice of seeds does that."""


@dataclass
class Search:
    """The state of the search.

    Attributes:
        steps: of a short training.
        unchanged: value of the unchanged program; -inf where it diverges, or was not measured.
        measured: whether the unchanged program was trained to the end of a short training.
        tried: value of each combination, by its ids.
        left_out: id of a change -> why it was not tried.
    """

    found: Subject
    bench: Bench
    budget: Budget
    steps: int
    unchanged: float = -math.inf
    measured: bool = False
    tried: dict[tuple[str, ...], float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds_per_trial: float = 0.0
    combinations: dict[tuple[str, ...], Changes] = field(default_factory=dict)

    def value(self, changes: Changes) -> float | None:
        """The score of a short training with `changes`; None if it is not available."""
        key = ids(changes)
        if key in self.tried:
            return self.tried[key]
        if self.tried and (self.budget.left <= self.seconds_per_trial
                           or self.budget.steps_left < self.steps):
            return None
        began = time.monotonic()
        try:
            trial = self.bench.run(changes, (0,), self.steps, self.budget.part())[0]
        except NotApplicableError as reason:
            self.left_out[key[-1]] = str(reason)
            return None
        self.seconds_per_trial = max(self.seconds_per_trial * 0.8, time.monotonic() - began)
        if not trial.complete:
            return None
        if self.found.task is None and math.isnan(trial.loss) and not trial.diverged:
            self.left_out[key[-1]] = "it changes the loss, and there is no score to compare"
            return None
        self.tried[key] = value_of(trial, self.found.task)
        self.combinations[key] = changes
        return self.tried[key]

    def good(self, value: float) -> bool:
        """Whether next to all is learned that can be."""
        task = self.found.task
        return task is not None and task.learned(value) >= GOOD

    def convicts(self, value: float) -> bool:
        """Whether a change with this value is what the program lacked, whatever else would help."""
        task = self.found.task
        if not math.isfinite(value):
            return False
        if task is None:  # values are losses with their sign changed
            return -math.inf < self.unchanged < 0 and value >= (1 - CLEARLY) * self.unchanged
        before = task.learned(self.unchanged) if math.isfinite(self.unchanged) else 0.0
        return self.good(value) or task.learned(value) - max(0.0, before) >= CLEARLY

    def suggested_rate(self, changes: Changes) -> float | None:
        """The rate that a range test of the program with `changes` suggests."""
        if any(change.slot == "rate" and "optimizer" not in change.settings for change in changes):
            return None
        few, most = SWEEP
        count = int(min(most, max(few, self.steps)))
        if self.budget.steps_left < count + self.steps or self.budget.spent:
            return None
        rates = np.geomspace(LOWEST, HIGHEST, count)
        try:
            return range_curve.suggest(self.bench.sweep(changes, rates, self.budget.part()))
        except NotApplicableError as reason:
            self.left_out[OWN_RATE] = str(reason)
            return None


def ids(changes: Sequence[Change]) -> tuple[str, ...]:
    """Names of changes, by which trials are remembered."""
    return tuple(change.id for change in changes)


def searched(search: Search, pool: list[Candidate]) -> None:
    """Try candidates, one at a time and then together, until one is good or the budget is spent.

    `pool` gets the rates that were tried, in the place of the candidate that stands for them.
    """
    unchanged = search.value(())
    search.measured = unchanged is not None
    search.unchanged = -math.inf if unchanged is None else unchanged
    best: Changes = ()
    value = search.unchanged
    for suspected in (True, False):
        for step in (_best_of, _together, _with_rates):
            found, now = step(search, pool, suspected)
            if now > value + (MATTERS / 2 if len(found) > len(best) > 0 else 1e-9):
                best, value = found, now
            if search.convicts(value) if suspected else search.good(value):
                break
        if search.convicts(value):
            break
    ranked = sorted((one.change for one in pool if ids([one.change]) in search.tried),
                    key=lambda change: -search.tried[ids([change])])
    while best and len(best) < TOGETHER and not search.good(value):
        more = [change for change in ranked if not same_slot(change, best)][:KEPT]
        wider, higher = _widened(search, best, [*_retuned(search, best), *more])
        if higher <= value + MATTERS / 2:
            break
        best, value = wider, higher


def finalists(search: Search) -> list[Changes]:
    """The changes to train longer: the best combination, its parts, and its best rivals.

    The simplest come first; nothing that is no better than the unchanged program is among them.
    """
    better = [(value, key) for key, value in search.tried.items()
              if key and value > search.unchanged + 1e-9]
    if not better:
        return []
    better.sort(key=lambda pair: (-pair[0], len(pair[1])))
    best = search.combinations[better[0][1]]
    if len(best) == 1 and search.good(better[0][0]):
        return [best]  # no rival can be better by much, or simpler
    parts = [(value, key) for value, key in better if len(key) == 1
             and search.combinations[key][0] in best]
    chosen = [best, *(search.combinations[key] for _, key in parts)]
    chosen += [search.combinations[key] for _, key in better]
    unique = list({ids(one): one for one in chosen}.values())[:FINALISTS]
    return sorted(unique, key=len)


def _best_of(search: Search, pool: list[Candidate], suspected: bool) -> tuple[Changes, float]:
    """The one candidate that is best, and better than the unchanged program; else ()."""
    best: Changes = ()
    value = search.unchanged
    for one in [one for one in pool if one.suspected is suspected]:
        for change in _resolved(search, pool, one):
            now = search.value((change,))
            if now is not None and now > value + 1e-9:
                best, value = (change,), now
        if search.good(value):
            break
    return best, value


def _together(search: Search, pool: list[Candidate], suspected: bool) -> tuple[Changes, float]:
    """All that the findings ask for at once, with and without another rate: one fault may hide
    another, so that no change helps by itself."""
    found: Changes = ()
    for one in pool if suspected else ():
        if (one.suspected and one.change.id not in search.left_out and one.change.id != OWN_RATE
                and len(found) < TOGETHER and not same_slot(one.change, found)):
            found = (*found, one.change)
    if len(found) < 2:
        return (), -math.inf
    best, value = found, search.value(found)
    if value is None:
        return (), -math.inf
    if not search.convicts(value):
        return max([(best, value), *_retried(search, found)], key=lambda pair: pair[1])
    return best, value


def _retried(search: Search, changes: Changes) -> list[tuple[Changes, float]]:
    """`changes` at the rate that suits them."""
    tried = [((*changes, rate), search.value((*changes, rate)))
             for rate in _retuned(search, changes)]
    return [(found, value) for found, value in tried if value is not None]


def _resolved(search: Search, pool: list[Candidate], one: Candidate) -> list[Change]:
    """The change itself; of the program's own rate the one that a range test suggests."""
    if one.change.id != OWN_RATE:
        return [one.change]
    place = pool.index(one)
    rate = search.suggested_rate(())
    if rate is None:
        search.left_out.setdefault(OWN_RATE, "the range test found no rate")
        return []
    change = at_rate(rate)
    pool[place] = Candidate(change, one.because)
    return [change]


def _widened(search: Search, base: Changes, changes: Sequence[Change]) -> tuple[Changes, float]:
    best, value = base, search.tried[ids(base)]
    for change in changes:
        now = search.value((*base, change))
        if now is not None and now > value + 1e-9:
            best, value = (*base, change), now
        if search.good(value):
            break
    return best, value


def _with_rates(search: Search, pool: list[Candidate], suspected: bool) -> tuple[Changes, float]:
    """Changes that need another rate to show: the first few, with Adam and with a rate that suits.

    A rate that the unscaled inputs forced on a program is too low once they are scaled.
    """
    best: Changes = ()
    value = search.unchanged
    changes = [one.change for one in pool if one.suspected is suspected
               and one.change.slot != "rate" and one.change.id not in search.left_out
               and ids([one.change]) in search.tried]
    others = [one.change for one in pool if "optimizer" in one.change.settings
              and one.change.id not in search.left_out]
    for change in changes[:RETUNED]:
        for rate in [*_retuned(search, (change,)), *others]:
            now = search.value((change, rate))
            if now is not None and now > value + 1e-9:
                best, value = (change, rate), now
            if search.convicts(value):
                return best, value
    return best, value


def _retuned(search: Search, changes: Changes) -> list[Change]:
    """The learning rate that a range test suggests once `changes` are made."""
    if any(change.slot == "rate" for change in changes):
        return []
    rate = search.suggested_rate(changes)
    return [] if rate is None else [at_rate(rate)]
