"""Compares the initial values of a variable with its initializer, for the view of a layer.

Standard deviations of the draws: Glorot & Bengio 2010 (sqrt(2 / (fan_in + fan_out))), He et al.
2015 (sqrt(2 / fan_in)), LeCun et al. 1998 (sqrt(1 / fan_in)), Saxe et al. 2014 (orthogonal: rows or
columns of length 1). Where the spread depends on a setting that was not recorded, nothing is
expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import initializer_settings
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules.poor_initialization import FACTOR, RULE, fans
from tb_convergence.core.schema import Row
from tb_convergence.core.text.numbers import number

TRUNCATED: Final = 0.87962566103423978
"""Standard deviation of a normal distribution cut at two of its own."""
_SIGMAS: Final = 4.0
"""Sampling errors of an observed spread that chance explains."""
_LEAST_TOLERANCE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Expected:
    """What an initializer draws from.

    Attributes:
        std: standard deviation of the entries.
        formula: where it comes from, such as "√(2 / (fan_in + fan_out))".
    """

    std: float
    formula: str


@dataclass(frozen=True, slots=True)
class Initialization:
    """How one variable started.

    Attributes:
        step: of the first record that knows its spread; later than 0, it may have been trained.
        low, high: bounds of the observed standard deviation; equal where it is known exactly.
        mean: middle of the observed mean; None if it was not recorded.
        expected: None if the initializer, its settings or the shape are not known.
        fans: inputs and outputs of one unit; None for what is no kernel.
        verdict: "as expected", "narrower" or "wider" than chance explains; "" if nothing is
            expected.
        sound: ends beyond which the rule poor-initialization calls the start wrong, and its id;
            None if it does not judge this variable.
    """

    step: int
    low: float
    high: float
    mean: float | None
    expected: Expected | None
    fans: tuple[int, int] | None
    verdict: str
    sound: tuple[float, float, str] | None


def initialization(history: RunHistory, table: Table, row: int) -> Initialization | None:
    """How row `row` of the table of variables started; None if its spread was not recorded."""
    if table.group != "variables" or not table.has("variable_std"):
        return None
    low = table.column("variable_std", "low")[:, row]
    high = table.column("variable_std", "high")[:, row]
    known = np.flatnonzero(np.isfinite(low) & np.isfinite(high))
    if not len(known):
        return None
    first = int(known[0])
    mean = float(table.column("variable_mean")[first, row]) if table.has("variable_mean") else None
    described = table.rows[row]
    settings = initializer_settings(history, described.layer, described.kind)
    expected = expectation(described, settings)
    fan = fans(described) if described.kind == "kernel" else None
    sound = None
    if fan is not None:
        usual = math.sqrt(2 / sum(fan))
        sound = (usual / FACTOR, usual * FACTOR, RULE.id)
    observed = float(low[first]), float(high[first])
    return Initialization(
        int(table.steps[first]), *observed,
        mean if mean is not None and math.isfinite(mean) else None, expected, fan,
        "" if expected is None else _verdict(*observed, expected.std, math.prod(described.shape)),
        sound,
    )


def _verdict(low: float, high: float, expected: float, entries: int) -> str:
    """Whether the standard deviation of so many entries is as expected, within chance."""
    tolerance = max(_LEAST_TOLERANCE, _SIGMAS / math.sqrt(2 * max(1, entries)))
    if high < expected * (1 - tolerance):
        return "narrower"
    if low > expected * (1 + tolerance):
        return "wider"
    return "as expected"


def expectation(row: Row, settings: Mapping[str, Any]) -> Expected | None:
    """What the initializer of `row` draws from; `settings` are its own, untrusted.

    >>> kernel = Row("k", "k", "kernel", (3, 3, 16, 32), initializer="HeNormal")
    >>> found = expectation(kernel, {})
    >>> found is not None and round(found.std, 4), found and found.formula
    (0.1179, '√(2 / fan_in)')
    """
    name = row.initializer
    if name in ("Zeros", "Ones", "Constant"):
        return Expected(0.0, "a constant")
    if name in _STDS:
        return _STDS[name](settings)
    if name == "Orthogonal":
        return _orthogonal(row, settings)
    fan = fans(row)
    if fan is None:
        return None
    ways: dict[str, tuple[float, str]] = {
        "Glorot": (math.sqrt(2 / sum(fan)), "√(2 / (fan_in + fan_out))"),
        "He": (math.sqrt(2 / fan[0]), "√(2 / fan_in)"),
        "Lecun": (math.sqrt(1 / fan[0]), "√(1 / fan_in)"),
    }
    found = ways.get(name.removesuffix("Normal").removesuffix("Uniform"))
    if found is not None:
        return Expected(*found)
    return _scaled(fan, settings) if name == "VarianceScaling" else None


def _scaled(fan: tuple[int, int], settings: Mapping[str, Any]) -> Expected | None:
    scale, mode = _number(settings, "scale"), settings.get("mode")
    ways: dict[Any, tuple[float, str]] = {
        "fan_in": (float(fan[0]), "fan_in"),
        "fan_out": (float(fan[1]), "fan_out"),
        "fan_avg": (sum(fan) / 2, "average fan"),
    }
    if scale is None or scale < 0 or not isinstance(mode, str) or mode not in ways:
        return None
    count, called = ways[mode]
    return Expected(math.sqrt(scale / count), f"√({number(scale, 6)} / {called})")


def _orthogonal(row: Row, settings: Mapping[str, Any]) -> Expected | None:
    gain = _number(settings, "gain")
    if gain is None or len(row.shape) < 2 or min(row.shape) < 1:
        return None
    longer = max(math.prod(row.shape[:-1]), row.shape[-1])
    return Expected(abs(gain) / math.sqrt(longer), f"{number(gain, 6)} / √{longer}")


def _normal(settings: Mapping[str, Any]) -> Expected | None:
    std = _number(settings, "stddev")
    return None if std is None or std < 0 else Expected(std, f"stddev={number(std, 6)}")


def _truncated(settings: Mapping[str, Any]) -> Expected | None:
    std = _number(settings, "stddev")
    if std is None or std < 0:
        return None
    return Expected(TRUNCATED * std, f"0.88 · stddev={number(std, 6)}, cut at two of these")


def _uniform(settings: Mapping[str, Any]) -> Expected | None:
    low, high = _number(settings, "minval"), _number(settings, "maxval")
    if low is None or high is None or high < low:
        return None
    width = f"{number(high, 6)} {'-' if low >= 0 else '+'} {number(abs(low), 6)}"
    return Expected((high - low) / math.sqrt(12), f"({width}) / √12")


_STDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Expected | None]]] = {
    "RandomNormal": _normal,
    "TruncatedNormal": _truncated,
    "RandomUniform": _uniform,
}


def _number(settings: Mapping[str, Any], name: str) -> float | None:
    value = settings.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e30 else None
