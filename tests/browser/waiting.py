"""Waits for a state of the page, never for a time: a slow machine is no fault of the page.

A test reads the page at once only where the line before it guarantees what is read. Elsewhere it
uses `expect`, which retries, or `eventually` for what `expect` cannot read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from playwright.sync_api import Frame, Page, Request

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


class _Traffic:
    """Requests of our page that are under way."""

    def __init__(self, page: Page) -> None:
        self.under_way: set[Request] = set()
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def _begin(self, request: Request) -> None:
        if "plugin/convergence/" in request.url:
            self.under_way.add(request)

    def _end(self, request: Request) -> None:
        self.under_way.discard(request)


_TRAFFIC: WeakKeyDictionary[Page, _Traffic] = WeakKeyDictionary()


def watch(page: Page) -> None:
    """Count the requests of `page` from now on: `settle` needs it."""
    _TRAFFIC[page] = _Traffic(page)


BUSY = """async () => {
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  await document.fonts.ready;
  await frame();
  await frame();
  return [...document.querySelectorAll(".loading, .heat-frame.pending, progress")]
    .map((one) => one.textContent.trim() || one.className || one.tagName);
}"""
"""Two frames: a reply is drawn with the next one, and what waits for that with the one after it."""


def settle(page: Page, frame: Frame) -> None:
    """Wait until nothing is loading, asked for, examined, or due to be drawn in `frame`."""
    traffic = _TRAFFIC[page]
    eventually(
        lambda: [*frame.evaluate(BUSY), *(one.url for one in traffic.under_way)],
        equals=[], seconds=2 * SECONDS,
    )
