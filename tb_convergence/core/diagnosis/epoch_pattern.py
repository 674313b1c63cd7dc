"""Whether the losses of single batches repeat a pattern in each epoch, as those of sorted data do.

In sorted data, neighbouring batches hold samples of one kind. The model adapts to them, meets the
next kind, and starts again: the loss runs through the same saw teeth in each epoch. The validation
loss, which is of all kinds, is far higher from the first epoch on. Shuffled batches repeat nothing.
Batches in a fixed random order repeat their differences, but validation is no worse at the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from tb_convergence.core.history import RunHistory, Values

EPOCHS: Final = 6
"""Epochs of which the later half is compared: with fewer, chance repeats itself."""
BATCHES: Final = 12
"""Recorded batches in an epoch."""
FIRST: Final = 3
"""Epochs in which a model that is trained on shuffled data hardly overfits yet."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the losses of the later epochs show.

    Attributes:
        repeats: correlation of the logarithms of the losses of an epoch with those of the next one,
            place by place; the median of all pairs.
        swings: factor between a typical high loss and a typical low one: the tenth and the
            ninetieth percentile of an epoch.
        gap: mean of the first three validation losses over the mean loss of those epochs.
        batches: recorded losses in an epoch.
    """

    repeats: float
    swings: float
    gap: float
    batches: int


def epoch_pattern(history: RunHistory) -> Pattern | None:
    """The pattern of the losses; None if batches or the length of an epoch were not recorded."""
    loss, validation = history.scalars.get("loss"), history.scalars.get("validation_loss")
    if loss is None or validation is None or loss.axis == "epoch" or len(validation) < EPOCHS:
        return None
    values = np.asarray(loss.values, np.float64)
    if not (np.isfinite(values).all() and (values > 0).all()):
        return None
    gaps = np.diff(validation.steps)
    if validation.axis == loss.axis and len(set(gaps.tolist())) == 1:
        ends = validation.steps
    else:
        ends = np.linspace(loss.steps[0], loss.steps[-1] + 1, len(validation) + 1)[1:]
    epochs = np.split(np.log(values), np.searchsorted(loss.steps, ends, side="right"))
    later = [epoch for epoch in epochs[: len(ends)] if len(epoch)][len(ends) // 2 :]
    length = min(map(len, later), default=0)
    if len(later) < EPOCHS // 2 or length < BATCHES or max(map(len, later)) > length + 1:
        return None
    levels = np.array([epoch[:length] for epoch in later])
    return Pattern(
        float(np.median([_correlation(*pair) for pair in pairwise(levels)])),
        float(np.exp(np.median(np.ptp(np.percentile(levels, [10, 90], axis=1), axis=0)))),
        _gap(epochs[:FIRST], np.asarray(validation.values, np.float64)),
        length,
    )


def _gap(epochs: list[Values], validation: Values) -> float:
    means = [float(np.exp(epoch).mean()) for epoch in epochs if len(epoch)]
    return float(validation[: len(means)].mean()) / max(float(np.mean(means)), 1e-30)


def _correlation(first: Values, second: Values) -> float:
    """Pearson's correlation; 0 if one of the two is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
