"""`lr_range_test`: at which learning rates this model learns, and at which it diverges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.experiments import ExperimentRecord, ExperimentVerdict
from tb_convergence.experiments import (
    optimizers,
    range_curve,
    rate_comparison,
    rate_verdicts,
)
from tb_convergence.experiments.budget import Ended
from tb_convergence.experiments.range_curve import Curve
from tb_convergence.experiments.rate_comparison import Compared, end_loss
from tb_convergence.experiments.rate_verdicts import rate_text
from tb_convergence.experiments.sample import order_of
from tb_convergence.experiments.session import Settings, Subject, keep, subject
from tb_convergence.experiments.state import all_variables, values_of
from tb_convergence.experiments.stepping import UnsupportedStepError, seed_everything
from tb_convergence.training.keras import compat

STEPS: Final = 100
LOWEST, HIGHEST = 1e-6, 10.0
DRAWN: Final = 500
"""Points of a curve that a record keeps: more than a chart has pixels for, and it stays small."""


@dataclass(frozen=True)
class RangeTest:
    """The result of `lr_range_test`.

    Attributes:
        optimizer: class name.
        rate_in_use: the model's learning rate; NaN if it follows a schedule that starts at 0.
        curves: one sweep for each seed.
        suggested: the suggested learning rate; None if there is no answer.
        interval: lowest and highest suggestion of single seeds; None if there is none.
        highest_stable: the highest rate before the loss rises again; None if no rate learns.
        why_none: why there is no suggestion, or "".
        unclipped: the same test without gradient clipping, if the optimizer clips; else None.
        ended: how the experiment ended.
        step: the model's step.
        compared: the rates that were compared in short trainings; the suggestion is the best of
            them. () if none was trained.
        compared_steps: steps of each of these trainings.
        restored: trainings that an earlier, interrupted run of the experiment had made.
    """

    optimizer: str
    rate_in_use: float
    curves: tuple[Curve, ...]
    suggested: float | None
    interval: tuple[float, float] | None
    highest_stable: float | None
    why_none: str = ""
    unclipped: RangeTest | None = None
    ended: Ended = "finished"
    step: int = 0
    model: str = field(default="model")
    compared: tuple[Compared, ...] = ()
    compared_steps: int = 0
    restored: int = 0

    @property
    def verdicts(self) -> tuple[ExperimentVerdict, ...]:
        """What follows for the diagnoses of the learning rate."""
        return rate_verdicts.verdicts(self)

    @property
    def summary(self) -> str:
        """One or two sentences."""
        if self.suggested is None:
            return f"No learning rate found for {self.optimizer}: {self.why_none}."
        text = f"{self.optimizer} learns best near a learning rate of {rate_text(self.suggested)}"
        if self.compared:
            text += (f" (the best of {len(self.compared)} rates, {self.compared_steps} training "
                     "steps each)")
        elif self.interval is not None and self.interval[0] < self.interval[1]:
            text += f" (seeds: {rate_text(self.interval[0])} to {rate_text(self.interval[1])})"
        text += f". The highest stable rate is {rate_text(self.highest_stable or 0.0)}."
        if math.isfinite(self.rate_in_use):
            text += f" The model uses {rate_text(self.rate_in_use)}."
        if self.unclipped is not None and self.unclipped.highest_stable is not None:
            text += (" Without clipping, the highest stable rate is "
                     f"{rate_text(self.unclipped.highest_stable)}.")
        return text

    def __str__(self) -> str:
        return f"LR range test of {self.model}: {self.summary}"

    @property
    def record(self) -> ExperimentRecord:
        """For the log."""
        return ExperimentRecord(
            "lr_range_test", self.summary, self.verdicts, _data(self), self.step)

    def plot(self, ax: Any = None) -> Any:
        """Draw the sweeps and the rates; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.plots import draw_range_test  # noqa: PLC0415 - optional

        return draw_range_test(self, ax)


def lr_range_test(
    model: Any,
    x: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    batch_size: int | None = None,
    low: float = LOWEST,
    high: float = HIGHEST,
    steps: int = STEPS,
    seeds: Sequence[int] = (0, 1),
    compare: int = STEPS,
    optimizer: Any = None,
    settings: Settings | None = None,
) -> RangeTest:
    """Train for a few steps while the learning rate grows, and find the rates that learn.

    The test then trains at up to six rates around the sweep's answer, `compare` steps each, from
    the same weights and on the same batches. It suggests the best of them.

    Afterward the model, its optimizer, and all random states are bit for bit what they were. Each
    sweep starts from the model's current weights, with fresh optimizer slots.

    Args:
        model: a compiled Keras model, or a function that builds one.
        x, y, sample_weight: as for `fit`; `x` can be a `tf.data.Dataset` or `PyDataset`.
        batch_size: batch size of the training; 32 by default.
        low, high: first and last rate; the rate grows exponentially.
        steps: steps of each sweep.
        seeds: one sweep for each; seeds differ in the order of batches and in dropout.
        compare: steps of each training in the comparison; 0 skips the comparison.
        optimizer: an optimizer to test instead of the model's.
        settings: limits, progress, and the run's folder.

    Raises:
        ValueError: the arguments, model, or data cannot be used; the message gives the reason.

    ::

        found = lr_range_test(model, x_train, y_train)
        print(found)          # Adam learns best near a learning rate of 0.002 ...
    """
    if not 0 < low < high:
        raise ValueError(f"low {low!r} and high {high!r}: expected 0 < low < high")
    if steps < 2 * range_curve.FEWEST:
        raise ValueError(f"steps {steps!r}: expected at least {2 * range_curve.FEWEST}")
    settings = settings or Settings()
    with subject(model, x, y, sample_weight=sample_weight, batch_size=batch_size,
                 settings=settings, experiment="lr-range-test") as found:
        result = sweep_subject(found, optimizer, low, high, steps, seeds, compare)
        result = replace(result, restored=found.log.restored)
    keep(settings, lambda: result.record)
    if result.ended == "finished":
        found.log.remove()
    return result


def sweep_subject(
    found: Subject,
    optimizer: Any = None,
    low: float = LOWEST,
    high: float = HIGHEST,
    steps: int = STEPS,
    seeds: Sequence[int] = (0, 1),
    compare: int = 0,
) -> RangeTest:
    """The range test within a running experiment; restores the model's weights."""
    own = found.model.optimizer if optimizer is None else optimizer
    rates = np.geomspace(low, high, steps)
    result = _test(found, own, rates, seeds, compare)
    if optimizers.clips(own) and result.ended == "finished":
        free = _test(found, own, rates, seeds[:1], 0, **optimizers.NO_CLIPPING)
        result = RangeTest(**{**_fields(result), "unclipped": free, "ended": free.ended})
    return result


def _fields(result: RangeTest) -> dict[str, Any]:
    return {name: getattr(result, name) for name in result.__dataclass_fields__}


def _test(found: Subject, own: Any, rates: NDArray[np.float64], seeds: Sequence[int], compare: int,
          **changes: Any) -> RangeTest:
    model = found.model
    curves: list[Curve] = []
    compared: list[Compared] = []
    ended: Ended = "finished"
    kept = model.optimizer
    in_use = optimizers.rate_of(own)
    trainings = _Trainings(found)
    try:
        stand_in = optimizers.twin(own, learning_rate=float(rates[0]), **changes)
        compat.set_untracked(model, "optimizer", stand_in)
        model.optimizer.build(model.trainable_variables)
        for place, seed in enumerate(seeds):
            curve = _sweep(found, trainings, rates, seed, place, len(seeds))
            if curve.diverged or len(curve.rates) == len(rates):
                curves.append(curve)  # of one that is cut short the higher rates are unknown
            if found.budget.spent:
                ended = "out of time" if len(curves) < len(seeds) else "finished"
                break
        begin = _suggested(curves)
        if compare and begin is not None and not found.budget.spent:
            compared = _compared(found, trainings, begin, compare, seeds[0])
    except KeyboardInterrupt:
        ended = "interrupted"
    finally:
        trainings.restore()
        compat.set_untracked(model, "optimizer", kept)
    return _told(model, own, in_use, tuple(curves), ended, found.step, compared, compare)


class _Trainings:
    """Trainings at given rates, all from the model's present weights, traced once."""

    def __init__(self, found: Subject) -> None:
        self._found = found
        self._variables = all_variables(found.model)
        self._begin = values_of(self._variables)
        self._slots: list[Any] | None = None
        self._runner = found.runner()

    def train(self, rates: NDArray[np.float64], seed: int, on_chunk: Any) -> NDArray[np.float64]:
        """Losses `[S']` of a training at `rates` `[S]`."""
        found, optimizer = self._found, self._found.model.optimizer
        slots = optimizer.variables
        key = ("rates", *optimizers.described(optimizer), rates, seed)
        known = found.log.get(*key, budget=found.budget)
        if known is not None:
            losses = np.array(known["losses"], np.float64)
            on_chunk(losses)
            return losses
        self.restore()
        self._slots = values_of(slots) if self._slots is None else self._slots
        for variable, value in zip(slots, self._slots, strict=True):
            variable.assign(value)
        seed_everything(seed)
        order = order_of(len(found.sample), found.sample.batch_size, len(rates), seed)
        trace = self._runner.train(order, rates, found.budget.part(), on_chunk)
        if np.isfinite(trace.losses).any() and optimizers.idle(optimizer):
            raise UnsupportedStepError(
                "the model's train_step does not use the optimizer that compile was given "
                f"({type(optimizers.innermost(optimizer)).__name__}), so its rate has no effect: "
                "use self.optimizer in train_step")
        if trace.ended == "finished":
            found.log.put({"losses": trace.losses, "steps": len(trace.losses)}, *key)
        return trace.losses

    def restore(self) -> None:
        """Put the weights back."""
        for variable, value in zip(self._variables, self._begin, strict=True):
            variable.assign(value)


def _sweep(found: Subject, trainings: _Trainings, rates: NDArray[np.float64], seed: int, place: int,
           sweeps: int) -> Curve:
    count = len(rates)

    def on_chunk(losses: NDArray[np.float64]) -> bool:
        found.progress(place * count + len(losses), sweeps * count, "LR range test")
        return range_curve.curve_of(rates[: len(losses)], losses, count).diverged

    losses = trainings.train(rates, seed, on_chunk)
    found.progress((place + 1) * count, sweeps * count, "LR range test")
    return range_curve.curve_of(rates[: len(losses)], losses, count)


def _compared(found: Subject, trainings: _Trainings, begin: float, steps: int, seed: int
              ) -> list[Compared]:
    """Rates near `begin`, each kept for `steps`; fewer where the budget ends."""

    def loss_at(rate: float) -> float:
        if found.budget.spent:
            return math.nan
        losses = trainings.train(
            np.full(steps, rate), seed,
            lambda now: found.progress(min(len(now), steps - 1), steps, f"rate {rate_text(rate)}"))
        found.progress(steps, steps, "")
        cut = len(losses) < steps and bool(np.isfinite(losses).all())
        return math.nan if cut else end_loss(losses, steps)

    return rate_comparison.compare(loss_at, begin)


def _suggested(curves: Sequence[Curve]) -> float | None:
    """What most sweeps agree that there is: the geometric mean of their suggestions."""
    rates = [rate for rate in map(range_curve.suggest, curves) if rate is not None]
    return float(np.exp(np.mean(np.log(rates)))) if 2 * len(rates) > len(curves) else None


def _told(model: Any, own: Any, in_use: float, curves: tuple[Curve, ...], ended: Ended, step: int,
          compared: Sequence[Compared], steps: int) -> RangeTest:
    name = type(optimizers.innermost(own)).__name__
    suggestions = [rate for rate in map(range_curve.suggest, curves) if rate is not None]
    stable = [rate for rate in map(range_curve.highest_stable, curves) if rate is not None]
    suggested = _suggested(curves)
    if suggested is not None:
        best = rate_comparison.best_of(list(compared)) or suggested
        highest = max([min(stable), *(one.rate for one in compared if one.rate == best)])
        return RangeTest(
            name, in_use, curves, best, (min(suggestions), max(suggestions)), highest, "", None,
            ended, step, model.name, tuple(compared), steps if compared else 0)
    return RangeTest(name, in_use, curves, None, None, None, _why(curves, ended), None, ended, step,
                     model.name)


def _why(curves: tuple[Curve, ...], ended: Ended) -> str:
    if ended != "finished":
        return f"the test ended early ({ended})"
    if not curves or max(len(curve.rates) for curve in curves) < range_curve.FEWEST:
        return "the loss is not finite at any rate, so the rate is not the fault"
    return "the loss does not fall significantly at any rate, so the rate is not the fault"


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Every n-th value, at most `DRAWN` of them."""
    return values[:: max(1, -(-len(values) // DRAWN))]


def _data(result: RangeTest) -> dict[str, Any]:
    return {
        "optimizer": result.optimizer, "rate_in_use": result.rate_in_use,
        "suggested": result.suggested, "interval": result.interval,
        "highest_stable": result.highest_stable, "why_none": result.why_none,
        "ended": result.ended,
        "compared": [{"rate": one.rate, "loss": one.loss} for one in result.compared],
        "compared_steps": result.compared_steps,
        "curves": [
            {**{name: _thinned(getattr(curve, name)) for name in ("rates", "losses", "smoothed")},
             "diverged": curve.diverged} for curve in result.curves
        ],
        "unclipped": None if result.unclipped is None else _data(result.unclipped),
    }
