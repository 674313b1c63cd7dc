"""The browser of these tests: one profile, and pages that start with an empty storage."""

from __future__ import annotations

from typing import Literal

from playwright.sync_api import BrowserContext, Page, ViewportSize
from slowness import slow_down
from waiting import SECONDS, watch

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

EMPTY_STORAGE = """
  try {
    if (!sessionStorage.getItem("begun")) localStorage.clear();
    sessionStorage.setItem("begun", "yes");
  } catch { /* about:blank and the like have no storage */ }
"""
"""`sessionStorage` is of one page, and outlives a reload."""


class Chromium:
    """A browser with one profile, as a person has it: what it has compiled once is kept.

    Opening TensorBoard takes half of the processor's time that way. Each page begins with an empty
    storage all the same.
    """

    def __init__(self, context: BrowserContext) -> None:
        self._context = context

    def new_page(
        self, viewport: ViewportSize | None = None, color_scheme: Literal["dark", "light"] = "light"
    ) -> Page:
        """A page that waits as long as a slow machine takes."""
        page = self._context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.set_viewport_size(viewport or {"width": 1280, "height": 720})
        page.emulate_media(color_scheme=color_scheme)
        page.add_init_script(EMPTY_STORAGE)
        watch(page)
        slow_down(page)
        return page
