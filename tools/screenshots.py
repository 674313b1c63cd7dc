"""Takes the pictures of the documentation: every view of the tab, light and dark.

    tb-convergence demo --no-serve --logdir LOGS
    python tools/screenshots.py LOGS              all of them
    python tools/screenshots.py LOGS tab profile  some of them

Writes docs/images/NAME-light.png and NAME-dark.png. The page is built first, so that it is the
current one; runs that the demo does not have are trained and written beside it. Needs Pillow, which
takes the pictures' colors down to what they need. Look at them before they are committed.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]

import browser  # noqa: E402 - found through the line above
import bundle  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Frame, sync_playwright  # noqa: E402

from tb_convergence.demo.serve import answers, free_port  # noqa: E402

IMAGES = ROOT / "docs" / "images"
LIMIT_BYTES = 2_000_000
"""Of all pictures of the tab together."""

COLORS = 256
DARK = "localStorage.setItem('_tb_global_settings', JSON.stringify({theme: 'dark'}))"
THEMES = ("light", "dark")
MARGIN = 8
MOST_HEIGHT = 1_100
"""Of a picture of a part: what is longer goes on as it began."""


@dataclass(frozen=True)
class View:
    """One picture.

    Attributes:
        name: of the file.
        logs: which server: "demo", "large", "histograms", "experiments" or "none".
        state: of the page, as its link says it.
        part: what of the page is shown; "" for the window as it is.
        size: of the window.
        act: what to do before the picture is taken.
    """

    name: str
    logs: str
    state: dict[str, str]
    part: str = ""
    size: tuple[int, int] = (1360, 940)
    act: Callable[[Frame], None] = lambda _tab: None


def _open_dialog(tab: Frame) -> None:
    tab.get_by_role("button", name="Keyboard").click()


def _read_cell(tab: Frame) -> None:
    tab.locator("[data-testid=heatmap]").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        tab.page.keyboard.press(key)


TALL = (1360, 3600)
"""Whole panels fit in, however long."""

VIEWS = (
    View("tab", "demo", {"run": "learning-rate-too-high"}),
    View("finding", "demo", {"run": "unnormalized-input"}, ".findings", TALL),
    View("healthy", "demo", {"run": "healthy"}, size=(1360, 760)),
    View("map", "large", {"run": "exploding-01"}, ".map", (1360, 1000), _read_cell),
    View("compare", "demo", {"run": "learning-rate-too-low", "with": '["healthy"]'},
         size=(1360, 1180)),
    View("difference", "demo",
         {"run": "learning-rate-too-low", "with": '["healthy"]', "map": "difference",
          "group": "variables", "metric": "update_ratio"}, ".map"),
    View("layer", "demo", {"run": "deep-sigmoid", "group": "variables", "metric": "gradient_norm"},
         ".layer", TALL),
    View("distributions", "histograms",
         {"run": "histograms", "group": "variables", "metric": "gradient_norm",
          "row": "sequential/dense_1/kernel"}, ".layer :has(> .histogram)", (1360, 2000)),
    View("profile", "demo", {"run": "deep-sigmoid", "group": "variables",
                             "metric": "gradient_norm", "tab": "profile"}, ".layer", TALL),
    View("experiments", "experiments", {"run": "sgd-unscaled-input", "view": "experiments"},
         size=(1360, 1180)),
    View("names", "histograms", {"run": "own-names"}, size=(1360, 820)),
    View("keys", "demo", {"run": "healthy"}, "#help", (1360, 900), _open_dialog),
    View("empty", "none", {}, size=(1360, 620)),
    View("phone", "demo", {"run": "dead-relu"}, size=(360, 740)),
)


def picture(chromium: Browser, address: str, view: View, theme: str) -> bytes:
    """One view as PNG."""
    width, height = view.size
    page = chromium.new_page(
        viewport={"width": width, "height": height}, color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page.set_default_timeout(60_000)
    if theme == "dark":
        page.add_init_script(DARK)
    link = "".join(f"&p.convergence.{key}={quote(text)}" for key, text in view.state.items())
    page.goto(f"{address}/#convergence{link}")
    page.frame_locator("iframe").locator("[data-ready=true]").wait_for(state="attached")
    (tab,) = (frame for frame in page.frames if "plugin_entry.html" in frame.url)
    tab.wait_for_function("!document.querySelector('progress, .loading, .pending')")
    page.wait_for_timeout(1_200)  # typefaces arrive, charts are drawn again
    view.act(tab)
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    if view.part:
        target = tab.locator(view.part).first
        target.scroll_into_view_if_needed()
        box = target.bounding_box()
        if box is None:
            raise RuntimeError(f"{view.name}: {view.part} is not on the page")
        left, top = max(0, box["x"] - MARGIN), max(0, box["y"] - MARGIN)
        taken = page.screenshot(clip={
            "x": left, "y": top, "width": min(width - left, box["width"] + 2 * MARGIN),
            "height": min(height - top, box["height"] + 2 * MARGIN, MOST_HEIGHT)})
    else:
        taken = page.screenshot()
    page.close()
    return _smaller(taken)


def _smaller(png: bytes) -> bytes:
    """The same picture with as many colors as it needs: a third of the bytes."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    # Rare colors, such as a run's dot, count as much as common ones.
    method = Image.Quantize.MAXCOVERAGE
    reduced = image.quantize(COLORS, method=method, kmeans=1, dither=Image.Dither.NONE)
    out = io.BytesIO()
    reduced.save(out, "PNG", optimize=True)
    return out.getvalue()


@contextmanager
def tensorboard(logs: Path) -> Iterator[str]:
    """Address of a TensorBoard on `logs`."""
    port = free_port()
    starter = str(ROOT / "tests" / "serving" / "start_tensorboard.py")
    command = [sys.executable, starter, "--logdir", str(logs), "--host", "localhost"]
    with subprocess.Popen(  # noqa: S603 - our own
        [*command, "--port", str(port)], stderr=subprocess.DEVNULL
    ) as server:
        try:
            if not answers(port, server):
                raise RuntimeError("TensorBoard did not start")
            yield f"http://localhost:{port}"
        finally:
            server.terminate()


def write_logs(kind: str, demo: Path, folder: Path) -> Path:
    """The log directory of a kind; made in `folder` unless it is the demo's."""
    if kind == "demo":
        return demo
    made = folder / kind
    made.mkdir()
    programs = {
        "large": ["-m", "benchmarks.large_logs", str(made), "--runs", "8", "--records", "600"],
        "histograms": [str(ROOT / "tools" / "screenshot_logs.py"), str(made)],
        "experiments": [str(ROOT / "tools" / "experiment_logs.py"), str(made)],
    }
    if kind in programs:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(  # noqa: S603 - our own
            [sys.executable, *programs[kind]], cwd=ROOT, check=True, env=environment,
            stderr=subprocess.DEVNULL,
        )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Command line; see the module docstring."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("logs", type=Path, help="log directory of tb-convergence demo")
    parser.add_argument("names", nargs="*", help="pictures to take; all by default")
    options = parser.parse_args(arguments)
    views = [view for view in VIEWS if not options.names or view.name in options.names]
    if bundle.main([]):
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser.find(), args=["--no-sandbox", "--disable-gpu"]
        )
        for kind in dict.fromkeys(view.logs for view in views):
            logs = write_logs(kind, options.logs, Path(folder))
            with tensorboard(logs) as address:
                for view in (one for one in views if one.logs == kind):
                    for theme in THEMES:
                        taken = picture(chromium, address, view, theme)
                        (IMAGES / f"{view.name}-{theme}.png").write_bytes(taken)
                        sys.stdout.write(f"{view.name}-{theme}.png {len(taken):,} bytes\n")
                        sys.stdout.flush()
        chromium.close()
    total = sum(path.stat().st_size for path in IMAGES.glob("*.png"))
    sys.stdout.write(f"{total:,} bytes in all\n")
    return 0 if total <= LIMIT_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
