"""Pairs training and validation losses by step, whatever axes they were written on.

A validation loss is written at the end of an epoch or every k steps, a training loss at every step,
every k steps or once per epoch. Each validation loss is therefore paired with the mean of the
training losses since the previous validation. Loops may count steps for one and epochs for the
other. A validation then lies where its wall time says, or else where its share of the epochs lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Series, Steps, Values

EPOCHS: Final = 3.0
"""Factor by which training steps exceed the largest validation step if that counts epochs."""
PLACED: Final = 5
"""Number of validations needed to tell steps from epoch numbers."""
END: Final = 3
"""The median of this many values is the level at the end; a single epoch is noise."""


@dataclass(frozen=True, slots=True)
class PairedLosses:
    """Losses at `[V]` validations.

    Attributes:
        steps: int64 `[V]`, step (or epoch) of each validation, increasing.
        training: `[V]`, mean training loss since the validation before; NaN where one of them was
            not finite.
        validation: `[V]`, as recorded; NaN and infinities are data.
        axis: what `steps` count: "step", "batch" or "epoch".
    """

    steps: Steps
    training: Values
    validation: Values
    axis: str

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def finite(self) -> PairedLosses:
        """The validations at which both losses are finite."""
        known = np.isfinite(self.training) & np.isfinite(self.validation)
        return PairedLosses(
            self.steps[known], self.training[known], self.validation[known], self.axis
        )

    @property
    def end_training(self) -> float:
        """Median of the last training losses; NaN if there are none."""
        return float(np.median(self.training[-END:])) if len(self) else float("nan")

    @property
    def end_validation(self) -> float:
        """Median of the last validation losses; NaN if there are none."""
        return float(np.median(self.validation[-END:])) if len(self) else float("nan")

    @property
    def noise(self) -> float:
        """Standard deviation of a validation loss around its trend, robustly estimated.

        Computed from second differences, which have six times the variance of independent noise; 0
        for fewer than four values.
        """
        if len(self) < 4:
            return 0.0
        bends = np.diff(self.validation, 2)
        return float(1.4826 * np.median(np.abs(bends)) / np.sqrt(6))


@memoized
def paired_losses(history: RunHistory) -> PairedLosses | None:
    """Both losses of `history`; None if one is missing, or if no two share an axis.

    Uses the epoch means if they were recorded with the validation losses, otherwise the averaged
    finest record of the training loss.
    """
    validation = history.series("validation_loss")
    if validation is None or not len(validation):
        return None
    means = _epoch_means(history)
    if means is not None and means.axis == validation.axis:
        shared, at_mean, at = np.intersect1d(means.steps, validation.steps, return_indices=True)
        if 2 * len(shared) > len(validation):
            return PairedLosses(
                shared,
                np.asarray(means.values, np.float64)[at_mean],
                np.asarray(validation.values, np.float64)[at],
                validation.axis,
            )
    for series in (history.series("loss"), means):
        if series is None or not len(series):
            continue
        places = _places(history, series, validation)
        if places is not None:
            return _paired(series, places, np.asarray(validation.values, np.float64))
    return None


def _epoch_means(history: RunHistory) -> Series | None:
    """The epoch means of the training loss; None if they are no means of what was trained on.

    A train step of one's own that never updates Keras' loss tracker reports a loss of 0 for every
    epoch, whatever the losses of its steps are.
    """
    means, single = history.series("epoch_loss"), history.series("loss")
    if means is None or single is None or len(means) < 2:
        return means
    still = bool((means.values == means.values[0]).all())
    return None if still and bool((single.values != means.values[0]).any()) else means


def _places(history: RunHistory, training: Series, validation: Series) -> Steps | None:
    """Steps of `training` at which the validations were made, `[V]`; None if nothing tells them."""
    own, last = validation.steps, int(training.steps[-1])
    counts = last >= EPOCHS * max(int(own[-1]), 1)
    if training.axis == validation.axis and not (counts and len(own) >= PLACED):
        return own
    if len(own) < PLACED or training.axis == "epoch":
        return None
    by_clock = np.array([_reached(training, at) for at in validation.wall_times], np.int64)
    if (np.diff(by_clock) > 0).all() and by_clock[0] >= 0:
        return by_clock
    if training.axis == validation.axis and not (np.diff(own) == 1).all():
        return own  # sparse steps of a training whose validation ended early
    # Epochs are equally long, and the last one ends with the training.
    first = int(own[0]) - 1 if own[0] > 0 else -1
    share = (own - first) / max(int(own[-1]) - first, 1)
    return np.maximum(np.round(share * (last + 1)).astype(np.int64) - 1, 0)


def _reached(training: Series, clock: float) -> int:
    """Last step of `training` that was written by then; -1 before the first."""
    written = np.flatnonzero(training.wall_times <= clock)
    return int(training.steps[written[-1]]) if len(written) else -1


def _paired(training: Series, places: Steps, validation: Values) -> PairedLosses | None:
    """Validations with a training loss since the previous one (the first: since the beginning)."""
    ends = np.searchsorted(training.steps, places, side="right")
    starts = np.append(0, ends[:-1])
    kept = np.flatnonzero(ends > starts)
    if not len(kept):
        return None
    values = np.asarray(training.values, np.float64)
    means = np.array(
        [
            float(np.mean(values[start:end])) if np.isfinite(values[start:end]).all() else np.nan
            for start, end in zip(starts[kept].tolist(), ends[kept].tolist(), strict=True)
        ]
    )
    return PairedLosses(places[kept], means, validation[kept], training.axis)
