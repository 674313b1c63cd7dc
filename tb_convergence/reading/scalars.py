"""Ordinary scalar summaries of one run -> series of loss, validation loss and learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import Series, Table
from tb_convergence.reading.reasons import SkippedPoints, reason_of
from tb_convergence.reading.restarts import fold_restarts
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.sampling import Sampling
from tb_convergence.reading.scalar_tags import ScalarMeaning, scalar_meaning
from tb_convergence.reading.source import Source

_REAL: Final = (bool, int, float, np.bool_, np.integer, np.floating)


@dataclass(slots=True)
class ScalarData:
    """Series by the statistic they mean."""

    series: dict[str, Series] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Candidate:
    run: str
    tag: str
    meaning: ScalarMeaning

    @property
    def order(self) -> tuple[int, str, str]:
        return self.meaning.rank, self.run, self.tag


def read_scalars(
    source: Source, run: FoldedRun, tables: Mapping[str, Table], sampling: Sampling
) -> ScalarData:
    """Series that the recorder did not write itself (`tables`), best tag of each statistic."""
    result = ScalarData()
    wanted = _candidates(source, run, tables)
    while wanted:
        # The best candidate of each statistic; the next best where that one holds nothing.
        best = {name: candidates.pop(0) for name, candidates in wanted.items()}
        for name, series in _read(source, best, result.skipped, sampling).items():
            result.series[name] = series
        wanted = {
            name: candidates
            for name, candidates in wanted.items()
            if candidates and name not in result.series
        }
    return result


def _candidates(
    source: Source, run: FoldedRun, tables: Mapping[str, Table]
) -> dict[str, list[_Candidate]]:
    recorded = {
        column
        for group in ("run", "epoch")
        if group in tables
        for column in tables[group].columns
    }
    found: dict[str, list[_Candidate]] = {}
    for member in run.members:
        validation = member in run.validation
        for tag in source.list_scalars(member):
            meaning = scalar_meaning(tag, validation)
            if meaning is not None and meaning.name not in recorded:
                found.setdefault(meaning.name, []).append(_Candidate(member, tag, meaning))
    for candidates in found.values():
        candidates.sort(key=lambda candidate: candidate.order)
    return found


def _read(
    source: Source, best: Mapping[str, _Candidate], skipped: list[Skipped], sampling: Sampling
) -> dict[str, Series]:
    result: dict[str, Series] = {}
    for member in sorted({candidate.run for candidate in best.values()}):
        tags = {
            candidate.tag: (name, candidate)
            for name, candidate in best.items()
            if candidate.run == member
        }
        for tag, data in source.read_scalars(member, tags):
            name, candidate = tags[tag]
            if isinstance(data, Exception):
                skipped.append(Skipped(tag, None, reason_of(data)))
            elif not data:
                skipped.append(
                    Skipped(tag, None, "TensorBoard lists it but gives no points: not float32?")
                )
            else:
                sampling.look("scalars", (datum.step for datum in data))
                result[name] = _series(name, candidate, data, skipped)
    return result


def _series(
    name: str, candidate: _Candidate, data: list[Any], skipped: list[Skipped]
) -> Series:
    refused = SkippedPoints(candidate.tag, skipped)
    good = []
    for datum in data:
        if datum.step < 0:
            refused.add(int(datum.step), "negative step")
        elif not isinstance(datum.value, _REAL):
            # One of the loaders hands on what a damaged tensor held: text, a complex number.
            refused.add(int(datum.step), f"a scalar of type {type(datum.value).__name__}")
        else:
            good.append(datum)
    refused.close()
    steps = np.array([datum.step for datum in good], dtype=np.int64)
    wall_times = np.array([datum.wall_time for datum in good], dtype=np.float64)
    values = np.array([datum.value for datum in good], dtype=np.float64)
    kept, _ = fold_restarts(steps, wall_times)
    return Series(
        name, steps[kept], values[kept], wall_times[kept], candidate.tag, candidate.meaning.axis
    )
