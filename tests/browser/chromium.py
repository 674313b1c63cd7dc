"""The browser of these tests, and the pages that it opens."""

from __future__ import annotations

from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize
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


class Chromium:
    """A browser that opens pages, each with a profile of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def new_page(
        self, viewport: ViewportSize | None = None, color_scheme: Literal["dark", "light"] = "light"
    ) -> Page:
        """A page that waits as long as a slow machine takes; `settle` knows its requests."""
        page = self._browser.new_page(
            viewport=viewport or {"width": 1280, "height": 720}, color_scheme=color_scheme
        )
        page.set_default_timeout(SECONDS * 1000)
        watch(page)
        slow_down(page)
        return page
