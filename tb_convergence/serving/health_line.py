"""The health line of a run: how far its worst layer is outside the rules' limits, over steps.

The table of runs draws one line per run. The line is a string, because a reply may contain 10,000
of them: each character is the worst value in a range of steps.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.healthy import band, judged_rows
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.serving.derived import derived
from tb_convergence.serving.pooling import INFINITY_SEEN, NAN_SEEN, displayed, record_codes

CELLS: Final = 48
"""Stretches of a line: 240 pixels at 5 each."""

JUDGED: Final[dict[str, tuple[str, ...]]] = {
    "variables": ("update_ratio", "gradient_norm", "gradient_zero_fraction"),
    "activations": ("activation_dead_fraction", "activation_saturated_fraction"),
    "inputs": ("feature_rms",),
}
"""Statistics with a limit, by group."""

FACTORS: Final = (2.0, 10.0, 100.0)
"""Times outside the band at which the next color begins; the map uses the same."""

SHARES: Final = (0.25, 0.5, 0.75)
"""The same for a fraction, as shares of the way from its limit to 1: it cannot be 100 times 0.5."""

_NOTHING, _WITHIN, _INFINITE, _NAN = -1, 0, 5, 6
_LETTERS: Final = {_NOTHING: ".", _WITHIN: "0", _INFINITE: "i", _NAN: "n"}
_ABOVE: Final = "1234"
_BELOW: Final = "abcd"


def health_line(history: RunHistory, cells: int = CELLS) -> str:
    """The line of a run: `cells` characters from step 0 to its last step.

    "." nothing recorded that has a limit, "0" within all limits, "1" to "4" above one by up to 2,
    10, 100 times and more, "a" to "d" below one, "n" NaN, "i" infinite. "" for a run without steps.
    A stretch without a record holds what the record before it said.
    """
    last = history.last_step
    if last < 0 or history.axis == "epoch":
        return ""
    badness = np.full(cells, _NOTHING, dtype=np.int8)
    below = np.zeros(cells, dtype=np.bool_)
    for group, names in JUDGED.items():
        table = history.table(group)
        if table is None or table.axis != "step":
            continue
        for name in names:
            # The size of a feature is not recorded: it follows from its mean and its spread.
            held = table if table.has(name) else derived(table, name)
            if held is not None:
                _worse(badness, below, held, *_levels(history, held, name), last)
    _mark_loss(badness, history, last)
    return "".join(
        (_BELOW if under else _ABOVE)[level - 1] if 1 <= level <= len(_ABOVE) else _LETTERS[level]
        for level, under in zip(badness.tolist(), below.tolist(), strict=True)
    )


def _levels(
    history: RunHistory, table: Table, name: str
) -> tuple[NDArray[np.int8], NDArray[np.bool_]]:
    """Of each record `[S]` how bad its worst row is, and whether that is below the band."""
    rows = judged_rows(history, table, name)
    found = band(history, table, name) if rows else None
    records = len(table.steps)
    nothing = np.full(records, _NOTHING, dtype=np.int8), np.zeros(records, dtype=np.bool_)
    if found is None:
        return nothing
    values = displayed(table, name)
    codes = record_codes(table, name, values)[:, rows]
    values = values[:, rows].astype(np.float64)
    share = name.endswith("_fraction")
    high = _steps_above(values, found.high, share)
    low = _steps_below(values, found.low) if not share else np.zeros_like(high)
    level = np.where(np.isnan(values), _NOTHING, np.maximum(high, low)).astype(np.int8)
    level[codes == INFINITY_SEEN] = _INFINITE
    level[codes == NAN_SEEN] = _NAN
    worst = level.argmax(axis=1)
    at = np.arange(records)
    return level[at, worst], (low > high)[at, worst]


def _steps_above(values: NDArray[Any], limit: float | None, share: bool) -> NDArray[np.int8]:
    """0 up to `limit`, then 1 to 4."""
    if limit is None:
        return np.zeros(values.shape, dtype=np.int8)
    if share:
        edges = [limit, *(limit + part * (1 - limit) for part in SHARES)]
    else:
        edges = [limit, *(limit * factor for factor in FACTORS)]
    return np.searchsorted(edges, values, side="left").astype(np.int8)


def _steps_below(values: NDArray[Any], limit: float | None) -> NDArray[np.int8]:
    """0 from `limit` on, then 1 to 4."""
    if limit is None or limit <= 0:
        return np.zeros(values.shape, dtype=np.int8)
    edges = [-limit, *(-limit / factor for factor in FACTORS)]
    return np.searchsorted(edges, -values, side="left").astype(np.int8)


def _worse(
    badness: NDArray[np.int8], below: NDArray[np.bool_], table: Table,
    levels: NDArray[np.int8], under: NDArray[np.bool_], last: int,
) -> None:
    """Puts the records of one statistic into the cells, where they are worse than what is there."""
    cells = len(badness)
    at = np.minimum(table.steps.astype(np.float64) * cells / (last + 1), cells - 1).astype(np.intp)
    worst = np.full(cells, _NOTHING, dtype=np.int8)
    np.maximum.at(worst, at, levels)
    side = np.zeros(cells, dtype=np.bool_)
    side[at[levels == worst[at]]] = under[levels == worst[at]]
    seen = np.zeros(cells, dtype=np.bool_)
    seen[at] = True
    before = np.maximum.accumulate(np.where(seen, np.arange(cells), -1))
    held = (before >= 0) & ~seen
    # What the last record of an earlier stretch said holds until the next record.
    ends = np.full(cells, 0, dtype=np.intp)
    ends[at] = np.arange(len(at))
    worst[held] = levels[ends[before[held]]]
    side[held] = under[ends[before[held]]]
    more = worst > badness
    badness[more] = worst[more]
    below[more] = side[more]


def _mark_loss(badness: NDArray[np.int8], history: RunHistory, last: int) -> None:
    """A loss that is not finite makes the step as bad as any layer could."""
    loss = history.series("loss")
    if loss is None or loss.axis != history.axis:
        return
    lost = loss.steps[~np.isfinite(loss.values)]
    cells = len(badness)
    at = np.minimum(lost.astype(np.float64) * cells / (last + 1), cells - 1).astype(np.intp)
    badness[at] = _NAN
