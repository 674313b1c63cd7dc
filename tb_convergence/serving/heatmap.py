"""The binary document of `heatmap`: a JSON header, float32 values, uint8 codes.

JSON would be ten times as long and take the page ten times as long to read.
"""

from __future__ import annotations

import struct

import numpy as np

from tb_convergence.core.healthy import Band, row_bands
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.serving.limits import Limits
from tb_convergence.serving.payloads import SCHEMA
from tb_convergence.serving.pooling import Pooled, pool
from tb_convergence.serving.strict_json import Json, encode, integers, numbers


def heatmap(
    history: RunHistory, table: Table, metric: str, width: int, limits: Limits
) -> bytes:
    """The document of `heatmap`, before compression.

    Raises:
        KeyError: `table` has no column `metric`.
    """
    rows = len(table.rows)
    cells = max(1, min(width, limits.heatmap_cells // max(1, rows)))
    pooled = pool(table, metric, cells)
    head = {**header(history.run, table, metric, pooled), **limits_of(history, table, metric)}
    return pack(head, pooled)


def limits_of(history: RunHistory, table: Table, metric: str) -> dict[str, Json]:
    """`bands` and `row_bands` of docs/http_api.md: the limits that rules declare for each row.

    Rows share a handful of bands, so each row names its band by position: -1 for a row without one.
    """
    places: dict[Band, int] = {}
    by_row: list[Json] = []
    for found in row_bands(history, table, metric):
        by_row.append(-1 if found is None else places.setdefault(found, len(places)))
    bands: list[Json] = [
        {"low": one.low, "high": one.high, "rule": one.rule} for one in places
    ]
    return {"bands": bands, "row_bands": by_row if bands else []}


def header(run: str, table: Table, metric: str, pooled: Pooled) -> dict[str, Json]:
    """The header of docs/http_api.md."""
    known = pooled.range
    ends = numbers(np.array(known, dtype=np.float32)) if known else None
    return {
        "schema": SCHEMA,
        "run": run,
        "group": table.group,
        "metric": metric,
        "rows": len(table.rows),
        "cells": len(pooled.first),
        "first_steps": integers(table.steps[pooled.first]),
        "last_steps": integers(table.steps[pooled.last]),
        "minimum": ends[0] if ends else None,
        "maximum": ends[1] if ends else None,
    }


def pack(head: dict[str, Json], pooled: Pooled) -> bytes:
    """`uint32` length, header, zeros to a multiple of 4, values, codes; all little-endian."""
    text = encode(head)
    padding = bytes(-len(text) % 4)
    return b"".join(
        (
            struct.pack("<I", len(text)),
            text,
            padding,
            pooled.values.astype("<f4").tobytes(),
            pooled.codes.tobytes(),
        )
    )
