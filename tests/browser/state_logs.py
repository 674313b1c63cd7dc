"""Logs for the page's tests: runs in unusual states, and runs whose every cell is known.

    python state_logs.py FOLDER      writes those of `write_golden`, which need TensorFlow
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.large_logs import variable_rows, write_tables
from tb_convergence.core import schema
from tests.reading.event_files import EventFile
from tests.serving import event_logs, samples

TALL_ROWS, TALL_RECORDS, BAD_ROW = 2_000, 30, 1_234
"""Run `tall`: one layer among many is NaN from the first record to the last."""

LONG_ROWS, LONG_RECORDS, SPIKE_ROW, SPIKE_STEP = 4, 10_000, 2, 6_789
"""Run `long`: a gradient norm of 1, and of `SPIKE` at a single step of one row."""
SPIKE = 1e6

PATTERN_RECORDS = 60
PATTERNS = ("value", "nan", "infinite", "no data")
"""Run `patterns`: what the rows hold from half of the records on, four rows of each in turn."""


def write_states(folder: Path) -> None:
    """`scalars`, `damaged` (one record does not hold its check), `foreign` (nothing we read)."""
    event_logs.write(folder, samples.scalars_only(), run="scalars")
    whole = samples.trained("damaged", layers=3, records=40)
    event_logs.write(folder, whole)
    table = whole.tables["variables"]
    layout = schema.layout_of(table.group, table.rows, table.columns)
    with EventFile(folder / "damaged", "events.out.tfevents.1800000000.test.2.0") as file:
        record = schema.seal(table.low[-1])
        record[2, 0] += 1
        file.tensor(layout.tag, 9_999, record, content=schema.encode_layout(layout))
    with EventFile(folder / "foreign") as file:
        for step in range(5):
            file.scalar("accuracy", step, 0.5)
            file.scalar("epoch_loss", step, 1.0 - 0.1 * step)
    with EventFile(folder / "nothing") as file:
        file.config({"optimizer": {"class": "SGD"}})


def write_golden(folder: Path) -> None:
    """`tall`, `long` and `patterns`, as the constants above say."""
    norm = np.ones((TALL_RECORDS, TALL_ROWS), dtype=np.float32)
    norm[:, BAD_ROW] = np.nan
    write_tables(folder / "tall", {"variables": (variable_rows(TALL_ROWS), {
        "gradient_norm": norm, "gradient_nan_fraction": np.isnan(norm), "variable_norm": 1,
    })}, np.arange(TALL_RECORDS))

    norm = np.ones((LONG_RECORDS, LONG_ROWS), dtype=np.float32)
    norm[SPIKE_STEP, SPIKE_ROW] = SPIKE
    loss = 2.0 + np.sin(np.arange(LONG_RECORDS, dtype=np.float32) / 500)[:, None]
    write_tables(folder / "long", {
        "variables": (variable_rows(LONG_ROWS), {"gradient_norm": norm, "variable_norm": 1}),
        "run": ((schema.Row("run", "run", "run"),), {"loss": loss, "learning_rate": 0.01}),
    }, np.arange(LONG_RECORDS))

    rows = 4 * len(PATTERNS)
    norm = np.full((PATTERN_RECORDS, rows), 0.5, dtype=np.float32)
    broken, infinite = np.zeros_like(norm), np.zeros_like(norm)
    half = PATTERN_RECORDS // 2
    for row in range(rows):
        kind = PATTERNS[row // 4]
        if kind != "value":
            norm[half:, row] = np.nan
        broken[half:, row] = kind == "nan"
        infinite[half:, row] = kind == "infinite"
    write_tables(folder / "patterns", {"variables": (variable_rows(rows), {
        "gradient_norm": norm, "gradient_nan_fraction": broken, "gradient_inf_fraction": infinite,
        "variable_norm": 1,
    })}, np.arange(PATTERN_RECORDS))


if __name__ == "__main__":
    write_golden(Path(sys.argv[1]))
