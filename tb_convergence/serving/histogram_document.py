"""The JSON document of `histogram`: the distribution of one variable's entries over steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.histogram_bands import SHARES, bands_over_time
from tb_convergence.core.history import Table
from tb_convergence.reading.recorded_histograms import RecordedHistograms
from tb_convergence.serving.limits import Limits
from tb_convergence.serving.payloads import SCHEMA, row
from tb_convergence.serving.pooling import (
    INFINITY_SEEN,
    NAN_SEEN,
    NO_DATA,
    VALUE,
    stretches,
    worst_codes,
)
from tb_convergence.serving.strict_json import Json, encode, integers, together


def histogram_document(
    run: str,
    table: Table,
    index: int,
    recorded: Sequence[RecordedHistograms],
    width: int,
    limits: Limits,
) -> bytes:
    """The document of `histogram`.

    Args:
        run: its name.
        table: whose row `index` is shown.
        index: of the row.
        recorded: what there is of it; at most one of each role.
        width: cells of each.
        limits: bounds of the reply.
    """
    arrays = max(1, len(recorded)) * (3 + 2 * len(SHARES))
    cells = max(1, min(width, limits.numbers // arrays))
    return encode(
        {
            "schema": SCHEMA,
            "run": run,
            "group": table.group,
            "row": row(table.rows[index]),
            "histograms": [_one(one, cells, table.axis) for one in recorded],
        }
    )


def _one(recorded: RecordedHistograms, cells: int, axis: str) -> Json:
    """One histogram; a cell's bands reach as far as those of any of its records."""
    found = bands_over_time(recorded.histograms)
    records = len(recorded.steps)
    first, last = stretches(records, min(cells, records))
    known = ~np.isnan(found.low[:, :1])
    codes = np.where(known[:, 0], VALUE, NO_DATA).astype(np.uint8)
    codes[found.infinity_seen] = INFINITY_SEEN
    codes[found.nan_seen] = NAN_SEEN
    low = np.minimum.reduceat(np.where(known, found.low, np.inf), first, axis=0)
    high = np.maximum.reduceat(np.where(known, found.high, -np.inf), first, axis=0)
    return {
        "of": recorded.role,
        "axis": "epoch" if "epoch" in (axis, recorded.axis) else recorded.axis,
        "records": records,
        "first_steps": integers(recorded.steps[first]),
        "last_steps": integers(recorded.steps[last]),
        "codes": worst_codes(codes, first).tolist(),
        "bands": _bands(low, high),
    }


def _bands(low: NDArray[np.float64], high: NDArray[np.float64]) -> list[Json]:
    """Ends `[W, B]` of the bands as lists."""
    ends = together(*low.T, *high.T)
    return [
        {"share": share, "low": one, "high": other}
        for share, one, other in zip(SHARES, ends, ends[len(SHARES) :], strict=False)
    ]
