"""The kind of the recorded targets and predictions, and the baseline loss.

The recorder stores only moments of each batch, and they suffice. A column that contains only 0 and
1 has a variance of exactly m (1 - m), and one-hot rows add up to 1 in every batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.configuration import (
    ABSOLUTE_ERRORS,
    SPARSE_LOSSES,
    SQUARED_ERRORS,
    Configuration,
    configuration,
)
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Table, Values
from tb_convergence.core.schema import Row

TargetKind = Literal["binary", "one-hot", "multi-hot", "indices", "numbers"]

LARGE_INPUT: Final = 10.0
"""Limit for the RMS of a feature.

z-scores and data in [0, 1] or [-1, 1] all have an RMS of about 1. Ten times that multiplies the
curvature of the first layer's loss by a hundred (LeCun et al. 1998, 4.3).
"""
MANY, PLACES = 200, 256
"""Up to this many classes and positions, means of class numbers bound their entropy."""
STEEPEST, HALVINGS = 30.0, 40
"""Slope of ln w at which all but one number in 1e13 is the first one, and steps to find it."""
SUMS: Final = 8
"""Number of batches whose sums must be whole numbers."""
LARGEST_SUM: Final = 1e5
"""Sum over a batch up to which float32 distinguishes whole numbers from others."""
EXACT: Final = 1e-3
"""Tolerance for identities that are exact except for float32 rounding."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Statistics of the columns of one side (targets, or predictions), per record.

    Attributes:
        names: of the F columns.
        widths: columns that each stands for; 1 unless there are very many.
        mean, std: `[S, F]` per batch; NaN where undefined.
        low, high: `[S, F]` extremes per batch.
        steps: `[S]`.
    """

    names: tuple[str, ...]
    widths: Values
    mean: Values
    std: Values
    low: Values
    high: Values
    steps: NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of columns, counting each of the joined ones."""
        return int(self.widths.sum())

    @property
    def lowest(self) -> float:
        """Smallest finite value seen; NaN if there is none."""
        finite = self.low[np.isfinite(self.low)]
        return float(finite.min()) if len(finite) else math.nan

    @property
    def highest(self) -> float:
        """Largest finite value seen; NaN if there is none."""
        finite = self.high[np.isfinite(self.high)]
        return float(finite.max()) if len(finite) else math.nan

    @property
    def sums(self) -> Values:
        """Sum over the columns of a sample, averaged over the batch: `[S]`, 1 for one-hot rows."""
        return np.asarray(self.mean @ self.widths)

    @property
    def constant(self) -> bool:
        """Whether each column always had the same value."""
        return bool((self.std == 0).all() and (self.mean == self.mean[0]).all())

    @property
    def overall(self) -> tuple[Values, Values]:
        """Mean and standard deviation `[F]` over all recorded batches."""
        return pooled(self.mean, self.std)


def pooled(mean: Values, std: Values) -> tuple[Values, Values]:
    """Mean and standard deviation `[F]` over batches `[S, F]`, by the law of total variance."""
    known = np.isfinite(mean) & np.isfinite(std)
    count = np.maximum(known.sum(axis=0), 1)
    total = np.where(known, mean, 0).sum(axis=0) / count
    within = np.where(known, std**2, 0).sum(axis=0) / count
    between = np.where(known, (mean - total) ** 2, 0).sum(axis=0) / count
    return total, np.sqrt(within + between)


def feature_scales(table: Table, rows: list[int]) -> tuple[Values, Values]:
    """Mean and standard deviation `[F]` of each feature over all recorded batches."""
    mean = table.column("feature_mean")[:, rows].astype(np.float64)
    return pooled(mean, table.column("feature_std")[:, rows].astype(np.float64))


def columns_of(history: RunHistory, kind: Literal["target", "prediction"]) -> Columns | None:
    """The columns of the only "target" or "prediction"; None if there are none or several."""
    return _targets(history) if kind == "target" else _predictions(history)


@memoized
def _targets(history: RunHistory) -> Columns | None:
    return _columns(history, "target")


@memoized
def _predictions(history: RunHistory) -> Columns | None:
    return _columns(history, "prediction")


def _columns(history: RunHistory, kind: str) -> Columns | None:
    table = history.table("inputs")
    if table is None or not len(table.steps):
        return None
    rows = table.rows_of(kind)
    names = ("feature_mean", "feature_std", "feature_min", "feature_max")
    if not rows or not all(table.has(name) for name in names):
        return None
    if len({table.rows[row].layer for row in rows}) != 1:
        return None
    mean, std, low, high = (table.column(name)[:, rows].astype(np.float64) for name in names)
    widths = [_width(table.rows[row].shape) for row in rows]
    return Columns(
        tuple(table.rows[row].name for row in rows), np.asarray(widths, float), mean, std, low,
        high, table.steps,
    )


def _width(shape: tuple[int, ...]) -> float:
    """Columns of a row that covers `[start, stop)`."""
    return float(max(1, shape[1] - shape[0])) if len(shape) == 2 else 1.0


@memoized
def target_kind(history: RunHistory) -> TargetKind | None:
    """Kind of the targets; None if they were not recorded or are not finite."""
    targets = columns_of(history, "target")
    if targets is None or not np.isfinite(targets.mean).all():
        return None
    if configuration(history).loss in SPARSE_LOSSES:
        return "indices"
    if not holds_only_zero_and_one(targets):
        return "numbers"
    if targets.count == 1:
        return "binary"
    return "one-hot" if bool((np.abs(targets.sums - 1) < EXACT).all()) else "multi-hot"


def holds_only_zero_and_one(columns: Columns) -> bool:
    """Whether every value was 0 or 1, proven by the variance of each batch."""
    edges = np.concatenate([columns.low, columns.high])
    if not np.isin(edges, (0.0, 1.0)).all() or not (columns.high == 1).any():
        return False
    expected = columns.mean * (1 - columns.mean)
    return bool((np.abs(columns.std**2 - expected) < EXACT).all())


@memoized
def whole_numbers(history: RunHistory) -> bool:
    """Whether the only target column contains whole numbers, proven by the sums over each batch.

    Sums of whole numbers and of their squares are whole. For other numbers, that happens by chance
    in two of a thousand batches for either sum, so `SUMS` batches leave no doubt. The last batch of
    an epoch may be smaller: one batch in five may have another size.
    """
    targets, size = columns_of(history, "target"), configuration(history).batch_size
    if targets is None or size is None or targets.count != 1 or len(targets.steps) < SUMS:
        return False
    edges = np.concatenate([targets.low, targets.high])
    if not np.isfinite(edges).all() or (edges != np.round(edges)).any():
        return False
    mean, std = targets.mean[:, 0], targets.std[:, 0]
    sums = np.stack([mean * size, (mean**2 + std**2) * size])
    # float32 moments of numbers up to 100 in batches of 1,000 are accurate to about 0.1.
    if not np.isfinite(sums).all() or np.abs(sums).max() > LARGEST_SUM:
        return False
    whole = (np.abs(sums - np.round(sums)) < EXACT + np.abs(sums) * 1e-6).all(axis=0)
    return float(whole.mean()) >= 0.8


def are_probabilities(columns: Columns) -> bool:
    """Whether rows are a distribution over the columns, as a softmax outputs them."""
    if columns.count < 2 or not np.isfinite(columns.mean).all():
        return False
    inside = columns.lowest >= 0 and columns.highest <= 1 + EXACT
    return bool(inside and (np.abs(columns.sums - 1) < EXACT).all())


@memoized
def baseline_loss(history: RunHistory) -> float | None:
    """Loss of the best model that ignores its input; None for losses for which it is unknown here.

    Also None for constant targets, because nothing is left to learn. It is the variance of the
    targets for a squared error. It is the smaller share for an absolute error of columns of 0 and
    1, whose median is 0 or 1. It is the entropy of the targets in nats for a cross-entropy. For
    class numbers, it is the entropy of the shares if these were recorded, otherwise at most ln C,
    and 0 for columns that never change, such as padding.
    """
    targets, loss = columns_of(history, "target"), configuration(history).loss
    if targets is None or targets.constant:
        return None
    mean, std = targets.overall
    share = targets.widths / targets.widths.sum()
    if loss in SPARSE_LOSSES:
        units = outputs_of(configuration(history))
        return _of_indices(history, targets, units) if units is not None and units > 1 else None
    if loss in ABSOLUTE_ERRORS and holds_only_zero_and_one(targets):
        return float(np.sum(share * np.minimum(mean, 1 - mean)))
    if loss in SQUARED_ERRORS:
        return float(np.sum(share * std**2))
    inside = bool(((mean >= 0) & (mean <= 1)).all())
    whole = abs(float(targets.sums.mean()) - 1) < EXACT
    if loss == "categorical_crossentropy" and inside and whole:
        return float(-np.sum(targets.widths * _times_log(mean)))
    if loss == "binary_crossentropy" and inside:
        return float(-np.sum(share * (_times_log(mean) + _times_log(1 - mean))))
    return None


def _of_indices(history: RunHistory, targets: Columns, units: int) -> float:
    """Entropy of class numbers, or its bound, at most ln C."""
    if targets.count == 1:
        recorded = label_shares(history)
        if recorded is not None:
            return float(-np.sum(_times_log(recorded.mean(axis=0))))
    # If only the range of a column is known, it bounds the number of classes.
    low, high = targets.low.min(axis=0), targets.high.max(axis=0)
    classes = np.where(np.isfinite(high - low), np.clip(high - low + 1, 1, units), units)
    share = targets.widths / targets.widths.sum()
    entropy = np.log(classes)
    # The mean entropy of joined columns is at most their joint entropy.
    some = np.flatnonzero((classes > 1) & (classes <= MANY))[:PLACES]
    if len(some):
        mean = targets.overall[0][some] - low[some]
        entropy[some] = np.minimum(entropy[some], largest_entropy(mean, classes[some]))
    return float(np.sum(share * entropy))


@memoized
def label_shares(history: RunHistory) -> Values | None:
    """Share of each class in each recorded batch, `[S, C]`, of targets that are class numbers.

    None if they were not recorded, or if some targets are none of the classes. Records without
    targets are left out.
    """
    table = history.table("labels")
    if table is None or not table.has("label_fraction") or not len(table.rows):
        return None
    shares = table.column("label_fraction").astype(np.float64)
    shares = shares[np.isfinite(shares).all(axis=1)]
    if not len(shares) or bool((np.abs(shares.sum(axis=1) - 1) >= EXACT).any()):
        return None
    return np.asarray(shares)


def largest_entropy(mean: Values, classes: Values) -> Values:
    """Largest entropy in nats `[F]` of numbers 0 to `classes` - 1 with that mean `[F]`.

    It is that of weights w^n (Jaynes 1957), and ln C for a mean in the middle. Undefined means
    give ln C.

    >>> bound = largest_entropy(np.array([4.5, 1.0]), np.array([10.0, 10.0]))
    >>> float(abs(np.round(bound[0] - np.log(10), 6))), bool(bound[1] < 1.5)
    (0.0, True)
    """
    numbers = np.arange(int(classes.max()))
    used = numbers < classes[:, None]
    known = np.isfinite(mean)
    wanted = np.clip(np.where(known, mean, (classes - 1) / 2), 0, classes - 1)

    def shares(slope: Values) -> Values:
        power = np.where(used, slope[:, None] * numbers, -np.inf)
        weight = np.exp(power - power.max(axis=1, keepdims=True))
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    low, high = np.full(len(mean), -STEEPEST), np.full(len(mean), STEEPEST)
    for _ in range(HALVINGS):
        slope = (low + high) / 2
        above = shares(slope) @ numbers > wanted
        low, high = np.where(above, low, slope), np.where(above, slope, high)
    return np.asarray(-_times_log(shares((low + high) / 2)).sum(axis=1))


def outputs_of(model: Configuration) -> int | None:
    """Number of outputs; None if unknown."""
    return None if model.output is None else model.output.units


def _times_log(value: Values) -> Values:
    """value * ln(value), 0 at 0."""
    return np.where(value > 0, value * np.log(np.where(value > 0, value, 1.0)), 0.0)


def features_in(row: Row) -> int:
    """How many features of a tensor a row covers; 1 if it gives no range.

    >>> features_in(Row("input[82:91]", "input", "input", (82, 91)))
    9
    >>> features_in(Row("pixels", "input", "input"))
    1
    """
    first, last = row.shape if len(row.shape) == 2 else (0, 1)
    return max(1, last - first)
