"""What several rules ask of one run is worked out once, and kept with the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from tb_convergence.core.history import RunHistory

T = TypeVar("T")


def remembered(function: Callable[[RunHistory], T]) -> Callable[[RunHistory], T]:
    """`function` of a history, computed at its first call for that history.

    A history that was changed (`dataclasses.replace`, `until`) is another one, with a memory of its
    own.
    """

    @wraps(function)
    def ask(history: RunHistory) -> T:
        known = history.memory
        if function not in known:
            known[function] = function(history)
        return cast(T, known[function])

    return ask
