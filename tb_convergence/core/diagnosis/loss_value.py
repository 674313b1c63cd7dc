"""Finds out how a loss was computed, from its value and recorded moments.

For a batch with targets y and predictions p, mean((y - p)^2) = var(y) + var(p) + (E y - E p)^2 - 2
cov(y, p). The recorder has everything but the covariance, which the two standard deviations bound.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    REGRESSION_LOSSES,
    configuration,
)
from tb_convergence.core.diagnosis.data import (
    EXACT,
    Columns,
    are_probabilities,
    columns_of,
    target_kind,
)
from tb_convergence.core.history import RunHistory, Values

VARIED: Final = 0.01
"""Std of the predictions over that of the targets below which the covariance is rounding."""
RELATIVE: Final = 0.002
"""Part of the largest possible covariance that still counts as none. By chance, N unrelated samples
have 1 / sqrt(N), so only batches of 250,000 samples have as little.
"""
RECORDS: Final = 5
SCALE_FREE: Final = ("cos", "corr", "pearson", "rank", "angle", "angular")
"""Parts of names of losses that compare directions or orders, not sizes."""
CONSTANT: Final = 0.05
"""Std of an output over that of the targets up to which the output counts as constant."""
OFF_MEAN: Final = 0.5
"""A constant this many standard deviations from the mean is a wrong one."""
OPPOSED: Final = 0.3
"""Distance of the mean prediction from the mean target that no useful classifier has."""
SUMMED: Final = 3.0
"""Loss over the largest possible mean; penalties and weights rarely add as much."""


def every_pair(history: RunHistory) -> tuple[int, int, float] | None:
    """Records whose loss is that of every prediction with every target, of how many, and the spread
    of the predictions over that of the targets.

    None unless it is so in every record that can tell: not in one is there a covariance.
    """
    aligned = _aligned(history)
    if aligned is None:
        return None
    loss, targets, outputs = aligned
    if targets.count != 1 or outputs.count != 1 or configuration(history).loss in CROSS_ENTROPIES:
        return None
    y, p = targets.std[:, 0], outputs.std[:, 0]
    gap = (targets.mean[:, 0] - outputs.mean[:, 0]) ** 2
    largest = 2 * y * p
    # The covariance must exceed the float32 rounding of the whole.
    telling = (p > VARIED * y) & (y > 0) & (RELATIVE * largest > 1e-5 * (y**2 + p**2 + gap))
    telling &= np.isfinite(loss)
    if telling.sum() < RECORDS:
        return None
    for scale in (1.0, 0.5):
        missing = np.abs(loss[telling] - scale * (y**2 + p**2 + gap)[telling])
        if bool((missing <= scale * RELATIVE * largest[telling]).all()):
            return int(telling.sum()), len(telling), float(np.median((p / y)[telling]))
    return None


def distance_from_targets(history: RunHistory) -> tuple[float, float, int] | None:
    """How far predictions are from their targets at least, at the start and at the end, and the
    step of the end, in standard deviations of the targets.

    The root mean square of p - y is at least that of the difference of the means and of the
    difference of the standard deviations (Cauchy-Schwarz). The median of the first and of the last
    `RECORDS` records is taken.

    None if prediction and target may be of different kinds: classes, the two signs of a margin,
    values in [0, 1] that the loss may compare with logits, a loss that ignores the scale.
    """
    targets, outputs = columns_of(history, "target"), columns_of(history, "prediction")
    model = configuration(history)
    if targets is None or outputs is None or targets.mean.shape != outputs.mean.shape:
        return None
    if target_kind(history) != "numbers" or model.loss in CROSS_ENTROPIES:
        return None
    if any(word in model.loss.lower() for word in SCALE_FREE) or len(outputs.steps) < 2 * RECORDS:
        return None
    inside = targets.lowest >= 0 and targets.highest <= 1
    signs = bool((np.abs(targets.std**2 + targets.mean**2 - 1) < EXACT).all())
    size = np.sqrt(float(np.mean(targets.overall[1] ** 2)))
    if inside or signs or not size > 0:
        return None
    gaps = (targets.mean - outputs.mean) ** 2 + (targets.std - outputs.std) ** 2
    share = targets.widths / targets.widths.sum()
    least = np.sqrt(gaps @ share) / size
    least, steps = least[np.isfinite(least)], outputs.steps[np.isfinite(least)]
    if len(least) < 2 * RECORDS:
        return None
    return float(np.median(least[:RECORDS])), float(np.median(least[-RECORDS:])), int(steps[-1])


def constant_off_the_mean(history: RunHistory) -> tuple[float, float, float] | None:
    """The output, the mean of the targets, and their distance in the targets' standard deviations.

    None unless the only output is constant in the last records, and away from the mean of targets
    of the same kind that differ. Losses of Keras are skipped, because their behavior is known.
    """
    targets, outputs = columns_of(history, "target"), columns_of(history, "prediction")
    known = configuration(history).loss in CROSS_ENTROPIES | REGRESSION_LOSSES
    if known or targets is None or outputs is None or len(outputs.steps) < RECORDS:
        return None
    if targets.count != 1 or outputs.count != 1 or targets.mean.shape != outputs.mean.shape:
        return None
    mean, std = (float(part[0]) for part in targets.overall)
    last, spread = outputs.mean[-RECORDS:, 0], outputs.std[-RECORDS:, 0]
    if not (std > 0 and np.isfinite(last).all() and np.isfinite(spread).all()):
        return None
    output = float(np.median(last))
    # The same in all of these batches and within each of them.
    if max(float(spread.max()), float(np.ptp(last))) > CONSTANT * std:
        return None
    off = abs(output - mean) / std
    return (output, mean, off) if off > OFF_MEAN else None


def means_apart(history: RunHistory) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Mean prediction and mean target at the start, and at the end, of probabilities of 0 or 1.

    The mean absolute error is at least the distance of the two. None unless a sigmoid is compared
    with targets of 0 and 1 by a loss that is not one of Keras', whose behavior is known.
    """
    targets, outputs = columns_of(history, "target"), columns_of(history, "prediction")
    model = configuration(history)
    if model.loss in CROSS_ENTROPIES | REGRESSION_LOSSES or target_kind(history) != "binary":
        return None
    if model.output is None or model.output.activation != "sigmoid":
        return None
    if targets is None or outputs is None or targets.mean.shape != outputs.mean.shape:
        return None
    if len(outputs.steps) < 2 * RECORDS or not np.isfinite(outputs.mean).all():
        return None
    first, last = (
        (float(np.median(outputs.mean[part, 0])), float(np.median(targets.mean[part, 0])))
        for part in (slice(RECORDS), slice(-RECORDS, None))
    )
    return first, last


def summed(history: RunHistory) -> tuple[float, int | None] | None:
    """Factor by which the loss exceeds any possible mean, and the batch size; None if it does not.

    Known for squared errors, from the bounds of the mean, and for softmax cross-entropies of an
    untrained model, whose mean is about ln C.
    """
    model = configuration(history)
    size = model.batch_size
    aligned = _aligned(history)
    if aligned is None or (size is not None and size < 2 * SUMMED):
        return None
    loss, targets, outputs = aligned
    factor = None
    if targets.count == outputs.count and model.loss not in CROSS_ENTROPIES:
        factor = _over_largest_mean(loss, targets, outputs)
    if are_probabilities(outputs) and not _named_mean(model.loss):
        factor = _over_untrained(loss, outputs)
    if factor is None or factor < SUMMED:
        return None
    # A sum over the batch, perhaps also over the columns, without other factors.
    if size is not None and not size / 4 < factor < 2 * size * targets.count:
        return None
    return factor, size


def _named_mean(name: str) -> bool:
    """Whether the loss is Keras' own, which averages; a loss by another name may do anything."""
    return name in CROSS_ENTROPIES


def _over_largest_mean(loss: Values, targets: Columns, outputs: Columns) -> float | None:
    share = targets.widths / targets.widths.sum()
    gap = (targets.mean - outputs.mean) ** 2
    largest = (targets.std + outputs.std) ** 2 + gap
    bound = np.asarray(largest @ share)
    known = np.isfinite(loss) & np.isfinite(bound) & (bound > 0)
    if known.sum() < RECORDS:
        return None
    ratios = loss[known] / bound[known]
    return float(np.median(ratios)) if bool((ratios > SUMMED).all()) else None


def _over_untrained(loss: Values, outputs: Columns) -> float | None:
    """Loss of the first record over ln C, if the first outputs are still nearly even."""
    if int(outputs.steps[0]) != 0 or not np.isfinite(loss[0]) or outputs.high[0].max() > 0.9:
        return None
    return float(loss[0] / np.log(outputs.count))


def _aligned(history: RunHistory) -> tuple[Values, Columns, Columns] | None:
    """Loss `[S]` with targets and predictions of the same records; None without them."""
    loss = history.series("loss")
    targets, outputs = columns_of(history, "target"), columns_of(history, "prediction")
    if loss is None or targets is None or outputs is None:
        return None
    if not np.array_equal(loss.steps, targets.steps):
        return None
    return np.asarray(loss.values, np.float64), targets, outputs
