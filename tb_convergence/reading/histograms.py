"""Histograms of gradients and variables of one run -> a table of variables, as intervals.

For runs that our recorder did not write. Reading them is the costliest thing done here (a
histogram of TensorFlow 1 has hundreds of rows), so series are read a few at a time and turned into
bounds at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.gaps import Skipped, TagFamily
from tb_convergence.core.histogram import HistogramError, checked, intervals
from tb_convergence.core.history import Axis, Table
from tb_convergence.core.scalar_tags import Framework
from tb_convergence.reading.families import joined
from tb_convergence.reading.patterns import Role, histogram_rules
from tb_convergence.reading.reasons import SkippedPoints, reason_of
from tb_convergence.reading.restarts import fold_restarts
from tb_convergence.reading.sampling import Sampling
from tb_convergence.reading.tags import KERAS_ENDING, HistogramTags, match_histograms
from tb_convergence.reading.tensorboard.data_source import DataSource
from tb_convergence.reading.trainings import WHOLE, Span, within

PLUGIN: Final = "histograms"

COLUMNS: Final[Mapping[Role, tuple[tuple[str, str], ...]]] = {
    "gradient": (
        ("gradient_norm", "norm"),
        ("gradient_max", "max_abs"),
        ("gradient_mean_abs", "mean_abs"),
        ("gradient_zero_fraction", "zero_fraction"),
        ("gradient_nan_fraction", "nan_fraction"),
        ("gradient_inf_fraction", "inf_fraction"),
    ),
    "variable": (
        ("variable_norm", "norm"),
        ("variable_mean", "mean"),
        ("variable_std", "std"),
        ("variable_nonfinite_fraction", "nonfinite_fraction"),
    ),
}
"""Columns of the table (see `core.statistics`), and the statistic of the histogram each is."""

MAX_TABLE_BYTES: Final = 2**30

EXPECTED_BYTES: Final = 16_384
"""Expected size of a histogram with buckets as needed: hundreds of rows."""


@dataclass(slots=True)
class HistogramData:
    """The table; None if the run has no histograms that are known to be of variables."""

    table: Table | None = None
    restarts: tuple[int, ...] = ()
    skipped: list[Skipped] = field(default_factory=list)
    families: tuple[TagFamily, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """Bounds float32 `[S, C]` of the columns of one role of one row."""

    tag: str
    row: int
    role: Role
    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]


def read_histograms(
    source: DataSource, runs: tuple[str, ...], sampling: Sampling, framework: Framework = "",
    span: Span = WHOLE,
) -> HistogramData:
    """The table of variables from the histograms in TensorBoard's runs `runs`.

    The first run that has recognizable histograms is read; several runs of one training do not
    share them. `framework` is what wrote the run's scalars, and `span` when the training was
    recorded that is read of several in one folder.
    """
    result = HistogramData()
    for run in runs:
        listed = source.list_tensors(run, PLUGIN)
        tags = match_histograms(
            listed, histogram_rules(source.patterns), framework == "keras"
        )
        result.skipped += [
            Skipped(tag, None, reason_of(f"duplicate of {read!r}, which is used instead"))
            for tag, read in sorted(tags.repeated.items())
        ]
        result.families = joined(result.families, tags.families)
        if tags.rows and result.table is None:
            restarts: set[int] = set()
            parts = list(_parts(source, run, tags, restarts, result.skipped, sampling, span))
            parts, axis = _on_one_axis(parts, result.skipped)
            result.table = _table(tags, parts, axis, result.skipped)
            result.restarts = tuple(sorted(restarts))
    return result


def _parts(
    source: DataSource, run: str, tags: HistogramTags, restarts: set[int], skipped: list[Skipped],
    sampling: Sampling, span: Span,
) -> Iterator[_Part]:
    owners: dict[str, tuple[int, Role]] = {}
    owners |= {tag: (row, "gradient") for row, tag in tags.gradients.items()}
    owners |= {tag: (row, "variable") for row, tag in tags.variables.items()}
    order = sorted(owners)
    point_bytes = EXPECTED_BYTES
    # The first series alone tells how large histograms are in this run.
    for batch in (order[:1], order[1:]):
        for tag, data in source.read_tensors(run, PLUGIN, dict.fromkeys(batch, point_bytes)):
            if isinstance(data, Exception):
                skipped.append(Skipped(tag, None, reason_of(data)))
                continue
            if tag == order[0]:
                point_bytes = _expected_bytes(data)
            sampling.look(PLUGIN, (datum.step for datum in data))
            row, role = owners[tag]
            ours = [datum for datum in data if within(span, datum.wall_time)]
            part = _part(row, role, tag, ours, restarts, skipped) if ours else None
            if part is not None:
                yield part


def _expected_bytes(data: list[Any]) -> int:
    """Size of one histogram of a run in which `data` was seen.

    TensorFlow 2 writes the same number of buckets each time; other writers what they need, and the
    first series may well have needed few.
    """
    sizes = {np.asarray(datum.numpy).nbytes for datum in data}
    return max(sizes) if len(sizes) == 1 and len(data) > 1 else EXPECTED_BYTES


def _part(
    row: int, role: Role, tag: str, data: list[Any], restarts: set[int], skipped: list[Skipped]
) -> _Part | None:
    good = [datum for datum in data if datum.step >= 0]
    arrays = [np.asarray(datum.numpy) for datum in good]
    try:
        if len(good) < len(data):
            raise HistogramError("negative step")
        found = intervals(arrays)
    except HistogramError:
        good, arrays = _usable(tag, data, skipped)
        found = intervals(arrays)
    if not good:
        return None
    steps = np.array([datum.step for datum in good], dtype=np.int64)
    wall_times = np.array([datum.wall_time for datum in good], dtype=np.float64)
    kept, restarted = fold_restarts(steps, wall_times)
    restarts.update(restarted)
    bounds = {name: found.of(name) for _, name in COLUMNS[role] if name != "nonfinite_fraction"}
    if role == "variable":
        nan, inf = found.of("nan_fraction"), found.of("inf_fraction")
        bounds["nonfinite_fraction"] = _nonfinite(*nan, *inf)
    low = np.stack([bounds[name][0][kept] for _, name in COLUMNS[role]], axis=1)
    high = np.stack([bounds[name][1][kept] for _, name in COLUMNS[role]], axis=1)
    return _Part(tag, row, role, steps[kept], wall_times[kept], _down(low), _up(high))


def _usable(
    tag: str, data: list[Any], skipped: list[Skipped]
) -> tuple[list[Any], list[NDArray[Any]]]:
    """Points that are valid histograms, and their arrays; reports the others one by one."""
    refused = SkippedPoints(tag, skipped)
    good, arrays = [], []
    for datum in data:
        try:
            if datum.step < 0:
                raise HistogramError("negative step")
            arrays.append(checked(np.asarray(datum.numpy)))
            good.append(datum)
        except HistogramError as error:
            refused.add(int(datum.step), reason_of(error))
    refused.close()
    return good, arrays


Float = NDArray[np.float64]


def _nonfinite(
    nan_low: Float, nan_high: Float, inf_low: Float, inf_high: Float
) -> tuple[Float, Float]:
    """Bounds of NaN and infinite together: unknown only where both are."""
    low = np.fmax(nan_low, inf_low)
    high = np.minimum(np.fmax(nan_high, 0) + np.fmax(inf_high, 0), 1.0)
    return low, np.where(np.isnan(low), np.nan, high)


def _down(values: Float) -> NDArray[np.float32]:
    """As float32, never above the value."""
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    return np.where(result > values, np.nextafter(result, np.float32(-np.inf)), result)


def _up(values: Float) -> NDArray[np.float32]:
    """As float32, never below the value."""
    with np.errstate(over="ignore"):
        result = values.astype(np.float32)
    return np.where(result < values, np.nextafter(result, np.float32(np.inf)), result)


def _on_one_axis(parts: list[_Part], skipped: list[Skipped]) -> tuple[list[_Part], Axis]:
    """Keras' callback counts epochs; where gradients count otherwise, only they are kept."""
    epochs = [part for part in parts if part.tag.endswith(KERAS_ENDING)]
    others = [part for part in parts if not part.tag.endswith(KERAS_ENDING)]
    if not epochs:
        return parts, "step"
    if not others:
        return parts, "epoch"
    last_epoch = max(int(part.steps[-1]) for part in epochs)
    if max(int(part.steps[-1]) for part in others) == last_epoch:
        return parts, "epoch"
    reason = "histogram not used: it counts epochs, while the gradient histograms count steps"
    skipped += [Skipped(part.tag, None, reason) for part in epochs]
    return others, "step"


def _table(
    tags: HistogramTags, parts: list[_Part], axis: Axis, skipped: list[Skipped]
) -> Table | None:
    roles: list[Role] = [role for role in COLUMNS if any(part.role == role for part in parts)]
    if not parts:
        return None
    columns = tuple(column for role in roles for column, _ in COLUMNS[role])
    present = sorted({part.row for part in parts})
    steps, position = np.unique(np.concatenate([part.steps for part in parts]), return_inverse=True)
    size = 8 * len(steps) * len(present) * len(columns)
    if size > MAX_TABLE_BYTES:
        skipped.append(Skipped("", None, f"{len(present)} histograms at {len(steps)} different "
                                         "steps do not fit into memory"))
        return None
    wall_times = np.empty(len(steps), dtype=np.float64)
    wall_times[position] = np.concatenate([part.wall_times for part in parts])
    low = np.full((len(steps), len(present), len(columns)), np.nan, dtype=np.float32)
    high = low.copy()
    for part in parts:
        places = np.searchsorted(steps, part.steps)
        row = present.index(part.row)
        first = columns.index(COLUMNS[part.role][0][0])
        last = first + len(COLUMNS[part.role])
        low[places, row, first:last] = part.low
        high[places, row, first:last] = part.high
    rows = tuple(tags.rows[row] for row in present)
    return Table(
        "variables", rows, columns, steps, wall_times, low, high, "histograms", axis=axis
    )
