"""`ablate`: which single change improves this training, by how much, and how certain that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Final

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict, Outcome
from tb_convergence.core.text.numbers import number, signed
from tb_convergence.core.text.phrases import capital
from tb_convergence.experiments import intervals
from tb_convergence.experiments.bench import Bench
from tb_convergence.experiments.budget import Ended
from tb_convergence.experiments.changes import BY_ID, CHANGES, Change
from tb_convergence.experiments.edits import NotApplicableError
from tb_convergence.experiments.intervals import Difference, beyond_chance, paired
from tb_convergence.experiments.session import Settings, Subject, keep, subject
from tb_convergence.experiments.task import Task
from tb_convergence.experiments.trials import Trial, value_of

STEPS: Final = 300
SEEDS: Final = (0, 1, 2)
CLEARLY: Final = 0.3
"""Share of what can be learned from which a change that helps beyond chance is believed however
many were tried: no choice of seeds does that. Of a loss, the part of it that goes."""
LEARNS: Final = 0.1
"""Share of what can be learned above which a training learns."""
COSTLY: Final = ("with-penalty", "with-dropout", "early-stopping", "lecun-normal",
                 "glorot-uniform", "elu", "sgd", "warm-up", "cosine")
"""Left out unless they are named: they rarely differ from another that is tried."""


@dataclass(frozen=True)
class Effect:
    """The effect of one change.

    Attributes:
        change: the change.
        trials: one for each seed.
        difference: paired difference from the unchanged program.
    """

    change: Change
    trials: tuple[Trial, ...]
    difference: Difference


@dataclass(frozen=True)
class Ablation:
    """The result of `ablate`.

    Attributes:
        unchanged: trials of the unchanged program.
        effects: best first.
        left_out: (id, reason) for each change that does not apply to the model.
        task: what the model predicts; None if unknown. In that case losses are compared.
        steps: steps of each training.
        ended: how the experiment ended.
        step: the model's step.
        restored: trainings that an earlier, interrupted run of the experiment had made.
    """

    unchanged: tuple[Trial, ...]
    effects: tuple[Effect, ...]
    left_out: tuple[tuple[str, str], ...]
    task: Task | None
    steps: int
    ended: Ended = "finished"
    step: int = 0
    model: str = "model"
    restored: int = 0

    @property
    def measure(self) -> str:
        """"accuracy", "R2", or "loss" (its sign changed, so that higher is better)."""
        return "loss" if self.task is None else self.task.measure

    @property
    def best(self) -> Effect | None:
        """The change that helps most, beyond chance; None if none does."""
        helping = [one for one in self.effects
                   if one.change.id in self.helping and not one.change.control]
        return max(helping, key=lambda one: one.difference.mean, default=None)

    @property
    def helping(self) -> frozenset[str]:
        """Ids of the changes that help beyond chance, although the best of many is looked at."""
        tried = [one for one in self.effects if not one.change.control]
        sure = beyond_chance([one.difference for one in tried])
        return frozenset(
            one.change.id for one, real in zip(tried, sure, strict=True)
            if one.difference.helps and (real or one.difference.mean >= CLEARLY * self._scope))

    @property
    def _scope(self) -> float:
        """What there is to gain: up to no error, or up to no loss."""
        if self.task is None:
            return abs(_mean(self.values))
        return 1.0 - self.task.baseline

    @property
    def values(self) -> tuple[float, ...]:
        """Of the unchanged program, one for each seed."""
        return tuple(value_of(one, self.task) for one in self.unchanged)

    @property
    def summary(self) -> str:
        """One or two sentences."""
        if not self.unchanged:
            return f"No training was completed ({self.ended})."
        now = _mean(self.values)
        best = self.best
        trained = f"{self.steps} steps, {len(self.unchanged)} seeds"
        if best is None:
            return (f"No change helps significantly. Unchanged, {self.measure} is {_value(now)} "
                    f"({trained}).")
        then = _mean([value_of(one, self.task) for one in best.trials])
        return (f"{capital(best.change.title)}, {self.measure} is {_value(then)} instead of "
                f"{_value(now)} ({_interval(best.difference)}; {trained}).")

    @property
    def verdicts(self) -> tuple[ExperimentVerdict, ...]:
        """What follows for diagnoses: the clearest word on each."""
        found: dict[str, ExperimentVerdict] = {}
        for effect in self.effects:
            for verdict in _verdicts(effect, self):
                known = found.get(verdict.finding)
                if known is None or _ORDER[verdict.outcome] > _ORDER[known.outcome]:
                    found[verdict.finding] = verdict
        return tuple(found.values())

    def __str__(self) -> str:
        lines = [f"Ablation of {self.model}: {self.summary}"]
        helping = self.helping
        for effect in self.effects:
            mark = ("+" if effect.change.id in helping else "-" if effect.difference.hurts
                    else " ")
            values = [value_of(one, self.task) for one in effect.trials]
            lines.append(f"  {mark} {effect.change.title}: {_value(_mean(values))} "
                         f"({_interval(effect.difference)})")
        lines += [f"    not tried: {id_}: {reason}" for id_, reason in self.left_out]
        if self.restored:
            lines.append(f"    {self.restored} trainings are reused from before an interruption")
        return "\n".join(lines)

    @property
    def record(self) -> ExperimentRecord:
        """For the log."""
        return ExperimentRecord("ablate", self.summary, self.verdicts, {
            "measure": self.measure, "steps": self.steps,
            "baseline": self.task.baseline if self.task else None,
            "ended": self.ended, "unchanged": list(self.values),
            "effects": [
                {"id": one.change.id, "title": one.change.title, "control": one.change.control,
                 "values": [value_of(t, self.task) for t in one.trials],
                 "mean": one.difference.mean, "low": one.difference.low,
                 "high": one.difference.high, "helps": one.change.id in self.helping,
                 "hurts": one.difference.hurts}
                for one in self.effects
            ],
            "left_out": [{"id": id_, "reason": reason} for id_, reason in self.left_out],
        }, self.step)

    def plot(self, ax: Any = None) -> Any:
        """Draw the effects with their intervals; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import draw_ablation  # noqa: PLC0415 - optional

        return draw_ablation(self, ax)


_ORDER: Final = {"undecided": 0, "refuted": 1, "confirmed": 2}


def ablate(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    validation_data: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    changes: Sequence[str | Change] | None = None,
    steps: int = STEPS,
    seeds: Sequence[int] = SEEDS,
    settings: Settings | None = None,
    executor: Executor | None = None,
) -> Ablation:
    """Train briefly with one change at a time, from the same weights and on the same batches.

    Args:
        model: a compiled Keras model, or a function that builds one.
        x, y, sample_weight, validation_data: as for `fit`. Without validation data, a fifth of the
            samples is held out.
        batch_size: batch size of the training; 32 by default.
        changes: ids (`changes.CHANGES` lists them) or `Change` objects; by default the usual ones.
        steps: steps of each training.
        seeds: seed 0 uses the program's own initial weights; each other seed draws new ones.
        settings: limits, progress, and the run's folder.
        executor: a `concurrent.futures.Executor` of processes; it does not affect the results.
            `model` must then be a function at the top level of a module, or contain only Keras
            layers.

    Raises:
        ValueError: the model, data, or ids cannot be used.
    """
    settings = settings or Settings()
    wanted = chosen(changes)
    with subject(model, x, y, validation_data=validation_data, sample_weight=sample_weight,
                 batch_size=batch_size, settings=settings, experiment="ablate") as found:
        if executor is not None:
            from tb_convergence.experiments.parallel import ablated_by  # noqa: PLC0415 - optional

            result = ablated_by(executor, model, found, wanted, steps, seeds)
        else:
            result = ablate_subject(found, wanted, steps, seeds)
        result = replace(result, restored=found.log.restored)
    keep(settings, lambda: result.record)
    if result.ended == "finished":
        found.log.remove()
    return result


def chosen(changes: Sequence[str | Change] | None) -> list[Change]:
    """The changes to try.

    Raises:
        ValueError: an id that there is not.
    """
    if changes is None:
        return [change for change in CHANGES if change.id not in COSTLY]
    unknown = [one for one in changes if isinstance(one, str) and one not in BY_ID]
    if unknown:
        raise ValueError(f"unknown change {unknown[0]!r}; expected one of {', '.join(BY_ID)}")
    return [BY_ID[one] if isinstance(one, str) else one for one in changes]


def ablate_subject(found: Subject, wanted: Sequence[Change], steps: int, seeds: Sequence[int]
                   ) -> Ablation:
    """The ablation within an experiment that has begun."""
    bench = Bench(found)
    progress, total = found.progress, (len(wanted) + 1) * len(seeds) * steps
    unchanged: list[Trial] = []
    tried: list[tuple[Change, list[Trial]]] = []
    left_out: list[tuple[str, str]] = []
    ended: Ended = "finished"
    done = 0

    def show(now: int, of: int, what: str) -> None:
        progress(min(done + now, total - 1), total, what)

    found.progress = show
    try:
        unchanged = bench.run((), seeds, steps, found.budget)
        for place, change in enumerate(wanted):
            done = (place + 1) * len(seeds) * steps
            if found.budget.spent:
                ended = "out of time"
                break
            try:
                tried.append((change, bench.run((change,), seeds, steps, found.budget)))
            except NotApplicableError as reason:
                left_out.append((change.id, str(reason)))
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        found.progress = progress
        progress(total, total, "")
    return compared(found, unchanged, tried, left_out, steps, ended, len(bench.held_out))


def compared(
    found: Subject, unchanged: Sequence[Trial], tried: Sequence[tuple[Change, Sequence[Trial]]],
    left_out: Sequence[tuple[str, str]], steps: int, ended: Ended, judged: int,
) -> Ablation:
    """The result; trials that ended early are not compared.

    Args:
        judged: samples that each training was judged on.
    """
    by_score = found.task is not None
    grain = 1.0 / judged if found.task is not None and found.task.measure == "accuracy" else 0.0
    whole = [trial for trial in unchanged if trial.complete]
    effects = []
    for change, trials in tried:
        complete = [trial for trial in trials if trial.complete]
        theirs = {trial.seed: value_of(trial, found.task) for trial in whole}
        pairs = [(value_of(t, found.task), theirs[t.seed]) for t in complete if t.seed in theirs]
        if pairs and (by_score or not math.isnan(complete[0].loss) or complete[0].diverged):
            difference = paired([ours for ours, _ in pairs], [other for _, other in pairs], grain)
            effects.append(Effect(change, tuple(complete), difference))
        elif pairs:
            left_out = [*left_out, (change.id, "it changes the loss, and there is no score to "
                                    "compare, because the task is unknown")]
    effects.sort(key=lambda one: -one.difference.mean if one.difference.mean == one.difference.mean
                 else 0.0)
    return Ablation(
        tuple(whole), tuple(effects), tuple(left_out),
        found.task, steps, ended, found.step,
        found.model.name)


def _verdicts(effect: Effect, result: Ablation) -> list[ExperimentVerdict]:
    difference = effect.difference
    values = [value_of(one, result.task) for one in effect.trials]
    why = (f"{capital(effect.change.title)}, {result.measure} is {_value(_mean(values))} instead "
           f"of {_value(_mean(result.values))} ({_interval(difference)}).")
    if effect.change.control:
        # Without right labels it is worse: the right ones carry what the model learns.
        known: Outcome = "refuted" if difference.hurts else "undecided"
        return [ExperimentVerdict(id_, known, why) for id_ in effect.change.addresses]
    outcome: Outcome = "undecided"
    if effect.change.id in result.helping and difference.mean > intervals.MATTERS * _unit(result):
        # Another optimizer at a rate of its own helps where the rate was too high, too low, or the
        # optimizer wrong: it cannot be all of these, and the trial does not tell which.
        several = effect.change.slot == "rate" and len(effect.change.addresses) > 1
        outcome = "undecided" if several else "confirmed"
    elif difference.high < intervals.MATTERS * _unit(result) and _learns(result, values):
        outcome = "refuted"
    return [ExperimentVerdict(id_, outcome, why) for id_ in effect.change.addresses]


def _learns(result: Ablation, values: Sequence[float]) -> bool:
    """Whether either training learned anything: where neither does, one fault may hide another."""
    if result.task is None:
        return True
    best = max([*values, *result.values], default=-math.inf)
    return result.task.learned(best) > LEARNS


def _unit(result: Ablation) -> float:
    """What `MATTERS` is a part of: 1 for a score, the loss itself for a loss."""
    return 1.0 if result.task is not None else abs(_mean(result.values))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan


def _value(value: float) -> str:
    """
    >>> _value(0.91234), _value(-math.inf)
    ('0.912', 'diverged')
    """
    return number(value) if math.isfinite(value) else "diverged" if value < 0 else "?"


def _interval(difference: Difference) -> str:
    """
    >>> _interval(Difference(0.1, 0.05, 0.15, 3))
    'difference +0.1, 95% interval +0.05 to +0.15'
    """
    if not math.isfinite(difference.mean):
        return "one of them diverged"
    text = f"difference {signed(difference.mean, 2)}"
    if math.isfinite(difference.low):
        text += (f", 95% interval {signed(difference.low, 2)} to "
                 f"{signed(difference.high, 2)}")
    return text
