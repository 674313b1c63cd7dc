"""Measures: the numbers that rules compute from statistics and compare with a threshold.

The recorder writes statistics. A measure is computed from statistics, such as the gradient norm
over its start. Both have an id, a title and a unit here, so evidence consists of an id and a
number, and every text and chart follows from them.

A measure that only one rule uses is declared in the file of that rule (`Rule.measures`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tb_convergence.core.statistics import BY_NAME, DERIVED, FRACTION, Statistic

Unit = Literal["fraction"]

UNNAMED: Final = "limit"
"""Label of a limit without a name of its own in a chart."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that follows from recorded statistics.

    Attributes:
        id: id in evidence and thresholds; part of the JSON contract.
        title: title in texts, in lower case. "{detail}" is replaced by the detail of a piece of
            evidence; without it, the detail follows the title.
        of: statistics that it is computed from, the most informative first. Charts draw the first.
        unit: "fraction" for a part of a whole or a relative change, which is shown in per cent.
        reading: whether its values are values of `of[0]`, so that a chart of that statistic can
            draw its limit.
        kind: kind of rows ("input", "target", "prediction", ...) that it covers; "" for any.
        limit: label of its limit in a chart.
    """

    id: str
    title: str
    of: tuple[str, ...] = ()
    unit: Unit | None = None
    reading: bool = False
    kind: str = ""
    limit: str = UNNAMED

    def words(self, detail: str = "") -> str:
        """The title with `detail` in its place.

        >>> Measure("a", "gradient over {detail}").words("clipnorm")
        'gradient over clipnorm'
        >>> Measure("b", "growth of the gradient norm").words("until step 4")
        'growth of the gradient norm until step 4'
        """
        if "{detail}" in self.title:
            return self.title.format(detail=detail).rstrip()
        return f"{self.title} {detail}".rstrip()


MEASURES: Final[tuple[Measure, ...]] = (
    Measure("loss_start", "loss at the start", ("loss",), reading=True, limit="start"),
    Measure("loss_end", "loss at the end", ("loss",), reading=True),
    Measure("loss_lowest", "lowest loss", ("loss",), reading=True),
    Measure("loss_fall", "relative fall of the loss", ("loss",), "fraction"),
    Measure("loss_end_over_start", "loss at the end over its start", ("loss",), limit="start"),
    Measure(
        "loss_over_baseline", "loss at the end over the baseline loss", ("loss",), "fraction",
        limit="baseline",
    ),
    Measure(
        "validation_loss_over_baseline", "validation loss over the baseline loss",
        ("validation_loss",), "fraction", limit="baseline",
    ),
    Measure(
        "fastest_update_ratio", "update ratio of the fastest {detail}", ("update_ratio",),
        reading=True,
    ),
    Measure(
        "slowest_update_ratio", "update ratio of the slowest layer", ("update_ratio",),
        reading=True,
    ),
    Measure(
        "path_length", "path length of the fastest layer over its size", ("update_ratio",),
        "fraction",
    ),
    Measure(
        "gradient_depth_ratio", "mean |g|, first third of the layers over the last third",
        ("gradient_mean_abs",),
    ),
    Measure(
        "prediction_std_ratio", "std of the predictions over that of the targets",
        ("feature_std",), "fraction", kind="prediction",
    ),
    Measure(
        "smallest_target", "smallest target", ("feature_min",), reading=True, kind="target",
        limit="should be at least",
    ),
    Measure(
        "largest_target", "largest target", ("feature_max",), reading=True, kind="target",
        limit="should be at most",
    ),
    Measure(
        "smallest_prediction", "smallest output at that step", ("feature_min",), reading=True,
        kind="prediction",
    ),
    Measure(
        "largest_prediction", "largest output at that step", ("feature_max",), reading=True,
        kind="prediction",
    ),
    Measure("highest_learning_rate", "highest learning rate", ("learning_rate",)),
    Measure("layer_count", "{detail}"),
    Measure("output_units", "units of the {detail}"),
    Measure("steps", "steps {detail}"),
    Measure("records", "records {detail}"),
    Measure("epochs", "epochs"),
    Measure("layers", "layers {detail}"),
    Measure("batch_size", "samples in a batch"),
    Measure("target_classes", "classes of the target", kind="target"),
)
"""Measures that several rules use."""

_TITLES: Final[Mapping[str, str]] = {
    "variable_mean": "mean of the variable",
    "update_ratio": "update ratio",
    "gradient_missing": "missing gradient",
    "config": "configuration",
    "hparams": "hyperparameters",
}
"""Titles for use in a sentence, if that of the statistic does not fit there."""


def of_statistic(statistic: Statistic) -> Measure:
    """A statistic of the catalogue as a measure of itself."""
    fraction = statistic.unit == "1" and statistic.range == FRACTION
    title = _TITLES.get(statistic.name) or _lowered(statistic.title)
    return Measure(
        statistic.name, title, (statistic.name,), "fraction" if fraction else None, reading=True
    )


def _lowered(title: str) -> str:
    """`title` for use in a sentence: a name such as "NaN" keeps its capitals.

    >>> _lowered("Dead units"), _lowered("NaN gradients")
    ('dead units', 'NaN gradients')
    """
    first, _, rest = title.partition(" ")
    return title if first[1:] != first[1:].lower() else f"{first.lower()} {rest}".rstrip()


_KNOWN: Final[Mapping[str, Measure]] = {
    **{
        statistic.name: of_statistic(statistic)
        for statistic in (
            *BY_NAME.values(), *(one for pairs in DERIVED.values() for _, one in pairs)
        )
    },
    **{measure.id: measure for measure in MEASURES},
}


_GROUPS: Final[Mapping[str, str]] = {
    **{statistic.name: statistic.group for statistic in BY_NAME.values()},
    **{one.name: one.group for pairs in DERIVED.values() for _, one in pairs},
}


def find(id_: str, own: Iterable[Measure] = ()) -> Measure | None:
    """The measure or statistic with that id, first among `own`; None if there is none."""
    return next((measure for measure in own if measure.id == id_), None) or _KNOWN.get(id_)


def group_of(statistic: str) -> str | None:
    """The table of which `statistic` is a column or derived from one; None if it is none."""
    return _GROUPS.get(statistic)
