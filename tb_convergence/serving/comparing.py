"""The documents of docs/http_api.md about two runs: `compare` and `difference`.

Pure functions of two histories, bounded by `Limits` like those about one run.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.comparison import Comparison, as_json
from tb_convergence.core.comparison.pairing import pair_rows
from tb_convergence.core.comparison.statistic_map import StatisticMap, statistic_map
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.serving.heatmap import pack
from tb_convergence.serving.limits import Limits, shortened
from tb_convergence.serving.parameters import RefusedError
from tb_convergence.serving.payloads import SCHEMA, fitting, layered
from tb_convergence.serving.pooling import (
    INFINITY_SEEN,
    NAN_SEEN,
    NO_DATA,
    VALUE,
    Pooled,
    record_codes,
    stretches,
    worst_codes,
)
from tb_convergence.serving.strict_json import Json, integer, integers, numbers

_PARTS: Final = ("settings", "findings", "shared", "loss", "diverges_at")
"""What is passed on as `core.comparison` says it."""


def comparison(
    first: RunHistory, second: RunHistory, compared: Comparison, limits: Limits
) -> bytes:
    """The document of `compare`."""
    said = as_json(compared)
    listed = said["differences"][: limits.differences]
    for item in listed:
        # As `layers` names them, so that the page finds the row.
        item["first_row"], item["second_row"] = (
            shortened(item["first_row"]), shortened(item["second_row"]),
        )
    return fitting(
        {
            "schema": SCHEMA,
            "run": first.run,
            "with": second.run,
            "last_steps": [integer(first.last_step), integer(second.last_step)],
            "axes": [compared.first.axis, compared.second.axis],
            **{part: said[part] for part in _PARTS},
            "differences": listed,
            "difference_count": len(said["differences"]),
            "groups": _paired_groups(first, second, limits),
        },
        limits,
    )


def _paired_groups(first: RunHistory, second: RunHistory, limits: Limits) -> list[Json]:
    """For each group of the first run: which row of the second each of its rows is."""
    others = {table.group: table for table in layered(second, limits)}
    found: list[Json] = []
    room = limits.numbers
    for table in layered(first, limits):
        other = others.get(table.group)
        partners: list[int | None] = [None] * len(table.rows)
        by = None
        if other is not None:
            paired = pair_rows(table, other, range(len(table.rows)), range(len(other.rows)))
            by = paired.by
            for row, partner in paired.pairs:
                partners[row] = partner
        found.append({"group": table.group, "paired_by": by, "partners": partners[:room]})
        room -= len(partners[:room])
    return found


def difference(
    first: RunHistory,
    second: RunHistory,
    tables: tuple[Table, Table],
    metric: str,
    width: int,
    limits: Limits,
) -> bytes:
    """The document of `difference`, before compression.

    Raises:
        RefusedError: 404, the two tables cannot be compared.
        KeyError: either has no column `metric`.
    """
    try:
        found = statistic_map(*tables, metric)
    except ValueError as error:
        raise RefusedError(404, f"the runs cannot be compared: {error}") from error
    rows = len(tables[0].rows)
    cells = max(1, min(width, limits.heatmap_cells // max(1, rows)))
    pooled = _pooled(found, _codes(tables, found, metric), rows, cells)
    head = _header(found, pooled)
    names = {"run": first.run, "with": second.run, "group": tables[0].group, "metric": metric}
    return pack({"schema": SCHEMA, **names, "rows": rows, **head}, pooled)


def _codes(
    tables: tuple[Table, Table], found: StatisticMap, metric: str
) -> NDArray[np.uint8]:
    """Code `[P, K]` of every paired record: the worse of the two; no data where either has none."""
    places = np.array(found.rows.pairs, dtype=np.intp).reshape(-1, 2)
    codes = np.where(np.isnan(found.values), NO_DATA, VALUE).astype(np.uint8)
    seen = [
        record_codes(table, metric)[np.ix_(at, places[:, side])]
        for side, (table, at) in enumerate(
            zip(tables, (found.at_first, found.at_second), strict=True)
        )
    ]
    for code in (INFINITY_SEEN, NAN_SEEN):
        codes[(seen[0] == code) | (seen[1] == code)] = code
    return codes


def _pooled(
    found: StatisticMap, codes: NDArray[np.uint8], rows: int, cells: int
) -> Pooled:
    """Cells `[rows, W]`: the largest difference to either side; rows without partner hold no data.
    """
    records = len(found.steps)
    width = min(cells, records) if rows else 0
    if width < 1:
        none = np.empty(0, dtype=np.intp)
        return Pooled(np.empty((rows, 0), np.float32), np.empty((rows, 0), np.uint8), none, none)
    first, last = stretches(records, width)
    places = [row for row, _ in found.rows.pairs]
    all_codes = np.full((rows, width), NO_DATA, np.uint8)
    all_values = np.full((rows, width), np.nan, np.float32)
    if places:
        all_codes[places] = worst_codes(codes, first).T
        all_values[places] = _furthest(found.values, first).T
    return Pooled(all_values, all_codes, first, last)


def _furthest(values: NDArray[np.float64], first: NDArray[np.intp]) -> NDArray[np.float32]:
    """Value furthest from 0 of each stretch of `values` `[P, K]`, as `[W, K]`; NaN without one."""
    known = ~np.isnan(values)
    high = np.maximum.reduceat(np.where(known, values, -np.inf), first, axis=0)
    low = np.minimum.reduceat(np.where(known, values, np.inf), first, axis=0)
    some = np.logical_or.reduceat(known, first, axis=0)
    chosen = np.where(-low > high, low, high)
    largest = float(np.finfo(np.float32).max)
    kept = np.where(np.isinf(chosen), chosen, np.clip(chosen, -largest, largest))
    return np.where(some, kept, np.nan).astype(np.float32)


def _header(found: StatisticMap, pooled: Pooled) -> Mapping[str, Any]:
    finite = pooled.values[(pooled.codes == VALUE) & np.isfinite(pooled.values)]
    ends = numbers(np.array([finite.min(), finite.max()])) if finite.size else [None, None]
    return {
        "cells": len(pooled.first),
        "paired_by": found.rows.by,
        "scale": found.scale,
        "first_steps": integers(found.steps[pooled.first]),
        "last_steps": integers(found.steps[pooled.last]),
        "minimum": ends[0],
        "maximum": ends[1],
    }
