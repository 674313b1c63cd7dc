"""Checks the arguments of the recorders when they are passed."""

from __future__ import annotations

import os
from typing import Any


def checked_log_dir(log_dir: Any) -> str:
    """`log_dir` as text.

    Raises:
        TypeError: no path. ValueError: empty.
    """
    path = os.fspath(log_dir)
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not path:
        raise ValueError("log_dir is empty; give the folder for the event file")
    return str(path)


def checked_overhead(overhead: Any) -> float:
    """`overhead` as a number.

    Raises:
        TypeError: no number. ValueError: not within (0, 1).
    """
    try:
        value = float(overhead)
    except ValueError:
        value = float("nan")
    if not 0.0 < value < 1.0:
        raise ValueError(f"overhead is {overhead!r}; expected a share of time such as 0.01")
    return value


def checked_interval(every_n_steps: Any, name: str = "every_n_steps") -> int | None:
    """`every_n_steps` as a whole number; None stays.

    Raises:
        TypeError: no number. ValueError: not a whole number of at least 1.
    """
    return checked_whole(every_n_steps, name, least=1)


def checked_whole(value: Any, name: str, *, least: int) -> int | None:
    """`value` as a whole number of at least `least`; None stays.

    Raises:
        TypeError: no number. ValueError: not such a number.
    """
    if value is None:
        return None
    try:
        number = None if isinstance(value, bool) else int(value)
    except (ValueError, OverflowError):  # a text, an infinity, NaN
        number = None
    if number is None or number != value or number < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number >= {least}")
    return number
