"""Waits for a state of the page, never for a time: a slow machine is no fault of the page.

A test reads the page at once only where the line before it guarantees what is read. Elsewhere it
uses `expect`, which retries, or `eventually` for what `expect` cannot read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

SECONDS = 60
"""How long any wait may take. What never comes fails a test all the same, only later."""

Value = TypeVar("Value")
_ANYTHING = object()


def eventually(
    read: Callable[[], Value],
    holds: Callable[[Value], object] = bool,
    *,
    equals: object = _ANYTHING,
    seconds: float = SECONDS,
) -> Value:
    """Read until the value equals `equals` or, without it, until `holds` accepts it.

    `read` must ask the page. What Playwright remembers, such as `page.url`, does not change here.

    Returns the value that did.

    Raises:
        AssertionError: none did within `seconds`; says what was read last.
    """
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if holds(value) if equals is _ANYTHING else value == equals:
            return value
        wanted = "" if equals is _ANYTHING else f", not {equals!r}"
        assert time.monotonic() < deadline, f"{value!r} after {seconds:g} s{wanted}"
        time.sleep(0.05)
