"""Numbers as text: the one place that decides how many digits a person sees.

The text does not depend on the platform: digits come from the exact decimal value of the double,
and ties round away from zero, as `Number.prototype.toPrecision` of JavaScript does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

LARGEST_PLAIN: Final = 1e6
SMALLEST_PLAIN: Final = 1e-3
"""Outside of these a reader would have to count zeros: such numbers get an exponent."""


def number(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits; whole numbers whole, thousands in groups.

    NaN is "NaN", infinities are "Inf" and "-Inf", zero of either sign is "0".

    >>> number(0.6634), number(206_600.0), number(9934.4), number(-24.0)
    ('0.663', '206,600', '9,934', '-24')
    >>> number(0.00012), number(1.27e16), number(0.1234567, 5), number(float("-inf"))
    ('1.2e-4', '1.27e16', '0.12346', '-Inf')
    """
    value = float(value)
    if math.isnan(value):
        return "NaN"
    if value == 0:
        return "0"
    return ("-" if value < 0 else "") + _size(abs(value), digits)


def _size(size: float, digits: int) -> str:
    if math.isinf(size):
        return "Inf"
    if not SMALLEST_PLAIN <= size < LARGEST_PLAIN:
        return _scientific(size, digits)
    if size == int(size) or size >= 10**digits:
        return f"{int(Decimal(size).to_integral_value(ROUND_HALF_UP)):,}"
    whole, _, decimals = f"{_rounded(size, digits):f}".partition(".")
    decimals = decimals.rstrip("0")
    return f"{int(whole):,}" + (f".{decimals}" if decimals else "")


def _scientific(size: float, digits: int) -> str:
    """ "1.2e-4": no zeros at the end of the mantissa, no sign or zeros before the exponent."""
    rounded = _rounded(size, digits)
    exponent = rounded.adjusted()
    mantissa = f"{rounded.scaleb(-exponent):f}"
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{exponent}"


def _rounded(size: float, digits: int) -> Decimal:
    return Context(prec=digits, rounding=ROUND_HALF_UP).create_decimal(Decimal(size))


def signed(value: float, digits: int = 3) -> str:
    """As `number`, with a sign for positive numbers too.

    >>> signed(0.25), signed(-0.25), signed(0.0)
    ('+0.25', '-0.25', '0')
    """
    text = number(value, digits)
    return f"+{text}" if value > 0 else text


def literal(value: float, digits: int = 6) -> str:
    """`value` as Python code that a user may copy: no groups of thousands.

    >>> literal(1e-4), literal(0.1), literal(3000.0)
    ('1e-4', '0.1', '3000')
    """
    return number(value, digits).replace(",", "")


def rounded(value: float, digits: int = 3) -> float:
    """A finite `value` with no more than `digits` significant digits.

    >>> rounded(0.0123456, 2), rounded(-98765.0)
    (0.012, -98800.0)
    """
    return math.copysign(float(_rounded(abs(value), digits)), value)


def percent(fraction: float) -> str:
    """A fraction in percent, with three significant digits; never rounds to 0% or 100%.

    >>> percent(0.577), percent(0.0508), percent(1.04), percent(0.0), percent(-0.0036)
    ('57.7%', '5.08%', '104%', '0%', '-0.36%')
    >>> percent(1.6e-6), percent(0.9999)
    ('less than 0.01%', 'more than 99.9%')
    """
    if not math.isfinite(fraction):
        return number(fraction)
    size = 100 * float(fraction)
    if 0 < size < 0.01:
        return "less than 0.01%"
    if 99.9 < size < 100:
        return "more than 99.9%"
    return f"{number(size)}%"


def percent_range(fractions: Iterable[float]) -> str:
    """The range of at least one fraction, in per cent.

    >>> percent_range([1.0, 1.0]), percent_range([1.0, 0.906])
    ('100%', '90.6% to 100%')
    """
    values = [float(value) for value in fractions]
    low, high = percent(min(values)), percent(max(values))
    return low if low == high else f"{low} to {high}"


def percent_or_number(fraction: float) -> str:
    """As `percent`; a fraction too small for one stays a number.

    >>> percent_or_number(0.42), percent_or_number(1.614e-6)
    ('42%', '1.61e-6')
    """
    return number(fraction) if 0 < fraction < 1e-4 else percent(fraction)


def confidence(fraction: float) -> str:
    """How sure something is, in whole per cent: a further digit would claim too much.

    >>> confidence(0.876), confidence(1.0)
    ('88%', '100%')
    """
    return percent(math.floor(fraction * 100 + 0.5) / 100)


def number_range(low: float, high: float) -> str:
    """Two numbers in equal precision: three digits of the larger end, whole numbers whole.

    >>> number_range(-1.8697, 1.904), number_range(5.0, 10.0), number_range(-0.5, 0.25)
    ('-1.87 to 1.90', '5 to 10', '-0.500 to 0.250')
    >>> number_range(0.0, 206_600.0), number_range(-1.0, float("nan"))
    ('0 to 206,600', '-1 to NaN')
    """
    size = max(abs(low), abs(high))
    known = math.isfinite(low) and math.isfinite(high)
    whole = known and low == int(low) and high == int(high)
    if whole or not known or not SMALLEST_PLAIN <= size < 1e3:
        return f"{number(low)} to {number(high)}"
    decimals = max(0, 2 - math.floor(math.log10(size)))
    return f"{low:.{decimals}f} to {high:.{decimals}f}"
