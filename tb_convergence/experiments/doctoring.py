"""`doctor`: from what a training shows to a change that is proven to make it better.

1. A short recording gives findings, each with candidate causes.
2. Each cause has a change that would fix it. The cheapest experiments come first: one range test,
   then short trainings with one change each, then with the best of them together.
3. The change that wins is proven against the unchanged program over three seeds, in full length as
   far as the budget allows. What was not measured is not reported as a fix.
"""

from __future__ import annotations

import logging
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import keras
import numpy as np

from tb_convergence.core.diagnosis import Finding
from tb_convergence.core.experiments import Outcome, Verdict
from tb_convergence.experiments import learning_rate, optimizers
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.candidates import Candidate, ordered, same_slot
from tb_convergence.experiments.changes import Change
from tb_convergence.experiments.changes import learning_rate as at_rate
from tb_convergence.experiments.changes import optimizer as with_optimizer
from tb_convergence.experiments.edits import NotApplicableError
from tb_convergence.experiments.intervals import MATTERS, paired
from tb_convergence.experiments.prescription import Prescription, Proof, best_proof
from tb_convergence.experiments.session import Settings, Subject, keep, subject
from tb_convergence.experiments.trials import Bench, Trial, value_of

TIMES: Final = 5.0
FLOOR_SECONDS: Final = 90.0
"""Default budget: five times the training, and never less than this: tracing has its price."""
RECORDED_STEPS: Final = 400
SHORTEST, LONGEST = 60, 400
"""Steps of a short training; a quarter of the whole one in between."""
SEEDS: Final = (0, 1, 2)
PROOF_SHARE: Final = 0.45
"""Part of the budget that is kept for the proof."""
GOOD: Final = 0.9
"""Share of what can be learned from which no further candidates are tried."""
NEAR: Final = 0.8
"""Share of what the best change reaches from which a simpler one is proven first."""
CLEARLY: Final = 0.3
"""Share of what can be learned by which one short training must be better to convict alone."""
TOGETHER: Final = 3
"""Changes that are combined at most."""
RETUNED: Final = 4
"""Changes that are tried with a rate of their own."""
KEPT: Final = 6
"""Candidates that are tried on top of the best one."""


@dataclass
class _Search:
    """What is known so far."""

    found: Subject
    bench: Bench
    budget: Budget
    steps: int
    unchanged: float = -math.inf
    tried: dict[tuple[str, ...], float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    seconds_per_trial: float = 0.0
    rates: list[Change] = field(default_factory=list)

    def value(self, changes: Sequence[Change]) -> float | None:
        """The value of a short training with `changes`; None where it cannot be had."""
        key = tuple(change.id for change in changes)
        if key in self.tried:
            return self.tried[key]
        if self.budget.left <= self.seconds_per_trial and self.tried:
            return None
        began = time.monotonic()
        try:
            trial = self.bench.run(changes, (0,), self.steps, self.budget)[0]
        except NotApplicableError as reason:
            self.left_out[key[-1]] = str(reason)
            return None
        self.seconds_per_trial = max(self.seconds_per_trial * 0.8, time.monotonic() - began)
        if not trial.complete:
            return None
        value = value_of(trial, self.found.task)
        if self.found.task is None and math.isnan(trial.loss) and not trial.diverged:
            self.left_out[key[-1]] = "it changes the loss, and nothing else can be compared"
            return None
        self.tried[key] = value
        return value


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
) -> Prescription:
    """Find out why a training does not converge, and prove what makes it.

    The model, its optimizer, and all random states are bit for bit the same afterwards.

    Args:
        model: a compiled Keras model, or a function that builds one.
        x, y, validation_data, sample_weight, class_weight, batch_size, epochs, steps_per_epoch,
            shuffle: as the call of `fit` that disappoints.
        settings: seconds (by default five times the training, 90 at least), progress, and the run's
            folder: the recording and the verdict are written to it.

    Raises:
        ValueError: model or data cannot be used; the message says why.
    """
    settings = settings or Settings()
    with subject(model, x, y, validation_data=validation_data, sample_weight=sample_weight,
                 class_weight=class_weight, batch_size=batch_size, settings=settings) as found:
        found.sample = replace(found.sample, shuffled=found.sample.shuffled and shuffle)
        per_epoch = steps_per_epoch or max(1, len(found.sample) // found.sample.batch_size)
        result = examine(found, max(1, epochs * per_epoch), settings)
    keep(settings, lambda: result.record)
    return result


def examine(found: Subject, planned: int, settings: Settings) -> Prescription:
    """The doctor's work on a subject whose whole training has `planned` steps."""
    began = time.monotonic()
    bench = Bench(found)
    findings, seconds_per_step = record(found, bench, planned, settings)
    training = seconds_per_step * planned
    total = settings.seconds or max(FLOOR_SECONDS, TIMES * training)
    budget = Budget(max(0.0, total - (time.monotonic() - began)))
    short = int(min(LONGEST, max(SHORTEST, planned / 4)))
    search = _Search(found, bench, budget.part(1 - PROOF_SHARE), short)
    pool: list[Candidate] = []
    chosen: tuple[Change, ...] = ()
    proofs: list[Proof] = []
    interrupted = False
    try:
        pool = _candidates(search, findings)
        chosen = _search(search, pool)
        proofs = _prove(search, chosen, planned, budget)
    except KeyboardInterrupt:
        interrupted = True
    return _told(search, findings, pool, chosen, proofs, planned, began, interrupted)


# ---- recording ------------------------------------------------------------------------------


def record(found: Subject, bench: Bench, planned: int, settings: Settings
           ) -> tuple[list[Finding], float]:
    """Findings of a first short training with the recorder, and seconds of one plain step."""
    from tb_convergence.training.keras.callback import ConvergenceCallback  # noqa: PLC0415 - heavy

    findings: dict[str, Finding] = {}
    steps = min(planned, RECORDED_STEPS)
    train = bench.train
    per_epoch = max(1, len(train) // train.batch_size)
    epochs = max(1, round(steps / per_epoch))
    clock = _Clock(found, steps)
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        folder = settings.log_dir or os.path.join(scratch, "run")
        callback = ConvergenceCallback(
            folder, on_finding=lambda finding: findings.setdefault(finding.id, finding))
        held = bench.held_out
        try:
            found.model.fit(
                train.x, train.y, sample_weight=train.weight, batch_size=train.batch_size,
                epochs=epochs, steps_per_epoch=steps if steps < per_epoch else None, verbose=0,
                shuffle=train.shuffled, callbacks=[callback, clock],
                validation_data=(held.x, held.y) if held.weight is None
                else (held.x, held.y, held.weight),
            )
        finally:
            bench.restore()
    return list(findings.values()), clock.per_step


class _Clock(keras.callbacks.Callback):  # type: ignore[misc]  # Keras has no types
    """Shows how far the recording is, and measures the median step, tracing left out."""

    def __init__(self, found: Subject, steps: int) -> None:
        super().__init__()
        self._found, self._steps = found, steps
        self._times: list[float] = []
        self._began = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop it."""
        self._times.append(time.perf_counter() - self._began)
        self._found.progress(min(len(self._times), self._steps - 1), self._steps, "recording")

    @property
    def per_step(self) -> float:
        """Seconds; 0 without a step."""
        return float(np.median(self._times)) if self._times else 0.0


@contextmanager
def _quiet() -> Iterator[None]:
    """The doctor reports the findings itself, once."""
    logger = logging.getLogger("tb_convergence")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


# ---- the search -----------------------------------------------------------------------------


def _candidates(search: _Search, findings: Sequence[Finding]) -> list[Candidate]:
    """All that may be tried, what findings speak for first; rates come from range tests."""
    found = search.found
    rates = search.rates
    budget, found.budget = found.budget, search.budget
    try:
        own = learning_rate.sweep_subject(found, seeds=(0,))
        if own.suggested is not None:
            rates.append(at_rate(own.suggested))
        kind = type(optimizers.innermost(found.model.optimizer))
        if kind is not keras.optimizers.Adam:
            adam = optimizers.other(found.model.optimizer, keras.optimizers.Adam, 1e-3)
            best = learning_rate.sweep_subject(found, adam, seeds=(0,)).suggested
            rates.append(with_optimizer(keras.optimizers.Adam, best or 1e-3))
        else:
            rates.append(with_optimizer(keras.optimizers.Adam, 1e-3))
    finally:
        found.budget = budget
    return ordered(found, findings, rates)


def _search(search: _Search, pool: Sequence[Candidate]) -> tuple[Change, ...]:
    """The best combination of changes in short trainings; () where none is better."""
    search.unchanged = search.value(()) or -math.inf
    suspects = [one.change for one in pool if one.suspected]
    others = [one.change for one in pool if not one.suspected]
    best, value = _best_of(search, (), suspects)
    if not _good(search, value):
        best, value = max(
            ((best, value), _best_of(search, (), others)), key=lambda pair: pair[1])
    if not _good(search, value):
        best, value = _with_rates(search, best, value, [*suspects, *others])
    if not best:
        return ()
    ranked = sorted(
        (one.change for one in pool if (one.change.id,) in search.tried),
        key=lambda change: -search.tried[change.id,])
    while len(best) < TOGETHER and not _good(search, value):
        more = [change for change in ranked if not same_slot(change, best)][:KEPT]
        wider, higher = _best_of(search, best, [*more, *_retuned(search, best)])
        if higher <= value + MATTERS / 2:
            break
        best, value = wider, higher
    return best


def _with_rates(search: _Search, best: tuple[Change, ...], value: float,
                changes: Sequence[Change]) -> tuple[tuple[Change, ...], float]:
    """Changes that need another rate to show: the first few, each with the rate that suits it.

    A rate that the unscaled inputs forced on a program is too low once they are scaled.
    """
    for change in [one for one in changes if one.slot != "rate" and one.id not in search.left_out
                   and one not in best][:RETUNED]:
        for rate in _retuned(search, (change,)):
            now = search.value((change, rate))
            if now is not None and now > value + MATTERS / 2:
                best, value = (change, rate), now
    return best, value


def _retuned(search: _Search, changes: Sequence[Change]) -> list[Change]:
    """The learning rate that a range test suggests once `changes` are made."""
    if any(change.slot == "rate" for change in changes):
        return []
    from tb_convergence.experiments.edits import Edits  # noqa: PLC0415 - one use

    found = search.found
    sample, budget = found.sample, found.budget
    try:
        with Edits() as edits:
            setup = search.bench.setup(edits, changes)
            found.sample, found.budget = setup.train, search.budget
            rate = learning_rate.sweep_subject(found, setup.optimizer, seeds=(0,)).suggested
    finally:
        found.sample, found.budget = sample, budget
        search.bench.restore()
    return [] if rate is None else [at_rate(rate)]


def _best_of(search: _Search, base: tuple[Change, ...], changes: Sequence[Change]
             ) -> tuple[tuple[Change, ...], float]:
    """`base` with that one of `changes` that is best, and better than without; else `base`."""
    best, value = base, search.tried.get(tuple(one.id for one in base), search.unchanged)
    for change in changes:
        now = search.value((*base, change))
        if now is not None and now > value + 1e-9:
            best, value = (*base, change), now
    return best, value


def _good(search: _Search, value: float) -> bool:
    task = search.found.task
    return task is not None and task.learned(value) >= GOOD


# ---- the proof ------------------------------------------------------------------------------


def _prove(search: _Search, chosen: tuple[Change, ...], planned: int, budget: Budget
           ) -> list[Proof]:
    """The change against the unchanged program over three seeds; simpler ones if it fails."""
    if not chosen:
        return []
    options = _options(search, chosen)
    per_step = max(1e-6, search.bench.seconds_per_step)
    proofs: list[Proof] = []
    unchanged: list[Trial] = []
    steps = 0
    for option in options:
        runs = len(SEEDS) * (1 if unchanged else 2)
        # Tracing comes on top: about what a short trial took beside its steps.
        left = budget.left - 2 * max(0.0, search.seconds_per_trial - search.steps * per_step)
        affordable = int(left / (runs * per_step))
        if not unchanged:
            steps = max(search.steps, min(planned, affordable))
            unchanged = search.bench.run((), SEEDS, steps)
        changed = search.bench.run(option, SEEDS, steps)
        proofs.append(proof_of(search.found, option, unchanged, changed, steps))
        if budget.spent:
            break
    return proofs


def _options(search: _Search, chosen: tuple[Change, ...]) -> list[tuple[Change, ...]]:
    """What to prove: a simpler change first, where it comes near the best in a short training."""
    simpler = [chosen[:1]] if len(chosen) > 1 else [
        (change,) for change in search.rates
        if chosen[0].slot == "rate" and change != chosen[0] and (change.id,) in search.tried
        and "optimizer" not in change.settings]
    task, best = search.found.task, search.tried[tuple(one.id for one in chosen)]
    if task is None:
        return [chosen, *simpler]
    near = [one for one in simpler if task.learned(search.tried[one[0].id,])
            >= NEAR * task.learned(best)]
    rest = [one for one in simpler if one not in near]
    return [*near, chosen, *rest][:2]


def proof_of(found: Subject, changes: tuple[Change, ...], unchanged: Sequence[Trial],
             changed: Sequence[Trial], steps: int) -> Proof:
    """Compare the trials: proven where each with is better than each without, by what matters.

    Of three against three that happens by chance once in twenty times.
    """
    before = [value_of(trial, found.task) for trial in unchanged]
    after = [value_of(trial, found.task) for trial in changed]
    size = MATTERS if found.task is not None else MATTERS * abs(float(np.mean(before)))
    apart = min(after) > max(before) and (
        not all(map(math.isfinite, before))
        or float(np.mean(after)) - float(np.mean(before)) > size)
    return Proof(changes, tuple(before), tuple(after), steps, paired(after, before),
                 bool(apart and all(map(math.isfinite, after))))


# ---- the verdict ----------------------------------------------------------------------------


def _told(search: _Search, findings: Sequence[Finding], pool: Sequence[Candidate],
          chosen: tuple[Change, ...], proofs: Sequence[Proof], planned: int, began: float,
          interrupted: bool) -> Prescription:
    proven = best_proof(proofs)
    found = search.found
    candidates = [
        replace(one, value=search.tried.get((one.change.id,)),
                not_tried=search.left_out.get(one.change.id, ""))
        for one in pool
    ]
    return Prescription(
        findings=tuple(findings), candidates=tuple(candidates), proofs=tuple(proofs),
        unchanged=search.unchanged, task=found.task, short_steps=search.steps,
        planned_steps=planned, seconds=time.monotonic() - began,
        verdicts=tuple(_verdicts(search, findings, candidates, proven)), interrupted=interrupted,
        step=found.step, model=found.model.name,
        optimizer=type(optimizers.innermost(found.model.optimizer)).__name__,
        rate_in_use=optimizers.rate_of(found.model.optimizer),
    )


def _of_optimizer(search: _Search, candidates: Sequence[Candidate]
                  ) -> dict[str, tuple[Outcome, str]]:
    """The optimizer is to blame only where another learns what this one learns at no rate."""
    own = [one.value for one in candidates if one.change.id.startswith("learning-rate=")]
    others = [one.value for one in candidates if "optimizer" in one.change.settings]
    task = search.found.task
    if task is None or not others or others[0] is None:
        return {}
    mine = max([search.unchanged, *(value for value in own if value is not None)])
    why = (f"{search.steps} steps with Adam give {others[0]:.3g}, with the program's optimizer "
           f"{mine:.3g} at its best rate.")
    gain = task.learned(others[0]) - (task.learned(mine) if math.isfinite(mine) else 0.0)
    if gain > CLEARLY:
        return {"optimizer-mismatch": ("confirmed", why)}
    return {"optimizer-mismatch": ("refuted" if gain < MATTERS else "undecided", why)}


_CLEARER: Final = {"refuted": 0, "undecided": 1, "confirmed": 2}
"""Of several changes for one diagnosis: it is refuted only where all are."""


def _verdicts(search: _Search, findings: Sequence[Finding], candidates: Sequence[Candidate],
              proven: Proof | None) -> Iterator[Verdict]:
    """What the doctor says of each diagnosis that a candidate addresses."""
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
        why = (f"{search.steps} steps {one.change.title} give {one.value:.3g}, unchanged "
               f"{search.unchanged:.3g}.")
        for id_ in addressed(one.change, rate):
            known = said.get(id_)
            if known is None or _CLEARER[outcome] > _CLEARER[known[0]]:
                said[id_] = (outcome, why)
    said |= _of_optimizer(search, candidates)
    for id_, (outcome, why) in said.items():
        yield Verdict(id_, outcome, why)


def _outcome(search: _Search, value: float) -> Outcome:
    """What one short training with a change says of the cause that it addresses.

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
