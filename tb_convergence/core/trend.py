"""Whether a statistic grows or shrinks, record by record.

The trend compares two medians, not two records. The noise of a batch and a single spike do not
affect it, and a jump of the level shows for exactly one window. The trend at a record uses
no later record, so it was known when that record was written.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WINDOW: Final = 10
"""Records of either stretch."""
LEAST: Final = 3
"""Records of either stretch at the beginning of a run, where there are not more."""
_CHUNK_NUMBERS: Final = 2_000_000

Float = NDArray[np.float64]


def trend(values: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Decades by which `values` `[S, R]` rose over the records before, `[S, R]`.

    At record i: the median log10 of the last w records less that of the w records before these,
    w = 10, or what there is at the beginning, at least 3. A zero counts as one decade below the
    row's smallest positive value. NaN where either stretch has fewer than half of its values, or
    where the row has no positive value at all.

    >>> grows = 10.0 ** np.arange(8.0)[:, None]
    >>> trend(grows)[:, 0].tolist()
    [nan, nan, nan, nan, nan, 3.0, 3.0, 4.0]
    """
    records, rows = values.shape
    result = np.full((records, rows), np.nan, dtype=np.float32)
    each = max(1, _CHUNK_NUMBERS // max(1, records * WINDOW))
    for first in range(0, rows, each):
        part = slice(first, first + each)
        result[:, part] = _of_logs(_logs(values[:, part]))
    return result


def _logs(values: NDArray[np.floating[Any]]) -> Float:
    """log10 of `values` `[S, R]`; NaN for what is not finite."""
    wide = values.astype(np.float64)
    known = np.isfinite(wide) & (wide >= 0)
    positive = known & (wide > 0)
    logs = np.full(wide.shape, np.nan)
    logs[positive] = np.log10(wide[positive])
    smallest = np.where(positive, logs, np.inf).min(axis=0, initial=np.inf)
    floor = np.where(np.isfinite(smallest), smallest - 1.0, np.nan)
    return np.where(known & ~positive, floor, logs)


def _of_logs(logs: Float) -> Float:
    found = np.full(logs.shape, np.nan)
    for end in range(2 * LEAST, min(2 * WINDOW, len(logs) + 1)):
        width = end // 2
        stretches = logs[end - 2 * width : end].reshape(2, width, -1)
        before, after = (_medians(stretch) for stretch in stretches)
        found[end - 1] = after - before
    if len(logs) >= 2 * WINDOW:
        windows = np.lib.stride_tricks.sliding_window_view(logs, WINDOW, axis=0)
        medians = _medians(np.moveaxis(windows, -1, 0))
        found[2 * WINDOW - 1 :] = medians[WINDOW:] - medians[:-WINDOW]
    return found


def _medians(stretch: Float) -> Float:
    """Median over the first axis of `[W, ...]`; NaN where fewer than half are known."""
    ordered = np.sort(stretch, axis=0)  # NaN sorts last
    count = np.count_nonzero(~np.isnan(ordered), axis=0)
    lower = np.maximum(count - 1, 0) // 2
    upper = np.minimum(count // 2, len(ordered) - 1)
    ends = [np.take_along_axis(ordered, place[None], axis=0)[0] for place in (lower, upper)]
    return np.where(2 * count >= len(ordered), (ends[0] + ends[1]) / 2, np.nan)
