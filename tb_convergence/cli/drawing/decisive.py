"""Chooses the picture of a finding by what its evidence measures.

Evidence names a statistic or a measure, and a measure names the statistics that it follows from. So
a chart of the statistic, with the limit where both are of one unit, shows any finding, of our rules
and of others. A few measures have a picture of their own, where a plain chart would not show it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.cli.drawing.chart import Chart, Limit, Picture, Profile, line
from tb_convergence.cli.drawing.series import (
    Depth,
    Over,
    evidence_bars,
    limit_of,
    loss_picture,
    profile,
    series_line,
    table_with,
    with_limit,
)
from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import feature_scales
from tb_convergence.core.diagnosis.finding import Evidence, Finding
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure, find
from tb_convergence.core.regularization import regularization_loss
from tb_convergence.core.rules.poor_initialization import fans
from tb_convergence.core.text.numbers import number

Drawer = Callable[[RunHistory, Finding, Evidence], Picture | None]


def decisive(history: RunHistory, finding: Finding) -> Picture | None:
    """The picture of `finding`; None if the data to draw it are not there."""
    for draw, item in _choices(finding):
        try:
            picture = draw(history, finding, item)
        except (KeyError, IndexError, ValueError):
            continue  # tables of another writer, or evidence of another version of the rule
        if picture is not None:
            return replace(picture, story=finding.summary)
    return None


def _choices(finding: Finding) -> Iterator[tuple[Drawer, Evidence]]:
    """Pictures that could show it, the most telling first: of its evidence, then of `shows`."""
    shown = [Evidence(name, math.nan) for name in finding.shows]
    for item in (*finding.evidence, *shown):
        if item.statistic in MEASURES:
            yield MEASURES[item.statistic], item
            continue
        measure = item.measure or find(item.statistic)
        if measure is not None and measure.of:
            yield STATISTICS.get(measure.of[0]) or _over(measure), item
        elif item.layer is not None and item.limit:
            yield evidence_bars, item


def _over(measure: Measure) -> Drawer:
    """The rows that the finding names, over steps."""
    kinds = (measure.kind,) if measure.kind else ()
    return Over(measure.of[0], limited=measure.reading, kinds=kinds)


def _loss(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    """The loss, with the level that its limit stands for."""
    chart = loss_picture(history, finding.first_step)
    measure, kind = item.measure, item.measure.limit if item.measure else ""
    start = next((e.value for e in finding.evidence if e.statistic == "loss_start"), None)
    if chart is None or measure is None:
        return chart
    if measure.reading:
        if item.limit:
            return with_limit(chart, limit_of(item))
        return with_limit(chart, None if start is None else Limit(start, f"start {number(start)}"))
    values = chart.lines[0].low
    if item.limit is None or kind not in ("start", "baseline") or not len(values):
        return chart
    end = float(np.nanmean(values[-max(1, len(values) // 10):]))
    level = end / item.value if kind == "baseline" and item.value > 0 else float(values[0])
    return with_limit(chart, Limit(level * item.limit, f"{number(item.limit)} of the {kind}"))


def _epochs(history: RunHistory, finding: Finding, _: Evidence) -> Picture | None:
    """Training and validation loss by epoch; the training loss alone without a validation."""
    found = [(history.series(name), label) for name, label in
             (("epoch_loss", "training"), ("validation_loss", "validation"))]
    lines = tuple(series_line(s, label) for s, label in found if s is not None and len(s))
    axis = next((s.axis for s, _ in found if s is not None), "step")
    if not lines:
        return None
    title = "Training and validation loss" if len(lines) == 2 else "Loss by epoch"
    return Chart(title, lines, "linear", None, finding.first_step, axis=axis)


def _by_depth(history: RunHistory, finding: Finding, _: Evidence) -> Picture | None:
    return Depth("gradient_mean_abs")(history, finding)


def _scales(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    """Root mean square of every feature; beside targets the inputs, for comparison."""
    table = history.table("inputs")
    if table is None:
        return None
    kind = item.kind or "input"
    rows = table.rows_of(*dict.fromkeys(("input", kind)))
    values = np.hypot(*feature_scales(table, rows))
    return profile("Scale (root mean square)", table, rows, values, finding,
                   scale="log10", limit=limit_of(item))


def _clipped(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    model = configuration(history)
    if model.global_clipnorm is None:
        limit, drawer = model.clipnorm or model.clipvalue, Over(
            "gradient_norm" if model.clipnorm else "gradient_max", limited=False)
        picture = drawer(history, finding, item)
    else:
        limit, series = model.global_clipnorm, history.series("gradient_global_norm")
        picture = None if series is None else Chart(
            "Global gradient norm", (series_line(series, "before clipping"),), "log10", None,
            finding.first_step, axis=series.axis)
    if limit is None or not isinstance(picture, Chart):
        return picture
    return with_limit(picture, Limit(limit, f"clipped to {number(limit)}"))


def _within_batches(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    """Variance of the targets within each batch over the variance of all that were seen."""
    table = history.table("inputs")
    if table is None:
        return None
    rows = table.rows_of("target")
    total = float((feature_scales(table, rows)[1] ** 2).sum())
    if not rows or not total > 0:
        return None
    within = (table.column("feature_std")[:, rows].astype(np.float64) ** 2).sum(axis=1) / total
    lines = (line("variance within the batch", table.steps, within),)
    return Chart("Targets: part of the variance in a batch", lines, "linear",
                 limit_of(item), finding.first_step)


def _shares(history: RunHistory, _: Finding, item: Evidence) -> Picture | None:
    """Share of each class among the recorded targets of 0 and 1."""
    table = history.table("inputs")
    rows = [] if table is None else table.rows_of("target")
    if table is None or not rows:
        return None
    mean = feature_scales(table, rows)[0].tolist()
    shares = [1 - mean[0], mean[0]] if len(mean) == 1 else mean
    limit = limit_of(item)
    marked = tuple(limit is not None and share >= limit.value for share in shares)
    names = tuple(f"class {index}" for index in range(len(shares)))
    return Profile("Share of the samples", names, tuple(shares), marked, "linear", limit)


def _start_of_weights(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    table = table_with(history, "variable_std")
    if table is None:
        return None
    rows = [row for row in table.rows_of("kernel") if fans(table.rows[row])]
    std = table.column("variable_std")[0]
    shape = {row: fans(table.rows[row]) or (1, 1) for row in rows}
    ratio = np.array([float(std[row]) / math.sqrt(2 / sum(shape[row])) for row in rows])
    limit = limit_of(item) if item.statistic == "std_over_glorot" else None
    return profile("First weights' std over Glorot's", table, rows, ratio, finding,
                   scale="log10", limit=limit)


def _regularization_share(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    table, loss = history.table("variables"), history.series("loss")
    if table is None or loss is None :
        return None
    steps, at_table, at_loss = np.intersect1d(table.steps, loss.steps, return_indices=True)
    share = regularization_loss(table, configuration(history))[at_table] / loss.values[at_loss]
    lines = (line("regularization loss / loss", steps, share),)
    return Chart("Regularization loss over the loss", lines, "linear", limit_of(item),
                 finding.first_step)


def _growth(history: RunHistory, finding: Finding, item: Evidence) -> Picture | None:
    """The gradient norm, with the level that its limit stands for."""
    chart = Over("gradient_norm", limited=False)(history, finding, item)
    series = chart.lines[0].low if isinstance(chart, Chart) and chart.lines else np.zeros(0)
    finite = series[np.isfinite(series)]
    if not len(finite) or not item.limit or not isinstance(chart, Chart):
        return chart
    limit = float(finite.max()) / item.value * item.limit
    return with_limit(chart, Limit(limit, f"{number(item.limit)} times its start"))


STATISTICS: Final[Mapping[str, Drawer]] = {
    "loss": _loss,
    "window_loss_max": _loss,
    "epoch_loss": _epochs,
    "validation_loss": _epochs,
    "gradient_mean_abs": _by_depth,
    "feature_rms": _scales,
    "update_norm": Over("update_norm", limited=False, beside=True),
    "gradient_missing": Over("update_norm", limited=False, beside=True),
}
"""Statistics that something else shows better than their rows over steps."""

MEASURES: Final[Mapping[str, Drawer]] = {
    "clipped_share": _clipped,
    "gradient_growth": _growth,
    "largest_class_share": _shares,
    "regularization_share": _regularization_share,
    "std_over_glorot": _start_of_weights,
    "variable_std": _start_of_weights,
    "variance_within_batches": _within_batches,
}
"""Measures with a picture of their own."""
