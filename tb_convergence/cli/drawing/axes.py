"""From values to places on the picture: value axes with ticks, linear and logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tb_convergence.cli.drawing.chart import Scale, finite_range
from tb_convergence.core.history import Values
from tb_convergence.core.text.numbers import number

FLOOR_DECADES: Final = 12
"""A logarithmic axis reaches at most so far below its top: beneath that a value is as good as 0."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A value axis.

    Attributes:
        low, high: ends, in units of the axis (decades on a logarithmic one).
        ticks: place (0 bottom, 1 top) and label.
        logarithmic: whether units are decades.
        zero: whether the bottom stands for zero, which a logarithm does not have.
    """

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    logarithmic: bool = False
    zero: bool = False

    def place(self, value: float) -> float | None:
        """Where `value` lies, 0 bottom to 1 top, held inside; None for NaN."""
        if math.isnan(value):
            return None
        if not self.logarithmic:
            at = value
        elif value > 0:
            at = math.log10(value) if math.isfinite(value) else math.inf
        else:
            at = -math.inf
        return min(1.0, max(0.0, (at - self.low) / (self.high - self.low)))


def value_axis(arrays: Sequence[Values], scale: Scale) -> Axis:
    """An axis that covers all finite values of `arrays`, with a small margin."""
    if scale == "log10":
        positive = finite_range([a[a > 0] for a in arrays])
        if positive is not None:
            return _logarithmic(*positive, zero=any(bool((a <= 0).any()) for a in arrays))
    low, high = finite_range(arrays) or (0.0, 1.0)
    return _linear(max(low, -LARGEST), min(high, LARGEST))


LARGEST: Final = 1e300
"""Beyond it the arithmetic of an axis overflows; such values stand at its end."""
CALM: Final = 0.3
"""A linear axis spans at least this part of its largest value: noise is not drawn as a mountain."""


def _linear(low: float, high: float) -> Axis:
    span = max(high - low, CALM * max(abs(low), abs(high)))
    if span < 1 / LARGEST:
        span = 1.0
    missing = span - (high - low)
    bottom, top = low - missing / 2 - 0.06 * span, high + missing / 2 + 0.14 * span
    if low >= 0 and (low < 0.5 * high or bottom < 0):
        bottom = 0.0
    step = nice_step((top - bottom) / 5)
    first = math.ceil(bottom / step - 1e-9)
    ticks = []
    while first * step <= top:
        # Divided rather than multiplied: 3 / 10 is 0.3, and 3 * 0.1 is not.
        value = first / round(1 / step) if step < 1 else first * step
        ticks.append(((value - bottom) / (top - bottom), number(value)))
        first += 1
    return Axis(bottom, top, tuple(ticks))


def nice_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least `rough`.

    >>> nice_step(0.03), nice_step(7.0)
    (0.05, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 5.0):
        if factor * power >= rough * (1 - 1e-9):
            return factor * power
    return 10.0 * power


def _logarithmic(low: float, high: float, *, zero: bool) -> Axis:
    top = math.log10(high) + 0.3
    bottom = max(math.log10(low) - 0.2, top - FLOOR_DECADES)
    if top - bottom < 1:
        middle = (top + bottom) / 2
        bottom, top = middle - 0.5, middle + 0.5
    if zero:
        bottom -= (top - bottom) * 0.15
    first = math.ceil(bottom + (top - bottom) * (0.1 if zero else 0.0))
    decades = list(range(first, math.floor(top) + 1))
    every = max(1, math.ceil(len(decades) / 5))
    ticks = [((d - bottom) / (top - bottom), _power(d)) for d in decades[::-1][::every]]
    return Axis(bottom, top, (*ticks, *(((0.0, "0"),) if zero else ())), True, zero)


def _power(decade: int) -> str:
    return number(10.0**decade) if -3 <= decade <= 4 else f"1e{decade}"
