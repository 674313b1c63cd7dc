"""Training and validation loss side by side, by step, whatever axes they were written on.

A validation loss is written at the end of an epoch or every k steps, a training loss at every step,
every k steps or once an epoch. So each validation loss is paired with the mean of the training
losses since the validation before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tb_convergence.core.diagnosis.memory import remembered
from tb_convergence.core.history import RunHistory, Series, Steps, Values


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


@remembered
def paired_losses(history: RunHistory) -> PairedLosses | None:
    """Both losses of `history`; None without either, or where no two lie on one axis.

    The means of whole epochs are taken where they were recorded with the validation losses, else
    the finest record of the training loss is averaged.
    """
    validation = history.series("validation_loss")
    if validation is None or not len(validation):
        return None
    means = history.series("epoch_loss")
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
        if series is not None and len(series) and series.axis == validation.axis:
            return _paired(series, validation)
    return None


def _paired(training: Series, validation: Series) -> PairedLosses | None:
    """Validations that have a training loss since the one before, the first since the beginning."""
    ends = np.searchsorted(training.steps, validation.steps, side="right")
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
    return PairedLosses(
        validation.steps[kept],
        means,
        np.asarray(validation.values, np.float64)[kept],
        validation.axis,
    )
