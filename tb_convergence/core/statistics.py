"""The catalogue: one record per statistic that a run can carry.

A record feeds everything that speaks of the statistic: the column the recorder writes, its NumPy
twin, the metric the heat map offers, the unit in a tooltip, the row in the documentation. Adding a
statistic is adding one record here.

Columns travel by name (see `schema`), so a name is a contract: it is never reused with another
meaning.

Two conventions hold for every statistic:

* values are taken over the **finite** entries; how many entries are not finite is a statistic of
  its own (`*_nan_fraction`, `*_inf_fraction`). A corrupted tensor so still tells its scale.
* NaN as a *value* means "undefined here" (no finite entry, no gradient, ratio to a zero norm):
  it is never evidence of corruption, and never drawn as such.
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
"""Which end of a statistic a reader should be shown when several steps share one pixel."""


class Reductions(Protocol[T_co]):
    """What is known of one tensor. `core.reductions` computes it with NumPy, the recorder in-graph.

    All over the finite entries, accumulated in at least float32; a tensor without a finite entry
    has NaN for `norm`, `max_abs`, `mean_abs`, `mean`, `std`, `minimum` and `maximum`; an empty
    tensor has 0 for all of them. Fractions are of all entries, in [0, 1]; 0 for an empty tensor.
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
        title: what a person reads.
        symbol: short mathematical form for axes.
        unit: of the value; "1" for dimensionless.
        range: closed interval of possible values; a value outside is damage.
        summary: definition, in one sentence.
        formula: from the row's `Reductions` to the value (see `core.reductions` for the rows'
            attributes), or None where only the recorder's own state can supply it.
        scale: how differences are best seen.
        worst: which end matters when values are pooled.
        heat: whether the heat map offers it.
        references: sources of the definition.
        center: the value that is neither good nor bad, where departures to both sides matter alike.
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
"""A unit is dead below this share of positive outputs; the share is averaged with this weight."""

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
        FRACTION, "1 where the loss does not depend on the variable (gradient None), else 0.",
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
        "variable_std", "variables", "Variable spread", "std w", "unit of the variable",
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
        POSITIVE, "L2 norm of new value minus old value.",
        lambda row: row.update.norm, "log10", "both",
    ),
    Statistic(
        "update_ratio", "variables", "Update ratio", "‖Δw‖ / ‖w‖", "1",
        POSITIVE,
        "Update norm over variable norm before the update; undefined for an all-zero variable.",
        lambda row: row.ratio(row.update.norm, row.variable.norm), "log10", "both", True,
        ("Karpathy, CS231n notes: about 1e-3 is healthy",),
    ),
    Statistic(
        "window_gradient_norm_max", "variables", "Largest gradient norm", "max ‖g‖",
        "loss per unit of the variable", POSITIVE,
        "Largest gradient norm among all steps since the previous record.", None, "log10",
    ),
    Statistic(
        "window_nonfinite_steps", "variables", "Non-finite steps", "steps", "steps",
        POSITIVE, "Steps since the previous record at which the gradient held NaN or Inf.",
    ),
)

ACTIVATIONS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "activation_mean", "activations", "Mean output", "mean a", "unit of the output",
        REAL, "Mean of the layer's output over the batch.", lambda row: row.output.mean,
    ),
    Statistic(
        "activation_std", "activations", "Output spread", "std a", "unit of the output",
        POSITIVE, "Standard deviation of the layer's output over the batch and its units.",
        lambda row: row.output.std, "log10", "both", True,
        ("Glorot & Bengio 2010",),
    ),
    Statistic(
        "activation_batch_std", "activations", "Spread over the batch", "std over batch",
        "unit of the output", POSITIVE,
        "Standard deviation over the batch, averaged over the units: 0 when the output ignores "
        "the input; undefined for a batch of one.", None, "log10", "low", True,
    ),
    Statistic(
        "activation_max_abs", "activations", "Largest output", "max|a|", "unit of the output",
        POSITIVE, "Largest absolute output.", lambda row: row.output.max_abs, "log10",
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
        f"Fraction of units positive for less than {percent(DEAD_BELOW)} of the recorded inputs "
        f"(moving average with weight {number(DEAD_WEIGHT, 6)} a record); only "
        "for ReLU-like activations.",
        None, heat=True, references=("TheDeepChecker, TOSEM 2022",),
    ),
    Statistic(
        "activation_saturated_fraction", "activations", "Saturated outputs", "saturated", "1",
        FRACTION,
        "Fraction of outputs where the slope has fallen to that of a sigmoid at ±5 (tanh: ±2.5); "
        "only for sigmoid and tanh.", None, heat=True, references=("Glorot & Bengio 2010",),
    ),
)

INPUTS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "feature_mean", "inputs", "Mean", "mean x", "unit of the feature",
        REAL, "Mean over the batch.", lambda row: row.feature.mean, heat=True,
    ),
    Statistic(
        "feature_std", "inputs", "Spread", "std x", "unit of the feature",
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
        "batch; a batch of 17 or fewer cannot show any.",
        lambda row: row.feature.outlier_fraction,
    ),
)

LABELS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "label_fraction", "labels", "Share of the class", "y = c", "1", FRACTION,
        "Fraction of the batch's targets that are this class.", worst="both",
    ),
)

REPLICAS: Final[tuple[Statistic, ...]] = (
    Statistic(
        "replica_loss", "replicas", "Batch loss of a replica", "L", "loss", REAL,
        "Loss of the part of the batch that one device or worker computed.",
    ),
    Statistic(
        "replica_nonfinite", "replicas", "Non-finite on a replica", "≠ finite", "1", FRACTION,
        "1 where the loss of one device or worker, or one of its own gradients before they were "
        "summed over all of them, was NaN or Inf, else 0.",
    ),
)

EXPONENTS: Final = tuple(range(-40, 18, 2))
"""Of the powers of two against which gradient entries are held: float16 ends at 2^-24 and 2^16."""

MAGNITUDES: Final[tuple[Statistic, ...]] = tuple(
    Statistic(
        f"gradient_share_from_2^{exponent}", "magnitudes", f"Gradient entries from 2^{exponent}",
        f"|g| ≥ 2^{exponent}", "1", FRACTION,
        f"Fraction of the gradient's entries of which the absolute value is 2^{exponent} or more, "
        "infinite ones included and NaN not; of a sample of about a thousand entries where there "
        "are more. Undefined without a gradient.",
        worst="both",
    )
    for exponent in EXPONENTS
)

RUN: Final[tuple[Statistic, ...]] = (
    Statistic(
        "loss", "run", "Batch loss", "L", "loss", REAL,
        "Loss of this batch before the update, regularization included (not a running mean).",
    ),
    Statistic(
        "data_loss", "run", "Loss of the data", "L data", "loss", REAL,
        "The batch loss without regularization; undefined where a model's own code makes the loss.",
    ),
    Statistic(
        "regularization_loss", "run", "Regularization loss", "L reg", "loss", REAL,
        "What regularizers and add_loss add to the batch loss; undefined where that is not known.",
    ),
    Statistic(
        "learning_rate", "run", "Learning rate", "α", "1", REAL,
        "Learning rate the optimizer used at this step.", scale="log10",
    ),
    Statistic(
        "gradient_global_norm", "run", "Global gradient norm", "‖g‖", "loss per unit of variable",
        POSITIVE, "L2 norm over all gradients together, before clipping.", scale="log10",
    ),
    Statistic(
        "clipped_gradient_global_norm", "run", "Clipped gradient norm", "‖clip g‖",
        "loss per unit of variable", POSITIVE,
        "L2 norm over all gradients together, after the optimizer's clipping; undefined where it "
        "clips nothing, accumulates gradients or runs on several devices.", scale="log10",
        references=("Pascanu et al. 2013, arXiv:1211.5063",),
    ),
    Statistic(
        "window_clipped_fraction", "run", "Clipped steps", "clipped", "1", FRACTION,
        "Fraction of the steps observed since the previous record, this one included, at which "
        "clipping changed a gradient; undefined as above.",
    ),
    Statistic(
        "variable_global_norm", "run", "Global variable norm", "‖w‖", "unit of the variables",
        POSITIVE, "L2 norm over all trainable variables before the update.", scale="log10",
    ),
    Statistic(
        "update_global_norm", "run", "Global update norm", "‖Δw‖", "unit of the variables",
        POSITIVE, "L2 norm over all updates together.", scale="log10",
    ),
    Statistic(
        "window_steps", "run", "Steps observed", "steps", "steps", POSITIVE,
        "Steps observed since the previous record, this one included.",
    ),
    Statistic(
        "window_unwatched_steps", "run", "Steps not observed", "unseen", "steps", POSITIVE,
        "Steps since the previous record of which only the loss is known, if that. 0 with "
        "`watch_every_step=True`, which observes every step.",
    ),
    Statistic(
        "window_loss_steps", "run", "Losses known", "steps", "steps", POSITIVE,
        "Steps since the previous record, this one included, whose batch loss is finite and known: "
        "those that the mean and the range below are of.",
    ),
    Statistic(
        "window_loss_mean", "run", "Mean batch loss", "mean L", "loss", REAL,
        "Mean of the finite batch losses since the previous record, this step included.",
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
        "Steps since the previous record at which the loss or any gradient was NaN or Inf.",
    ),
    Statistic(
        "first_nonfinite_age_steps", "run", "Age of the first non-finite step", "steps", "steps",
        POSITIVE,
        "How many steps before this record the first non-finite step of the window lies; "
        "undefined when there was none.",
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
                "How far the median gradient norm of the last ten records lies above (+) or below "
                "(-) that of the ten before, in decades: +1 is ten times as large.",
                None, "linear", "both", True, center=0.0,
            ),
        ),
        (
            "variable_norm",
            Statistic(
                "regularization_gradient_norm", "variables", "Gradient of the penalty", "‖2·l2·w‖",
                "loss per unit of the variable", POSITIVE,
                "L2 norm of what an L2 penalty adds to the gradient: 2 l2 times the variable's "
                "norm. Of kernels with such a penalty alone.",
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
                "Root mean square over the batch: of the mean and the standard deviation together.",
                None, "log10", "both", True, ("LeCun et al. 1998, Efficient BackProp",),
            ),
        ),
    ),
    "activations": (
        (
            "activation_std",
            Statistic(
                "activation_trend", "activations", "Output trend", "trend", "decades", REAL,
                "How far the median output spread of the last ten records lies above (+) or below "
                "(-) that of the ten before, in decades: +1 is ten times as large.",
                None, "linear", "both", True, center=0.0,
            ),
        ),
    ),
}
"""Statistics that nobody writes: they follow from a column (`core.trend`, `core.regularization`), a
root mean square from mean and standard deviation.

By group: the column, and what is derived of it.
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
    """The record of `name` in `group`, written or derived; None for one of another writer."""
    derived = (statistic for _, statistic in DERIVED.get(group, ()))  # type: ignore[call-overload]
    for statistic in (*CATALOGUE.get(group, ()), *derived):  # type: ignore[call-overload]
        if statistic.name == name:
            return statistic  # type: ignore[no-any-return]
    return None
