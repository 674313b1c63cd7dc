"""Our own tensors of one run -> tables and configuration.

A group's records come under one tag per layout (see `core.schema`). Each record is verified by
itself: one damaged record costs one point, one bad tag costs that tag, and both are reported.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.experiments import ExperimentRecord, decode, is_experiment
from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import Table, steps_since_record
from tb_convergence.core.landscape import TAG_PREFIX as LANDSCAPE_PREFIX
from tb_convergence.core.schema import (
    CONFIG_TAG,
    PLUGIN_NAME,
    Layout,
    SchemaError,
    decode_layout,
    tag_of,
)
from tb_convergence.core.statistics import find
from tb_convergence.reading.merging import Stream, merge_group
from tb_convergence.reading.reasons import reason_of
from tb_convergence.reading.sampling import MOST_POINTS
from tb_convergence.reading.streams import read_stream
from tb_convergence.reading.tensorboard.data_source import DataSource, most_points

MAX_CONFIG_BYTES: Final = 2**20
MOST_EXPERIMENTS: Final = 200
"""Of a run: a person runs a few, and each may have a quarter of a megabyte."""
RANGE_TOLERANCE: Final = 1e-5
"""Float32 sums of fractions may leave their range by rounding."""


_TURNS: Final = (
    "{:,} times a record is followed by a record of the same or an earlier step. Two programs seem "
    "to have written into this run; give each its own folder. The newest record of each step is "
    "shown"
)


@dataclass(slots=True)
class RecorderData:
    """The recorder's data of one run."""

    tables: dict[str, Table] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    experiments: tuple[ExperimentRecord, ...] = ()
    restarts: tuple[int, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)


def read_records(source: DataSource, runs: tuple[str, ...]) -> RecorderData:
    """All records of the recorder in TensorBoard's runs `runs`, which are one training."""
    result = RecorderData()
    streams: dict[str, list[Stream]] = {}
    thinned: set[str] = set()
    config: tuple[float, Mapping[str, Any]] | None = None
    experiments: list[ExperimentRecord] = []
    for run in runs:
        layouts = _layouts(source, run, result.skipped)
        sizes = {
            tag: MAX_CONFIG_BYTES // 64 if layout is None else _record_bytes(layout)
            for tag, layout in layouts.items()
        }
        for tag, data in source.read_tensors(run, PLUGIN_NAME, sizes):
            layout = layouts[tag]
            if isinstance(data, Exception):
                result.skipped.append(Skipped(tag, None, reason_of(data)))
            elif is_experiment(tag):
                experiments += _read_experiments(tag, data, result.skipped)
            elif layout is None:
                config = _newer(config, _read_config(data, result.skipped))
            else:
                if len(data) >= most_points(sizes[tag]):
                    thinned.add(layout.group)
                stream = read_stream(tag, layout, data, result.skipped)
                streams.setdefault(layout.group, []).append(stream)
    restarts: set[int] = set()
    for group in sorted(streams):
        merged = merge_group(group, streams.pop(group))
        if merged is not None:
            result.tables[group] = merged.table
            restarts.update(merged.restarts)
            result.skipped.extend(_mask_impossible(merged.table))
            if merged.turns:
                result.skipped.append(Skipped(f"{PLUGIN_NAME}/{group}", None, _TURNS.format(
                    merged.turns
                )))
            result.skipped.extend(
                Skipped(tag, None, "too many different layouts: older ones are skipped")
                for tag in merged.left_out
            )
    result.restarts = tuple(sorted(restarts))
    result.experiments = tuple(sorted(experiments, key=lambda one: one.wall_time))
    if config is not None:
        result.config = config[1]
    _count_written(result.tables, thinned)
    return result


def _layouts(source: DataSource, run: str, skipped: list[Skipped]) -> dict[str, Layout | None]:
    """Layouts of our tags that can be read; None for the configuration and for experiments."""
    layouts: dict[str, Layout | None] = {}
    experiments = 0
    for tag, series in sorted(source.list_tensors(run, PLUGIN_NAME).items()):
        if is_experiment(tag):
            experiments += 1
            if experiments > MOST_EXPERIMENTS:
                skipped.append(Skipped(tag, None, f"more than {MOST_EXPERIMENTS} experiments"))
                continue
        if tag == CONFIG_TAG or is_experiment(tag):
            layouts[tag] = None
            continue
        if tag.startswith(LANDSCAPE_PREFIX):
            continue  # read when somebody looks at it
        try:
            layouts[tag] = _layout(tag, series.plugin_content)
        except SchemaError as error:
            skipped.append(Skipped(tag, None, reason_of(error)))
    return layouts


@lru_cache(maxsize=8)
def _layout(tag: str, content: bytes) -> Layout:
    """The layout in `content`, if it is the one that `tag` was made for.

    A run that is looked at again, and the runs of a sweep, are of the same few layouts.
    """
    layout = decode_layout(content)
    if tag != tag_of(layout.group, content):
        raise SchemaError("plugin metadata does not belong to this tag: damaged or mixed up")
    return layout


def _record_bytes(layout: Layout) -> int:
    return 4 * len(layout.rows) * len(layout.columns)


def _mask_impossible(table: Table) -> list[Skipped]:
    """Set values outside their statistic's range to NaN, in place, and say so."""
    found: list[Skipped] = []
    for index in _beyond(table):
        column = table.columns[index]
        low, high = _range(table.group, column)
        values = table.low[:, :, index]
        wrong = (values < low - RANGE_TOLERANCE) | (values > high + RANGE_TOLERANCE)
        count = int(np.count_nonzero(wrong))
        values[wrong] = np.nan
        step = int(table.steps[int(np.flatnonzero(wrong.any(axis=1))[0])])
        found.append(
            Skipped(
                f"{PLUGIN_NAME}/{table.group}",
                step,
                f"{count} values of {column} outside [{low:g}, {high:g}], first at this step",
            )
        )
    return found


def _beyond(table: Table) -> list[int]:
    """Columns with a value outside their range: nearly always none, told without copies."""
    found = []
    for index, column in enumerate(table.columns if table.low.size else ()):
        low, high = _range(table.group, column)
        values = table.low[:, :, index]
        below = math.isfinite(low) and np.fmin.reduce(values, axis=None) < low - RANGE_TOLERANCE
        above = math.isfinite(high) and np.fmax.reduce(values, axis=None) > high + RANGE_TOLERANCE
        if below or above:
            found.append(index)
    return found


def _range(group: str, column: str) -> tuple[float, float]:
    statistic = find(group, column)
    return (-math.inf, math.inf) if statistic is None else statistic.range


def _read_experiments(
    tag: str, data: list[Any], skipped: list[Skipped]
) -> Iterator[ExperimentRecord]:
    """The result of an experiment: a tag has one; of a forged one with more the last."""
    for datum in data[-1:]:
        value = np.asarray(datum.numpy).reshape(-1)
        text = value[0] if value.size == 1 else b""
        try:
            if isinstance(text, str):
                text = text.encode("utf-8", "replace")
            if not isinstance(text, bytes):
                raise SchemaError(f"experiment record of {value.dtype}, expected a string")
            yield decode(text, int(datum.step), float(datum.wall_time))
        except SchemaError as error:
            skipped.append(Skipped(tag, int(datum.step), reason_of(error)))


def _newer(
    known: tuple[float, Mapping[str, Any]] | None, found: tuple[float, Mapping[str, Any]] | None
) -> tuple[float, Mapping[str, Any]] | None:
    if known is None or (found is not None and found[0] >= known[0]):
        return found
    return known


def _read_config(
    data: list[Any], skipped: list[Skipped]
) -> tuple[float, Mapping[str, Any]] | None:
    """Wall time and content of the newest readable configuration."""
    newest: tuple[float, Mapping[str, Any]] | None = None
    for datum in data:
        try:
            config = parse_config(datum.numpy)
        except ValueError as error:
            skipped.append(Skipped(CONFIG_TAG, int(datum.step), reason_of(error)))
        else:
            newest = _newer(newest, (float(datum.wall_time), config))
    return newest


def parse_config(value: NDArray[Any]) -> Mapping[str, Any]:
    """The configuration in a string scalar tensor. Untrusted: bounded, JSON, an object.

    Raises:
        ValueError: anything else.
    """
    array = np.asarray(value)
    if array.size != 1:
        raise ValueError(f"configuration of shape {list(array.shape)}, expected one string")
    text = array.reshape(-1)[0]
    if isinstance(text, str):
        text = text.encode("utf-8", "replace")
    if not isinstance(text, bytes):
        raise ValueError(f"configuration of {array.dtype}, expected a string")
    if len(text) > MAX_CONFIG_BYTES:
        raise ValueError(f"configuration of {len(text)} bytes refused, at most {MAX_CONFIG_BYTES}")
    try:
        config = json.loads(text)
    except RecursionError:
        raise ValueError("configuration nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"configuration is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise ValueError(f"configuration is {type(config).__name__}, expected a JSON object")
    return config


def _count_written(tables: dict[str, Table], thinned: set[str]) -> None:
    """Fill in `Table.total` where records are known to be missing.

    Each record of the run table says how many steps it stands for, those that nobody observed among
    them; steps that no kept record stands for were in records that TensorBoard dropped. Groups in
    `thinned` were too large to be read as a whole; they have a record wherever the run table has
    one.
    """
    run = tables.get("run")
    if run is None or not run.rows or not run.has("window_steps"):
        return
    missing = missing_records(run.steps, steps_since_record(run))
    for group, table in tables.items():
        fewer = group in thinned and len(table.steps) < len(run.steps)
        if fewer or (missing and np.array_equal(table.steps, run.steps)):
            tables[group] = replace(table, total=len(run.steps) + missing)


def missing_records(steps: NDArray[np.int64], windows: NDArray[np.floating[Any]]) -> int:
    """At least how many records are missing between those at `steps` `[S]`; 0 if none provably are.

    `windows` `[S]`: how many steps each record stands for. The cadence only ever grows, so a gap
    held at least as many records as it is windows of the record after it long. A few gaps are what
    resuming a training leaves, so nothing is concluded from them.

    >>> steps = np.arange(0, 1000, 10)
    >>> missing_records(steps[::2], np.full(50, 10.0)), missing_records(steps, np.full(100, 10.0))
    (49, 0)
    """
    if len(steps) < 2:
        return 0
    window = np.asarray(windows[1:], dtype=np.float64)
    gap = np.diff(steps).astype(np.float64) - window
    known = np.isfinite(window) & (window >= 1) & (gap > 0)
    gaps = int(np.count_nonzero(known))
    if gaps < max(3, 0.1 * len(steps)):
        return 0
    missing = int(np.sum(np.maximum(1, gap[known] // window[known])))
    return missing if missing <= MOST_POINTS else 0
