"""Several trainings whose event files lie in one folder: where the newest begins.

People start a program twice with the same folder. TensorBoard shows what both wrote as one run. Two
trainings are told apart by the clock and by the steps: after a long pause a series begins to count
from the start. A training that was paused and resumed goes on counting, and is one training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.history import Steps, Values
from tb_convergence.core.scalar_tags import EarlierTraining
from tb_convergence.reading.patterns import ScalarRule
from tb_convergence.reading.scalar_choice import Place

PAUSE_SECONDS: Final = 1_800.0
"""A shorter pause is a program that was started again at once; `restarts` folds it."""
PAUSE_TIMES: Final = 10.0
"""Pause over the usual distance of two records: epochs that last hours are no pauses."""
FAR_BACK: Final = 0.5
"""Part of the steps reached below which nobody resumes: checkpoints are not so far apart."""
MOST_PAUSES: Final = 50
"""Longest pauses that are looked at."""
MOST_TAGS: Final = 10


@dataclass(frozen=True, slots=True)
class Points:
    """What was read of one scalar, in the order the loader gave it: arrays `[N]`."""

    steps: Steps
    wall_times: NDArray[np.float64]
    values: Values

    def between(self, begin: float, end: float) -> Points:
        """The points from the wall time `begin` on and before `end`."""
        kept = ~(self.wall_times < begin)
        if math.isfinite(end):  # a clock that says infinity is wrong, not late
            kept &= ~(self.wall_times >= end)
        return (
            self
            if kept.all()
            else Points(self.steps[kept], self.wall_times[kept], self.values[kept])
        )


Span = tuple[float, float]
"""Wall times between which a training was recorded: from the first on, before the second."""

WHOLE: Final[Span] = (-math.inf, math.inf)


def within(span: Span, time: float) -> bool:
    """Whether a record of wall time `time` is of the training of `span`, as `Points.between`."""
    return not time < span[0] and not (math.isfinite(span[1]) and time >= span[1])


def chosen_training(
    points: Mapping[Place, Points], rules: Sequence[ScalarRule] = ()
) -> tuple[Span, tuple[EarlierTraining, ...]]:
    """The training to read, and all trainings but the newest.

    That is the newest one, or the one whose number, counted from 1, a rule names.
    """
    begins = _beginnings(points)
    if not begins:
        return WHOLE, ()
    edges = [-math.inf, *begins, math.inf]
    spans = list(pairwise(edges))
    earlier = tuple(
        one for low, high in spans[:-1] if (one := _described(points, low, high)) is not None
    )
    wanted = next((int(rule.tags[0]) for rule in rules if rule.role == "training"), len(spans))
    return spans[min(wanted, len(spans)) - 1], earlier


def _beginnings(points: Mapping[Place, Points]) -> list[float]:
    """Wall times at which another training begins; [] if the clock does not tell."""
    times = [one.wall_times for one in points.values() if len(one.steps)]
    if not times:
        return []
    clock = np.unique(np.concatenate(times))
    clock = clock[np.isfinite(clock) & (clock > 0)]
    distances = np.diff(clock)
    if len(distances) < 2:
        return []
    longest = np.argsort(distances)[::-1][:MOST_PAUSES]
    usual = float(np.median(distances))
    return [
        float(clock[place + 1])
        for place in sorted(longest.tolist())
        if distances[place] >= max(PAUSE_SECONDS, PAUSE_TIMES * usual)
        and _begins_anew(points, float(clock[place + 1]))
    ]


def _begins_anew(points: Mapping[Place, Points], time: float) -> bool:
    """Whether some series counts anew at `time`, after others had advanced.

    It begins at the start again, or so far back that no checkpoint was resumed from.
    """
    before = [one.steps[one.wall_times < time] for one in points.values()]
    if len(np.unique(np.concatenate(before))) < 2:
        return False  # a check before the first step is no training
    for one in points.values():
        earlier, steps = one.steps[one.wall_times < time], one.steps[one.wall_times >= time]
        if len(steps) and len(earlier) and steps[0] < FAR_BACK * int(earlier.max()):
            return True
    if any(_goes_on(one, time) for one in points.values()):
        return False  # resumed: a series that counts something else may begin here
    for one in points.values():
        steps = one.steps[one.wall_times >= time]
        if len(steps) < 2:
            continue
        apart = float(np.median(np.abs(np.diff(steps))))
        if 0 <= steps[0] <= max(1.0, apart):
            return True
    return False


def _goes_on(one: Points, time: float) -> bool:
    """Whether a series counts on at `time` from where it was, and not from its start."""
    earlier, steps = one.steps[one.wall_times < time], one.steps[one.wall_times >= time]
    if not len(earlier) or not len(steps):
        return False
    distances = np.abs(np.diff(steps if len(steps) > 1 else earlier))
    apart = float(np.median(distances)) if len(distances) else 1.0
    return bool(steps[0] > max(1.0, apart, float(earlier.max())))


def _described(points: Mapping[Place, Points], low: float, high: float) -> EarlierTraining | None:
    steps: list[int] = []
    times: list[float] = []
    tags = []
    for (_, tag), one in points.items():
        inside = (one.wall_times >= low) & (one.wall_times < high) & (one.steps >= 0)
        if inside.any():
            steps += [int(one.steps[inside].min()), int(one.steps[inside].max())]
            times += [float(one.wall_times[inside].min()), float(one.wall_times[inside].max())]
            tags.append(tag)
    if not tags:
        return None
    return EarlierTraining(
        min(steps), max(steps), min(times), max(times), tuple(sorted(set(tags))[:MOST_TAGS])
    )
