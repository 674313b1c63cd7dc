"""B8: how fast the page is, in a real Chromium inside a real TensorBoard, against its targets."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.report import Options, Table, say

ROOT: Final = Path(__file__).resolve().parent.parent
STATIC: Final = ROOT / "tb_convergence" / "serving" / "static"

OPENINGS: Final = 9
MOVES: Final = 200

WATCH: Final = """
  window.seen = {finding: null, maps: []};
  let painting = false;
  const {port1, port2} = new MessageChannel();
  port2.onmessage = () => { painting = false; };
  const frame = () => {
    painting = true;
    port1.postMessage(0);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const onScreen = (note) => {
    if (painting) setTimeout(() => note(performance.now()));
    else requestAnimationFrame(() => setTimeout(() => note(performance.now())));
  };
  new MutationObserver(() => {
    if (seen.finding === null && document.querySelector("[data-testid=finding]")) {
      seen.finding = 0;
      onScreen((now) => { seen.finding = now; });
    }
  }).observe(document, {childList: true, subtree: true});
  const put = CanvasRenderingContext2D.prototype.putImageData;
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    put.apply(this, given);
    onScreen((now) => seen.maps.push(now));
  };
"""
"""Notes, in every frame, when the first finding and each heat map had been painted: with the frame
that was being prepared when they were drawn, or the next one."""

REPLIES = """() => performance.getEntriesByType("resource")
  .filter((one) => one.name.includes("/data/plugin/convergence/"))
  .map((one) => ({
    route: one.name.split("/").pop().split("?")[0], begun: one.startTime, ended: one.responseEnd,
    sent: one.encodedBodySize, whole: one.decodedBodySize,
  }))"""

HOVER = """async ([moves]) => {
  const canvas = document.querySelector("[data-testid=heatmap]");
  const box = canvas.getBoundingClientRect();
  const times = [];
  for (let move = 0; move < moves; move += 1) {
    const part = (move + 0.5) / moves;
    const event = new PointerEvent("pointermove", {
      bubbles: true, clientX: box.left + box.width * (0.25 + 0.6 * part),
      clientY: box.top + box.height * (0.1 + 0.7 * ((move * 7) % moves) / moves),
    });
    const before = performance.now();
    canvas.dispatchEvent(event);
    times.push(performance.now() - before);
    if (move % 4 === 0) await new Promise(requestAnimationFrame);
  }
  return times;
}"""
"""Milliseconds of script per movement of the pointer: the read-out, the cross-hair in all views."""

UPDATE = """async () => {
  const after = (name, from) => new Promise((resolve) => {
    const wait = () => {
      const found = seen.maps.find((at) => at > from);
      if (found) resolve(found - from); else setTimeout(wait, 5);
    };
    wait();
  });
  const times = [];
  const select = () => document.querySelector("select[name=metric]");
  const values = [...select().options].slice(0, 4).map((option) => option.value);
  for (const value of [...values, ...values, ...values]) {
    if (select().value === value) continue;
    await new Promise((resolve) => setTimeout(resolve, 300));
    const from = performance.now();
    select().value = value;
    select().dispatchEvent(new Event("change", { bubbles: true }));
    times.push(await after("map", from));
  }
  return times;
}"""
"""Milliseconds from the choice of another statistic to its map on screen, replies included."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Median of N measurements, the middle half of them, and the largest."""

    values: Sequence[float]

    @property
    def middle(self) -> float:
        """The median."""
        return float(np.median(self.values))

    def __str__(self) -> str:
        low, high = np.quantile(self.values, (0.25, 0.75))
        return f"{self.middle:,.1f} ms ({low:,.1f} to {high:,.1f}, at most {max(self.values):,.1f})"


def page_speed(options: Options) -> Table:
    """B8. The page against the targets it was built for."""
    lines = [_bundle()]
    many = (2, 40, 100) if options.quick else (20, 400, 2_000)
    tall = [(50, 100)] if options.quick else [(500, 1_000), (2_000, 1_000)]
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        say("B8: writing logs")
        _write(logs / "many", *many)
        for rows, records in tall:
            _write(logs / "tall", 1, rows, records, f"{rows}x{records}")
        with chromium() as browser:
            say("B8: runs x rows x records " + " x ".join(f"{n:,}" for n in many))
            with _tensorboard(logs / "many") as address:
                lines += _opening(browser, address, many, 3 if options.quick else OPENINGS)
            with _tensorboard(logs / "tall") as address:
                for rows, records in tall:
                    say(f"B8: {rows:,} x {records:,}")
                    lines += _tall(browser, address, rows, records)
    return Table(
        "The page",
        "The tab runs in Chromium (headless, software rendering) inside TensorBoard with its own "
        "loader, on the machine that also runs the server. The server has a warm cache. Times end "
        "when the browser has painted. The time of the first finding starts when TensorBoard opens "
        "the frame of the tab, so it includes loading the page and its styles. Memory is that of "
        "the tab alone after a garbage collection, including buffers.",
        ("what", "target", "measured", ""),
        lines,
    )


Line = tuple[str, str, str, str]


def line(what: str, target: str, measured: str, met: bool | None) -> Line:
    """A line of the table: `met` is None where there is no target."""
    return (what, target, measured, "" if met is None else ("met" if met else "missed"))


def _bundle() -> Line:
    size = sum(len(gzip.compress((STATIC / name).read_bytes(), mtime=0))
               for name in ("index.js", "chunk.js", "index.css"))
    return line("script and styles of the first view, gzip", "80 kB", f"{size / 1000:.1f} kB",
                size <= 80_000)


def _opening(browser: Any, address: str, many: tuple[int, int, int], times: int) -> list[Line]:
    """First finding, its map, replies, update, hover; each opening in a browser without a cache."""
    runs, rows, records = many
    shape = f"{runs:,} runs x {rows:,} rows x {records:,} records"
    first, maps, replies = [], [], []
    for opening in range(times + 1):
        page, frame = opened(browser, address)
        frame.wait_for_function("seen.finding && seen.maps.length")
        page.wait_for_timeout(500)
        found = frame.evaluate(REPLIES)
        if opening:  # the first one warms the server
            first.append(frame.evaluate("seen.finding"))
            maps += _after_data(found, frame.evaluate("seen.maps"))
            replies += found
        if opening < times:
            page.context.close()
    update, hover, spent = _interaction(frame)
    page.context.close()
    sent = max(reply["sent"] for reply in replies)
    whole = max(reply["whole"] for reply in replies if reply["route"] != "heatmap")
    return [
        line(f"first finding on screen, {shape}", "1,000 ms", str(Spread(first)),
              Spread(first).middle <= 1_000),
        line("heat map on screen, after its data", "100 ms", str(Spread(maps)),
              Spread(maps).middle <= 100),
        line("another statistic on screen, reply included", "", str(Spread(update)), None),
        line("processor time of that in the page, TensorBoard's own included", "",
              f"{spent:.0f} ms", None),
        line("a movement of the pointer over the map", "16 ms", str(Spread(hover)),
              Spread(hover).middle <= 16),
        line("largest reply, as sent", "1,000 kB", f"{sent / 1000:,.0f} kB", sent <= 1e6),
        line("largest reply of JSON, not compressed", "1,000 kB", f"{whole / 1000:,.0f} kB",
              whole <= 1e6),
    ]


def _tall(browser: Any, address: str, rows: int, records: int) -> list[Line]:
    """Map, hover and memory on one run with many rows."""
    run = f"{rows}x{records}"
    page, frame = opened(browser, address, f"convergence&p.convergence.run={run}")
    frame.wait_for_function("seen.finding && seen.maps.length")
    page.wait_for_timeout(500)
    update, hover, spent = _interaction(frame)
    maps = _after_data(frame.evaluate(REPLIES), frame.evaluate("seen.maps"))
    page.context.close()
    heap = heap_of(browser, address, f"run={run}", "layer-panel")
    shape = f"{rows:,} rows x {records:,} records"
    return [
        line(f"{shape}: map on screen, after its data", "100 ms", str(Spread(maps)),
              Spread(maps).middle <= 100),
        line(f"{shape}: another statistic, reply included", "", str(Spread(update)), None),
        line(f"{shape}: processor time of that in the page", "", f"{spent:.0f} ms", None),
        line(f"{shape}: a movement of the pointer", "16 ms", str(Spread(hover)),
              Spread(hover).middle <= 16),
        line(f"{shape}: memory of the tab", "", f"{heap / 1e6:.1f} MB", None),
    ]


def _after_data(replies: list[dict[str, Any]], painted: list[float]) -> list[float]:
    """From the end of each map's reply to the first paint of a map after it."""
    found = []
    for reply in replies:
        later = [at for at in painted if at > reply["ended"]]
        if reply["route"] == "heatmap" and later:
            found.append(min(later) - reply["ended"])
    return found


def _interaction(frame: Any) -> tuple[list[float], list[float], float]:
    """Milliseconds of updates and of movements; and of the processor, per update."""
    hover = frame.evaluate(HOVER, [MOVES])
    session = frame.page.context.new_cdp_session(frame.page)
    # The page's own thread by its own clock: what else the machine does is not in it.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    before = _processor_seconds(session)
    update = frame.evaluate(UPDATE)
    spent = _processor_seconds(session) - before
    session.detach()
    return update, hover, 1_000 * spent / len(update)


def _processor_seconds(session: Any) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    (found,) = (one["value"] for one in metrics if one["name"] == "TaskDuration")
    return float(found)


def heap_of(
    browser: Any, address: str, state: str, part: str, settle_ms: int = 1_000,
    wait_ms: int = 30_000,
) -> float:
    """Bytes of the page by itself, outside TensorBoard's.

    `state` is what the link says, such as "view=runs"; the page is measured `settle_ms` after
    `part` has appeared, which may take `wait_ms`.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(wait_ms)
    page.goto(f"{address}/data/plugin_entry.html?name=convergence#p.convergence.{state}")
    page.locator(f"[data-testid={part}]").first.wait_for()
    page.wait_for_timeout(settle_ms)
    session = context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    context.close()
    return float(usage["usedSize"]) + float(usage.get("backingStorageSize", 0))


def opened(browser: Any, address: str, fragment: str = "convergence") -> tuple[Any, Any]:
    """A page of its own, and the tab's frame in it."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH)
    page.goto(f"{address}/#{fragment}")
    page.frame_locator("iframe").locator("[data-ready=true]").wait_for(state="attached")
    (frame,) = (one for one in page.frames if "plugin_entry.html" in one.url)
    return page, frame


def _write(folder: Path, runs: int, rows: int, records: int, name: str | None = None) -> None:
    """In a process of its own: TensorFlow does not give its memory back."""
    target = folder if name is None else folder / name
    command = [sys.executable, "-m", "benchmarks.large_logs", str(target)]
    command += ["--runs", str(runs), "--rows", str(rows), "--records", str(records)]
    command += ["--alone"] if name is not None else []
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)  # noqa: S603


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; it ends with the context."""
    # Only here: nobody needs a browser to measure recording.
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    sys.path.insert(0, str(ROOT / "tools"))
    import browser as system_browser  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=system_browser.find(),
            args=["--no-sandbox", "--disable-gpu", "--no-first-run"],
        )
        yield browser
        browser.close()


@contextmanager
def _tensorboard(logs: Path) -> Iterator[str]:
    """Address of a TensorBoard on `logs` that has examined every run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    starter = str(ROOT / "tests" / "serving" / "start_tensorboard.py")
    command = [sys.executable, starter, "--logdir", str(logs), "--host", "127.0.0.1"]
    process = subprocess.Popen(  # noqa: S603
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_examined(address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait_until_examined(address: str) -> None:
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/data/plugin/convergence/runs") as answer:  # noqa: S310
                body = answer.read()
            reply = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            if reply["total"] and not reply["pending"]:
                return
        except OSError:
            pass
        time.sleep(0.3)
    raise RuntimeError("TensorBoard did not examine the runs in ten minutes")
