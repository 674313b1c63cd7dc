"""`overfit_small_sample`: can the model memorize a few samples, and up to how many?

A correct model with a correct training memorizes 32 samples. If it cannot, one of them has a fault,
whatever the data. If it fails only with more samples, the data is hard, the model is small, or the
training was short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import keras
import numpy as np

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict, Outcome
from tb_convergence.core.text.numbers import number
from tb_convergence.experiments import optimizers
from tb_convergence.experiments.budget import Budget, Ended
from tb_convergence.experiments.sample import Sample, order_of
from tb_convergence.experiments.session import Settings, Subject, keep, subject
from tb_convergence.experiments.state import all_variables, values_of
from tb_convergence.experiments.stepping import seed_everything
from tb_convergence.experiments.task import classes_of
from tb_convergence.training.keras import compat

SIZES: Final = (32, 128, 512)
FIRST_STEPS: Final = 300
"""For 32 samples: healthy trainings took 40 to 240 steps, and twice as many for each step up."""
MEMORIZED: Final = 0.8
"""Of what a constant answer leaves: 16 healthy trainings reached 1.0, 11 faulty ones .41 at most.
"""
SAFE_RATE: Final = 1e-3
"""Adam's default (Kingma & Ba 2015), for the second try that tells the model from its training."""
LOOKS: Final = 6
EXCLUDED: Final = ("wrong-output-activation", "wrong-loss", "nothing-trainable")
"""A model with one of these memorizes nothing: its outputs cannot reach the targets."""

Broken = Literal["", "training", "model"]


@dataclass(frozen=True)
class Rung:
    """One sample size.

    Attributes:
        size: number of samples.
        score: accuracy or R2 on the training samples, in inference mode.
        learned: progress from a constant prediction (0) to a perfect fit (1).
        steps: training steps.
        memorized: whether that counts as memorized.
        with_adam: `learned` of a second attempt with Adam at 1e-3; None if none was needed.
    """

    size: int
    score: float
    learned: float
    steps: int
    memorized: bool
    with_adam: float | None = None


@dataclass(frozen=True)
class Ladder:
    """The result of `overfit_small_sample`.

    Attributes:
        rungs: by size, up to the first that is not memorized.
        measure: "accuracy" or "R2"; "" if the task is unknown.
        ended: how the experiment ended.
        step: the model's step.
        restored: rungs that an earlier, interrupted run of the experiment had made.
    """

    rungs: tuple[Rung, ...]
    measure: str
    ended: Ended = "finished"
    step: int = 0
    model: str = "model"
    restored: int = 0

    @property
    def broken(self) -> Broken:
        """What fails on the smallest sample: the "training", the "model", or nothing ("")."""
        if not self.rungs or self.rungs[0].memorized:
            return ""
        again = self.rungs[0].with_adam
        if again is None:
            return ""
        return "training" if again >= MEMORIZED else "model"

    @property
    def memorized(self) -> int:
        """The largest number of samples that was memorized; 0 for none."""
        return max((rung.size for rung in self.rungs if rung.memorized), default=0)

    @property
    def summary(self) -> str:
        """One or two sentences."""
        if not self.rungs:
            return f"No small sample was tried ({self.ended if self.measure else 'unknown task'})."
        last = self.rungs[-1]
        reached = (f"{self.measure} {number(last.score)} on {last.size} samples after "
                   f"{last.steps} steps")
        if last.memorized:
            return f"The model memorizes {last.size} samples ({reached})."
        if self.broken == "training":
            return (f"The training cannot memorize {last.size} samples ({reached}), but Adam at "
                    f"{number(SAFE_RATE, 6)} can. So the fault is not in the model, but in the "
                    "optimizer, its learning rate, or the scale of the data.")
        if self.broken == "model":
            return (f"The model cannot memorize {last.size} samples ({reached}), not even with "
                    "Adam at "
                    f"{number(SAFE_RATE, 6)}. Check the output, the loss, the initial weights, and "
                    "the scale of the inputs.")
        if not self.memorized:
            return (f"The model had not memorized {last.size} samples when the test ended "
                    f"({reached}).")
        return (f"The model memorizes {self.memorized} samples, but not {last.size} in the given "
                f"steps ({reached}).")

    @property
    def verdicts(self) -> tuple[ExperimentVerdict, ...]:
        """What follows for diagnoses."""
        if not self.rungs:
            return ()
        why = self.summary
        if self.broken == "training":
            return (ExperimentVerdict("insufficient-capacity", "refuted", why),)
        if self.broken == "model":
            return (ExperimentVerdict("learning-rate-too-low", "refuted", why),
                    ExperimentVerdict("insufficient-capacity", "undecided", why))
        if self.memorized:
            whole: Outcome = "refuted" if self.rungs[-1].memorized else "undecided"
            return (
                *(ExperimentVerdict(id_, "refuted", why) for id_ in EXCLUDED),
                ExperimentVerdict("insufficient-capacity", whole, why),
            )
        return ()

    def __str__(self) -> str:
        return f"Small sample, {self.model}: {self.summary}"

    @property
    def record(self) -> ExperimentRecord:
        """For the log."""
        return ExperimentRecord("overfit_small_sample", self.summary, self.verdicts, {
            "measure": self.measure, "ended": self.ended, "threshold": MEMORIZED,
            "rungs": [{name: getattr(rung, name) for name in (
                "size", "score", "learned", "steps", "memorized", "with_adam")}
                for rung in self.rungs],
        }, self.step)

    def plot(self, ax: Any = None) -> Any:
        """Draw the ladder; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import draw_ladder  # noqa: PLC0415 - optional

        return draw_ladder(self, ax)


def overfit_small_sample(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    sizes: Sequence[int] = SIZES,
    steps: int = FIRST_STEPS,
    seed: int = 0,
    settings: Settings | None = None,
) -> Ladder:
    """Train on 32 samples, then on more, until the model no longer memorizes them.

    The measure is accuracy (classes) or explained variance (values) in inference mode. The loss is
    no measure, because dropout and penalties keep it high. If the smallest sample fails, a second
    attempt uses Adam at 1e-3. It shows whether the fault is in the training or in the model.

    Args:
        model: a compiled Keras model, or a function that builds one.
        x, y, sample_weight: as for `fit`.
        batch_size: batch size of the training; 32 by default.
        sizes: the sample sizes.
        steps: steps for the first size; four times as many samples get twice as many steps.
        settings: limits, progress, and the run's folder.

    Raises:
        ValueError: the model or data cannot be used, or the task cannot be inferred.
    """
    settings = settings or Settings()
    if not sizes or min(sizes) < 2:
        raise ValueError(f"sizes {sizes!r}: expected numbers of at least 2")
    with subject(model, x, y, sample_weight=sample_weight, batch_size=batch_size,
                 settings=settings, experiment="small-sample") as found:
        result = climb(found, sorted(sizes), steps, seed)
    keep(settings, lambda: result.record)
    if result.ended == "finished":
        found.log.remove()
    return result


def climb(found: Subject, sizes: Sequence[int] = SIZES, steps: int = FIRST_STEPS, seed: int = 0
          ) -> Ladder:
    """The ladder within a running experiment; restores the model's weights."""
    rungs: list[Rung] = []
    ended: Ended = "finished"
    if found.task is None:
        raise ValueError(
            "the task cannot be inferred from the targets and outputs (several outputs, or shapes "
            "that fit neither classes nor values), so memorization cannot be measured"
        )
    if found.task.constant(found.sample.y):
        raise ValueError(
            "all targets are the same, so there is nothing to memorize: check the code that reads "
            "the targets")
    own = found.model.optimizer
    variables = all_variables(found.model)
    begin = values_of(variables)
    try:
        for place, size in enumerate(s for s in sizes if s <= len(found.sample) or s == sizes[0]):
            rung = _rung(found, own, begin, variables, size, steps * 2**place, seed)
            if not rung.memorized and place == 0 and not found.budget.spent:
                safe = optimizers.other(own, keras.optimizers.Adam, SAFE_RATE)
                again = _rung(found, safe, begin, variables, size, steps, seed)
                rung = Rung(rung.size, rung.score, rung.learned, rung.steps, rung.memorized,
                            again.learned)
            if found.budget.spent and not rung.memorized:
                ended = "out of time"  # it may have been too few steps: nothing is said of it
                break
            rungs.append(rung)
            if not rung.memorized:
                break
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        compat.set_untracked(found.model, "optimizer", own)
        for variable, value in zip(variables, begin, strict=True):
            variable.assign(value)
    return Ladder(tuple(rungs), found.task.measure, ended, found.step, found.model.name,
                  found.log.restored)


def small_sample(found: Subject, size: int, seed: int) -> Sample:
    """`size` samples at random, of classes as evenly as there are samples of each."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(found.sample))
    task = found.task
    if task is not None and task.kind in ("classes", "binary"):
        target = np.asarray(found.sample.y)
        if target.reshape(len(rows), -1).shape[1] in (1, task.outputs):
            kinds = (classes_of(target, task) if task.kind == "classes"
                     else target.reshape(-1).astype(int))[rows]
            turn = np.zeros(len(rows), int)
            for kind in np.unique(kinds):
                turn[kinds == kind] = np.arange(int((kinds == kind).sum()))
            rows = rows[np.argsort(turn, kind="stable")]
    return found.sample.take(rows[:size])


def _rung(found: Subject, own: Any, begin: list[Any], variables: list[Any], size: int, steps: int,
          seed: int) -> Rung:
    model, task = found.model, found.task
    assert task is not None
    key = ("rung", *optimizers.described(own), optimizers.rate_of(own), size, steps, seed)
    known = found.log.get(*key)
    if known is not None:
        return Rung(known["size"], known["score"], known["learned"], known["steps"],
                    known["memorized"])
    sample = small_sample(found, size, seed)
    own_task = task.of(sample.y)
    for variable, value in zip(variables, begin, strict=True):
        variable.assign(value)
    compat.set_untracked(model, "optimizer", optimizers.twin(own))
    model.optimizer.build(model.trainable_variables)
    seed_everything(seed)
    runner = found.runner(sample)
    batch = min(found.sample.batch_size, size, 32)
    order = order_of(size, batch, steps, seed)
    done, score = 0, float("nan")
    for part in np.array_split(order, LOOKS):
        trace = runner.train(part, budget=Budget(
            None if found.budget.seconds is None else found.budget.left))
        done += len(trace.losses)
        found.progress(done, steps, f"small sample of {size}")
        score = own_task.score(sample.y, runner.predict())
        if trace.diverged or found.budget.spent or own_task.learned(score) >= 1.0 - 1e-6:
            break
    found.progress(steps, steps, f"small sample of {size}")
    learned = own_task.learned(score) if np.isfinite(score) else float("nan")
    rung = Rung(len(sample), score, learned, done, bool(learned >= MEMORIZED))
    if rung.memorized or not found.budget.spent:
        found.log.put({name: getattr(rung, name) for name in (
            "size", "score", "learned", "steps", "memorized")}, *key)
    return rung
