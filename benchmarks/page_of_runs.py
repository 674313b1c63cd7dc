"""B8, many runs: the tab on ten thousand runs, in a real Chromium inside a real TensorBoard."""

from __future__ import annotations

from typing import Any, Final

from benchmarks import board, logs
from benchmarks.page import Line, Spread, chromium, heap_of, line, opened
from benchmarks.report import Options, Table, say

ROWS: Final = 6
RECORDS: Final = 20
FRAMES: Final = 300

SCROLL: Final = """async ([frames, by]) => {
  const list = document.querySelector("[data-testid=table-scroll]");
  const times = [];
  let before = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < frames; frame += 1) {
    list.scrollTop += by;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - before);
    before = now;
  }
  return times;
}"""
"""Milliseconds from frame to frame while the table moves by `by` pixels in each."""

JUMP: Final = """async ([jumps]) => {
  const list = document.querySelector("[data-testid=table-scroll]");
  const times = [];
  for (let jump = 1; jump <= jumps; jump += 1) {
    const from = performance.now();
    list.scrollTop = (list.scrollHeight * ((jump * 7) % jumps)) / jumps;
    await new Promise(requestAnimationFrame);
    await new Promise((resolve) => setTimeout(resolve));
    times.push(performance.now() - from);
    const box = list.getBoundingClientRect();
    const middle = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    if (!middle.closest("[data-testid=run-row], [data-testid=run-group]")) throw new Error("blank");
  }
  return times;
}"""
"""Milliseconds from a jump to another part of the table until its rows are on screen."""

AFTER: Final = """async ([selector, kind, value]) => {
  const field = document.querySelector(selector);
  const from = performance.now();
  if (kind === "click") field.click();
  else {
    field.value = value;
    field.dispatchEvent(new Event(kind, {bubbles: true}));
  }
  await new Promise(requestAnimationFrame);
  await new Promise((resolve) => setTimeout(resolve));
  return performance.now() - from;
}"""
"""Milliseconds from an action to the next paint."""

TURNS: Final = 5


def page_of_many_runs(options: Options) -> Table:
    """B8. While the server still examines most of the runs, as a person meets it."""
    base, times = (20, 10) if options.quick else (100, 100)
    folder = logs.linked(logs.logs(base, ROWS, RECORDS), times)
    runs = base * times
    try:
        with board.tensorboard(folder, True, "--reload_interval=0") as started:
            say(f"B8: TensorBoard loads {runs:,} runs")
            started.wait_until_idle()
            with chromium() as browser:
                say("B8: the tab, the table of runs")
                lines = _measured(browser, f"http://127.0.0.1:{started.port}", runs)
    finally:
        logs.drop(folder)
    return Table(
        "The page with many runs",
        f"{runs:,} runs of {ROWS} variables and {RECORDS} records; Chromium and TensorBoard as in "
        "the table above. TensorBoard has loaded the runs, but the plugin has not examined them "
        "when the tab opens: it does so in the background, on the same two cores, while these "
        "times are measured. Times of an action end when the browser has painted.",
        ("what", "target", "measured", ""),
        lines,
    )


def _measured(browser: Any, address: str, runs: int) -> list[Line]:
    page, frame = opened(browser, address)
    first = frame.evaluate("performance.now()")
    frame.get_by_test_id("all-runs").click()
    frame.wait_for_function(
        "document.querySelectorAll('[data-testid=run-row]').length > 5"
    )
    listed = frame.evaluate("document.querySelector('.pill').textContent")
    if f"{runs:,}" not in listed:
        raise RuntimeError(f"the table lists {listed!r}, not {runs:,} runs")
    rows = frame.locator("[data-testid=run-row]").count()
    smooth = frame.evaluate(SCROLL, [FRAMES, 40])
    jumps = frame.evaluate(JUMP, [40])
    sort = ".col-run .sort"
    sorts = [frame.evaluate(AFTER, [sort, "click", ""]) for _ in range(TURNS)]
    filters = [
        frame.evaluate(AFTER, ["[data-testid=run-filter]", "input", text])
        for text in ("copy-1", "run-.*7", "^copy-0[2-4]/", "9$", "")
    ]
    groups = [
        frame.evaluate(AFTER, ["[data-testid=group-runs]", "change", how])
        for how in ("folder", "none", "verdict", "none")
    ]
    page.context.close()
    heap = heap_of(
        browser, address, "view=runs", "run-row", settle_ms=2_000, wait_ms=120_000
    )
    return [
        line("first run on screen, after the tab opens", "", f"{first:,.0f} ms", None),
        line("rows in the document", "", str(rows), None),
        line("scrolling the table: from frame to frame", "16.7 ms", str(Spread(smooth)),
             Spread(smooth).middle <= 17),
        line("a jump to another part of the table", "", str(Spread(jumps)), None),
        line("another order", "", str(Spread(sorts)), None),
        line("another filter, a regular expression", "", str(Spread(filters)), None),
        line("another grouping", "", str(Spread(groups)), None),
        line("memory of the tab", "", f"{heap / 1e6:.1f} MB", None),
    ]
