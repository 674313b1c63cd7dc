"""The page of all statistics, from their records in `tb_convergence/core/statistics.py`."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Final

from tb_convergence.core.statistics import CATALOGUE, CHECK_COLUMN, DERIVED, Group, Statistic

GROUPS: Final[dict[Group, tuple[str, str]]] = {
    "variables": ("Variables", "One row per trainable variable, in the optimizer's order."),
    "activations": (
        "Activations",
        "One row per layer that computes something: its (first) output for the recorded batch.",
    ),
    "inputs": (
        "Inputs, targets and predictions",
        "One row per feature for tensors with up to 64 features, and one row per contiguous group "
        "of features for wider ones. With several devices, the rows cover the part of the batch on "
        "the first device.",
    ),
    "labels": (
        "Labels",
        "One row per class for a model with one target and one output, if the targets are indices "
        "of up to 100 classes. For one-hot targets, `feature_mean` gives the same information.",
    ),
    "replicas": ("Replicas", "One row per device, if the training uses several."),
    "magnitudes": (
        "Magnitudes",
        "One row per trainable variable, only with `gradient_histograms=True`: a histogram of its "
        "gradient's entries over powers of two.",
    ),
    "run": ("Run", "One row for the whole step."),
    "epoch": (
        "Epoch",
        "One row per epoch. Keras' metrics are additional columns, `metric/<name>` and "
        "`validation_metric/<name>`.",
    ),
}

HEAD: Final = f"""# Statistics

This page lists every statistic that the recorder writes. `tools/document.py` generates it from the
catalog, `tb_convergence/core/statistics.py`.

The recorder writes one table per group and recorded step. Columns are identified by name. A reader
keeps columns that it does not know. If a rule lacks a column, the report lists the rule as *not
evaluated*. The last column of every table, `{CHECK_COLUMN}`, is a checksum of its row.

* Statistics cover only the **finite** entries of a tensor. The fractions of NaN and infinite
  entries are statistics of their own.
* **NaN means "undefined here"** (no finite entry, no gradient, a ratio to a zero norm). It never
  means corruption.
* Norms cannot overflow or underflow, because entries are scaled by the largest one first. Sums are
  accumulated in float32, or in float64 for float64 tensors.
* All statistics of an empty tensor are 0.
* *Window* statistics cover every step since the previous record. The device updates them at every
  step."""


DERIVED_TEXT: Final = (
    "These statistics are not written, because they follow from other columns. The "
    "regularization gradient is a curve next to the gradient of the layer (`tb_convergence/core/"
    "regularization.py`). The root mean square of a feature and the trends are metrics of the heat "
    "map (`tb_convergence/core/trend.py`). A trend compares two stretches of ten records, and of "
    "at least three at the beginning of a run. It counts a zero as one decade below the smallest "
    "positive value of the row. It is undefined if a stretch has less than half of its values."
)


def page() -> str:
    """The whole of docs/statistics.md."""
    parts = [HEAD]
    for group, statistics in CATALOGUE.items():
        title, text = GROUPS[group]
        lines = ["| column | | definition | unit | range |", "|---|---|---|---|---|"]
        lines += _magnitudes(statistics) if group == "magnitudes" else map(_line, statistics)
        parts += [f"## {title}", text, "\n".join(lines)]
    lines = ["| metric | | definition | unit | range |", "|---|---|---|---|---|"]
    lines += [_line(statistic) for items in DERIVED.values() for _, statistic in items]
    parts += ["## Derived", DERIVED_TEXT, "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _magnitudes(statistics: Sequence[Statistic]) -> list[str]:
    """One row for all powers of two, whose columns differ by the exponent alone."""
    first, second, *_, last = (statistic.name.rpartition("^")[2] for statistic in statistics)
    line = _line(statistics[0]).replace(f"2^{first}", "2^k")
    return [line.replace(". Estimated", f", for k = {first}, {second}, …, {last}. Estimated")]


def _line(statistic: Statistic) -> str:
    told = f"**{statistic.title}.** {statistic.summary}"
    if statistic.references:
        told += f" ({'; '.join(statistic.references)})"
    cells = (
        f"`{statistic.name}`", statistic.symbol, told, statistic.unit, _range(*statistic.range)
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _range(low: float, high: float) -> str:
    if (low, high) == (-inf, inf):
        return "any"
    return f"≥ {low:g}" if high == inf else f"{low:g} … {high:g}"
