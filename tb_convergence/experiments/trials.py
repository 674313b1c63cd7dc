"""Trainings of one program in variants: same weights, same batches, one thing changed.

Everything is judged on held-out samples, by the task's own measure; where the task is not known, by
the loss, as long as no change touches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments import initial, optimizers
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.changes import LAST, Change, Setup
from tb_convergence.experiments.edits import Edits
from tb_convergence.experiments.sample import order_of, split
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.state import all_variables, values_of
from tb_convergence.experiments.stepping import Runner, Trace, seed_everything
from tb_convergence.experiments.task import Task
from tb_convergence.training.keras import compat

HELD_OUT: Final = 0.2
"""Share of the samples that is held out where no validation data are given."""
JUDGED: Final = 4096
"""Held-out samples that are looked at, at most."""


@dataclass(frozen=True)
class Trial:
    """One training.

    Attributes:
        seed: 0 is the program's own start; others have new initial weights and another order.
        score: the task's measure on held-out samples; NaN where the training diverged or the task
            is not known.
        loss: compiled loss on held-out samples; NaN where it cannot be compared.
        losses: float64 `[S]`, of each step.
        diverged: whether the loss became NaN or infinite.
        complete: whether all steps were made.
    """

    seed: int
    score: float
    loss: float
    losses: NDArray[np.float64] = field(repr=False)
    diverged: bool
    complete: bool

    @property
    def steps(self) -> int:
        """Steps that were made."""
        return len(self.losses)


class Bench:
    """Runs trials of a subject; the model's weights are put back after each."""

    def __init__(self, found: Subject) -> None:
        self.found = found
        held = found.held_out
        self.train, self.held_out = (
            (found.sample, held) if held is not None else split(found.sample, HELD_OUT))
        if len(self.held_out) > JUDGED:
            self.held_out = self.held_out.take(np.arange(JUDGED))
        self.own = found.model.optimizer
        self.variables = all_variables(found.model)
        self.begin = values_of(self.variables)
        self.seconds_per_step = 0.0

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
        budget = budget or Budget()
        self.restore()
        try:
            with Edits() as edits:
                setup = self.setup(edits, changes)
                training = _Training(setup, self.variables, self.begin, steps)
                for seed in seeds:
                    if trials and budget.spent:
                        break
                    trials.append(training.run(seed, budget, self.found))
                    self.seconds_per_step = training.seconds_per_step or self.seconds_per_step
        finally:
            self.restore()
        return trials


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class _Training:
    """A setup that is trained once for each seed."""

    def __init__(self, setup: Setup, variables: Sequence[Any], begin: Sequence[Any], steps: int
                 ) -> None:
        self._setup, self._steps = setup, steps
        self._variables, self._begin = variables, begin
        self._phases = [_Phase(setup, setup.optimizer)]
        if setup.then is not None:
            self._phases.append(_Phase(setup, setup.then))

    def run(self, seed: int, budget: Budget, found: Subject) -> Trial:
        setup = self._setup
        assign(self._variables, self._begin)
        if seed:
            initial.redraw(setup.model, seed)
        initial.reseed(setup.model, seed)
        for start in setup.start:
            start(setup.model, seed)
        order = order_of(
            len(setup.train), setup.train.batch_size, self._steps, seed, setup.shuffle)
        seed_everything(seed)
        losses = np.zeros(0)
        traces: list[Trace] = []
        for phase, part in zip(self._phases, self._parts(order), strict=True):
            def on_chunk(now: NDArray[np.float64], before: int = len(losses)) -> None:
                found.progress(min(before + len(now), self._steps - 1), self._steps, f"seed {seed}")

            traces.append(phase.train(part, len(losses), self._steps, budget, on_chunk))
            losses = np.concatenate([losses, traces[-1].losses])
            if traces[-1].diverged or len(traces[-1].losses) < len(part):
                break
        return self._judged(seed, losses, traces[-1].diverged)

    @property
    def seconds_per_step(self) -> float:
        """Of the last chunk of steps; 0 where only the one that traces was made."""
        return float(np.nan_to_num(self._phases[0].runner.seconds_per_step))

    def _parts(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        if len(self._phases) == 1:
            return [order]
        cut = int(len(order) * (1 - LAST))
        return [order[:cut], order[cut:]]

    def _judged(self, seed: int, losses: NDArray[np.float64], diverged: bool) -> Trial:
        setup, score, loss = self._setup, float("nan"), float("nan")
        if not diverged:
            runner = self._phases[0].runner
            if setup.task is not None:
                outputs = runner.predict(setup.held_out.x)
                outputs = outputs if setup.back is None else setup.back(outputs)
                score = setup.task.score(setup.held_out.y, outputs)
            if setup.same_loss:
                loss = runner.loss(setup.held_out)
        return Trial(seed, score, loss, losses, diverged, len(losses) >= self._steps or diverged)


class _Phase:
    """Part of a training with one optimizer, whose state is new for each seed."""

    def __init__(self, setup: Setup, optimizer: Any) -> None:
        self._setup, self._optimizer = setup, optimizer
        optimizer.build(setup.model.trainable_variables)
        self._begin = values_of(optimizer.variables)
        self._rate = optimizers.rate_of(optimizer)
        self.runner = Runner(setup.model, setup.train)

    def train(self, order: NDArray[np.int64], before: int, steps: int, budget: Budget,
              on_chunk: Any) -> Trace:
        assign(self._optimizer.variables, self._begin)
        compat.set_untracked(self._setup.model, "optimizer", self._optimizer)
        rates = None
        if self._setup.shape is not None:
            done = (before + np.arange(len(order))) / max(1, steps)
            rates = np.array([self._rate * self._setup.shape(float(one)) for one in done])
        return self.runner.train(order, rates, budget, on_chunk)


def value_of(trial: Trial, task: Task | None) -> float:
    """What trials are compared by, higher is better: the score, or the loss with its sign changed.

    What scores less than a constant answer counts as one: two networks that answer with different
    classes do not differ in what they have learned. A training that diverged is worse than any.
    """
    value = -trial.loss if task is None else max(trial.score, task.baseline)
    unknown = not np.isfinite(trial.loss if task is None else trial.score)
    return float("-inf") if unknown else float(value)


def clear() -> None:
    """Free what traced functions of trials hold."""
    keras.utils.clear_session(free_memory=True)
