"""The catalogue: one record per statistic that a run can contain.

A record defines everything about a statistic: the column that the recorder writes, its NumPy twin,
the metric in the heat map, the unit in a tooltip, and the row in the documentation. To add a
statistic, add one record here.

The wire format identifies columns by name (see `schema`), so a name is a contract: it is never
reused with another meaning.

Two conventions hold for every statistic:

* A statistic covers only the **finite** entries. The fractions of NaN and infinite entries are
  statistics of their own (`*_nan_fraction`, `*_inf_fraction`), so a corrupted tensor still shows
  its scale.
* A *value* of NaN means "undefined here" (no finite entry, no gradient, a ratio to a zero norm).
  It is never evidence of corruption, and never drawn as such.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal, Protocol, TypeVar

from tb_convergence.core.text.numbers import number, percent

T_co = TypeVar("T_co", covariant=True)

Group = Literal[
    "variables", "activations", "inputs", "labels", "replicas", "magnitudes", "run", "epoch"
]
Scale = Literal["log10", "linear"]
Worst = Literal["high", "low", "both"]
"""Which end of a statistic to show when several steps share one pixel."""


class Reductions(Protocol[T_co]):
    """Reductions of one tensor: `core.reductions` uses NumPy, the recorder computes them in-graph.

    All but the fractions cover the finite entries and are accumulated in at least float32. Without
    a finite entry, `norm`, `max_abs`, `mean_abs`, `mean`, `std`, `minimum` and `maximum` are NaN.
    Fractions are of all entries, in [0, 1]. Everything is 0 for an empty tensor.

    `kurtosis` of n entries is `n Σx⁴ / (Σx²)²`, about zero and not about the mean: NaN where no
    entry differs from zero. Neither sum cancels, so float32 is enough. Both add up over the parts
    of a tensor, replicas, or steps, and both follow from what is recorded:
    `Σx² = n (mean² + std²) = norm²` and `Σx⁴ = kurtosis (Σx²)² / n`. So records of parts give the
    exact kurtosis of the whole, which the moments about different means would not.
    """

    @property
    def norm(self) -> T_co: ...
    @property
    def max_abs(self) -> T_co: ...
    @property
    def mean_abs(self) -> T_co: ...
    @property
    def mean(self) -> T_co: ...
    @property
    def std(self) -> T_co: ...
    @property
    def kurtosis(self) -> T_co: ...
    @property
    def minimum(self) -> T_co: ...
    @property
    def maximum(self) -> T_co: ...
    @property
    def zero_fraction(self) -> T_co: ...
    @property
    def nan_fraction(self) -> T_co: ...
    @property
    def inf_fraction(self) -> T_co: ...
    @property
    def outlier_fraction(self) -> T_co: ...


@dataclass(frozen=True, slots=True)
class Statistic:
    """One column of one group.

    Attributes:
        name: column name on the wire and in every API.
        group: which table it is a column of.
        title: name on the page and in reports.
        symbol: short mathematical form for axes.
        unit: unit of the value; "1" if dimensionless.
        range: closed interval of possible values; a value outside is corrupt.
        summary: definition, in one sentence.
        formula: from the row's `Reductions` to the value (see `core.reductions` for the rows'
            attributes), or None if only the recorder's own state can supply it.
        scale: scale that shows differences best.
        worst: which end matters when values are pooled.
        heat: whether the heat map offers it.
        references: sources of the definition.
        center: the neutral value, if deviations in both directions matter equally.
    """

    name: str
    group: Group
    title: str
    symbol: str
    unit: str
    range: tuple[float, float]
    summary: str
    formula: Callable[[Any], Any] | None = None
    scale: Scale = "linear"
    worst: Worst = "high"
    heat: bool = False
    references: tuple[str, ...] = ()
    center: float | None = None


FRACTION: Final = (0.0, 1.0)
POSITIVE: Final = (0.0, inf)
REAL: Final = (-inf, inf)

DEAD_BELOW: Final = 0.01
DEAD_WEIGHT: Final = 0.1
"""A unit is dead below this share of positive outputs; the moving average has this weight."""

VARIABLES: Final[tuple[Statistic, ...]] = (
    Statistic(
        "gradient_norm", "variables", "Gradient norm", "‖g‖", "loss per unit of the variable",
        POSITIVE, "L2 norm of the gradient, unscaled, before clipping.",
        lambda row: row.gradient.norm, "log10", "both", True,
        ("Pascanu et al. 2013, arXiv:1211.5063",),
    ),
    Statistic(
        "gradient_max", "variables", "Largest gradient entry", "max|g|",
        "loss per unit of the variable", POSITIVE, "Largest absolute entry of the gradient.",
        lambda row: row.gradient.max_abs, "log10",
    ),
    Statistic(
        "gradient_mean_abs", "variables", "Mean gradient entry", "mean|g|",
        "loss per unit of the variable", POSITIVE, "Mean absolute entry of the gradient.",
        lambda row: row.gradient.mean_abs, "log10", "both",
    ),
    Statistic(
        "gradient_kurtosis", "variables", "Gradient kurtosis", "n Σg⁴ / (Σg²)²", "1",
        POSITIVE,
        "Mean fourth power of the gradient's entries over the square of their mean square: 1 if "
        "all entries are equally large, 3 if they are normally distributed, and up to the number "
        "of entries if a few of them make up the gradient. Undefined for an all-zero gradient.",
        lambda row: row.gradient.kurtosis, "log10", "high", True,
        ("Simsekli et al. 2019, arXiv:1901.06053",),
    ),
    Statistic(
        "gradient_zero_fraction", "variables", "Zero gradients", "g = 0", "1",
        FRACTION, "Fraction of the gradient's entries that are exactly zero.",
        lambda row: row.gradient.zero_fraction, heat=True,
    ),
    Statistic(
        "gradient_nan_fraction", "variables", "NaN gradients", "g = NaN", "1",
        FRACTION, "Fraction of the gradient's entries that are NaN.",
        lambda row: row.gradient.nan_fraction, heat=True,
    ),
    Statistic(
        "gradient_inf_fraction", "variables", "Infinite gradients", "|g| = ∞", "1",
        FRACTION, "Fraction of the gradient's entries that are infinite.",
        lambda row: row.gradient.inf_fraction,
    ),
    Statistic(
        "gradient_missing", "variables", "No gradient", "g = none", "1",
        FRACTION, "1 if the loss does not depend on the variable (gradient None), else 0.",
    ),
    Statistic(
        "variable_norm", "variables", "Variable norm", "‖w‖", "unit of the variable",
        POSITIVE, "L2 norm of the variable before the update.",
        lambda row: row.variable.norm, "log10", "both", True,
    ),
    Statistic(
        "variable_mean", "variables", "Variable mean", "mean w", "unit of the variable",
        REAL, "Mean of the variable's entries before the update.",
        lambda row: row.variable.mean,
    ),
    Statistic(
        "variable_std", "variables", "Variable std", "std w", "unit of the variable",
        POSITIVE, "Standard deviation of the variable's entries before the update.",
        lambda row: row.variable.std, "log10", "both",
        references=("Glorot & Bengio 2010", "He et al. 2015, arXiv:1502.01852"),
    ),
    Statistic(
        "variable_nonfinite_fraction", "variables", "Non-finite variable", "w ≠ finite", "1",
        FRACTION, "Fraction of the variable's entries that are NaN or infinite, before the update.",
        lambda row: row.variable.nan_fraction + row.variable.inf_fraction, heat=True,
    ),
    Statistic(
        "update_norm", "variables", "Update norm", "‖Δw‖", "unit of the variable",
        POSITIVE, "L2 norm of the new value minus the old one.",
        lambda row: row.update.norm, "log10", "both",
    ),
    Statistic(
        "update_ratio", "variables", "Update ratio", "‖Δw‖ / ‖w‖", "1",
        POSITIVE,
        "Update norm over variable norm before the update. Undefined for an all-zero variable.",
        lambda row: row.ratio(row.update.norm, row.variable.norm), "log10", "both", True,
        ("Karpathy, CS231n notes: about 1e-3 is healthy",),
    ),
    Statistic(
        "effective_rate", "variables", "Effective rate", "‖Δw‖ / ‖g‖",
        "unit of the variable squared per loss", POSITIVE,
        "Update norm over gradient norm: the learning rate, including the effects of clipping, "
        "momentum, and the optimizer's adaptive scaling. Undefined for an all-zero gradient.",
        lambda row: row.ratio(row.update.norm, row.gradient.norm), "log10", "both", True,
        ("Kingma & Ba 2015, arXiv:1412.6980, section 2.1",),
    ),
    Statistic(
        "window_gradient_norm_max", "variables", "Largest gradient norm", "max ‖g‖",
        "loss per unit of the variable", POSITIVE,
        "Largest gradient norm over all steps since the previous record.", None, "log10",
    ),
    Statistic(
        "window_nonfinite_steps", "variables", "Non-finite steps", "steps", "steps",
        POSITIVE, "Steps since the previous record with NaN or Inf in the gradient.",
    ),
)

ACTIVATIONS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "activation_mean", "activations", "Mean output", "mean a", "unit of the output",
        REAL, "Mean of the layer's output over the batch.", lambda row: row.output.mean,
    ),
    Statistic(
        "activation_std", "activations", "Output std", "std a", "unit of the output",
        POSITIVE, "Standard deviation of the layer's output over the batch and its units.",
        lambda row: row.output.std, "log10", "both", True,
        ("Glorot & Bengio 2010",),
    ),
    Statistic(
        "activation_batch_std", "activations", "Output std over the batch", "std over batch",
        "unit of the output", POSITIVE,
        "Standard deviation over the batch, averaged over the units. 0 if the output ignores the "
        "input. Undefined for a batch of one sample.", None, "log10", "low", True,
    ),
    Statistic(
        "activation_max_abs", "activations", "Largest output", "max|a|", "unit of the output",
        POSITIVE, "Largest absolute output.", lambda row: row.output.max_abs, "log10",
    ),
    Statistic(
        "activation_kurtosis", "activations", "Output kurtosis", "n Σa⁴ / (Σa²)²", "1",
        POSITIVE,
        "Mean fourth power of the layer's outputs over the square of their mean square: 1 if "
        "all outputs are equally large, 3 if they are normally distributed, hundreds if a few are "
        "far larger than the rest. Undefined if all outputs are zero.",
        lambda row: row.output.kurtosis, "log10", "high", True,
        ("He et al. 2024, arXiv:2405.19279",),
    ),
    Statistic(
        "activation_zero_fraction", "activations", "Zero outputs", "a = 0", "1",
        FRACTION, "Fraction of outputs that are exactly zero.",
        lambda row: row.output.zero_fraction, heat=True,
    ),
    Statistic(
        "activation_nan_fraction", "activations", "NaN outputs", "a = NaN", "1",
        FRACTION, "Fraction of outputs that are NaN.",
        lambda row: row.output.nan_fraction, heat=True,
    ),
    Statistic(
        "activation_inf_fraction", "activations", "Infinite outputs", "|a| = ∞", "1",
        FRACTION, "Fraction of outputs that are infinite.", lambda row: row.output.inf_fraction,
    ),
    Statistic(
        "activation_dead_fraction", "activations", "Dead units", "dead", "1",
        FRACTION,
        f"Fraction of units that are positive for less than {percent(DEAD_BELOW)} of the recorded "
        f"inputs (moving average, weight {number(DEAD_WEIGHT, 6)} per record). Only for ReLU-like "
        "activations.",
        None, heat=True, references=("TheDeepChecker, TOSEM 2022",),
    ),
    Statistic(
        "activation_saturated_fraction", "activations", "Saturated outputs", "saturated", "1",
        FRACTION,
        "Fraction of outputs where the slope has fallen to that of a sigmoid at ±5 (tanh: ±2.5). "
        "Only for sigmoid and tanh.", None, heat=True, references=("Glorot & Bengio 2010",),
    ),
)

INPUTS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "feature_mean", "inputs", "Mean", "mean x", "unit of the feature",
        REAL, "Mean over the batch.", lambda row: row.feature.mean, heat=True,
    ),
    Statistic(
        "feature_std", "inputs", "Std", "std x", "unit of the feature",
        POSITIVE, "Standard deviation over the batch.",
        lambda row: row.feature.std, "log10", "both", heat=True,
    ),
    Statistic(
        "feature_min", "inputs", "Smallest", "min x", "unit of the feature",
        REAL, "Smallest value in the batch.", lambda row: row.feature.minimum, worst="low",
        heat=True,
    ),
    Statistic(
        "feature_max", "inputs", "Largest", "max x", "unit of the feature",
        REAL, "Largest value in the batch.", lambda row: row.feature.maximum, heat=True,
    ),
    Statistic(
        "feature_nan_fraction", "inputs", "NaN values", "x = NaN", "1",
        FRACTION, "Fraction of values that are NaN.", lambda row: row.feature.nan_fraction,
        heat=True,
    ),
    Statistic(
        "feature_inf_fraction", "inputs", "Infinite values", "|x| = ∞", "1",
        FRACTION, "Fraction of values that are infinite.", lambda row: row.feature.inf_fraction,
        heat=True,
    ),
    Statistic(
        "feature_outlier_fraction", "inputs", "Outliers", "|x - mean| > 4 std", "1",
        FRACTION, "Fraction of values more than four standard deviations from their mean in the "
                  "batch. A batch of 17 or fewer samples cannot have any.",
        lambda row: row.feature.outlier_fraction,
    ),
)

LABELS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "label_fraction", "labels", "Share of the class", "y = c", "1", FRACTION,
        "Fraction of the targets in the batch that are this class.", worst="both",
    ),
)

REPLICAS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "replica_loss", "replicas", "Batch loss of a replica", "L", "loss", REAL,
        "Loss of the part of the batch that one device or worker computed.",
    ),
    Statistic(
        "replica_nonfinite", "replicas", "Non-finite on a replica", "≠ finite", "1", FRACTION,
        "1 if the loss of a device or worker, or one of its gradients before they were summed over "
        "all devices, was NaN or Inf; else 0.",
    ),
)

EXPONENTS: Final = tuple(range(-40, 18, 2))
"""Exponents of the powers of two that gradient entries are compared with: float16 ends at 2^-24 and
2^16.
"""

MAGNITUDES: Final[tuple[Statistic, ...]] = tuple(
    Statistic(
        f"gradient_share_from_2^{exponent}", "magnitudes", f"Gradient entries from 2^{exponent}",
        f"|g| ≥ 2^{exponent}", "1", FRACTION,
        f"Fraction of gradient entries with an absolute value of at least 2^{exponent}, including "
        "infinite ones but not NaN. Estimated from about a thousand entries if there are more. "
        "Undefined without a gradient.",
        worst="both",
    )
    for exponent in EXPONENTS
)

RUN: Final[tuple[Statistic, ...]] = (
    Statistic(
        "loss", "run", "Batch loss", "L", "loss", REAL,
        "Loss of this batch before the update, including regularization (not a running mean).",
    ),
    Statistic(
        "data_loss", "run", "Data loss", "L data", "loss", REAL,
        "Batch loss without regularization. Undefined if the model's own code computes the loss.",
    ),
    Statistic(
        "regularization_loss", "run", "Regularization loss", "L reg", "loss", REAL,
        "Part of the batch loss that regularizers and add_loss add. Undefined if unknown.",
    ),
    Statistic(
        "learning_rate", "run", "Learning rate", "α", "1", REAL,
        "Learning rate that the optimizer used at this step.", scale="log10",
    ),
    Statistic(
        "gradient_global_norm", "run", "Global gradient norm", "‖g‖", "loss per unit of variable",
        POSITIVE, "L2 norm of all gradients together, before clipping.", scale="log10",
    ),
    Statistic(
        "clipped_gradient_global_norm", "run", "Clipped gradient norm", "‖clip g‖",
        "loss per unit of variable", POSITIVE,
        "L2 norm of all gradients together, after the optimizer's clipping. Undefined if the "
        "optimizer does not clip, accumulates gradients or runs on several devices.", scale="log10",
        references=("Pascanu et al. 2013, arXiv:1211.5063",),
    ),
    Statistic(
        "window_clipped_fraction", "run", "Clipped steps", "clipped", "1", FRACTION,
        "Fraction of the steps observed since the previous record (including this one) at which "
        "clipping changed a gradient. Undefined if the clipped gradient norm is undefined.",
    ),
    Statistic(
        "variable_global_norm", "run", "Global variable norm", "‖w‖", "unit of the variables",
        POSITIVE, "L2 norm of all trainable variables together before the update.", scale="log10",
    ),
    Statistic(
        "update_global_norm", "run", "Global update norm", "‖Δw‖", "unit of the variables",
        POSITIVE, "L2 norm of all updates together.", scale="log10",
    ),
    Statistic(
        "window_steps", "run", "Steps observed", "steps", "steps", POSITIVE,
        "Steps observed since the previous record, including this one.",
    ),
    Statistic(
        "window_unwatched_steps", "run", "Steps not observed", "unseen", "steps", POSITIVE,
        "Steps since the previous record for which at most the loss is known. 0 with "
        "`watch_every_step=True`, which observes every step.",
    ),
    Statistic(
        "window_loss_steps", "run", "Known losses", "steps", "steps", POSITIVE,
        "Steps since the previous record (including this one) with a known, finite batch loss. The "
        "mean and range below cover these steps.",
    ),
    Statistic(
        "window_loss_mean", "run", "Mean batch loss", "mean L", "loss", REAL,
        "Mean of the finite batch losses since the previous record, including this step.",
    ),
    Statistic(
        "window_loss_max", "run", "Largest batch loss", "max L", "loss", REAL,
        "Largest finite batch loss since the previous record.",
    ),
    Statistic(
        "window_loss_min", "run", "Smallest batch loss", "min L", "loss", REAL,
        "Smallest finite batch loss since the previous record.", worst="low",
    ),
    Statistic(
        "window_nonfinite_steps", "run", "Non-finite steps", "steps", "steps", POSITIVE,
        "Steps since the previous record with NaN or Inf in the loss or any gradient.",
    ),
    Statistic(
        "first_nonfinite_age_steps", "run", "Age of the first non-finite step", "steps", "steps",
        POSITIVE,
        "Number of steps between the first non-finite step of the window and this record. "
        "Undefined if there was none.",
    ),
)

EPOCH: Final[tuple[Statistic, ...]] = (
    Statistic(
        "epoch_loss", "epoch", "Training loss", "L", "loss", REAL,
        "Training loss as the framework reports it at the end of an epoch.",
    ),
    Statistic(
        "validation_loss", "epoch", "Validation loss", "L val", "loss", REAL,
        "Loss on the validation data at the end of an epoch.",
    ),
)

CATALOGUE: Final[dict[Group, tuple[Statistic, ...]]] = {
    "variables": VARIABLES,
    "activations": ACTIVATIONS,
    "inputs": INPUTS,
    "labels": LABELS,
    "replicas": REPLICAS,
    "magnitudes": MAGNITUDES,
    "run": RUN,
    "epoch": EPOCH,
}

BY_NAME: Final[dict[str, Statistic]] = {
    statistic.name: statistic for group in CATALOGUE.values() for statistic in group
}

DERIVED: Final[dict[Group, tuple[tuple[str, Statistic], ...]]] = {
    "variables": (
        (
            "gradient_norm",
            Statistic(
                "gradient_trend", "variables", "Gradient trend", "trend", "decades", REAL,
                "Median gradient norm of the last ten records relative to the ten before, in "
                "decades: +1 is ten times as large, -1 a tenth.",
                None, "linear", "both", True, center=0.0,
            ),
        ),
        (
            "variable_norm",
            Statistic(
                "regularization_gradient_norm", "variables", "Regularization gradient", "‖2·l2·w‖",
                "loss per unit of the variable", POSITIVE,
                "L2 norm of the gradient of an L2 penalty: 2 l2 times the variable's norm. Only "
                "for kernels with such a penalty.",
                None, "log10", "both",
            ),
        ),
    ),
    "inputs": (
        (
            "feature_mean",
            Statistic(
                "feature_rms", "inputs", "Root mean square", "rms x", "unit of the feature",
                POSITIVE,
                "Root mean square over the batch, from the mean and the standard deviation.",
                None, "log10", "both", True, ("LeCun et al. 1998, Efficient BackProp",),
            ),
        ),
    ),
    "activations": (
        (
            "activation_std",
            Statistic(
                "activation_trend", "activations", "Output trend", "trend", "decades", REAL,
                "Median output std of the last ten records relative to the ten before, in decades: "
                "+1 is ten times as large, -1 a tenth.",
                None, "linear", "both", True, center=0.0,
            ),
        ),
    ),
}
"""Statistics that follow from a written column (`core.trend`, `core.regularization`,
`feature_rms`).

By group: the column, and the statistic derived from it.
"""

CHECK_COLUMN: Final = "check"
"""Last column of every written table: a checksum of the row (see `schema.row_checks`)."""


def columns(group: Group) -> tuple[str, ...]:
    """Names of the statistics of `group`, in the order they are written.

    >>> columns("epoch")
    ('epoch_loss', 'validation_loss')
    """
    return tuple(statistic.name for statistic in CATALOGUE[group])


def find(group: str, name: str) -> Statistic | None:
    """The record of `name` in `group`, written or derived; None for a statistic of another writer.
    """
    derived = (statistic for _, statistic in DERIVED.get(group, ()))  # type: ignore[call-overload]
    for statistic in (*CATALOGUE.get(group, ()), *derived):  # type: ignore[call-overload]
        if statistic.name == name:
            return statistic  # type: ignore[no-any-return]
    return None
