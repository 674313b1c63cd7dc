"""Aligns series that count epochs with series that count steps, by their wall times.

Keras' callback numbers its histograms and the means of its losses by epoch, and the losses
themselves by batch. Epoch 3 is not batch 3: only the time of writing shows which values belong
together. Our own recorder writes both by step, so rules and views then find one axis either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from tb_convergence.core.history import Series, Table

Part = TypeVar("Part", Table, Series)


def clock_of(scalars: Iterable[Series]) -> Series | None:
    """The longest series that counts steps or batches and whose wall times never go back."""
    clocks = [one for one in scalars if one.axis != "epoch" and len(one) > 1 and _runs(one)]
    return max(clocks, key=len, default=None)


def aligned(part: Part, clock: Series | None) -> Part:
    """`part` on the axis of `clock`: at the last step that it knew of.

    As it is where it counts steps already, or where wall times do not tell: without a clock, before
    its first step, or for two records between the same two steps.
    """
    if part.axis != "epoch" or clock is None or not len(part.steps):
        return part
    if not np.isfinite(part.wall_times).all():
        return part
    last = np.searchsorted(clock.wall_times, part.wall_times, side="right") - 1
    if (last < 0).any() or not (np.diff(clock.steps[last]) > 0).all():
        return part
    return replace(part, steps=clock.steps[last], axis=clock.axis)


def all_aligned(scalars: Mapping[str, Series], clock: Series | None) -> Mapping[str, Series]:
    """Every one of `scalars` placed, or none: the means of one epoch must keep one step."""
    found = {name: aligned(series, clock) for name, series in scalars.items()}
    return scalars if any(one.axis == "epoch" for one in found.values()) else found


def _runs(series: Series) -> bool:
    times = series.wall_times
    return bool(np.isfinite(times).all() and (np.diff(times) >= 0).all() and times[0] > 0)
