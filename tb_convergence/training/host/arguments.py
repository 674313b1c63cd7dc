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
    value = float(overhead)
    if not 0.0 < value < 1.0:
        raise ValueError(f"overhead is {overhead!r}; expected a share of time such as 0.01")
    return value


def checked_interval(every_n_steps: Any, name: str = "every_n_steps") -> int | None:
    """`every_n_steps` as a whole number; None stays.

    Raises:
        TypeError: no number. ValueError: not a whole number of at least 1.
    """
    if every_n_steps is None:
        return None
    if isinstance(every_n_steps, bool) or int(every_n_steps) != every_n_steps or every_n_steps < 1:
        raise ValueError(f"{name} is {every_n_steps!r}; expected a whole number >= 1")
    return int(every_n_steps)
