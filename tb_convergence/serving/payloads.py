"""The JSON documents of docs/http_api.md, built from a run's history and diagnosis.

Pure functions: no data provider, no request. Each document is bounded by `Limits` whatever the run
holds: lines are thinned, texts shortened, lists cut and listings paged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.finding import SEVERITIES, RunDiagnosis, as_json
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.schema import Row
from tb_convergence.core.statistics import CHECK_COLUMN, Statistic, find
from tb_convergence.serving.limits import Limits, shortened
from tb_convergence.serving.strict_json import (
    Json,
    bounded,
    encode,
    integer,
    integers,
    nonfinite,
    numbers,
)
from tb_convergence.serving.thinning import thin

SCHEMA: Final = 1
"""Version of the HTTP interface; the page compares it with its own."""

WHOLE_RUN: Final = ("run", "epoch")
"""Groups of one row that describe the run as a whole: lines, not layers."""

_BOOKKEEPING: Final = (CHECK_COLUMN, "window_steps", "first_nonfinite_age_steps")
"""Columns that serve the rules; a line of them would tell a reader nothing."""

_NAN_IS_DATA: Final = ("loss", "epoch_loss", "validation_loss")
"""Recorded statistics whose NaN is an observation; elsewhere it means "undefined"."""

_TIGHTER: Final = ((2_000, 500), (500, 200), (200, 50), (80, 12), (40, 4))
"""(characters of a text, entries of a list) to try until a document fits."""


def fitting(document: Mapping[str, Json], limits: Limits) -> bytes:
    """`document` encoded, cut until it fits; `"shortened"` says whether anything was left out."""
    whole = encode({**bounded(document, 10**9, 10**9), "shortened": False})
    if len(whole) <= limits.reply_bytes:
        return whole
    for characters, items in _TIGHTER:
        body = encode({**bounded(document, characters, items), "shortened": True})
        if len(body) <= limits.reply_bytes:
            return body
    raise AssertionError("no document of this few short entries exceeds a reply")


def summary(history: RunHistory, diagnosis: RunDiagnosis, rules: int) -> dict[str, Json]:
    """One entry of `runs`.

    Args:
        history: what was read.
        diagnosis: what is said of it.
        rules: how many rules there are; "healthy" needs one that could be evaluated.
    """
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in diagnosis.findings:
        counts[finding.severity] += 1
    first = diagnosis.findings[0] if diagnosis.findings else None
    evaluated = rules > len(diagnosis.not_evaluated)
    return {
        "run": history.run,
        "last_step": integer(history.last_step),
        "severity": diagnosis.severity or ("healthy" if evaluated else "unknown"),
        "first": first and {"id": first.id, "kind": first.kind, "title": first.title},
        "counts": counts,
        "sources": sources(history),
        "sampled": sampled(history),
        "error": None,
    }


def unread(run: str, severity: str, error: str | None = None) -> dict[str, Json]:
    """An entry of `runs` for a run of which nothing is known yet, or that cannot be read."""
    return {
        "run": run,
        "last_step": -1,
        "severity": severity,
        "first": None,
        "counts": dict.fromkeys(SEVERITIES, 0),
        "sources": [],
        "sampled": None,
        "error": error,
    }


def sources(history: RunHistory) -> list[str]:
    """Which of "recorder", "histograms" and "scalars" `history` was read from."""
    found = {table.source for table in history.tables.values()}
    if history.scalars:
        found.add("scalars")
    return [name for name in ("recorder", "histograms", "scalars") if name in found]


def sampled(history: RunHistory) -> dict[str, int] | None:
    """Records kept of the table of which TensorBoard dropped most; None where it kept all."""
    cut = [table for table in history.tables.values() if table.total is not None]
    if not cut:
        return None
    worst = max(cut, key=lambda table: (table.total or 0) - len(table.steps))
    return {"kept": len(worst.steps), "total": int(worst.total or 0)}


def findings(history: RunHistory, diagnosis: RunDiagnosis, limits: Limits) -> bytes:
    """The document of `findings`."""
    said = as_json(diagnosis)
    said["last_step"] = integer(history.last_step)
    return fitting(
        {
            "schema": SCHEMA,
            **said,
            "config": dict(history.config) or None,
            "restarts": list(history.restarts),
        },
        limits,
    )


def series(history: RunHistory, points: int, limits: Limits) -> bytes:
    """The document of `series`."""
    lines = [line for line in _lines(history) if len(line[1])]
    share = limits.numbers // max(1, 3 * len(lines))
    kept = max(limits.points_least, min(points, share))
    return encode(
        {
            "schema": SCHEMA,
            "run": history.run,
            "series": [_line(group, line, kept) for group, line in lines],
        }
    )


def _lines(history: RunHistory) -> Iterable[tuple[str, Series]]:
    """Series of the run as a whole and the group each belongs to; recorded ones first."""
    seen = set()
    for group in WHOLE_RUN:
        table = history.table(group)
        for name in table.columns if table is not None and table.rows else ():
            line = history.series(name)
            if name in _BOOKKEEPING or name in seen or line is None:
                continue
            seen.add(name)
            if name == "loss" or not bool(np.isnan(line.values).all()):
                yield group, line
    for name, line in history.scalars.items():
        if name not in seen:
            yield "", line


def _line(group: str, line: Series, points: int) -> Json:
    """One series; `group` is "" for plain scalars, whose NaN was written as such."""
    statistic = find(group, line.name) or find("run", line.name) or find("epoch", line.name)
    kept = thin(line.values[:, None], points)
    values = line.values[kept]
    return {
        **_naming(line.name, statistic),
        "axis": line.axis,
        "source": shortened(line.source),
        "steps": integers(line.steps[kept]),
        "values": numbers(values),
        "wall_times": wall_times(line.wall_times[kept]),
        "nonfinite": nonfinite(values, nan=not group or line.name in _NAN_IS_DATA),
    }


def wall_times(seconds: NDArray[np.float64]) -> list[float | None]:
    """Wall times in seconds, to the millisecond; null where a clock wrote nonsense."""
    sane = np.where(np.abs(seconds) < 1e12, seconds, np.nan)
    return [None if math.isnan(value) else round(value, 3) for value in sane.tolist()]


def _naming(name: str, statistic: Statistic | None) -> dict[str, Json]:
    """How a reader knows a statistic; one of another writer goes by its bare name."""
    return {
        "name": name,
        "title": statistic.title if statistic else shortened(name, 80),
        "symbol": statistic.symbol if statistic else "",
        "unit": statistic.unit if statistic else "",
        "scale": statistic.scale if statistic else "linear",
    }


def layers(history: RunHistory, offset: int, limits: Limits) -> bytes:
    """The document of `layers`: rows from `offset` of every group, as many as fit."""
    tables = [table for table in history.tables.values() if table.group not in WHOLE_RUN]
    rows: list[list[Json]] = [[] for _ in tables]
    size = 0
    position = offset
    longest = max((len(table.rows) for table in tables), default=0)
    while position < longest and position - offset < limits.page_items:
        entries = [
            (index, row(table.rows[position]))
            for index, table in enumerate(tables)
            if position < len(table.rows)
        ]
        size += sum(len(encode(entry)) for _, entry in entries)
        if size > limits.page_bytes and position > offset:
            break
        for index, entry in entries:
            rows[index].append(entry)
        position += 1
    return encode(
        {
            "schema": SCHEMA,
            "run": history.run,
            "next_offset": position if position < longest else None,
            "groups": [
                {
                    "group": table.group,
                    "exact": table.exact,
                    "records": len(table.steps),
                    "total": table.total,
                    "row_count": len(table.rows),
                    "rows": some,
                    "metrics": metrics(table),
                }
                for table, some in zip(tables, rows, strict=True)
            ],
        }
    )


def row(described: Row) -> dict[str, Json]:
    """A row of a table as JSON."""
    return {
        "name": shortened(described.name),
        "layer": shortened(described.layer),
        "kind": shortened(described.kind, 40),
        "shape": integers(described.shape[:32]),
        "dtype": shortened(described.dtype, 40),
        "activation": shortened(described.activation, 80),
        "initializer": shortened(described.initializer, 80),
    }


def metrics(table: Table) -> list[Json]:
    """What the heat map offers of `table`: statistics with any defined value."""
    offered = []
    for name in table.columns:
        statistic = find(table.group, name)
        if statistic is None or not statistic.heat:
            continue
        if bool(np.isnan(table.column(name, "low")).all()):
            continue
        naming = _naming(name, statistic)
        offered.append({**naming, "worst": statistic.worst, "summary": statistic.summary})
    return offered


def layer(history: RunHistory, table: Table, index: int, points: int, limits: Limits) -> bytes:
    """The document of `layer`: every column of row `index` of `table`."""
    named = [name for name in table.columns if name != CHECK_COLUMN]
    low = table.low[:, index, :][:, [table.columns.index(name) for name in named]]
    high = table.high[:, index, :][:, [table.columns.index(name) for name in named]]
    defined = [place for place in range(len(named)) if not bool(np.isnan(low[:, place]).all())]
    arrays = len(defined) * (1 if table.exact else 2) + 2
    kept = thin(_logarithmic(low[:, defined], [named[p] for p in defined], table.group),
                max(2, min(points, limits.numbers // arrays)))
    columns = [
        _column(table, named[place], low[kept, place], high[kept, place]) for place in defined
    ]
    document = {
        "schema": SCHEMA,
        "run": history.run,
        "group": table.group,
        "row": row(table.rows[index]),
        "exact": table.exact,
        "steps": integers(table.steps[kept]),
        "wall_times": wall_times(table.wall_times[kept]),
        "columns": columns,
    }
    return encode(document)


def _logarithmic(
    values: NDArray[np.floating[Any]], names: Sequence[str], group: str
) -> NDArray[np.float64]:
    """`values` `[S, C]`, columns of logarithmic scale as logarithms: excursions as a reader sees.

    Zero becomes one decade below the column's smallest positive value.
    """
    wide = values.astype(np.float64)
    for place, name in enumerate(names):
        statistic = find(group, name)
        positive = wide[:, place] > 0
        if statistic and statistic.scale == "log10" and positive.any():
            column = wide[:, place]
            floor = np.log10(column[positive].min()) - 1.0
            logs = np.log10(np.where(positive, column, 1.0))
            wide[:, place] = np.where(positive, logs, np.where(np.isnan(column), np.nan, floor))
    return wide


def _column(
    table: Table,
    name: str,
    low: NDArray[np.floating[Any]],
    high: NDArray[np.floating[Any]],
) -> Json:
    return {
        **_naming(shortened(name, 80), find(table.group, name)),
        "low": numbers(low),
        "high": None if table.exact else numbers(high),
        "nonfinite": nonfinite(low, nan=False),
    }
