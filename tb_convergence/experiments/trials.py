"""One training of a program in a variant: same weights, same batches, one thing changed.

It is judged on held-out samples, by the task's own measure; where the task is not known, by the
loss, as long as no change touches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tb_convergence.experiments import initial, optimizers
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.changes import LAST, Setup
from tb_convergence.experiments.edits import NotApplicableError
from tb_convergence.experiments.range_curve import curve_of
from tb_convergence.experiments.sample import order_of
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.state import values_of
from tb_convergence.experiments.stepping import Runner, Trace, seed_everything
from tb_convergence.experiments.task import Task
from tb_convergence.training.keras import compat


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


def assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


class Training:
    """A setup that is traced once, and trained once for each seed, rate and length."""

    def __init__(self, setup: Setup, variables: Sequence[Any], begin: Sequence[Any],
                 rows: tuple[Any, Any], tensors: Any) -> None:
        self._setup = setup
        self._variables, self._begin, self._rows = variables, begin, rows
        if setup.looks and rows[0] is None:
            raise NotApplicableError("there are too few held-out samples: early stopping needs "
                                     "some of them, and the comparison needs others")
        self._phases = [_Phase(setup, setup.optimizer, tensors)]
        if setup.then is not None:
            self._phases.append(_Phase(setup, setup.then, tensors))

    def adopt(self, setup: Setup) -> None:
        """Train as `setup` says, which may differ from the traced one in its rate."""
        self._setup = setup
        self._phases[0].adopt(setup, setup.optimizer)

    @property
    def idle(self) -> bool:
        """Whether the last training left its optimizer unused."""
        return self._phases[0].idle

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

            traces.append(self._trained(phase, part, len(losses), steps, budget, on_chunk))
            losses = np.concatenate([losses, traces[-1].losses])
            if traces[-1].diverged or len(traces[-1].losses) < len(part):
                break
        diverged = traces[-1].diverged
        return self._judged(seed, losses, diverged, len(losses) >= steps or diverged)

    def _trained(self, phase: _Phase, order: NDArray[np.int64], before: int, steps: int,
                 budget: Budget, on_chunk: Any) -> Trace:
        """Train on `order`; with early stopping, end with the weights of the best look."""
        looks = self._setup.looks
        if not looks:
            return phase.train(order, before, steps, budget, on_chunk)
        losses, best, weights = np.zeros(0), -np.inf, None
        trace = Trace(losses)
        for part in np.array_split(order, min(looks, len(order))):
            earlier = losses
            trace = phase.train(
                part, before + len(losses), steps, budget,
                lambda now, e=earlier: on_chunk(np.concatenate([e, now])), begins=not len(losses))
            losses = np.concatenate([losses, trace.losses])
            if trace.diverged or len(trace.losses) < len(part):
                break
            value = value_of(self._judged(0, losses, False, True), self._setup.task)
            if weights is None or value > best:
                best, weights = value, values_of(self._variables)
        if weights is not None and not trace.diverged:
            assign(self._variables, weights)
        return Trace(losses, trace.ended)

    def sweep(self, rates: NDArray[np.float64], budget: Budget, found: Subject) -> Trace:
        """A training at growing rates, until it diverges."""
        if optimizers.has_schedule(self._setup.optimizer):
            raise NotApplicableError("the learning rate follows a schedule")
        self._start(0)
        count = len(rates)

        def on_chunk(losses: NDArray[np.float64]) -> bool:
            found.progress(min(len(losses), count - 1), count, "LR range test")
            return curve_of(rates[: len(losses)], losses, count).diverged

        return self._phases[0].sweep(self._order(count, 0), rates, budget, on_chunk)

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

    @property
    def idle(self) -> bool:
        """Whether the last steps were made without the optimizer."""
        return optimizers.idle(self._optimizer)

    def train(self, order: NDArray[np.int64], before: int, steps: int, budget: Budget,
              on_chunk: Any, begins: bool = True) -> Trace:
        if begins:
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
    value = -trial.loss if task is None else max(trial.score, task.baseline, task.floor)
    unknown = not np.isfinite(trial.loss if task is None else trial.score)
    return float("-inf") if unknown else float(value)


def proof_of(trial: Trial, task: Task | None) -> float:
    """The same on the samples that are kept for the proof."""
    return value_of(replace(trial, score=trial.proof, loss=trial.proof), task)


def clear() -> None:
    """Free what traced functions of trials hold."""
    keras.utils.clear_session(free_memory=True)
