"""The Convergence tab as a person uses it, and the same data as its routes give it."""

from __future__ import annotations

import gzip
import importlib.resources
import json
import re
import struct
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Frame, Locator, Page, expect
from waiting import SECONDS, settle

NO_DATA, NAN, INFINITE = 1, 2, 3
AXE = importlib.resources.files("axe_playwright_python").joinpath("axe.min.js")


@dataclass(frozen=True)
class Heat:
    """A decoded reply of the route `heatmap`: `[R, W]` values and codes, W stretches of steps."""

    first_steps: list[int]
    last_steps: list[int]
    values: NDArray[np.float32]
    codes: NDArray[np.uint8]


HANDLED = """(before) => {
  const counted = window.pointerMoves !== undefined;
  if (!counted) {
    window.pointerMoves = 0;
    window.addEventListener("pointermove", () => { window.pointerMoves += 1; });
  }
  let frames = 0;
  return new Promise((done) => {
    const look = () => {
      if (window.pointerMoves > before || frames > 2) done(window.pointerMoves);
      else requestAnimationFrame(look);
      frames += 1;
    };
    look();
  });
}"""
"""Browsers may hold a movement of the pointer back until the next frame."""


class Tab:
    """The tab in one page.

    Opening it waits for the first findings to be on screen and, unless `settled` is False, for all
    else as well.
    """

    def __init__(self, page: Page, address: str, fragment: str, settled: bool = True) -> None:
        self.page = page
        self.address = address
        self._pointer_moves = 0
        page.goto(f"{address}/#{fragment}")
        page.frame_locator("iframe").locator("[data-ready=true]").wait_for(state="attached")
        if settled:
            self.settle()

    @cached_property
    def frame(self) -> Frame:
        """Our document, inside TensorBoard's."""
        (frame,) = (f for f in self.page.frames if "plugin_entry.html" in f.url)
        return frame

    def find(self, testid: str, **data: str) -> Locator:
        """Elements by their test id and data attributes."""
        more = "".join(f'[data-{name}="{value}"]' for name, value in data.items())
        return self.frame.locator(f'[data-testid="{testid}"]{more}')

    def runs(self) -> list[str]:
        """Names of the runs on offer."""
        return [str(c.get_attribute("data-run")) for c in self.find("run-chip").all()]

    def select(self, run: str) -> list[dict[str, Any]]:
        """Choose a run and wait until all of it is shown.

        Returns its findings as the route gives them.
        """
        self.find("run-chip", run=run).click()
        expect(self.find("run-chip", run=run)).to_have_attribute("aria-pressed", "true")
        findings: list[dict[str, Any]] = self.get("findings", run=run)["findings"]
        expect(self.find("finding")).to_have_count(len(findings))
        if findings:
            expect(self.find("finding").first).to_have_attribute("data-id", findings[0]["id"])
        else:
            expect(self.find("no-finding")).to_be_visible()
        self.settle()
        return findings

    def last_step(self) -> int:
        """The last step of the selected run, as the page says it; -1 where it says none."""
        match = re.search(r"step ([\d,]+)", self.frame.locator(".facts").inner_text())
        return int(match.group(1).replace(",", "")) if match else -1

    def said(self) -> Locator:
        """What a screen reader hears of the page as a whole."""
        return self.frame.locator("#convergence > p[aria-live=polite]")

    def choose(self, group: str, metric: str) -> Locator:
        """Choose what the heat map shows. Returns its canvas once it is drawn."""
        self.choose_quietly(group, metric)
        self.settle()
        expect(self.find("heatmap")).to_be_visible()
        return self.find("heatmap")

    def choose_quietly(self, group: str, metric: str) -> None:
        """The same, without waiting for the map."""
        self.frame.locator("select[name=metric]").wait_for(state="attached")
        if self.frame.locator("input[name=group]").count():  # a single one is no choice
            self.frame.locator(f'input[name=group][value="{group}"]').check(force=True)
        self.frame.locator("select[name=metric]").select_option(f"{group} {metric}", force=True)

    def shade(self, by: str) -> None:
        """What the heat map's colors say: "health" or "value"."""
        self.frame.locator(f'input[name=shade][value="{by}"]').check(force=True)

    def point(self, over: Locator, x: float, y: float) -> None:
        """Move the pointer to (x, y) of an element, in CSS pixels, until the page knows."""
        over.hover(position={"x": x, "y": y}, force=True)
        self._pointer_handled()

    def move_pointer(self, x: float, y: float) -> None:
        """The same, to a place of TensorBoard's page."""
        self.page.mouse.move(x, y)
        self._pointer_handled()

    def _pointer_handled(self) -> None:
        self._pointer_moves = self.frame.evaluate(HANDLED, self._pointer_moves)

    def settle(self) -> None:
        """Wait until nothing is loading, asked for, examined, or due to be drawn."""
        settle(self.page, self.frame)

    def written(self) -> None:
        """Wait until the address says what is on screen: it follows a quarter of a second later."""
        self.settle()
        self.frame.evaluate("new Promise((done) => setTimeout(done, 500))")

    def reload(self) -> None:
        """TensorBoard's own reload button."""
        self.page.locator(".reload-button").click()

    def reload_until(self, shown: Callable[[], object]) -> None:
        """Press that button, about once a second, until `shown`: a file may be read later."""
        deadline = time.monotonic() + 2 * SECONDS
        while not shown():
            assert time.monotonic() < deadline, "TensorBoard was reloaded, and nothing came of it"
            self.reload()
            self.page.wait_for_timeout(1000)

    def barriers(self) -> list[str]:
        """What axe finds in the tab as it stands, everything folded out."""
        self.frame.evaluate(
            "for (const each of document.querySelectorAll('details:not(.export)')) each.open = true"
        )
        if not self.frame.evaluate("'axe' in window"):
            self.frame.evaluate(AXE.read_text(encoding="utf-8"))
        result: dict[str, Any] = self.frame.evaluate("axe.run(document)")
        assert len(result["passes"]) > 10, "axe did look at the page"
        return [
            f"{violation['id']}: {node['target']} {node['failureSummary']}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]

    def url(self, route: str, **parameters: str) -> str:
        """Address of one of our routes."""
        query = urllib.parse.urlencode(parameters)
        return f"{self.address}/data/plugin/convergence/{route}?{query}"

    def get(self, route: str, **parameters: str) -> Any:
        """A JSON reply."""
        with urllib.request.urlopen(self.url(route, **parameters), timeout=60) as reply:
            return json.loads(_plain(reply.read()))

    def heat(self, run: str, group: str, metric: str) -> Heat:
        """A heat map, decoded as docs/http_api.md says, and by nothing else."""
        url = self.url("heatmap", run=run, group=group, metric=metric)
        with urllib.request.urlopen(url, timeout=60) as reply:
            return self.decode(reply.read())

    @staticmethod
    def decode(reply: bytes) -> Heat:
        """A reply of `heatmap` or `difference`."""
        body = _plain(reply)
        (length,) = struct.unpack_from("<I", body)
        header = json.loads(body[4 : 4 + length])
        shape = (header["rows"], header["cells"])
        start = -(-(4 + length) // 4) * 4
        size = shape[0] * shape[1]
        values = np.frombuffer(body, "<f4", size, start).reshape(shape)
        codes = np.frombuffer(body, np.uint8, size, start + 4 * size).reshape(shape)
        return Heat(header["first_steps"], header["last_steps"], values, codes)


def _plain(body: bytes) -> bytes:
    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
