"""What a learning-rate range test says: numbers only, no training.

Smith 2017, arXiv:1506.01186: the rate grows with each step, and the loss tells which rates learn,
which is the highest that does, and from where on training falls apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SMOOTHING: Final = 0.9
"""Weight of what was before, on 100 steps or more: it lags by ten steps. 0.98, which is common,
lags by half a sweep. A shorter sweep is smoothed less, so that it lags by a tenth of it too."""
LEAST_SMOOTHING: Final = 0.5
DIVERGED: Final = 4.0
"""The curve ends where the smoothed loss is so many times its minimum (fastai)."""
SKIPPED: Final = 0.1
"""Share of the curve at its beginning that no suggestion is taken from: nothing moves there."""
FEWEST: Final = 8
LEAST_FALL: Final = 0.02
"""Fall of the smoothed loss, relative to its start, below which no rate is said to learn."""
NOISE_WIDTHS: Final = 3.0
"""And it must be so many standard errors of the smoothed loss."""


@dataclass(frozen=True)
class Curve:
    """One sweep, cut where it diverged.

    Attributes:
        rates: float64 `[S]`, increasing.
        losses: float64 `[S]` of each step.
        smoothed: float64 `[S]`, exponential mean without its bias toward 0.
        diverged: whether the sweep ended because the loss did.
        beta: weight of the exponential mean.
    """

    rates: Floats
    losses: Floats
    smoothed: Floats
    diverged: bool
    beta: float = SMOOTHING


def smooth(losses: Floats, beta: float = SMOOTHING) -> Floats:
    """Exponential mean, corrected for its start.

    >>> smooth(np.array([1.0, 1.0])).round(6)
    array([1., 1.])
    """
    mean, found = 0.0, []
    for place, value in enumerate(losses):
        mean = beta * mean + (1 - beta) * float(value)
        found.append(mean / (1 - beta ** (place + 1)))
    return np.array(found)


def smoothing_of(steps: int) -> float:
    """The weight that suits a sweep of so many steps.

    >>> smoothing_of(100), smoothing_of(40), smoothing_of(5)
    (0.9, 0.75, 0.5)
    """
    return min(SMOOTHING, max(LEAST_SMOOTHING, 1.0 - 10.0 / steps)) if steps else SMOOTHING


def curve_of(rates: Floats, losses: Floats, steps: int | None = None) -> Curve:
    """A sweep as a curve: it ends before the loss is not finite or has grown too far.

    Args:
        rates, losses: float64 `[S]`, of the steps that were made.
        steps: of the whole sweep, which decides how much it is smoothed; 100 by default.
    """
    beta = SMOOTHING if steps is None else smoothing_of(steps)
    smoothed = smooth(losses, beta)
    best, end = np.inf, len(losses)
    for place, (loss, mean) in enumerate(zip(losses, smoothed, strict=True)):
        # Of a loss that may be negative no multiple says that it has grown.
        grown = best > 0 and mean > DIVERGED * max(best, 1e-12) and mean > smoothed[0]
        if not np.isfinite(loss) or (grown and place > 5):
            end = place
            break
        best = min(best, mean)
    diverged = end < len(losses)
    return Curve(rates[:end], losses[:end], smoothed[:end], diverged, beta)


def falls(curve: Curve) -> bool:
    """Whether the loss fell anywhere by more than chance.

    The start is the mean of the first tenth. The standard error of an exponential mean of steps
    that scatter by s is s * sqrt((1 - b) / (1 + b)).
    """
    count = len(curve.rates)
    if count < FEWEST:
        return False
    first = max(3, int(SKIPPED * count))
    start = float(np.mean(curve.losses[:first]))
    # Differences of neighbors do not see the trend.
    scatter = float(np.std(np.diff(curve.losses[: max(first, count // 3)])) / np.sqrt(2))
    error = scatter * np.sqrt((1 - curve.beta) / (1 + curve.beta) + 1.0 / first)
    fall = start - float(curve.smoothed[first:].min()) if count > first else 0.0
    return bool(fall > max(LEAST_FALL * abs(start), NOISE_WIDTHS * error))


def _part(curve: Curve) -> tuple[Floats, Floats]:
    skip = int(SKIPPED * len(curve.rates))
    return curve.rates[skip:], curve.smoothed[skip:]


def valley(rates: Floats, smoothed: Floats) -> float:
    """fastai's: two thirds down the longest run of falling losses, less a quarter."""
    count = len(smoothed)
    longest = [1] * count
    start = end = 0
    for i in range(1, count):
        for j in range(i):
            if smoothed[i] < smoothed[j] and longest[i] < longest[j] + 1:
                longest[i] = longest[j] + 1
        if longest[end] < longest[i]:
            end = i
            start = max(end - longest[end], 0)
    section = (end - start) / 3
    return float(rates[min(start + int(section) + int(section / 2), count - 1)])


def steepest(rates: Floats, smoothed: Floats) -> float:
    """Where the loss falls fastest over the logarithm of the rate."""
    return float(rates[int(np.argmin(np.gradient(smoothed, np.log(rates))))])


def minimum_tenth(rates: Floats, smoothed: Floats) -> float:
    """A tenth of the rate at which the loss is least."""
    return float(rates[int(np.argmin(smoothed))]) / 10


def between(rates: Floats, smoothed: Floats) -> float:
    """Geometric mean of `valley`, which errs low, and `minimum_tenth`, which errs high."""
    return float(np.sqrt(valley(rates, smoothed) * minimum_tenth(rates, smoothed)))


RULES: Final[Mapping[str, Callable[[Floats, Floats], float]]] = {
    "suggested": between, "valley": valley, "steepest": steepest, "minimum/10": minimum_tenth,
}
"""Ways to choose a rate that are published, and ours: docs/benchmarks.md compares them."""


def suggest(curve: Curve, rule: str = "suggested") -> float | None:
    """The rate that `rule` takes from a curve; None if no rate learned."""
    if not falls(curve):
        return None
    rates, smoothed = _part(curve)
    return RULES[rule](rates, smoothed) if len(rates) >= FEWEST else None


def highest_stable(curve: Curve) -> float | None:
    """The highest rate before the loss has climbed half way back; None if none learned.

    The last rate tried where the loss never climbs.
    """
    if not falls(curve):
        return None
    rates, smoothed = _part(curve)
    least = int(np.argmin(smoothed))
    level = smoothed[least] + 0.5 * (curve.smoothed[0] - smoothed[least])
    above = np.flatnonzero(smoothed[least:] > level)
    last = least + int(above[0]) - 1 if len(above) else len(rates) - 1
    return float(rates[max(least, last)])
