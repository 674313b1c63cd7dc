"""Words that several summaries need."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Final

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory
from tb_convergence.core.schema import Row

MARKS: Final = {"critical": "✖", "warning": "▲", "info": "●", "healthy": "✔"}
"""A sign for each severity, and for a run that nothing is found in."""


def counted(number: int, thing: str) -> str:
    """A number and its thing, in the plural where it needs one.

    >>> counted(1, "more layer"), counted(3, "more layer")
    ('1 more layer', '3 more layers')
    """
    return f"{number:,} {thing}" + ("s" if number != 1 else "")


def listed(names: Sequence[str], most: int = 3, thing: str = "layer") -> str:
    """Names one after another; those beyond `most` are counted, as that many more of a `thing`.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed(["a", "b", "c", "d"])
    ('a', 'a, b and c', 'a, b, c and 1 more layer')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {counted(len(names) - most, f'more {thing}')}"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


MOST: Final = 44
"""Characters of a title that a chip holds."""


def placed(title: str, layers: Sequence[str]) -> str:
    """A title with the layer it is of, or how many; without it where that would be too long.

    >>> placed("ReLU units are dead", ["dense_1"]), placed("ReLU units are dead", ["a", "b"])
    ('ReLU units are dead in dense_1', 'ReLU units are dead in 2 layers')
    >>> placed("ReLU units are dead", ["a_layer_with_a_very_long_name"])
    'ReLU units are dead'
    """
    if not layers:
        return title
    where = layers[0] if len(layers) == 1 else counted(len(layers), "layer")
    whole = f"{title} in {where}"
    return whole if len(whole) <= MOST else title


def features_in(row: Row) -> int:
    """How many features of a tensor a row stands for; 1 where it says no range.

    >>> features_in(Row("input[82:91]", "input", "input", (82, 91)))
    9
    >>> features_in(Row("pixels", "input", "input"))
    1
    """
    first, last = row.shape if len(row.shape) == 2 else (0, 1)
    return max(1, last - first)


def span(low: float, high: float) -> str:
    """A range in figures of like precision: three digits of the larger end, whole numbers whole.

    >>> span(-1.8697, 1.904), span(5.0, 10.0), span(-0.5, 0.25), span(0.0, 206_600.0)
    ('-1.87 to 1.90', '5 to 10', '-0.500 to 0.250', '0 to 207,000')
    """
    size = max(abs(low), abs(high))
    whole = low == int(low) and high == int(high) if size < 1e9 else False
    if whole and size < 1e3:
        return f"{low:.0f} to {high:.0f}"
    if not 1e-3 <= size < 1e3:
        return f"{figure(low)} to {figure(high)}"
    decimals = max(0, 2 - math.floor(math.log10(size)))
    return f"{low:.{decimals}f} to {high:.{decimals}f}"


def figure(value: float) -> str:
    """Three digits that matter, large numbers in groups and not in powers of ten.

    >>> figure(9934.2), figure(206_600.0), figure(0.6634), figure(1.27e16)
    ('9,930', '207,000', '0.663', '1.27e+16')
    """
    text = f"{value:.3g}"
    return f"{float(text):,.0f}" if 1e3 <= abs(value) < 1e9 else text


POWER = re.compile(r"(?<![\w./-])(\d+(?:\.\d+)?)e([+-])0*(\d+)(?![\w/])")
"""A number with an exponent as Python writes it; not a part of a name."""


def plain_exponents(text: str) -> str:
    """The same with exponents as the page and people write them.

    >>> plain_exponents("by 2.6e-06 of dense_1e-06/kernel, or 1e+16-fold")
    'by 2.6e-6 of dense_1e-06/kernel, or 1e16-fold'
    """
    return POWER.sub(lambda m: f"{m[1]}e{'-' if m[2] == '-' else ''}{m[3]}", text)


def percent(fraction: float) -> str:
    """A fraction as per cent, in two digits or so; never rounds to 0 or 100 what is not.

    >>> percent(0.577), percent(0.0508), percent(0.987), percent(1.04), percent(0.0)
    ('58%', '5.1%', '98.7%', '104%', '0%')
    >>> percent(1.6e-6), percent(0.9999), percent(-0.0036)
    ('less than 0.01%', 'more than 99.9%', '-0.36%')
    """
    if fraction < 0:
        return f"-{percent(-fraction)}"
    size = 100 * float(fraction)
    if 0 < size < 0.01:
        return "less than 0.01%"
    if 99.9 < size < 100:
        return "more than 99.9%"
    if 0 < size < 10:
        return f"{float(f'{size:.2g}'):g}%"
    return f"{float(f'{size:.1f}'):g}%" if 90 < size < 100 else f"{size:,.0f}%"


def between(fractions: Iterable[float]) -> str:
    """The range of at least one fraction, in per cent.

    >>> between([1.0, 1.0]), between([1.0, 0.906])
    ('100%', '90.6% to 100%')
    """
    values = [float(value) for value in fractions]
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"


def part(fraction: float) -> str:
    """As `percent`, but what is too small for one stays a number.

    >>> part(0.42), part(1.614e-6)
    ('42%', '1.6e-06')
    """
    return f"{fraction:.1e}" if 0 < fraction < 1e-4 else percent(fraction)


def loss_moved(fall: float, chance: float = 0.0) -> str:
    """What the loss did, from the part of its start that it lost (negative where it grew).

    A rise by no more than `chance` is none: the start is that of a few batches.

    >>> loss_moved(0.3), loss_moved(-0.0508), loss_moved(-1e16), loss_moved(0.0)
    ('fell by 30%', 'rose by 5.1%', 'rose by 1e+16 times its start', 'did not change')
    >>> loss_moved(-0.0508, 0.1), loss_moved(0.0508, 0.1)
    ('did not fall', 'fell by 5.1%')
    """
    if fall == 0:
        return "did not change"
    if -chance <= fall < 0:
        return "did not fall"
    if fall < -10:
        return f"rose by {-fall:.2g} times its start"
    return f"fell by {percent(fall)}" if fall > 0 else f"rose by {percent(-fall)}"


def fall_of_loss(trajectory: LossTrajectory, limit: float) -> Evidence:
    """The relative fall of the loss as evidence; the name says so where it is a rise."""
    rose = " (below 0: it rose)" if trajectory.fall < -trajectory.chance else ""
    if -trajectory.chance <= trajectory.fall < 0:
        rose = " (below 0, as single batches differ)"
    return Evidence("loss_fall", trajectory.fall, limit, side="at most", detail=rose)


def length_of(trajectory: LossTrajectory) -> str:
    """How long a training ran: "200 steps", "12 epochs", or "50 records" of unknown length."""
    if trajectory.axis == "epoch":
        return counted(trajectory.observed, "epoch")
    if trajectory.elapsed is None:
        return counted(trajectory.observed, "record")
    return counted(trajectory.elapsed, "step")


def loss_over_start(trajectory: LossTrajectory) -> Evidence:
    """The same for a loss that may have grown a millionfold; a quotient needs a start above 0."""
    if trajectory.start <= 0:
        return fall_of_loss(trajectory, 0.0)
    return Evidence("loss_end_over_start", trajectory.end / trajectory.start, 1.0,
                    side="more than")
