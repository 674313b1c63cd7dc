"""Trainings of one program in variants: same weights, same batches, one thing changed.

Everything is judged on held-out samples, by the task's own measure; where the task is not known, by
the loss, as long as no change touches it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.experiments import initial, optimizers
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.changes import LAST, Change, Setup
from tb_convergence.experiments.edits import Edits, NotApplicableError
from tb_convergence.experiments.range_curve import Curve, curve_of
from tb_convergence.experiments.sample import order_of, split
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.state import all_variables, values_of
from tb_convergence.experiments.stepping import Runner, Trace, seed_everything, tensors_of
from tb_convergence.experiments.task import Task
from tb_convergence.training.keras import compat

HELD_OUT: Final = 0.2
"""Share of the samples that is held out where no validation data are given."""
FEWEST_HELD_OUT: Final = 20
"""With fewer held-out samples one of them is more than 5 %: trainings are judged on the samples
they see instead, which is what a person without validation data looks at."""
JUDGED: Final = 4096
"""Held-out samples that are looked at, at most."""
FEWEST_APART: Final = 40
"""Held-out samples from which half is kept for the proof: half of fewer tell nothing by themselves.
"""
KEPT_TRACES: Final = 8
"""Traced trainings that a bench keeps; the least recently used is dropped first."""


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        seed: 0 is the program's own start; others have new initial weights and another order.
        score: the task's measure on held-out samples; NaN where the training diverged or the task
            is not known.
        loss: compiled loss on held-out samples where the task is not known; NaN elsewhere, and
            where it cannot be compared.
        losses: float64 `[S]`, of each step.
        diverged: whether the loss became NaN or infinite.
        complete: whether all steps were made.
        proof: `score` or `loss` on the samples that the search does not look at.
    """

    seed: int
    score: float
    loss: float
    losses: NDArray[np.float64] = field(repr=False)
    diverged: bool
    complete: bool
    proof: float = float("nan")

    @property
    def steps(self) -> int:
        """Steps that were made."""
        return len(self.losses)


class Bench:
    """Runs trials of a subject; the model's weights are put back after each.

    Args:
        apart: keep half of the held-out samples for `Trial.proof`, so that a search which picks
            the best of many trials does not judge its own choice.
        reuse: keep traced trainings, so that trials which differ in rate, seed, or length alone
            are traced once.

    Attributes:
        train, held_out: samples; the same where there are too few to hold any out.
        separate: whether `Trial.proof` is measured on samples of its own.
    """

    def __init__(self, found: Subject, *, apart: bool = False, reuse: bool = False) -> None:
        self.found = found
        held = found.held_out
        if held is not None:
            self.train, self.held_out = found.sample, held
        elif HELD_OUT * len(found.sample) < FEWEST_HELD_OUT:
            self.train = self.held_out = found.sample
        else:
            self.train, self.held_out = split(found.sample, HELD_OUT)
        if len(self.held_out) > JUDGED:
            self.held_out = self.held_out.take(np.arange(JUDGED))
        self.separate = apart and len(self.held_out) >= FEWEST_APART
        self.own = found.model.optimizer
        self.variables = all_variables(found.model)
        self.begin = values_of(self.variables)
        self.seconds_per_step = 0.0
        self._rows = _halves(len(self.held_out)) if self.separate else (None, None)
        self._reuse = reuse
        self._trainings: OrderedDict[tuple[Any, ...], _Training] = OrderedDict()
        self._tensors: Any = None

    def restore(self) -> None:
        """The model as it was."""
        compat.set_untracked(self.found.model, "optimizer", self.own)
        assign(self.variables, self.begin)

    def setup(self, edits: Edits, changes: Sequence[Change]) -> Setup:
        """A training with `changes`, ready to begin.

        Raises:
            NotApplicableError: one of them leaves nothing to change.
        """
        found = Setup(
            edits, self.found.model, self.train, self.held_out, self.found.task,
            optimizers.twin(self.own), shuffle=self.train.shuffled)
        for change in changes:
            change.apply(found)
        return found

    def run(self, changes: Sequence[Change], seeds: Sequence[int], steps: int,
            budget: Budget | None = None) -> list[Trial]:
        """One trial for each seed, traced once.

        Args:
            budget: when it is spent the trial ends early, and no further one begins.

        Raises:
            NotApplicableError: one of the changes leaves nothing to change.
        """
        trials: list[Trial] = []
        budget = budget or self.found.budget.part()
        with self._training(changes) as training:
            for seed in seeds:
                if trials and budget.spent:
                    break
                trials.append(training.run(seed, steps, budget, self.found))
                self.seconds_per_step = training.seconds_per_step or self.seconds_per_step
        return trials

    def sweep(self, changes: Sequence[Change], rates: NDArray[np.float64],
              budget: Budget | None = None) -> Curve:
        """A range test of the program with `changes`, from its own start.

        Raises:
            NotApplicableError: one of the changes leaves nothing to change, or the optimizer's rate
                cannot be set.
        """
        with self._training(changes) as training:
            return training.sweep(rates, budget or self.found.budget.part(), self.found)

    @contextmanager
    def _training(self, changes: Sequence[Change]) -> Iterator[_Training]:
        """A training with `changes`, traced before where one differs in its rate alone."""
        self.restore()
        try:
            with Edits() as edits:
                setup = self.setup(edits, changes)
                key = _traced_as(changes, setup)
                training = self._trainings.pop(key, None) if self._reuse else None
                if training is None:
                    training = _Training(setup, self.variables, self.begin, self._rows,
                                         self._shared(setup))
                training.adopt(setup)
                yield training
                if self._reuse:
                    self._trainings[key] = training
                    while len(self._trainings) > KEPT_TRACES:
                        self._trainings.popitem(last=False)
        finally:
            self.restore()

    def _shared(self, setup: Setup) -> Any:
        """Tensors of the unchanged training samples: one copy for all trainings."""
        if setup.train is not self.train:
            return None
        if self._tensors is None:
            self._tensors = tensors_of(self.train)
        return self._tensors


def _halves(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows = np.random.default_rng(1).permutation(count)
    return np.sort(rows[: count // 2]), np.sort(rows[count // 2 :])


def _traced_as(changes: Sequence[Change], setup: Setup) -> tuple[Any, ...]:
    """What trainings have in common that one trace serves: all but the learning rate."""
    parts: list[Any] = []
    for change in changes:
        settings = {k: v for k, v in change.settings.items() if k != "learning_rate"}
        if settings or "learning_rate" not in change.settings:
            parts.append((change.id if not settings else "", *sorted(settings.items())))
    return (*parts, optimizers.has_schedule(setup.optimizer))


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class _Training:
    """A setup that is traced once, and trained once for each seed, rate and length."""

    def __init__(self, setup: Setup, variables: Sequence[Any], begin: Sequence[Any],
                 rows: tuple[Any, Any], tensors: Any) -> None:
        self._setup = setup
        self._variables, self._begin, self._rows = variables, begin, rows
        self._phases = [_Phase(setup, setup.optimizer, tensors)]
        if setup.then is not None:
            self._phases.append(_Phase(setup, setup.then, tensors))

    def adopt(self, setup: Setup) -> None:
        """Train as `setup` says, which may differ from the traced one in its rate."""
        self._setup = setup
        self._phases[0].adopt(setup, setup.optimizer)

    def _start(self, seed: int) -> None:
        setup = self._setup
        assign(self._variables, self._begin)
        if seed:
            initial.redraw(setup.model, seed)
        initial.reseed(setup.model, seed)
        for start in setup.start:
            start(setup.model, seed)
        seed_everything(seed)

    def _order(self, steps: int, seed: int) -> NDArray[np.int64]:
        train = self._setup.train
        return order_of(len(train), train.batch_size, steps, seed, self._setup.shuffle)

    def run(self, seed: int, steps: int, budget: Budget, found: Subject) -> Trial:
        """One training of `steps`."""
        self._start(seed)
        order = self._order(steps, seed)
        losses = np.zeros(0)
        traces: list[Trace] = []
        for phase, part in zip(self._phases, self._parts(order), strict=True):
            def on_chunk(now: NDArray[np.float64], before: int = len(losses)) -> None:
                found.progress(min(before + len(now), steps - 1), steps, f"seed {seed}")

            traces.append(phase.train(part, len(losses), steps, budget, on_chunk))
            losses = np.concatenate([losses, traces[-1].losses])
            if traces[-1].diverged or len(traces[-1].losses) < len(part):
                break
        diverged = traces[-1].diverged
        return self._judged(seed, losses, diverged, len(losses) >= steps or diverged)

    def sweep(self, rates: NDArray[np.float64], budget: Budget, found: Subject) -> Curve:
        """A training at growing rates, until it diverges."""
        if optimizers.has_schedule(self._setup.optimizer):
            raise NotApplicableError("the learning rate follows a schedule")
        self._start(0)
        count = len(rates)

        def on_chunk(losses: NDArray[np.float64]) -> bool:
            found.progress(min(len(losses), count - 1), count, "LR range test")
            return curve_of(rates[: len(losses)], losses, count).diverged

        trace = self._phases[0].sweep(self._order(count, 0), rates, budget, on_chunk)
        return curve_of(rates[: len(trace.losses)], trace.losses, count)

    @property
    def seconds_per_step(self) -> float:
        """Of the last chunk of steps; 0 where only the one that traces was made."""
        return float(np.nan_to_num(self._phases[0].runner.seconds_per_step))

    def _parts(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        if len(self._phases) == 1:
            return [order]
        cut = int(len(order) * (1 - LAST))
        return [order[:cut], order[cut:]]

    def _judged(self, seed: int, losses: NDArray[np.float64], diverged: bool, complete: bool
                ) -> Trial:
        setup, score, loss, proof = self._setup, float("nan"), float("nan"), float("nan")
        search, apart = self._rows
        if not diverged and setup.task is not None:
            outputs = self._phases[0].runner.predict(setup.held_out.x)
            outputs = outputs if setup.back is None else setup.back(outputs)
            score, proof = (_score(setup.task, setup.held_out.y, outputs, rows)
                            for rows in (search, apart))
        elif not diverged and setup.same_loss:
            loss, proof = (
                self._phases[0].runner.loss(
                    setup.held_out if rows is None else setup.held_out.take(rows))
                for rows in (search, apart))
        return Trial(seed, score, loss, losses, diverged, complete, proof)


def _score(task: Task, y: Any, outputs: Any, rows: Any) -> float:
    if rows is None:
        return task.score(y, outputs)
    return task.score(*(tf.nest.map_structure(lambda array: np.asarray(array)[rows], part)
                        for part in (y, outputs)))


class _Phase:
    """Part of a training with one optimizer, whose state is new for each seed."""

    def __init__(self, setup: Setup, optimizer: Any, tensors: Any) -> None:
        self._setup, self._optimizer = setup, optimizer
        optimizer.build(setup.model.trainable_variables)
        self._begin = values_of(optimizer.variables)
        self._rate = optimizers.rate_of(optimizer)
        self._scheduled = optimizers.has_schedule(optimizer)
        self.runner = Runner(setup.model, setup.train, tensors)

    def adopt(self, setup: Setup, optimizer: Any) -> None:
        """Go on as `setup` says, at the rate of `optimizer`."""
        self._setup, self._rate = setup, optimizers.rate_of(optimizer)

    def train(self, order: NDArray[np.int64], before: int, steps: int, budget: Budget,
              on_chunk: Any) -> Trace:
        self._start()
        rates = None
        if self._setup.shape is not None:
            done = (before + np.arange(len(order))) / max(1, steps)
            rates = np.array([self._rate * self._setup.shape(float(one)) for one in done])
        elif not self._scheduled:
            rates = np.full(len(order), self._rate)
        return self.runner.train(order, rates, budget, on_chunk)

    def sweep(self, order: NDArray[np.int64], rates: NDArray[np.float64], budget: Budget,
              on_chunk: Any) -> Trace:
        """Train at the given rate in each step."""
        self._start()
        return self.runner.train(order, rates, budget, on_chunk)

    def _start(self) -> None:
        assign(self._optimizer.variables, self._begin)
        compat.set_untracked(self._setup.model, "optimizer", self._optimizer)


def value_of(trial: Trial, task: Task | None) -> float:
    """What trials are compared by, higher is better: the score, or the loss with its sign changed.

    What scores less than a constant answer counts as one: two networks that answer with different
    classes do not differ in what they have learned. A training that diverged is worse than any.
    """
    value = -trial.loss if task is None else max(trial.score, task.baseline)
    unknown = not np.isfinite(trial.loss if task is None else trial.score)
    return float("-inf") if unknown else float(value)


def proof_of(trial: Trial, task: Task | None) -> float:
    """The same on the samples that are kept for the proof."""
    return value_of(replace(trial, score=trial.proof, loss=trial.proof), task)


def clear() -> None:
    """Free what traced functions of trials hold."""
    keras.utils.clear_session(free_memory=True)
