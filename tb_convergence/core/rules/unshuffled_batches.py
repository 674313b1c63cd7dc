"""The data is sorted, so each batch holds samples of one kind and pulls in its own direction.

The variance of the targets is the variance within batches plus the variance between batches (law of
total variance). If batches of B samples are shuffled, a fraction of (B - 1) / B of the variance
lies within them. If they are sorted, almost none does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import SOLVED, solved
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import percent

WITHIN: Final = 0.5
BATCH: Final = 8
RECORDS: Final = 20


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table, size = history.table("inputs"), configuration(history).batch_size
    if table is None or size is None or size < BATCH or len(table.steps) < RECORDS:
        return None
    rows = table.rows_of("target")
    if not rows:
        return None
    mean = table.column("feature_mean")[:, rows].astype(np.float64)
    variance = table.column("feature_std")[:, rows].astype(np.float64) ** 2
    known = np.isfinite(mean).all(axis=1) & np.isfinite(variance).all(axis=1)
    if known.sum() < RECORDS:
        return None
    within = float(variance[known].mean(axis=0).sum())
    between = float(mean[known].var(axis=0).sum())
    if within + between <= 0 or within / (within + between) >= WITHIN:
        return None
    share = within / (within + between)
    good = solved(history)
    return Match(
        "info" if good else "warning", min(0.95, 0.6 + 0.6 * (WITHIN - share)),
        f"Only {percent(share)} of the variance of the targets lies within batches of {size}; "
        f"shuffled batches would have {percent((size - 1) / size)}."
        + (" The run learns well nevertheless." if good else ""),
        int(table.steps[0]), int(table.steps[-1]), tuple(table.rows[row].name for row in rows),
        (Evidence("variance_within_batches", share, WITHIN),),
    )


RULE = Rule(
    id="unshuffled-batches",
    kind="cause",
    title="The batches are not shuffled",
    needs=("feature_mean", "feature_std", "config"),
    at_least=RECORDS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "variance_within_batches", low=WITHIN,
            source="Shuffled batches of eight samples have seven eighths.",
        ),
        Threshold(
            "loss_over_baseline", low=SOLVED, detail="(the order does no harm)",
            source="Little is left to improve. The validation loss must be below twice that.",
        ),
        Threshold(
            "batch_size", high=BATCH,
            source="In smaller batches, chance alone leaves little variance within.",
        ),
        Threshold(
            "records", high=RECORDS,
            source="The means of batches also vary by chance.",
        ),
    ),
    measures=(
        Measure(
            "variance_within_batches", "share of the targets' variance within batches",
            ("feature_mean",), "fraction", kind="target",
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
