"""`doctor`: from what a training shows to a change that is proven to make it better.

1. A short recording gives findings, each with candidate causes.
2. Each cause has a change that would fix it: `search` tries those of the first cause first, in
   short trainings, and stops as soon as one makes the program learn.
3. `proving` trains the best of them longer, over three seeds, against the unchanged program. What
   was not measured is not reported as a fix.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import keras

from tb_convergence.core.diagnosis import Finding
from tb_convergence.experiments import optimizers
from tb_convergence.experiments.bench import Bench
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.candidates import LATE, Candidate, ordered, own_rate, weight
from tb_convergence.experiments.changes import optimizer as with_optimizer
from tb_convergence.experiments.confirmation import verdicts
from tb_convergence.experiments.prescription import Prescription, Proof, best_proof
from tb_convergence.experiments.proving import prove
from tb_convergence.experiments.recording import record
from tb_convergence.experiments.search import Search, finalists, searched
from tb_convergence.experiments.session import Settings, Subject, keep, subject

TIMES: Final = 5
FLOOR_SECONDS: Final = 90.0
FLOOR_TIMES: Final = 15
FLOOR_STEPS: Final = (1500, 6000)
"""Default budget: five times the training, and 90 seconds at least, on a machine that does nothing
else: one that is busy gets as much longer as the recording took longer than it worked.

Five times is too little for a proof in full length: it takes six trainings, three with the change
and three without; the recording takes two, and two more decide between finalists. So a training
that is over in seconds gets 15 times its steps (ten for these, five for the search), up to 6,000
steps, which a person waits for. A search needs 1,500 steps whatever the length: some 25 changes, 20
steps or more for each, with rates of their own."""
LONGEST: Final = 400
SHORTEST: Final = 20
PART: Final = 1 / 40
"""Steps of a short training: this part of the budget, within these limits."""
PROOF_SHARE: Final = 0.45
"""Part of the budget that is kept for the proof."""
ADAM_RATE: Final = 1e-3
"""Kingma & Ba 2015, arXiv:1412.6980: the rate that suits most networks."""


def doctor(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | None = None,
    batch_size: int | None = None,
    epochs: int = 1,
    steps_per_epoch: int | None = None,
    shuffle: bool = True,
    settings: Settings | None = None,
    diff_of: Callable[[Prescription], str] | None = None,
) -> Prescription:
    """Find out why a training does not converge, and prove a fix.

    Afterward the model, its optimizer, and all random states are bit for bit what they were.

    Args:
        model: a compiled Keras model, or a function that builds one.
        x, y, validation_data, sample_weight, class_weight, batch_size, epochs, steps_per_epoch,
            shuffle: as in your call of `fit`.
        settings: limits, progress, and the run's folder. By default the limits are five times the
            training, for a short training 15 times its steps (up to 6,000), and at least 90
            seconds. The doctor writes its result into the folder, and also the recording unless
            the folder already holds a run.
        diff_of: makes the diff of your script that the record contains, from the result.

    Raises:
        ValueError: the model or data cannot be used; the message gives the reason.
    """
    settings = settings or Settings()
    with subject(model, x, y, validation_data=validation_data, sample_weight=sample_weight,
                 class_weight=class_weight, batch_size=batch_size, settings=settings,
                 experiment="doctor") as found:
        found.sample = replace(found.sample, shuffled=found.sample.shuffled and shuffle)
        per_epoch = steps_per_epoch or found.sample.steps_per_epoch
        result = examine(found, max(1, epochs * per_epoch), settings)
    if diff_of is not None:
        result = replace(result, diff=diff_of(result))
    keep(settings, lambda: result.record)
    if not result.interrupted and (result.proven is not None or found.budget.left > 0):
        found.log.remove()  # out of time without a proof: it can go on
    return result


def examine(found: Subject, planned: int, settings: Settings) -> Prescription:
    """The doctor's work on a subject whose whole training has `planned` steps."""
    began, used = time.monotonic(), cpu_seconds()
    bench = Bench(found, apart=True, reuse=True)
    least, most = FLOOR_STEPS
    steps = settings.steps or max(TIMES * planned, least, min(most, FLOOR_TIMES * planned))
    budget = found.budget = Budget(settings.seconds, steps=steps)
    findings, seconds_per_step = record(found, bench, planned, settings, budget)
    if settings.seconds is None:
        least_seconds = FLOOR_SECONDS * slowdown(time.monotonic() - began, cpu_seconds() - used)
        budget.seconds = budget.taken + max(least_seconds, TIMES * seconds_per_step * planned)
    late = any(finding.id in LATE for finding in findings)
    task = found.task
    if late and task is not None and task.kind != "values" and (
            min(findings, key=weight).id in LATE):
        found.task = None  # accuracy hardly shows overfitting: the held-out loss does
    whole = settings.steps or max(most, steps)
    short = LONGEST if late else max(SHORTEST, int(whole * PART))
    short = min(LONGEST, planned, short)
    search = Search(found, bench, budget.part(1 - PROOF_SHARE), short)
    pool: list[Candidate] = []
    proofs: list[Proof] = []
    interrupted = False
    try:
        adam = with_optimizer(keras.optimizers.Adam, ADAM_RATE)
        pool = ordered(found, findings, [own_rate(), adam])
        searched(search, pool)
        proofs = prove(search, finalists(search), planned, budget)
    except KeyboardInterrupt:
        interrupted = True
    return _prescription(search, findings, pool, proofs, planned, began, budget, interrupted)


def cpu_seconds() -> float:
    """Seconds that the processors have worked for this process."""
    return time.process_time()


def slowdown(wall: float, cpu: float) -> float:
    """How many times longer something took because the machine was busy with other work; 1 if not.

    >>> slowdown(20.0, 10.0), slowdown(10.0, 15.0), slowdown(0.0, 0.0)
    (2.0, 1.0, 1.0)
    """
    return max(1.0, wall / cpu) if cpu > 0 else 1.0


def _prescription(search: Search, findings: Sequence[Finding], pool: Sequence[Candidate],
                  proofs: Sequence[Proof], planned: int, began: float, budget: Budget,
                  interrupted: bool) -> Prescription:
    proven = best_proof(proofs)
    found = search.found
    candidates = [
        replace(one, value=search.tried.get((one.change.id,)),
                not_tried=search.left_out.get(one.change.id, ""))
        for one in pool
    ]
    return Prescription(
        findings=tuple(sorted(findings, key=weight)), candidates=tuple(candidates),
        proofs=tuple(proofs),
        unchanged=search.unchanged, task=found.task, short_steps=search.steps,
        planned_steps=planned, seconds=time.monotonic() - began,
        verdicts=tuple(verdicts(search, findings, candidates, proven)), interrupted=interrupted,
        step=found.step, model=found.model.name,
        optimizer=type(optimizers.innermost(found.model.optimizer)).__name__,
        rate_in_use=optimizers.rate_of(found.model.optimizer), steps=budget.made,
        restored=found.log.restored, measured=search.measured,
    )
