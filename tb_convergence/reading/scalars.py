"""Ordinary scalar summaries of one run -> series of loss, validation loss, rate, reward."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final

import numpy as np

from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import Axis, Series, Table
from tb_convergence.core.scalar_tags import EarlierTraining, Framework, ScalarTag
from tb_convergence.reading.frameworks import framework_of
from tb_convergence.reading.patterns import scalar_rules
from tb_convergence.reading.reasons import SkippedPoints, reason_of
from tb_convergence.reading.restarts import fold_restarts
from tb_convergence.reading.runs import FoldedRun
from tb_convergence.reading.sampling import Sampling
from tb_convergence.reading.scalar_choice import Choice, Picked, Place, choose
from tb_convergence.reading.tensorboard.data_source import DataSource
from tb_convergence.reading.trainings import WHOLE, Points, Span, chosen_training

_REAL: Final = (bool, int, float, np.bool_, np.integer, np.floating)

EPOCH_OF_STEPS: Final = 3.0
"""Last step of a run over that of a series numbered 0, 1, 2 ..., from which it counts epochs."""


@dataclass(slots=True)
class ScalarData:
    """Series by the statistic they mean.

    Attributes:
        series: "loss", "epoch_loss", "validation_loss", "learning_rate", "reward", ...
        skipped: what was refused.
        tags: what each scalar was taken for.
        earlier: older trainings in the same folder, which are left out.
        framework: what seems to have written them.
        span: wall times between which the training that is read was recorded.
    """

    series: dict[str, Series] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    tags: tuple[ScalarTag, ...] = ()
    earlier: tuple[EarlierTraining, ...] = ()
    span: Span = WHOLE
    framework: Framework = ""


def wanted_scalars(
    source: DataSource, run: FoldedRun, listed: Mapping[str, Iterable[str]]
) -> Choice:
    """What to read of the scalars `listed` (member -> tags) of `run`."""
    return choose(listed, run, scalar_rules(source.patterns))


def read_scalars(
    source: DataSource, run: FoldedRun, tables: Mapping[str, Table], sampling: Sampling
) -> ScalarData:
    """Series that the recorder did not write itself (`tables`), best tag of each statistic."""
    result = ScalarData()
    listed = {member: source.list_scalars(member) for member in run.members}
    choice = wanted_scalars(source, run, listed)
    result.tags = tuple(choice.tags)
    result.framework = framework_of(listed)
    recorded = {
        column for group in ("run", "epoch") if group in tables for column in tables[group].columns
    }
    wanted = {name: list(ways) for name, ways in choice.ways.items() if name not in recorded}
    known: dict[Place, Points] = {}
    chosen: dict[str, Picked] = {}
    while wanted:
        # The best way to fill each series; the next best where that one holds nothing.
        best = {name: ways.pop(0) for name, ways in wanted.items()}
        _read(source, best.values(), known, result.skipped, sampling)
        for name, picked in best.items():
            if any(len(known[place].steps) for place in picked.places if place in known):
                chosen[name] = picked
        wanted = {name: ways for name, ways in wanted.items() if ways and name not in chosen}
    span, result.earlier = chosen_training(known, scalar_rules(source.patterns))
    result.span = span
    kept = {place: one.between(*span) for place, one in known.items()}
    for name, picked in chosen.items():
        series = _series(name, picked, kept)
        if series is not None:
            result.series[name] = series
    _drop_sparse_loss(result, chosen)
    result.series = _with_epochs(result.series, chosen)
    return result


def _drop_sparse_loss(data: ScalarData, chosen: Mapping[str, Picked]) -> None:
    """Leave out a loss by step that has fewer points than the means of epochs beside it.

    Lightning logs every 50th step by default: of short epochs, a single one may be left.
    """
    by_step, by_epoch = data.series.get("loss"), data.series.get("epoch_loss")
    if by_step is None or by_epoch is None or chosen["loss"].told:
        return
    if len(by_step) < len(by_epoch):
        del data.series["loss"]
        places = chosen["loss"].places
        data.tags = tuple(
            replace(one, use="spare") if (one.run, one.tag) in places else one for one in data.tags
        )


def _read(
    source: DataSource,
    picked: Iterable[Picked],
    known: dict[Place, Points],
    skipped: list[Skipped],
    sampling: Sampling,
) -> None:
    """Read the scalars of `picked` that are not `known` yet."""
    places = {place for one in picked for place in one.places} - known.keys()
    for member in sorted({run for run, _ in places}):
        tags = sorted(tag for run, tag in places if run == member)
        for tag, data in source.read_scalars(member, tags):
            known[member, tag] = Points(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
            if isinstance(data, Exception):
                skipped.append(Skipped(tag, None, reason_of(data)))
            elif not data:
                skipped.append(
                    Skipped(tag, None, "TensorBoard lists it but returns no points; perhaps it is "
                                       "not float32")
                )
            else:
                sampling.look("scalars", (datum.step for datum in data))
                known[member, tag] = _points(tag, data, skipped)


def _points(tag: str, data: list[Any], skipped: list[Skipped]) -> Points:
    """What of `data` is a scalar.

    Beside scalars, points of another kind are left out without a word: the data server does not
    even pass them on, and both loaders are to say the same. Alone, they are reported.
    """
    refused = SkippedPoints(tag, skipped)
    good = []
    mixed = any(isinstance(datum.value, _REAL) for datum in data)
    for datum in data:
        if datum.step < 0:
            refused.add(int(datum.step), "negative step")
        elif not isinstance(datum.value, _REAL):
            # One of the loaders hands on what a damaged tensor held: text, a complex number.
            if not mixed:
                refused.add(int(datum.step), f"a scalar of type {type(datum.value).__name__}")
        else:
            good.append(datum)
    refused.close()
    return Points(
        np.array([datum.step for datum in good], dtype=np.int64),
        np.array([datum.wall_time for datum in good], dtype=np.float64),
        np.array([datum.value for datum in good], dtype=np.float64),
    )


def _series(name: str, picked: Picked, known: Mapping[Place, Points]) -> Series | None:
    """One scalar, or the sum of several at the steps that all of them have; None without points."""
    terms = []
    for place in picked.places:
        points = known.get(place)
        if points is not None and len(points.steps):
            kept, _ = fold_restarts(points.steps, points.wall_times)
            terms.append(Points(points.steps[kept], points.wall_times[kept], points.values[kept]))
    if not terms:
        return None
    steps = reduce(np.intersect1d, [one.steps for one in terms])
    if not len(steps):
        terms = terms[:1]  # they are never written together: no sum of them exists
        steps = terms[0].steps
    at = [np.searchsorted(one.steps, steps) for one in terms]
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.sum([one.values[index] for one, index in zip(terms, at, strict=True)], axis=0)
    if picked.logarithm:
        if not np.nanmin(values, initial=np.inf) >= 1:
            return None  # no perplexity: its loss would be negative
        values = np.log(values)
    axis: Axis = picked.pace or "step"
    return Series(
        name, steps, np.asarray(values, np.float64), terms[0].wall_times[at[0]], picked.source, axis
    )


def _with_epochs(series: dict[str, Series], chosen: Mapping[str, Picked]) -> dict[str, Series]:
    """`series`, of which those that are numbered by epoch beside others by step say so.

    A writer that logs the loss of each step by step often logs the validation loss by epoch: 0, 1,
    2 beside 0 to 40,000. The clock then tells at which step an epoch ended (see `axis_alignment`).
    """
    last = max((int(one.steps[-1]) for one in series.values() if one.axis == "step"), default=0)
    return {
        name: replace(one, axis="epoch")
        if one.axis == "step"
        and not chosen[name].told
        and _numbered(one)
        and last >= EPOCH_OF_STEPS * (int(one.steps[-1]) + 1)
        else one
        for name, one in series.items()
    }


def _numbered(series: Series) -> bool:
    """Whether its steps are 0, 1, 2, ... or 1, 2, 3, ..."""
    return (
        len(series) > 1 and series.steps[0] in (0, 1) and bool((np.diff(series.steps) == 1).all())
    )
