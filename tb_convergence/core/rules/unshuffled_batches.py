"""The data is sorted, so each batch holds samples of one kind and pulls in its own direction.

The variance of the targets is the variance within batches plus the variance between batches (law of
total variance). If batches of B samples are shuffled, a fraction of (B - 1) / B of the variance
lies within them. If they are sorted, almost none does.

If only losses were logged, those of sorted batches repeat a pattern in each epoch, and the
validation loss is far higher than the training loss from the first epochs on.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.epoch_pattern import FIRST, epoch_pattern
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import SOLVED, solved
from tb_convergence.core.history import NoStatisticError, RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

WITHIN: Final = 0.5
BATCH: Final = 8
RECORDS: Final = 20
REPEATS: Final = 0.9
SWINGS: Final = 3.0
GAP: Final = 1.5
FEW: Final = 5
CLEAR: Final = 0.25


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table, size = history.table("inputs"), configuration(history).batch_size
    if table is None and not history.config:
        return _by_losses(history)
    if table is None or size is None:
        raise NoStatisticError("feature_mean" if table is None else "config", "inputs")
    if size < BATCH or len(table.steps) < FEW:
        return None
    rows = table.rows_of("target")
    if not rows:
        return None
    mean = table.column("feature_mean")[:, rows].astype(np.float64)
    variance = table.column("feature_std")[:, rows].astype(np.float64) ** 2
    known = np.isfinite(mean).all(axis=1) & np.isfinite(variance).all(axis=1)
    if known.sum() < FEW:
        return None
    within = float(variance[known].mean(axis=0).sum())
    between = float(mean[known].var(axis=0).sum())
    limit = WITHIN if known.sum() >= RECORDS else CLEAR
    if within + between <= 0 or within / (within + between) >= limit:
        return None
    share = within / (within + between)
    # Where each batch is of one kind, a low training loss proves nothing: the model follows them.
    good = solved(history) and history.series("validation_loss") is not None
    return Match(
        "info" if good else "warning", min(0.95, 0.6 + 0.6 * (WITHIN - share)),
        f"Only {percent(share)} of the variance of the targets lies within batches of {size}; "
        f"shuffled batches would have {percent((size - 1) / size)}."
        + (" The run learns well nevertheless." if good else ""),
        int(table.steps[0]), int(table.steps[-1]), tuple(table.rows[row].name for row in rows),
        (Evidence("variance_within_batches", share, limit),),
    )


def _by_losses(history: RunHistory) -> Match | None:
    """Losses of single batches that repeat in each epoch, beside a poor validation loss."""
    pattern, series = epoch_pattern(history), history.series("loss")
    if pattern is None or series is None:
        raise NoStatisticError("feature_mean", "inputs")
    if len(series) < RECORDS:
        return None
    if pattern.repeats < REPEATS or pattern.swings < SWINGS or pattern.gap < GAP:
        return None
    return Match(
        "warning", 0.7,
        f"In each epoch, the losses of the {pattern.batches} recorded batches repeat those of the "
        f"epoch before (correlation {number(pattern.repeats)}), and within one they differ "
        f"{number(pattern.swings, 2)}-fold. The first {FIRST} validation losses are "
        f"{number(pattern.gap)} times the training loss. Sorted data looks like "
        "that: the model adapts to one kind of sample after another.",
        int(series.steps[0]), int(series.steps[-1]), (),
        (
            Evidence("repeated_losses", pattern.repeats, REPEATS, side="at least"),
            Evidence("loss_swing", pattern.swings, SWINGS, side="at least"),
            Evidence("early_validation_gap", pattern.gap, GAP, side="at least"),
        ),
        (
            "Shuffle the samples anew in every epoch: DataLoader(..., shuffle=True), or "
            "dataset.shuffle(number_of_samples) before .batch().",
        ),
        shows=("loss", "validation_loss"),
    )


RULE = Rule(
    id="unshuffled-batches",
    kind="cause",
    title="The batches are not shuffled",
    needs=("feature_mean|loss", "feature_std|validation_loss"),
    at_least=FEW,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "variance_within_batches", low=WITHIN,
            source="Shuffled batches of eight samples have seven eighths.",
        ),
        Threshold(
            "loss_over_baseline", low=SOLVED, detail="(the order does no harm)",
            source=(
                "Little is left to improve. The validation loss must be known, and below twice "
                "that."
            ),
        ),
        Threshold(
            "batch_size", high=BATCH,
            source="In smaller batches, chance alone leaves little variance within them.",
        ),
        Threshold(
            "variance_within_batches", low=CLEAR, detail="(with fewer than 20 records)",
            source=(
                "The means of five shuffled batches of eight samples vary that much with a "
                "probability below 1e-5 (F test)."
            ),
        ),
        Threshold(
            "records", high=RECORDS,
            source="The means of batches also vary by chance.",
        ),
        Threshold(
            "repeated_losses", high=REPEATS,
            source=(
                "Losses of shuffled batches have no correlation from epoch to epoch, apart from a "
                "shorter last batch."
            ),
        ),
        Threshold(
            "loss_swing", high=SWINGS,
            source="Batches that are merely harder or easier differ by less.",
        ),
        Threshold(
            "early_validation_gap", high=GAP,
            source="A model that sees all kinds of samples hardly overfits in its first epochs.",
        ),
        Threshold(
            "records", high=FEW, detail="(if hardly any variance is within batches)",
            source="Fewer batches may be alike by chance.",
        ),
    ),
    measures=(
        Measure(
            "variance_within_batches", "share of the targets' variance within batches",
            ("feature_mean",), "fraction", kind="target",
        ),
        Measure("repeated_losses", "correlation of the losses of successive epochs", ("loss",)),
        Measure("loss_swing", "high over low loss within an epoch", ("loss",)),
        Measure(
            "early_validation_gap", "validation loss over training loss in the first epochs",
            ("validation_loss",),
        ),
    ),
    shows=("feature_mean",),
    explains=("loss-not-decreasing", "loss-divergence", "overfitting", "loss-oscillation",
              "loss-spike", "underfitting"),
    advice=(
        "Shuffle the samples before batching, and again in every epoch: shuffle=True, or "
        "dataset.shuffle(number_of_samples) before .batch().",
    ),
    experiment="fit on shuffled batches",
    falsified_by=("The order of the samples is random, and the targets drift for another reason.",),
    false_alarms=("Time series that are trained in order on purpose.",),
    references=("Bengio 2012, Practical Recommendations, arXiv:1206.5533",),
)
