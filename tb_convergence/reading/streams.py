"""Records of one tag, as a loader gives them -> verified values, statistic by statistic.

Each record is verified by itself: one damaged record costs one point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.gaps import Skipped
from tb_convergence.core.schema import ROWS_AT_ONCE, Layout, SchemaError, intact, unseal
from tb_convergence.core.statistics import CHECK_COLUMN
from tb_convergence.reading.merging import Stream, by_column
from tb_convergence.reading.reasons import SkippedPoints, reason_of
from tb_convergence.reading.tensorboard.data_source import CALL_BYTES
from tb_convergence.reading.tensorboard.lazy_tensors import alike

MOST_RESERVED_BYTES: Final = 2 * CALL_BYTES
"""Room for records that is reserved before they have been looked at; it is taken as it is filled.
"""


def read_stream(tag: str, layout: Layout, data: list[Any], skipped: list[Skipped]) -> Stream:
    """Verified records of one tag. Empties `data` on the way: only one copy is held at a time."""
    shape = (len(layout.rows), len(layout.columns))
    width = shape[1] - (layout.columns[-1:] == (CHECK_COLUMN,))
    # Metadata alone must not make us reserve more memory than a call may answer.
    fitting = len(data)
    if 4 * fitting * shape[0] * shape[1] > MOST_RESERVED_BYTES:
        fitting = sum(np.shape(_array(datum)) == shape for datum in data)
    room = _Room(
        by_column(fitting, shape[0], width), np.empty((fitting, shape[0]), dtype=np.float32),
        np.empty(fitting, dtype=np.int64), np.empty(fitting, dtype=np.float64),
        np.empty(fitting, dtype=np.intp),
    )
    at_once = max(1, ROWS_AT_ONCE // max(1, shape[0]))
    refused: list[_Refused] = []
    damaged: list[NDArray[np.bool_]] = []
    count = 0
    data.reverse()
    while data:
        # Some at a time: they are verified while the processor's cache still holds them.
        part = slice(count, count + _fill(room, count, at_once, layout, data, refused))
        if width < shape[1]:
            damaged.append(~intact(room.values[part], room.checks[part]))
        count = part.stop
    if damaged:
        count = _drop(room, np.concatenate(damaged), layout, refused)
    told = SkippedPoints(tag, skipped)
    for one in sorted(refused):
        told.add(one.step, one.reason)
    told.close()
    return Stream(
        tag, layout, layout.columns[:width], room.steps[:count], room.wall_times[:count],
        room.values[:count],
    )


@dataclass(frozen=True, slots=True)
class _Room:
    """What N records become.

    Attributes:
        values: `[N, R, C]`, without the check column.
        checks: `[N, R]`, that column.
        steps, wall_times, places: `[N]`; a place is that among all records of the tag.
    """

    values: NDArray[np.float32]
    checks: NDArray[np.float32]
    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    places: NDArray[np.intp]


@dataclass(frozen=True, slots=True, order=True)
class _Refused:
    """A record that is not shown, its place among all of the tag, and why."""

    place: int
    step: int
    reason: str


def _fill(
    room: _Room, begin: int, most: int, layout: Layout, data: list[Any], refused: list[_Refused]
) -> int:
    """Move up to `most` records from the end of `data` into `room`, from `begin` on; how many."""
    shape = (len(layout.rows), len(layout.columns))
    left = max(0, len(data) - most)
    taken = data[: left - 1 if left else None : -1]
    del data[left:]
    if _fill_at_once(room, begin, shape, taken, left):
        return len(taken)
    width = room.values.shape[2]
    count = 0
    for place, datum in enumerate(taken, 1 - left - len(taken)):
        record = _array(datum)
        if isinstance(record, str):
            refused.append(_Refused(place, int(datum.step), record))
        elif record.dtype != np.float32 or record.shape != shape:
            refused.append(_Refused(place, int(datum.step), _refusal(layout, record)))
        elif datum.step < 0:
            refused.append(_Refused(place, int(datum.step), "negative step"))
        else:
            at = begin + count
            room.values[at] = record[:, :width]
            if width < shape[1]:
                room.checks[at] = record[:, width]
            room.steps[at], room.wall_times[at] = datum.step, datum.wall_time
            room.places[at] = place
            count += 1
    return count


def _fill_at_once(
    room: _Room, begin: int, shape: tuple[int, int], taken: list[Any], left: int
) -> bool:
    """Move all of `taken` into `room`, where nothing is wrong with any; whether that was so."""
    records = alike(taken)
    if records is None or records.shape[1:] != shape or min(point.step for point in taken) < 0:
        return False
    width = room.values.shape[2]
    part = slice(begin, begin + len(taken))
    room.values[part] = records[:, :, :width]
    if width < shape[1]:
        room.checks[part] = records[:, :, width]
    room.steps[part] = [point.step for point in taken]
    room.wall_times[part] = [point.wall_time for point in taken]
    room.places[part] = np.arange(1 - left - len(taken), 1 - left)
    return True


def _array(datum: Any) -> NDArray[Any] | str:
    """The array of a point, or why it has none."""
    try:
        return np.asarray(datum.numpy)
    except ValueError as error:
        return reason_of(error)


def _drop(
    room: _Room, damaged: NDArray[np.bool_], layout: Layout, refused: list[_Refused]
) -> int:
    """Refuse the records that are `damaged` `[N]`, and close the ranks; how many are left."""
    if not damaged.any():
        return len(damaged)
    for index in np.flatnonzero(damaged):
        record = np.concatenate([room.values[index], room.checks[index, :, None]], axis=1)
        why = _refusal(layout, record)
        refused.append(_Refused(int(room.places[index]), int(room.steps[index]), why))
    kept = np.flatnonzero(~damaged)
    for array in (room.values, room.steps, room.wall_times):
        array[: len(kept)] = array[kept]
    return len(kept)


def _refusal(layout: Layout, record: NDArray[Any]) -> str:
    try:
        unseal(layout, record)
    except SchemaError as error:
        return reason_of(error)
    raise AssertionError("a record that holds was refused")
