"""The page of all statistics, from their records in `tb_convergence/core/statistics.py`."""

from __future__ import annotations

from math import inf
from typing import Final

from tb_convergence.core.statistics import CATALOGUE, CHECK_COLUMN, DERIVED, Group, Statistic

GROUPS: Final[dict[Group, tuple[str, str]]] = {
    "variables": ("Variables", "One row per trainable variable, in the optimizer's order."),
    "activations": (
        "Activations",
        "One row per layer that computes something: its (first) output, over the recorded batch.",
    ),
    "inputs": (
        "Inputs, targets and predictions",
        "One row per feature, of tensors with up to 64 features; of wider ones per contiguous "
        "group of features. With several devices: the part of the batch on the first.",
    ),
    "labels": (
        "Labels",
        "One row per class, of a model with one target and one output, up to 100 classes, where "
        "targets are numbers of classes. Where they are one-hot, `feature_mean` tells the same.",
    ),
    "replicas": ("Replicas", "One row per device, where a training uses several."),
    "magnitudes": (
        "Magnitudes",
        "One row per trainable variable, where `distributions=True` asks for them: how the entries "
        "of its gradient are spread over powers of two.",
    ),
    "run": ("Run", "One row: the step as a whole."),
    "epoch": (
        "Epoch",
        "One row per epoch. Keras' metrics are further columns, `metric/<name>` and "
        "`validation_metric/<name>`.",
    ),
}

HEAD: Final = f"""# Statistics

Generated from the catalogue, `tb_convergence/core/statistics.py`, by `tools/document.py`.

What a run of our recorder carries: one table per group and recorded step. Columns travel by name; a
reader keeps those it does not know, and a rule that lacks one is listed as *not evaluated*. The
last column of every table, `{CHECK_COLUMN}`, is a checksum of its row.

* Statistics are taken over the **finite** entries. How many are not is a statistic of its own.
* **NaN means undefined here** (no finite entry, no gradient, a ratio to a zero norm), never
  corruption.
* Norms neither overflow nor underflow while they are computed: entries are scaled by the largest.
  Sums are accumulated in float32, in float64 for float64 tensors.
* An empty tensor has 0 for all of its statistics.
* *Window* statistics cover every step since the previous record: they are updated on the device at
  every step."""


DERIVED_TEXT: Final = (
    "What nobody writes, because it follows from a column. The penalty's gradient is a curve "
    "beside the layer's (`tb_convergence/core/regularization.py`). The size of a feature, from its "
    "mean and its standard deviation, and trends are metrics of the heat map "
    "(`tb_convergence/core/trend.py`): a zero counts as one decade below the row's smallest "
    "positive value. At the beginning of a run the two stretches are shorter, three records at "
    "least. Undefined where either stretch has less than half of its values."
)


def page() -> str:
    """The whole of docs/statistics.md."""
    parts = [HEAD]
    for group, statistics in CATALOGUE.items():
        title, text = GROUPS[group]
        lines = ["| column | | what it is | unit | range |", "|---|---|---|---|---|"]
        lines += [_line(statistic) for statistic in statistics]
        parts += [f"## {title}", text, "\n".join(lines)]
    lines = ["| metric | | what it is | unit | range |", "|---|---|---|---|---|"]
    lines += [_line(statistic) for items in DERIVED.values() for _, statistic in items]
    parts += ["## Derived", DERIVED_TEXT, "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


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
