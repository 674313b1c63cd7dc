"""A slow machine, on purpose: finds tests that read a page before it can be in the state they read.

TB_CONVERGENCE_SLOW=4 makes the page's processor four times slower, every request 100 ms longer, and
every reply 50 to 400 ms longer, at random, so that replies also come in another order.
"""

from __future__ import annotations

import os

from playwright.sync_api import Page

VARIABLE = "TB_CONVERGENCE_SLOW"

LATE_REPLIES = """
  const { fetch } = window;
  window.fetch = async (...asked) => {
    const reply = await fetch(...asked);
    await new Promise((done) => setTimeout(done, 50 + 350 * Math.random()));
    return reply;
  };
"""


def factor() -> float:
    """How many times slower the page is to be; 1 unless that is asked for."""
    return float(os.environ.get(VARIABLE) or 1)


def slow_down(page: Page) -> None:
    """Slow `page` down as the environment asks."""
    if factor() <= 1:
        return
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": factor()})
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 100, "downloadThroughput": -1, "uploadThroughput": -1,
    })
    page.add_init_script(LATE_REPLIES)
