"""What in one run corresponds to what in another: records by step, rows by name or by place."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Table
from tb_convergence.core.schema import Row

Indices = NDArray[np.intp]

_COUNT: Final = re.compile(r"[_.]?\d+$")
"""What a framework adds to the name of a second layer of one kind."""


def pair_steps(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """Pairs of records of two runs that belong to the same time, as indices `[P]`.

    Runs record at steps of their own. Going up the steps of both, a pair is closed as soon as each
    run has a record that is in no pair yet; of the run that had several, the last one counts. So
    equal steps are paired with each other, no record is used twice, and neither run is preferred.

    >>> a, b = pair_steps(np.array([0, 1, 20, 40, 60]), np.array([0, 1, 50, 100]))
    >>> a.tolist(), b.tolist()
    ([0, 1, 3, 4], [0, 1, 2, 3])
    """
    order: list[tuple[int, int, int]] = sorted(
        [(int(step), 0, index) for index, step in enumerate(first)]
        + [(int(step), 1, index) for index, step in enumerate(second)]
    )
    pairs: list[tuple[int, int]] = []
    waiting: list[int | None] = [None, None]
    for position, (step, run, index) in enumerate(order):
        waiting[run] = index
        if position + 1 < len(order) and order[position + 1][0] == step:
            continue  # the other run has a record of this very step
        if waiting[0] is not None and waiting[1] is not None:
            pairs.append((waiting[0], waiting[1]))
            waiting = [None, None]
    left = np.array([a for a, _ in pairs], dtype=np.intp)
    right = np.array([b for _, b in pairs], dtype=np.intp)
    return left, right


@dataclass(frozen=True, slots=True)
class RowPairs:
    """Pairs of rows of two tables.

    Attributes:
        pairs: indices into the first and the second table, in order of depth.
        by: "name" where names say so; "place" where kinds and shapes agree one by one and names do
            not; "role" where names say so but for the last layers, whose names mislead; None
            without a pair.
    """

    pairs: tuple[tuple[int, int], ...]
    by: Literal["name", "place", "role"] | None


def pair_rows(
    first: Table, second: Table, among_first: Sequence[int], among_second: Sequence[int]
) -> RowPairs:
    """Pair the rows of two tables.

    By name where both runs have the same names; else by place where kinds and shapes agree one by
    one (a model built twice in one program is called dense_3 where it was dense); else by those
    names that both have. A counted name such as dense_2 is the output of a short model and a hidden
    layer of a deep one: then the last layers are each other's partners, whatever they are called.
    Of a name that one run has more often than the other no row is paired:
    which of them is meant cannot be told.
    """
    names_first = [_name(first.rows[row]) for row in among_first]
    names_second = [_name(second.rows[row]) for row in among_second]
    times_first, times_second = Counter(names_first), Counter(names_second)
    if times_first != times_second and _same_forms(first, second, among_first, among_second):
        return RowPairs(tuple(zip(among_first, among_second, strict=True)), "place")
    waiting: dict[tuple[str, str], deque[int]] = {}
    for row, name in zip(among_second, names_second, strict=True):
        if times_first[name] == times_second[name]:
            waiting.setdefault(name, deque()).append(row)
    pairs = tuple(
        (row, waiting[name].popleft())
        for row, name in zip(among_first, names_first, strict=True) if name in waiting
    )
    return _by_role(first, second, among_first, among_second, pairs)


def _by_role(
    first: Table, second: Table, among_first: Sequence[int], among_second: Sequence[int],
    named: tuple[tuple[int, int], ...],
) -> RowPairs:
    """`named` pairs, without those of a last layer with another one; last layers with each other.

    Only where the last layers' names are counted from one word, as dense_8 and dense_2 are: a name
    that somebody chose says what it means.
    """
    ends = _last_layer(first, among_first), _last_layer(second, among_second)
    if _COUNT.sub("", ends[0] or "") != _COUNT.sub("", ends[1] or ""):
        return RowPairs(named, "name" if named else None)

    def is_last(pair: tuple[int, int]) -> tuple[bool, bool]:
        return first.rows[pair[0]].layer == ends[0], second.rows[pair[1]].layer == ends[1]

    misleading = [pair for pair in named if len(set(is_last(pair))) == 2]
    if not misleading:
        return RowPairs(named, "name" if named else None)
    lasts = [
        [row for row in among if table.rows[row].layer == end]
        for table, among, end in zip(
            (first, second), (among_first, among_second), ends, strict=True
        )
    ]
    kinds = [
        [table.rows[row].kind for row in rows]
        for table, rows in zip((first, second), lasts, strict=True)
    ]
    kept = [pair for pair in named if not any(is_last(pair))]
    if kinds[0] == kinds[1]:
        kept += zip(lasts[0], lasts[1], strict=True)
    return RowPairs(tuple(sorted(kept)), "role" if kept else None)


def _last_layer(table: Table, among: Sequence[int]) -> str | None:
    return table.rows[among[-1]].layer if among else None


def _name(row: Row) -> tuple[str, str]:
    return row.name, row.kind


def _same_forms(
    first: Table, second: Table, among_first: Sequence[int], among_second: Sequence[int]
) -> bool:
    """Whether rows agree in kind and shape, one by one. Unknown shapes agree with nothing: a pair
    would be a guess."""
    forms = [
        [(table.rows[row].kind, table.rows[row].shape) for row in among]
        for table, among in ((first, among_first), (second, among_second))
    ]
    known = sum(bool(shape) for _, shape in forms[0])
    return forms[0] == forms[1] and 2 * known > len(forms[0])
