"""Decides from a range test which diagnoses of the learning rate are confirmed or refuted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from tb_convergence.core.experiments import ExperimentVerdict, Outcome
from tb_convergence.core.text.numbers import number

if TYPE_CHECKING:
    from tb_convergence.experiments.learning_rate import RangeTest

NEAR: Final = 3.0
"""A rate up to so many times the suggested one is not too high: the curve is no sharper."""
LOW: Final = 10.0
MUCH_TOO_LOW: Final = 100.0
"""Within a decade below the suggested rate, a rate is not too low: a sweep of a hundred steps
prefers the fastest start, which Adam's usual 1e-3 often is ten times below. Two decades are."""


def verdicts(result: RangeTest) -> tuple[ExperimentVerdict, ...]:
    """Confirmed, refuted or undecided; () where the test did not finish."""
    high, low = "learning-rate-too-high", "learning-rate-too-low"
    if not result.curves or result.ended != "finished":
        return ()
    if result.suggested is None and result.unclipped is None:
        why = f"{result.why_none[0].upper()}{result.why_none[1:]}."
        outcome: Outcome = "refuted"
        if result.step > 0:
            # A rate that was too high may have left weights from which nothing learns.
            outcome = "undecided"
            why = (f"No rate learns from the weights after {result.step} steps. Test the model "
                   "before its training.")
        return ExperimentVerdict(high, outcome, why), ExperimentVerdict(low, outcome, why)
    if not math.isfinite(result.rate_in_use):
        return ()
    return (*_rate_verdicts(result, high, low), *_clipping_verdict(result))


def _rate_verdicts(result: RangeTest, high: str, low: str) -> tuple[ExperimentVerdict, ...]:
    rate, best, stable = result.rate_in_use, result.suggested, result.highest_stable
    if best is None or stable is None:
        return ()
    why = (f"The model uses {rate_text(rate)}. The suggested rate is {rate_text(best)}, and the "
           f"highest stable rate is {rate_text(stable)}.")
    too_high: Outcome = "undecided"
    if rate > stable:
        too_high = "confirmed"
    elif rate <= NEAR * best:
        too_high = "refuted"
    too_low: Outcome = "undecided"
    if rate * MUCH_TOO_LOW <= best:
        too_low = "confirmed"
    elif rate * LOW >= best:
        too_low = "refuted"
    return ExperimentVerdict(high, too_high, why), ExperimentVerdict(low, too_low, why)


def _clipping_verdict(result: RangeTest) -> tuple[ExperimentVerdict, ...]:
    """With clipping, a rate that is not stable by itself seems to be."""
    free = None if result.unclipped is None else result.unclipped.highest_stable
    if free is None:
        return ()
    hides = result.rate_in_use > free
    return (ExperimentVerdict(
        "clipping-hides-learning-rate", "confirmed" if hides else "refuted",
        f"Without clipping, the highest stable rate is {rate_text(free)}. The model uses "
        f"{rate_text(result.rate_in_use)}."),)


def rate_text(value: float) -> str:
    """Two digits that matter.

    >>> rate_text(0.001234), rate_text(0.5)
    ('0.0012', '0.5')
    """
    return number(value, 2)
