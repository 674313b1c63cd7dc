"""Takes the pictures of the documentation: the tab on the demo's runs, light and dark.

    tb-convergence demo --no-serve --logdir LOGS
    python tools/screenshots.py LOGS

Writes docs/images/tab-light.png and tab-dark.png. Look at them before they are committed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]

import browser  # noqa: E402 - found through the line above
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

from tb_convergence.demo.serve import answers, free_port  # noqa: E402

SIZE = {"width": 1360, "height": 940}
RUN = "learning-rate-too-high"
DARK = "localStorage.setItem('_tb_global_settings', JSON.stringify({theme: 'dark'}))"


def picture(chromium: Browser, address: str, theme: str, path: Path) -> None:
    """The tab with the run `RUN` selected and the gradient norms in the heat map."""
    page = chromium.new_page(viewport=SIZE, color_scheme=theme)  # type: ignore[arg-type]
    if theme == "dark":
        page.add_init_script(DARK)
    page.goto(f"{address}/#convergence")
    tab = page.frame_locator("iframe")
    tab.locator("[data-ready=true]").wait_for(state="attached", timeout=60_000)
    tab.locator(f'[data-testid="run-chip"][data-run="{RUN}"]').click()
    page.wait_for_timeout(2_000)  # until everything is drawn
    page.screenshot(path=path)
    page.close()


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("logs", type=Path, help="log directory of tb-convergence demo")
    logs = parser.parse_args(arguments).logs
    images = ROOT / "docs" / "images"
    images.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs)]
    command += ["--host", "localhost", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:  # noqa: S603 - our own
        try:
            if not answers(port, server):
                sys.stderr.write("error: TensorBoard did not start\n")
                return 1
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=browser.find(), args=["--no-sandbox", "--disable-gpu"]
                )
                for theme in ("light", "dark"):
                    picture(
                        chromium, f"http://localhost:{port}", theme, images / f"tab-{theme}.png"
                    )
                chromium.close()
        finally:
            server.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
