"""Runs for the tests of reports: a sick one, a fine one, and one whose names attack the reader."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np

from tb_convergence.core.diagnosis import RunDiagnosis, diagnose_history
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory

HOSTILE = (
    "\x1b]0;title\x07\x1b[2J\u202e</code><script>alert(1)</script><img src=x onerror=alert(2)>"
    "|*b*_i_`c` [l](javascript:alert(3)) @someone #12 https://evil.example www.evil.example"
    "\n# heading\n\n<!-- -->&amp;\"'"
)
"""Every way a name may act on a terminal, a Markdown comment or a page."""


def sick(name: str = "drawn", feature: str = "b") -> RunHistory:
    """A feature of scale 500, a loss that stands still, and a record that was refused."""
    base = draw.healthy()
    table = base.tables["inputs"]
    values = np.array(table.low)
    values[:, 1, table.columns.index("feature_std")] = 500.0
    rows = (table.rows[0], replace(table.rows[1], name=feature))
    broken = replace(table, low=values, high=values, rows=rows)
    return replace(
        base,
        run=name,
        tables={**base.tables, "inputs": broken, "run": draw.run_table(draw.flat())},
        skipped=(Skipped(f"convergence/run/{feature}", 3, f"checksum {feature}"),),
    )


def fine(name: str = "fine") -> RunHistory:
    """A healthy run."""
    return replace(draw.healthy(), run=name)


def diagnosed(*histories: RunHistory) -> tuple[RunDiagnosis, ...]:
    """Diagnoses of `histories`."""
    return tuple(diagnose_history(history) for history in histories)
