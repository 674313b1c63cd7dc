"""The loss ignores the output, so it has no gradient.

The loss of a batch depends on its samples, so even an untrained model has a different loss for each
batch. A loss that never changes does not depend on the output: it is clipped, it sits on the flat
part of a margin loss, or no valid alignment exists (the label is longer than the sequence).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.onsets import lasting_since
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number

EQUAL: Final = 1e-5
STEPS: Final = 20
SHARE: Final = 0.5
SOLVED: Final = 0.2
VARIED: Final = 1e-6


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    run, trajectory = history.table("run"), loss_trajectory(history)
    if run is None or trajectory is None or trajectory.axis != "step" or not run.has("loss"):
        return None
    if not len(run.steps) or not run.rows:
        return None  # the loss was recorded elsewhere
    low, high = _extremes(run)
    if not np.isfinite(low[-1]) or not np.isfinite(high[-1]):
        return None
    level = float(low[-1])
    equal = np.maximum(np.abs(high - level), np.abs(low - level)) <= EQUAL * abs(level)
    since = lasting_since(equal)
    if since >= len(run.steps) - 1:
        return None
    first, last = int(run.steps[since]), int(run.steps[-1])
    steps = last - first + 1
    if steps < STEPS or steps < SHARE * (last + 1):
        return None
    if level == 0:
        # Every sample keeps the margin: learned, unless this was so from the start.
        never = since == 0 and first == 0 and _other_batches(history, first)
        return _nothing_to_learn(last) if never else None
    if abs(level) < SOLVED * abs(trajectory.start) or not _other_batches(history, first):
        return None
    spread = float(np.max(high[since:]) - np.min(low[since:])) / abs(level)
    whole = "from the first step on" if since == 0 else f"since step {first:,}"
    return Match(
        "warning", 0.85,
        f"The loss is {number(level)} for every batch {whole}, whatever the batch contains. It "
        "does not depend on the output, so it has no gradient.",
        first, last, (),
        (
            Evidence("loss_range", spread, EQUAL, side="at most"),
            Evidence("equal_loss_steps", float(steps), float(STEPS), side="at least"),
        ),
        ruins=True,
    )


def _nothing_to_learn(last: int) -> Match:
    """A loss of exactly 0 before the first update and ever since: nothing asks for a change."""
    return Match(
        "warning", 0.9,
        "The loss is exactly 0 for every batch from the first step on, before the model has "
        "learned anything. Every sample already satisfies the loss, so it has no gradient.",
        0, last, (),
        (
            Evidence("loss_range", 0.0, EQUAL, side="at most"),
            Evidence("equal_loss_steps", float(last + 1), float(STEPS), side="at least"),
        ),
        (
            "Provide samples that the loss can be wrong about. With a margin loss (contrastive, "
            "triplet, hinge), use pairs of the same class as well as pairs of different classes, "
            "and hard negatives.",
            "Bring the outputs to the scale of the margin: L2-normalize the embeddings "
            "(keras.layers.UnitNormalization()), or initialize the last layer with glorot_uniform.",
            "Look for a mask or sample weights that are 0 for every sample.",
        ),
        title="The loss is 0 from the first step on",
        explains=("overfitting",),
    )


def _extremes(run: Table) -> tuple[Values, Values]:
    """Smallest and largest recorded batch loss of each record, `[S]` each."""
    loss = run.column("loss")[:, 0].astype(np.float64)
    low, high = loss, loss
    if run.has("window_loss_min"):
        low = np.fmin(loss, run.column("window_loss_min")[:, 0])
    if run.has("window_loss_max"):
        high = np.fmax(loss, run.column("window_loss_max")[:, 0])
    return low, high


def _other_batches(history: RunHistory, first: int) -> bool:
    """Whether the batches since step `first` differ, as far as is known; one repeated batch proves
    nothing.
    """
    table = history.table("inputs")
    if table is None or not table.has("feature_mean"):
        each = history.config.get("steps_per_epoch")
        return isinstance(each, int) and not isinstance(each, bool) and each > 1
    rows = table.rows_of("input", "target")
    mean = table.column("feature_mean")[table.steps >= first][:, rows].astype(np.float64)
    mean = mean[:, np.isfinite(mean).all(axis=0)]
    if len(mean) < 2 or not mean.shape[1]:
        return False
    size = np.maximum(np.abs(mean).max(axis=0), 1e-30)
    return bool(((mean.max(axis=0) - mean.min(axis=0)) / size > VARIED).any())


RULE = Rule(
    id="constant-loss",
    kind="cause",
    title="The loss is the same for every batch",
    needs=("loss", "feature_mean|config"),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_range", low=EQUAL,
            source=(
                "float32 sums of a batch round to about 1e-6, while chance alone makes the means "
                "of 1,000 samples differ by 1e-2."
            ),
        ),
        Threshold(
            "equal_loss_steps", high=STEPS,
            source="The loss must stay constant for this long, up to the end of the run.",
        ),
        Threshold(
            "run_share", high=SHARE, detail="with the same loss",
            source="A loss that varied for most of the run did depend on the output.",
        ),
        Threshold(
            "loss_end_over_start", high=SOLVED,
            source="Below this, the loss may be constant because everything is learned (a hinge).",
        ),
        Threshold(
            "feature_mean", high=VARIED, detail="of a feature (relative range over the batches)",
            source="Batches whose means differ by more than this hold different samples.",
        ),
    ),
    measures=(
        Measure("run_share", "part of the run", ("loss",), "fraction"),
        Measure("loss_range", "relative range of the batch losses", ("loss",)),
        Measure("equal_loss_steps", "steps with the same loss", ("loss",)),
    ),
    shows=("loss",),
    of_sound=True,
    explains=("loss-not-decreasing", "underfitting", "zero-gradient", "vanishing-gradient",
              "constant-output", "update-ratio-out-of-range", "learning-rate-too-low",
              "insufficient-capacity", "frozen-variable", "wrong-labels"),
    restates=("loss-not-decreasing", "learning-rate-too-low", "insufficient-capacity",
              "underfitting"),
    excluded_by=("nothing-trainable",),
    advice=(
        "Look for what makes the loss constant: clipping, a maximum with a margin that is never "
        "reached, or a mask that excludes everything.",
        "With CTC, the output needs at least as many time steps as the label has symbols, plus one "
        "for each repeated symbol. Pool less along time.",
    ),
    experiment="compare the loss of two batches with different outputs",
    falsified_by=("A different output for the same batch gives a different loss.",),
    false_alarms=(
        "A hinge loss that is fully satisfied is constant at zero. That is reported only if it is "
        "so before the first update.",
    ),
    references=("Graves et al. 2006, Connectionist Temporal Classification, ICML",),
)
