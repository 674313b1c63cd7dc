"""What in one run corresponds to what in another: records by step, rows by name or by place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Table
from tb_convergence.core.schema import Row

Indices = NDArray[np.intp]


def pair_steps(first: NDArray[np.int64], second: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """Records of two runs that tell of the same time, as equally long indices `[P]`.

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


def pair_rows(
    first: Table, second: Table, among_first: Sequence[int], among_second: Sequence[int]
) -> list[tuple[int, int]]:
    """Rows that stand for the same thing, in order of depth.

    By name where both runs have the same names; else by place where kinds and shapes agree one by
    one (a model built twice in one program is called dense_3 where it was dense); else by those
    names that both have.
    """
    names_first = [_name(first.rows[row]) for row in among_first]
    names_second = [_name(second.rows[row]) for row in among_second]
    same_names = set(names_first) == set(names_second) and len(names_first) == len(names_second)
    if not same_names and _forms(first, among_first) == _forms(second, among_second):
        return list(zip(among_first, among_second, strict=True))
    places = dict(zip(names_second, among_second, strict=True))
    return [(row, places[name]) for row, name in zip(among_first, names_first, strict=True)
            if name in places]


def _name(row: Row) -> tuple[str, str]:
    return row.name, row.kind


def _forms(table: Table, rows: Sequence[int]) -> list[tuple[Any, ...]]:
    return [(table.rows[row].kind, table.rows[row].shape) for row in rows]
