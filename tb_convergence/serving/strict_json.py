"""JSON that every parser accepts: no bare NaN, no integer a browser rounds, no NumPy scalar.

TensorBoard's own encoder writes NaN as the *string* "NaN" among numbers and fails on NumPy scalars,
so replies are encoded here and handed over as finished bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.finding import strict_number
from tb_convergence.serving.limits import shortened

Json: TypeAlias = Any
"""None, bool, int, float, str, or lists and string-keyed dicts of these."""

SAFE_INTEGER: Final = 2**53
"""Beyond this a JavaScript number cannot hold every integer."""


def encode(document: Json) -> bytes:
    """`document` as ASCII JSON without blanks.

    Raises:
        ValueError: it holds a NaN or an infinity; callers send those as null or as text.
    """
    text = json.dumps(document, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    return text.encode("ascii")


def integer(value: int) -> int | str:
    """`value`, as a string where a browser would round it.

    >>> integer(np.int64(7)), integer(2**53 + 1)
    (7, '9007199254740993')
    """
    whole = int(value)
    return whole if -SAFE_INTEGER <= whole <= SAFE_INTEGER else str(whole)


def integers(values: Iterable[int] | NDArray[np.int64]) -> list[int | str]:
    """`integer` of each of `values` `[S]`."""
    plain = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [integer(value) for value in plain]


def numbers(values: NDArray[np.floating[Any]]) -> list[float | None]:
    """`values` `[S]` with null for NaN and infinities.

    Values that float32 holds exactly are written with the fewest digits that identify a float32:
    half the bytes of the same number as a float64, and 0.1 reads as 0.1.

    >>> numbers(np.array([0.1, np.nan, np.inf], dtype=np.float32))
    [0.1, None, None]
    """
    wide = values.astype(np.float64)
    finite = np.isfinite(wide)
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float32)
    single = bool(np.all(wide[finite] == narrow[finite]))
    plain = wide.tolist()
    if single:
        # An integer is written in full: the fewest digits of 2^27 as a float32 are 134217730.
        plain = [
            value if value.is_integer() and abs(value) < SAFE_INTEGER else float(str(short))
            for value, short in zip(plain, narrow, strict=True)
        ]
    return [value if good else None for value, good in zip(plain, finite.tolist(), strict=True)]


def together(*values: NDArray[np.floating[Any]]) -> list[list[float | None]]:
    """`numbers` of each of several arrays `[S]`, all with as many digits as any of them needs.

    Else an interval might end below where it begins: the lower end, held exactly by a float32, was
    written with fewer digits than the upper one.

    >>> low, high = np.array([0.2616121470928192]), np.array([0.26161214709281927])
    >>> numbers(low), numbers(high)
    ([0.26161215], [0.26161214709281927])
    >>> together(low, high)
    [[0.2616121470928192], [0.26161214709281927]]
    """
    whole = iter(numbers(np.concatenate(values)))
    return [list(islice(whole, len(part))) for part in values]


def nonfinite(values: NDArray[np.floating[Any]], nan: bool = True) -> list[list[int | str]]:
    """`[index, "NaN" | "Infinity" | "-Infinity"]` of the non-finite among `values` `[S]`.

    Args:
        nan: whether NaN is data; False if it means "undefined".

    >>> nonfinite(np.array([1.0, np.nan, -np.inf]), nan=False)
    [[2, '-Infinity']]
    """
    marks: list[list[int | str]] = []
    for index in np.flatnonzero(~np.isfinite(values)).tolist():
        if nan or not np.isnan(values[index]):
            marks.append([index, str(strict_number(float(values[index])))])
    return marks


def longer_than(document: Json, characters: int) -> bool:
    """Whether the texts of `document` alone exceed `characters`; stops as soon as they do."""
    left = characters
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            left -= len(part)
        elif isinstance(part, dict):
            waiting += part.keys()
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        left -= 1
        if left < 0:
            return True
    return False


def bounded(value: object, characters: int, items: int, depth: int = 16) -> Json:
    """Any data as JSON: long texts shortened, long lists and deep nesting cut.

    Args:
        value: what a run recorded about itself; untrusted.
        characters: most characters of a text, keys included.
        items: most entries of a list or mapping.
        depth: levels of nesting that are kept.

    >>> bounded({"a": [1, 2, 3], "b": float("nan")}, characters=9, items=2)
    {'a': [1, 2], 'b': 'NaN'}
    """
    if value is None or isinstance(value, (bool, np.bool_)):
        return None if value is None else bool(value)
    if isinstance(value, (int, np.integer)):
        return shortened(str(whole), characters) if isinstance(
            whole := integer(int(value)), str
        ) else whole
    if isinstance(value, (float, np.floating)):
        return strict_number(float(value))
    if isinstance(value, (Mapping, list, tuple)) and depth <= 0:
        return "…"
    if isinstance(value, Mapping):
        kept = list(value.items())[:items]
        return {
            shortened(str(key), characters): bounded(item, characters, items, depth - 1)
            for key, item in kept
        }
    if isinstance(value, (list, tuple)):
        return [bounded(item, characters, items, depth - 1) for item in value[:items]]
    return shortened(str(value), characters)
