"""The JSON documents of docs/http_api.md that are drawn as lines: `series` and `layer`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.initialization import Initialization, initialization
from tb_convergence.core.regularization import gradient_norm
from tb_convergence.core.statistics import CHECK_COLUMN, find
from tb_convergence.serving.limits import Limits, shortened
from tb_convergence.serving.payloads import SCHEMA, WHOLE_RUN, healthy, naming, row
from tb_convergence.serving.strict_json import (
    Json,
    encode,
    integer,
    integers,
    nonfinite,
    numbers,
    together,
)
from tb_convergence.serving.thinning import thin

_BOOKKEEPING: Final = (
    CHECK_COLUMN, "window_steps", "window_unwatched_steps", "first_nonfinite_age_steps",
)
"""Columns that serve the rules; a line of them would tell a reader nothing."""

REGULARIZATION: Final = "regularization_gradient_norm"
"""Derived of the variable's norm; see `core.regularization`."""

_METRIC: Final = "metric/"
_VALIDATION_METRIC: Final = "validation_metric/"
"""Beginnings of the names of a framework's own metrics."""

_NAME: Final = 80
_SOURCE: Final = 200
"""Most characters of names and sources of lines: there may be many, and a log may make them up."""

_LATEST_SECONDS: Final = 1e12
"""A wall time beyond this, some 30,000 years, is nonsense."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of `series`.

    Attributes:
        statistic: name in the catalogue.
        owner: which of several models it belongs to; "" for the only or first one.
        series: its points.
        nan_is_data: whether NaN was observed, rather than nothing.
    """

    statistic: str
    owner: str
    series: Series
    nan_is_data: bool


def within(
    build: Callable[[int], Json], points: int, arrays: int, limits: Limits
) -> bytes:
    """The document `build(points)` encoded, with fewer points if it would be too long."""
    points = max(limits.points_least, min(points, limits.numbers // max(1, arrays)))
    body = encode(build(points))
    while len(body) > limits.reply_bytes and points > limits.points_least:
        points = max(limits.points_least, points // 2)
        body = encode(build(points))
    return body


def series(history: RunHistory, points: int, limits: Limits) -> bytes:
    """The document of `series`."""
    lines = [line for line in _lines(history) if len(line.series)][: limits.lines]

    def build(points: int) -> Json:
        return {
            "schema": SCHEMA,
            "run": history.run,
            "series": _apart([_line(line, points) for line in lines]),
        }

    return within(build, points, 3 * len(lines), limits)


def _apart(lines: list[Json]) -> list[Json]:
    """The same lines with names that are unique: rows of one name may be told twice."""
    taken: Counter[str] = Counter()
    for line in lines:
        name = line["name"]
        while taken[line["name"]]:
            taken[name] += 1
            line["name"] = f"{name} ({taken[name]})"
        taken[line["name"]] += 1
    return lines


def _lines(history: RunHistory) -> Iterator[_Line]:
    """Lines of the run as a whole: what the recorder wrote, then plain scalars."""
    seen: set[str] = set()
    for group in WHOLE_RUN:
        table = history.tables.get(group)
        for name in table.columns if table is not None and table.rows else ():
            if table is None or name in _BOOKKEEPING or name in seen:
                continue
            seen.add(name)
            for index, owner in enumerate(table.rows):
                values = table.column(name)[:, index]
                observed = _observed_nan(table, name, index)
                # At the end of an epoch a gap only means that this was not measured then.
                kept = slice(None) if group == "run" else observed | ~np.isnan(values)
                if not bool(np.isnan(values).all()) or bool(observed.any()):
                    line = Series(
                        name, table.steps[kept], values[kept], table.wall_times[kept], table.source
                    )
                    yield _Line(name, owner.name if index else "", line, bool(observed.any()))
    for name, line in history.scalars.items():
        if name not in seen:
            yield _Line(name, "", line, True)


def _observed_nan(table: Table, name: str, index: int) -> NDArray[np.bool_]:
    """At which records `[S]` a NaN of column `name`, row `index`, was observed.

    Everywhere else it means "undefined". A training loss is always there. A validation loss is NaN
    as well at the end of an epoch without validation: it was measured where another metric of the
    validation was, or where the training had come to NaN in a run that validates.
    """
    if name in {"loss", "epoch_loss"}:
        return np.ones(len(table.steps), dtype=np.bool_)
    measured = np.zeros(len(table.steps), dtype=np.bool_)
    if name != "validation_loss":
        return measured
    for other in table.columns:
        if other == name or other.startswith(_VALIDATION_METRIC):
            measured |= ~np.isnan(table.column(other)[:, index])
    if measured.any() and table.has("epoch_loss"):
        measured |= np.isnan(table.column("epoch_loss")[:, index])
    return measured


def _title(name: str) -> str:
    """What a person calls a metric of the framework's own."""
    if name.startswith(_VALIDATION_METRIC):
        return f"Validation {name.removeprefix(_VALIDATION_METRIC)}"
    return name.removeprefix(_METRIC)


def _line(line: _Line, points: int) -> Json:
    statistic = find("run", line.statistic) or find("epoch", line.statistic)
    named = naming(shortened(line.statistic, _NAME), statistic)
    if statistic is None:
        named["title"] = _title(named["name"])
    if line.owner:
        owner = shortened(line.owner, _NAME)
        named["name"] += f" {owner}"
        named["title"] += f" ({owner})"
    whole = line.series
    kept = thin(whole.values[:, None], points)
    values = whole.values[kept]
    return {
        **named,
        "axis": whole.axis,
        "source": shortened(whole.source, _SOURCE),
        "steps": integers(whole.steps[kept]),
        "values": numbers(values),
        "wall_times": wall_times(whole.wall_times[kept]),
        "nonfinite": nonfinite(values, nan=line.nan_is_data),
    }


def wall_times(seconds: NDArray[np.float64]) -> list[float | None]:
    """Wall times in seconds, to the millisecond; null where a clock wrote nonsense."""
    sane = np.where(np.abs(seconds) < _LATEST_SECONDS, seconds, np.nan)
    return [None if math.isnan(value) else round(value, 3) for value in sane.tolist()]


def layer(history: RunHistory, table: Table, index: int, points: int, limits: Limits) -> bytes:
    """The document of `layer`: every column of row `index` of `table`.

    Raises:
        IndexError: `table` has no such row.
    """
    places = [
        place
        for place, name in enumerate(table.columns)
        if name != CHECK_COLUMN and not bool(np.isnan(table.low[:, index, place]).all())
    ][: limits.lines]
    names = [table.columns[place] for place in places]
    low = table.low[:, index, places]
    high = low if table.exact else table.high[:, index, places]
    ends = _regularization(history, table, index)
    if ends is not None:
        names.append(REGULARIZATION)
        low, high = (np.column_stack(pair) for pair in zip((low, high), ends, strict=True))
    drawn = _logarithmic(low, names, table.group)

    def build(points: int) -> Json:
        kept = thin(drawn, points)
        return {
            "schema": SCHEMA,
            "run": history.run,
            "group": table.group,
            "row": row(table.rows[index]),
            "exact": table.exact,
            "axis": table.axis,
            "initialization": start(initialization(history, table, index)),
            "steps": integers(table.steps[kept]),
            "wall_times": wall_times(table.wall_times[kept]),
            "columns": [
                {
                    **naming(shortened(name, _NAME), find(table.group, name)),
                    "healthy": healthy(history, table, name, index),
                    **_ends(low[kept, column], None if table.exact else high[kept, column]),
                    "nonfinite": nonfinite(low[kept, column], nan=False),
                }
                for column, name in enumerate(names)
            ],
        }

    arrays = len(names) * (1 if table.exact else 2) + 2
    return within(build, points, arrays, limits)


def _ends(low: NDArray[np.floating[Any]], high: NDArray[np.floating[Any]] | None) -> Json:
    """Both ends `[S]` of a line; `high` is None if they are one."""
    if high is None:
        return {"low": numbers(low), "high": None}
    return dict(zip(("low", "high"), together(low, high), strict=True))


def _regularization(
    history: RunHistory, table: Table, index: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Both ends of the norm of the penalty's gradient in row `index`; None if it has none."""
    model = configuration(history)
    low, high = (gradient_norm(table, model, index, bound) for bound in ("low", "high"))
    if low is None or high is None:
        return None
    with np.errstate(over="ignore"):
        return low.astype(np.float32), high.astype(np.float32)


def start(found: Initialization | None) -> Json:
    """How a variable started, as JSON."""
    if found is None:
        return None
    expected, sound = found.expected, found.sound
    return {
        "step": integer(found.step),
        "low": found.low,
        "high": found.high,
        "mean": found.mean,
        "expected": expected and {"std": expected.std, "formula": shortened(expected.formula, 80)},
        "fans": found.fans and integers(found.fans),
        "verdict": found.verdict,
        "healthy": sound and dict(zip(("low", "high", "rule"), sound, strict=True)),
    }


def _logarithmic(
    values: NDArray[np.floating[Any]], names: Sequence[str], group: str
) -> NDArray[np.float64]:
    """`values` `[S, C]` as they are drawn: columns of logarithmic scale as logarithms.

    Zero becomes one decade below the column's smallest positive value.
    """
    wide = values.astype(np.float64)
    for place, name in enumerate(names):
        statistic = find(group, name)
        column = wide[:, place]
        positive = column > 0
        if statistic is not None and statistic.scale == "log10" and positive.any():
            floor = np.log10(column[positive].min()) - 1.0
            logs = np.log10(np.where(positive, column, 1.0))
            wide[:, place] = np.where(positive, logs, np.where(np.isnan(column), np.nan, floor))
    return wide
