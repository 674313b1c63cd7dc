"""Several tags of one group -> one table.

A model that changes its layers, or a newer version of the recorder, starts a new tag. Rows are
joined by name, columns by name, records by step. Two models recorded at the same time in one run
(a generator and its discriminator) stay apart, row by row; a model that replaces another one (a
notebook cell run again) continues its records, as a restart does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Table
from tb_convergence.core.schema import Layout, Row
from tb_convergence.reading.restarts import fold_restarts

TURNS: Final = 8
SHARE_OF_TURNS: Final = 0.1
"""From so many turns back, and so large a part of the records, on, two writers are suspected: a
training that is resumed writes more than ten records before it has to be resumed again."""

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True)
class Stream:
    """Verified records of one tag: values float32 `[S, R, C]`, without the check column."""

    tag: str
    layout: Layout
    columns: tuple[str, ...]
    steps: NDArray[np.int64]
    wall_times: NDArray[np.float64]
    values: NDArray[np.float32]

    def take(self, kept: NDArray[np.intp]) -> None:
        """Keep only the records `kept`; copies nothing where that is all of them."""
        if len(kept) == len(self.steps) and np.array_equal(kept, np.arange(len(kept))):
            return
        self.steps = self.steps[kept]
        self.wall_times = self.wall_times[kept]
        self.values = self.values[kept]


@dataclass(frozen=True, slots=True)
class Merged:
    """A table, the steps at which its training was restarted, and the tags it leaves out.

    `turns`: how often a record was followed by one of its own or an earlier step, where that is
    too often for restarts; else 0.
    """

    table: Table
    restarts: tuple[int, ...]
    left_out: tuple[str, ...] = ()
    turns: int = 0


def by_column(records: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Room for a table `[S, R, C]` in which each statistic lies together, `[S, R]` by `[S, R]`.

    Rules and views look at one statistic after the other: record by record in memory, each of them
    would fetch all of a table that is larger than any cache.
    """
    return np.empty((columns, records, rows), dtype=np.float32).transpose(1, 2, 0)


def merge_group(group: str, streams: Sequence[Stream]) -> Merged | None:
    """One table of all `streams` of one group; None if no record is left."""
    ordered = sorted(
        (stream for stream in streams if len(stream.steps)),
        key=lambda stream: (_begin(stream), stream.tag),
    )
    if not ordered:
        return None
    if len(ordered) == 1 and np.all(np.diff(ordered[0].steps) > 0):
        return Merged(_table(group, [ordered]), ())  # nothing to join, fold or doubt: nearly always
    lineages = _lineages(ordered)
    restarts: set[int] = set()
    turns = sum(_turns(lineage) for lineage in lineages)
    for lineage in lineages:
        restarts.update(_fold(lineage))
    kept = [stream for lineage in lineages for stream in lineage if len(stream.steps)]
    left_out: list[str] = []
    while len(kept) > 1 and _joined_bytes(kept) > _most_bytes(kept):
        # Layouts that share next to nothing: only made-up data looks so. The newest half stays.
        kept.sort(key=_begin)
        half = len(kept) // 2
        left_out += [stream.tag for stream in kept[:half]]
        kept = kept[half:]
    staying = {id(stream) for stream in kept}
    parts = [[stream for stream in lineage if id(stream) in staying] for lineage in lineages]
    table = _table(group, [part for part in parts if part])
    return Merged(table, tuple(sorted(restarts)), tuple(left_out), turns)


def _joined_bytes(streams: Sequence[Stream]) -> int:
    """Size of the table that would hold them all."""
    steps = len(np.unique(np.concatenate([stream.steps for stream in streams])))
    rows = len({key for stream in streams for key in _row_keys(stream.layout.rows)})
    columns = len({column for stream in streams for column in stream.columns})
    return 4 * steps * rows * columns


def _most_bytes(streams: Sequence[Stream]) -> int:
    """A joined table may be larger than its parts: rows and columns come and go."""
    return max(2**26, 4 * sum(stream.values.nbytes for stream in streams))


def _begin(stream: Stream) -> float:
    return float(np.min(np.nan_to_num(stream.wall_times)))


def _end(stream: Stream) -> float:
    return float(np.max(np.nan_to_num(stream.wall_times)))


def _lineages(ordered: Sequence[Stream]) -> list[list[Stream]]:
    """Streams that continue each other, by model: concurrent models are apart."""
    spans: dict[str, tuple[float, float]] = {}
    for stream in ordered:
        begin, end = spans.get(stream.layout.model, (_begin(stream), _end(stream)))
        spans[stream.layout.model] = (
            min(begin, _begin(stream)),
            max(end, _end(stream)),
        )
    ends: list[float] = []
    members: list[list[Stream]] = []
    for model in sorted(spans, key=lambda model: (spans[model][0], model)):
        begin, end = spans[model]
        free = next((index for index, last in enumerate(ends) if last < begin), None)
        if free is None:
            free = len(ends)
            ends.append(end)
            members.append([])
        ends[free] = max(ends[free], end)
        members[free] += [stream for stream in ordered if stream.layout.model == model]
    return members


def _turns(lineage: Sequence[Stream]) -> int:
    """How often two writers took turns in one run; 0 where it was restarted now and then.

    Two writers number their steps alike: one whose threads write out of order makes each step once.
    Only the Python loader tells: the fast one keeps what the newest file says.
    """
    steps = np.concatenate([stream.steps for stream in lineage])
    if len(steps) - len(np.unique(steps)) < TURNS:
        return 0
    times = np.nan_to_num(np.concatenate([stream.wall_times for stream in lineage]))
    in_time = steps[np.argsort(times, kind="stable")]
    turns = int(np.count_nonzero(np.diff(in_time) <= 0))
    return turns if turns >= max(TURNS, SHARE_OF_TURNS * len(steps)) else 0


def _fold(lineage: Sequence[Stream]) -> tuple[int, ...]:
    """Drop what restarts replaced, in place; the steps restarted at."""
    steps = np.concatenate([stream.steps for stream in lineage])
    wall_times = np.concatenate([stream.wall_times for stream in lineage])
    # Between tags only the clock tells what was written first; within one, the loader does.
    order = np.arange(len(steps))
    if len(lineage) > 1:
        order = np.argsort(np.nan_to_num(wall_times), kind="stable")
    kept, restarts = fold_restarts(steps[order], wall_times[order])
    kept = order[kept]
    first = 0
    for stream in lineage:
        last = first + len(stream.steps)
        mine = kept[(kept >= first) & (kept < last)] - first
        stream.take(mine)
        first = last
    return restarts


def _table(group: str, lineages: list[list[Stream]]) -> Table:
    if len(lineages) == 1 and len(lineages[0]) == 1:
        stream = lineages[0][0]
        return Table(
            group, stream.layout.rows, stream.columns, stream.steps, stream.wall_times,
            stream.values, stream.values,
        )
    streams = [stream for lineage in lineages for stream in lineage]
    steps, position = np.unique(
        np.concatenate([stream.steps for stream in streams]), return_inverse=True
    )
    wall_times = np.empty(len(steps), dtype=np.float64)
    wall_times[position] = np.concatenate([stream.wall_times for stream in streams])
    # The newest layout says how things are ordered now; older ones add what it lacks.
    columns = joined([stream.columns for stream in reversed(streams)])
    rows: list[Row] = []
    places: list[list[tuple[Stream, NDArray[np.intp]]]] = []
    for lineage in lineages:
        prefix = lineage[-1].layout.model if len(lineages) > 1 else ""
        keys = [_row_keys(stream.layout.rows) for stream in lineage]
        order = _occurrences_in_order(joined(list(reversed(keys))))
        described = {
            key: row
            for stream, names in zip(lineage, keys, strict=True)
            for key, row in zip(names, stream.layout.rows, strict=True)
        }
        index = {key: len(rows) + place for place, key in enumerate(order)}
        places.append(
            [
                (stream, np.array([index[key] for key in names], dtype=np.intp))
                for stream, names in zip(lineage, keys, strict=True)
            ]
        )
        rows += [_prefixed(described[key], prefix) for key in order]
    values = by_column(len(steps), len(rows), len(columns))
    values.fill(np.nan)
    for stream, row_index in (place for lineage in places for place in lineage):
        step_index = np.searchsorted(steps, stream.steps)
        column_index = np.array([columns.index(name) for name in stream.columns], dtype=np.intp)
        values[np.ix_(step_index, row_index, column_index)] = stream.values
    return Table(group, tuple(rows), columns, steps, wall_times, values, values)


def _prefixed(row: Row, model: str) -> Row:
    if not model:
        return row
    return replace(row, name=f"{model}: {row.name}", layer=f"{model}: {row.layer}")


def _row_keys(rows: Iterable[Row]) -> tuple[tuple[str, int], ...]:
    """Name and occurrence: two layers of one name share the path of their variables."""
    seen: Counter[str] = Counter()
    keys = []
    for row in rows:
        keys.append((row.name, seen[row.name]))
        seen[row.name] += 1
    return tuple(keys)


def _occurrences_in_order(order: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The same places for each name, with its first occurrence in the first of them."""
    seen: Counter[str] = Counter()
    result = []
    for name, _ in order:
        result.append((name, seen[name]))
        seen[name] += 1
    return result


def joined(orders: Sequence[Sequence[K]]) -> tuple[K, ...]:
    """Union of several orders: the first rules, later ones insert what it lacks where they have it.

    >>> joined([("a", "c", "d"), ("a", "b", "c", "e")])
    ('a', 'b', 'c', 'e', 'd')
    """
    result = list(orders[0])
    for order in orders[1:]:
        known = set(result)
        added: dict[K | None, list[K]] = {}
        anchor: K | None = None
        for key in order:
            if key in known:
                anchor = key
            else:
                added.setdefault(anchor, []).append(key)
        result = added.get(None, []) + [
            new for key in result for new in (key, *added.get(key, ()))
        ]
    return tuple(result)
