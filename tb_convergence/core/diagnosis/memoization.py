"""Computes once per run what several rules need, and stores it with the run."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar, cast

from tb_convergence.core.history import RunHistory

T = TypeVar("T")


def memoized(function: Callable[[RunHistory], T]) -> Callable[[RunHistory], T]:
    """Cache the result of `function` for each history.

    A changed history (`dataclasses.replace`, `until`) is a new one with a cache of its own.
    """

    @wraps(function)
    def ask(history: RunHistory) -> T:
        known = history.memory
        if function not in known:
            known[function] = function(history)
        return cast(T, known[function])

    return ask
