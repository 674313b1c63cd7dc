"""The doctor's proof: the finalists trained longer, and the best of them over three seeds.

The unchanged and the changed program train from the same starts, on the same batches. They are
compared on held-out samples that the search did not look at, where there are enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.edits import NotApplicableError
from tb_convergence.experiments.intervals import MATTERS, paired
from tb_convergence.experiments.prescription import Proof
from tb_convergence.experiments.search import Changes, Search
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.trials import Trial, proof_of, value_of

SEEDS: Final = (0, 1, 2)
MORE_RIGHT: Final = 5
"""Samples of which the changed program must answer more rightly: where a change does nothing, five
that differ do so all in its favor once in 32 times (sign test). Seeds do not show this chance: they
are all judged on the same samples."""
ATTEMPTS: Final = 2
"""Finalists that are proven at most."""


def prove(search: Search, options: Sequence[Changes], planned: int, budget: Budget) -> list[Proof]:
    """Prove the best finalists one after another, until one is proven.

    Args:
        options: the simplest first.
        planned: steps of the whole training; a proof has as many where the budget allows.
    """
    if not options:
        return []
    steps = _length(search, options, planned, budget)
    untimed = Budget(parent=budget)  # a proof that is cut short proves nothing
    trained: list[tuple[Changes, Trial]] = []
    for option in options:
        try:
            trained.append((option, search.bench.run(option, SEEDS[:1], steps, untimed)[0]))
        except NotApplicableError:  # it was applicable before: only a race can end here
            continue
    proofs: list[Proof] = []
    unchanged: list[Trial] = []
    for option, first in _by_merit(search.found, trained)[:ATTEMPTS]:
        unchanged = unchanged or search.bench.run((), SEEDS, steps, untimed)
        others = search.bench.run(option, SEEDS[1:], steps, untimed)
        proofs.append(compared(search.found, option, unchanged, [first, *others], steps,
                               search.bench.separate, search.bench.judged))
        if proofs[-1].proven or budget.spent:
            break
    return proofs


def _length(search: Search, options: Sequence[Changes], planned: int, budget: Budget) -> int:
    """Steps of each training of the proof; those of an interrupted proof, so that it goes on."""
    log, key = search.found.log, ("proof", [[change.id for change in one] for one in options])
    known = log.get(*key, training=False)
    if known is not None:
        return int(known["length"])
    steps = _affordable(search, len(options), planned, budget)
    log.put({"length": steps}, *key)
    return steps


def _affordable(search: Search, options: int, planned: int, budget: Budget) -> int:
    """Steps of each training: one of each option, the unchanged ones, two more of a proof."""
    runs = options + len(SEEDS) + min(options, ATTEMPTS) * (len(SEEDS) - 1)
    by_steps = budget.steps_left / runs
    per_step = max(1e-6, search.bench.seconds_per_step)
    # Predicting and starting anew come on top: about what a short trial took beside its steps.
    extra = max(0.0, search.seconds_per_trial - search.steps * per_step)
    by_time = max(0.0, budget.left - 2 * extra) / (runs * per_step)
    return int(max(1, min(planned, max(min(by_steps, by_time), min(search.steps, by_steps)))))


def _by_merit(found: Subject, trained: Sequence[tuple[Changes, Trial]]
              ) -> list[tuple[Changes, Trial]]:
    """Best first; of two that hardly differ the simpler."""
    rest = list(trained)
    order = []
    while rest:
        values = [value_of(trial, found.task) for _, trial in rest]
        top = max(values)
        size = MATTERS if found.task is not None else MATTERS * abs(top)
        near = [place for place, value in enumerate(values)
                if value >= top - size or value == top]
        place = min(near, key=lambda index: (len(rest[index][0]), -values[index]))
        order.append(rest.pop(place))
    return order


def compared(found: Subject, changes: Changes, unchanged: Sequence[Trial],
             changed: Sequence[Trial], steps: int, separate: bool, judged: int) -> Proof:
    """Compare the trials: proven where each with is better than each without, by what matters.

    Of three against three that happens by chance once in twenty times.

    Args:
        judged: samples that each trial was judged on.
    """
    before = [proof_of(trial, found.task) for trial in unchanged]
    after = [proof_of(trial, found.task) for trial in changed]
    size = MATTERS if found.task is not None else MATTERS * abs(float(np.mean(before)))
    if found.task is not None and found.task.measure == "accuracy":
        size = max(size, (MORE_RIGHT - 0.5) / judged)  # half a sample: means are of rounded values
    apart = len(after) == len(before) == len(SEEDS) and min(after) > max(before) and (
        not all(map(math.isfinite, before))
        or float(np.mean(after)) - float(np.mean(before)) > size)
    return Proof(changes, tuple(before), tuple(after), steps, paired(after, before),
                 bool(apart and all(map(math.isfinite, after))), separate)
