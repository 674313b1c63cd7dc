"""Tables as text and as Markdown, and under which circumstances they came about."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """How thoroughly to measure.

    Attributes:
        quick: only to see that it runs.
        cases, data: of published faulty programs (`tests/zoo/published.py`).
        seeds: of the doctor's programs.
    """

    quick: bool = False
    cases: Path | None = None
    data: Path | None = None
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Table:
    """What a benchmark found."""

    title: str
    text: str
    head: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]

    def as_text(self) -> str:
        """With columns aligned, for a terminal."""
        rows = [self.head, *self.lines]
        widths = [max(len(row[place]) for row in rows) for place in range(len(self.head))]
        text = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
        return f"\n{self.title}\n" + "\n".join(line.rstrip() for line in text) + "\n"

    def as_markdown(self) -> str:
        """A section of the page."""
        rows = [self.head, ("---",) * len(self.head), *self.lines]
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        return f"## {self.title}\n{self.text}\n\n" + "\n".join(lines) + "\n"


def merged(page: str, tables: Sequence[Table], facts: Sequence[str]) -> str:
    """`page`, as `document` made it, with `tables` in the place of those of the same titles.

    Tables that are new to it come last. Those that stay keep the facts they were measured under:
    each table that is put in says its own.
    """
    head, *sections = page.split("\n## ")
    known = {section.partition("\n")[0]: f"## {section.rstrip()}\n" for section in sections}
    measured = f"\nMeasured separately. {'. '.join(facts)}.\n"
    known |= {table.title: table.as_markdown() + measured for table in tables}
    return head.rstrip() + "\n\n" + "\n".join(known.values())


def circumstances() -> list[str]:
    """Machine, versions, date, load."""
    # Only here: `--help` should not wait for TensorFlow.
    import keras  # noqa: PLC0415
    import numpy as np  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"Date: {date.today().isoformat()}",
        f"Machine: {_processor()}, {os.cpu_count()} cores, {platform.system()}",
        f"Load of the machine in the last 1, 5 and 15 minutes: {load} (this program makes 1 to "
        f"{os.cpu_count()} of it)",
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, NumPy {np.__version__}",
    ]


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1] for line in text.splitlines() if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


def document(tables: Sequence[Table], facts: Sequence[str]) -> str:
    """The whole page."""
    head = (
        "# Benchmarks: the cost of recording, and the speed of reading and of the page\n"
        "`make bench` writes this page. Machines are noisy, so recording is measured as a ratio: "
        "the alternatives take turns in one process, and each table gives the median over the "
        "turns, with the middle half of the values in parentheses. Reading is compared with "
        "TensorBoard on the same files. The page is measured in absolute times, with targets.\n\n"
    )
    listed = "".join(f"* {fact}\n" for fact in facts)
    return head + listed + "\n" + "\n".join(table.as_markdown() for table in tables)


def say(text: str) -> None:
    """Tell what is being done."""
    sys.stderr.write(f"{text} ...\n")
    sys.stderr.flush()
