"""Where trials of a program are run: its samples, its start, and the traces they share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments import optimizers
from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.changes import Change, Setup
from tb_convergence.experiments.edits import Edits, NotApplicableError
from tb_convergence.experiments.range_curve import Curve, curve_of
from tb_convergence.experiments.sample import split
from tb_convergence.experiments.session import Subject
from tb_convergence.experiments.state import UnsupportedModelError, all_variables, values_of
from tb_convergence.experiments.stepping import tensors_of
from tb_convergence.experiments.trials import Training, Trial, assign
from tb_convergence.training.keras import compat

HELD_OUT: Final = 0.2
"""Share of the samples that is held out where no validation data are given."""
FEWEST_HELD_OUT: Final = 20
"""With fewer held-out samples one of them is more than 5%: trainings are judged on the samples
they see instead, which is what a person without validation data looks at."""
JUDGED: Final = 4096
"""Held-out samples that are looked at, at most."""
OF_OPTIMIZER: Final = ("rate", "schedule", "clipping")
"""Slots of changes that edit the optimizer alone."""
FEWEST_APART: Final = 40
"""Held-out samples from which half is kept for the proof: half of fewer tell nothing by themselves.
"""
KEPT_TRACES: Final = 8
"""Traced trainings that a bench keeps; the least recently used is dropped first."""


UNUSED: Final = ("the model's train_step does not use the optimizer that compile was given, so "
                 "this would change nothing")


class Bench:
    """Runs trials of a subject, and restores the model's weights after each.

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
        self._trainings: OrderedDict[tuple[Any, ...], Training] = OrderedDict()
        self._tensors: Any = None
        self._idle = False
        if found.task is not None:
            # A constant answer may fit the held-out samples better than those it was told from.
            found.task = found.task.against(
                *(self.held_out.y if rows is None else self.held_out.take(rows).y
                  for rows in self._rows))

    @property
    def judged(self) -> int:
        """Samples on which a proof is judged."""
        rows = self._rows[1]
        return len(self.held_out) if rows is None else len(rows)

    def restore(self) -> None:
        """The model as it was."""
        compat.set_untracked(self.found.model, "optimizer", self.own)
        assign(self.variables, self.begin)

    def setup(self, edits: Edits, changes: Sequence[Change]) -> Setup:
        """A training with `changes`, ready to begin.

        Raises:
            NotApplicableError: one of them leaves nothing to change.
        """
        self._require_used(changes)
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
        with ExitStack() as stack:
            training: Training | None = None
            for seed in seeds:
                if trials and budget.spent:
                    break
                trial = self.known(changes, seed, steps, budget)
                if trial is None:
                    training = training or stack.enter_context(self._training(changes))
                    trial = training.run(seed, steps, budget, self.found)
                    self._idle = training.idle
                    self._require_used(changes)
                    if not changes:
                        self._require_judged(trial)
                    self.seconds_per_step = training.seconds_per_step or self.seconds_per_step
                    self.keep(changes, steps, trial)
                trials.append(trial)
        return trials

    def _require_used(self, changes: Sequence[Change]) -> None:
        """Check that the training uses the optimizer, where a change edits it.

        Raises:
            NotApplicableError: the model's `train_step` uses others, so the change does nothing.
        """
        if self._idle and any(change.slot in OF_OPTIMIZER for change in changes):
            raise NotApplicableError(UNUSED)

    def _require_judged(self, trial: Trial) -> None:
        """Check that there is a measure by which trials of the unchanged program are compared.

        Raises:
            UnsupportedModelError: there is none.
        """
        if self.found.task is None and np.isnan(trial.loss) and not trial.diverged and (
                trial.complete):
            raise UnsupportedModelError(
                "trainings of this model cannot be compared: its targets and outputs fit no common "
                "task, and compute_loss gives no loss of held-out samples. Compile the model with "
                "a loss, or override compute_loss")

    def known(self, changes: Sequence[Change], seed: int, steps: int, budget: Budget
              ) -> Trial | None:
        """A trial that was made before; one from before an interruption counts in the budget."""
        entry = self.found.log.get(*self._key(changes, seed, steps), budget=budget)
        if entry is None:
            return None
        self.seconds_per_step = float(entry["seconds_per_step"]) or self.seconds_per_step
        return Trial(seed, float(entry["score"]), float(entry["loss"]),
                     np.array(entry["losses"], np.float64), bool(entry["diverged"]), True,
                     float(entry["proof"]))

    def keep(self, changes: Sequence[Change], steps: int, trial: Trial) -> None:
        """Keep a whole trial, for `known`."""
        if trial.complete:
            self.found.log.put(
                {"score": trial.score, "loss": trial.loss, "losses": trial.losses,
                 "diverged": trial.diverged, "proof": trial.proof, "steps": trial.steps,
                 "seconds_per_step": self.seconds_per_step},
                *self._key(changes, trial.seed, steps))

    def _key(self, changes: Sequence[Change], seed: int, steps: int) -> tuple[object, ...]:
        told = [(change.id, sorted(change.settings.items())) for change in changes]
        return "trial", self.separate, self.train.shuffled, told, seed, steps

    def sweep(self, changes: Sequence[Change], rates: NDArray[np.float64],
              budget: Budget | None = None) -> Curve:
        """A range test of the program with `changes`, from its own start.

        Raises:
            NotApplicableError: one of the changes leaves nothing to change, or the optimizer's rate
                cannot be set.
        """
        if self._idle:
            raise NotApplicableError(UNUSED)
        budget = budget or self.found.budget.part()
        key = ("sweep", self._key(changes, 0, len(rates)), rates)
        entry = self.found.log.get(*key, budget=budget)
        if entry is not None:
            losses = np.array(entry["losses"], np.float64)
            return curve_of(rates[: len(losses)], losses, len(rates))
        with self._training(changes) as training:
            trace = training.sweep(rates, budget, self.found)
        if trace.ended == "finished":
            self.found.log.put({"losses": trace.losses, "steps": len(trace.losses)}, *key)
        return curve_of(rates[: len(trace.losses)], trace.losses, len(rates))

    @contextmanager
    def _training(self, changes: Sequence[Change]) -> Iterator[Training]:
        """A training with `changes`, traced before where one differs in its rate alone."""
        self.restore()
        try:
            with Edits() as edits:
                setup = self.setup(edits, changes)
                key = _traced_as(changes, setup)
                training = self._trainings.pop(key, None) if self._reuse else None
                if training is None:
                    training = Training(setup, self.variables, self.begin, self._rows,
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
