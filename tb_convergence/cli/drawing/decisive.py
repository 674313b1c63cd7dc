"""Which numbers decide each diagnosis: one line per rule.

A rule without a line is shown by its evidence alone, where that names layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from tb_convergence.cli.drawing.chart import Chart, Limit, Picture, Profile, line
from tb_convergence.cli.drawing.series import (
    Depth,
    Over,
    evidence_bars,
    loss_picture,
    profile,
    series_line,
    table_with,
    threshold_of,
    with_limit,
)
from tb_convergence.cli.wording import number
from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import feature_scales
from tb_convergence.core.diagnosis.finding import Finding
from tb_convergence.core.history import RunHistory
from tb_convergence.core.regularization import regularization_loss
from tb_convergence.core.rules.poor_initialization import fans

Drawer = Callable[[RunHistory, Finding], Picture | None]


def decisive(history: RunHistory, finding: Finding) -> Picture | None:
    """The picture of `finding`; None where the data to draw it are not there."""
    try:
        picture = DRAWERS.get(finding.id, evidence_bars)(history, finding)
    except (KeyError, IndexError, ValueError):
        # Tables of another writer, or evidence of another version of the rule: no picture.
        return None
    return None if picture is None else replace(picture, story=finding.summary)


def _loss(history: RunHistory, finding: Finding) -> Picture | None:
    return loss_picture(history, finding.first_step)


def _loss_against_start(history: RunHistory, finding: Finding) -> Picture | None:
    start = next((e.value for e in finding.evidence if e.name == "loss at the start"), None)
    limit = None if start is None else Limit(start, f"start {number(start)}")
    return with_limit(loss_picture(history, finding.first_step), limit)


def _loss_against_threshold(history: RunHistory, finding: Finding) -> Picture | None:
    return with_limit(loss_picture(history, finding.first_step), threshold_of(finding))


def _first_of(*drawers: Drawer) -> Drawer:
    def draw(history: RunHistory, finding: Finding) -> Picture | None:
        return next((p for drawer in drawers if (p := drawer(history, finding))), None)

    return draw


def _clipped(history: RunHistory, finding: Finding) -> Picture | None:
    model = configuration(history)
    if model.global_clipnorm is None:
        limit, drawer = model.clipnorm or model.clipvalue, Over(
            "gradient_norm" if model.clipnorm else "gradient_max", limited=False)
        picture = drawer(history, finding)
    else:
        limit, series = model.global_clipnorm, history.series("gradient_global_norm")
        picture = None if series is None else Chart(
            "Global gradient norm", (series_line(series, "before clipping"),), "log10", None,
            finding.first_step, axis=series.axis)
    if limit is None or not isinstance(picture, Chart):
        return picture
    return with_limit(picture, Limit(limit, f"clipped to {number(limit)}"))


def _scales(*kinds: str) -> Drawer:
    """Root mean square of every feature of these kinds."""

    def draw(history: RunHistory, finding: Finding) -> Picture | None:
        table = history.table("inputs")
        if table is None:
            return None
        rows = table.rows_of(*kinds)
        values = np.hypot(*feature_scales(table, rows))
        scale = next((e.name for e in finding.evidence if e.name.startswith("root mean sq")), "")
        return profile("Scale (root mean square)", table, rows, values, finding,
                       scale="log10", limit=threshold_of(finding, scale))

    return draw


def _within_batches(history: RunHistory, finding: Finding) -> Picture | None:
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
                 threshold_of(finding), finding.first_step)


def _edges_of_targets(history: RunHistory, finding: Finding) -> Picture | None:
    edge = next((e for e in finding.evidence if e.name.endswith("est target")), None)
    if edge is None:
        return None
    low, limit = edge.name.startswith("smallest"), threshold_of(finding, edge.name)
    chart = Over("feature_min" if low else "feature_max", kinds=("target",))(
        history, replace(finding, evidence=()))
    if isinstance(chart, Chart) and limit is not None:
        word = "at least" if low else "at most"
        return with_limit(chart, Limit(limit.value, f"should be {word} {number(limit.value)}"))
    return chart


def _indices(history: RunHistory, finding: Finding) -> Picture | None:
    first = finding.evidence[0]
    name = "feature_max" if first.name.startswith("largest") else "feature_min"
    chart = Over(name, kinds=("input",))(history, replace(finding, evidence=()))
    if first.threshold is not None and isinstance(chart, Chart):
        return with_limit(chart, Limit(first.threshold, f"last row {number(first.threshold)}"))
    return chart


def _shares(history: RunHistory, finding: Finding) -> Picture | None:
    """Share of each class among the recorded targets of 0 and 1."""
    table = history.table("inputs")
    rows = [] if table is None else table.rows_of("target")
    if table is None or not rows:
        return None
    mean = feature_scales(table, rows)[0].tolist()
    shares = [1 - mean[0], mean[0]] if len(mean) == 1 else mean
    limit = threshold_of(finding)
    marked = tuple(limit is not None and share >= limit.value for share in shares)
    names = tuple(f"class {index}" for index in range(len(shares)))
    return Profile("Share of the samples", names, tuple(shares), marked, "linear", limit)


def _loss_over_baseline(history: RunHistory, finding: Finding) -> Picture | None:
    """The loss against the part of the baseline below which a model has learned something."""
    share = finding.evidence[0]
    chart = loss_picture(history, finding.first_step)
    if chart is None or share.threshold is None or not share.value > 0:
        return chart
    values = chart.lines[0].low
    end = float(np.nanmean(values[-max(1, len(values) // 10):]))
    limit = end / share.value * share.threshold
    level = "the start" if share.name.endswith("start") else "ignoring the input"
    return with_limit(chart, Limit(limit, f"{share.threshold:.0%} of {level}"))


def _epochs(history: RunHistory, finding: Finding) -> Picture | None:
    series = history.series("epoch_loss")
    if series is None:
        return None
    return Chart("Loss by epoch", (series_line(series, "training loss"),), "linear", None,
                 finding.first_step, axis=series.axis)


def _labels(history: RunHistory, finding: Finding) -> Picture | None:
    first = finding.evidence[0]
    if "label" not in first.name:
        baseline = loss_picture(history, finding.first_step)
        end = history.series("loss")
        if baseline is None or end is None or not first.value > 0:
            return baseline
        level = float(np.mean(end.values[-max(1, len(end) // 10):])) / first.value
        return with_limit(baseline, Limit(level, f"ignoring the input {number(level)}"))
    chart = Over("feature_max" if "largest" in first.name else "feature_min",
                 kinds=("target",))(history, finding)
    if first.threshold is not None and isinstance(chart, Chart):
        return with_limit(chart, Limit(first.threshold,
                                       f"last class {number(first.threshold)}"))
    return chart


def _start_of_weights(history: RunHistory, finding: Finding) -> Picture | None:
    table = table_with(history, "variable_std")
    if table is None:
        return None
    rows = [row for row in table.rows_of("kernel") if fans(table.rows[row])]
    std = table.column("variable_std")[0]
    shape = {row: fans(table.rows[row]) or (1, 1) for row in rows}
    ratio = np.array([float(std[row]) / math.sqrt(2 / sum(shape[row])) for row in rows])
    return profile("First weights' spread over Glorot's", table, rows, ratio, finding,
                   scale="log10", limit=threshold_of(finding))


def _regularization_share(history: RunHistory, finding: Finding) -> Picture | None:
    table, loss = history.table("variables"), history.series("loss")
    if table is None or loss is None or "penalty" not in finding.evidence[0].name:
        return None
    steps, at_table, at_loss = np.intersect1d(table.steps, loss.steps, return_indices=True)
    share = regularization_loss(table, configuration(history))[at_table] / loss.values[at_loss]
    return Chart("Penalty's share of the loss", (line("penalty / loss", steps, share),), "linear",
                 threshold_of(finding), finding.first_step)


def _where_not_finite(history: RunHistory, finding: Finding) -> Picture | None:
    """The fraction of what went bad first; the loss where it was the loss."""
    named = set(finding.layers)
    for group, columns in (
        ("inputs", ("feature_nan_fraction", "feature_inf_fraction")),
        ("activations", ("activation_nan_fraction", "activation_inf_fraction")),
        ("variables", ("gradient_nan_fraction", "gradient_inf_fraction",
                       "variable_nonfinite_fraction")),
    ):
        table = history.table(group)
        for column in columns:
            if table is None or not table.has(column):
                continue
            bad = np.nan_to_num(table.column(column, "low")).max(axis=0) > 0
            if any(bad[i] and named & {row.layer, row.name} for i, row in enumerate(table.rows)):
                return Over(column, limited=False)(history, finding)
    return _loss(history, finding)


def _validation(history: RunHistory, finding: Finding) -> Picture | None:
    found = [(history.series(name), label) for name, label in
             (("epoch_loss", "training"), ("validation_loss", "validation"))]
    lines = tuple(series_line(s, label) for s, label in found if s is not None and len(s))
    axis = next((s.axis for s, _ in found if s is not None), "step")
    return Chart("Training and validation loss", lines, "linear", None, finding.first_step,
                 axis=axis) if len(lines) == 2 else None


def _exploding(history: RunHistory, finding: Finding) -> Picture | None:
    if finding.evidence[0].name.startswith("first over last"):
        return Depth("gradient_mean_abs")(history, finding)
    chart = Over("gradient_norm", limited=False)(history, finding)
    peak = finding.evidence[0]
    series = chart.lines[0].low if isinstance(chart, Chart) and chart.lines else np.zeros(0)
    finite = series[np.isfinite(series)]
    if not len(finite) or peak.threshold is None or not isinstance(chart, Chart):
        return chart
    limit = float(finite.max()) / peak.value * peak.threshold
    return with_limit(chart, Limit(limit, f"{number(peak.threshold)} times its start"))


_ZERO_OR_DEPTH = _first_of(
    lambda history, finding: Over("gradient_zero_fraction", limit_name="zero-gradient fraction")(
        history, replace(finding, layers=())
    ) if any(e.name == "zero-gradient fraction" for e in finding.evidence) else None,
    Depth("gradient_mean_abs"),
)

DRAWERS: Final[Mapping[str, Drawer]] = {
    "learning-rate-too-high": _first_of(
        Over("update_ratio"), Over("gradient_norm", limited=False)
    ),
    "learning-rate-too-low": Over("update_ratio"),
    "clipping-hides-learning-rate": _clipped,
    "unnormalized-input": _scales("input"),
    "non-finite-input": Over("feature_nan_fraction", limited=False),
    "index-out-of-range": _indices,
    "unscaled-target": _scales("input", "target"),
    "unshuffled-batches": _within_batches,
    "wrong-output-activation": _edges_of_targets,
    "wrong-hidden-activation": Depth("gradient_mean_abs"),
    "dead-relu": Over("activation_dead_fraction"),
    "poor-initialization": _start_of_weights,
    "over-regularization": _first_of(_regularization_share, evidence_bars),
    "too-deep-without-skip": Depth("gradient_mean_abs"),
    "too-few-steps": _loss,
    "optimizer-mismatch": Over("update_ratio"),
    "wrong-labels": _labels,
    "class-imbalance": _shares,
    "wrong-loss": _first_of(_edges_of_targets, _loss),
    "insufficient-capacity": _loss_over_baseline,
    "batch-norm-masks-gradients": _ZERO_OR_DEPTH,
    "non-finite-values": _where_not_finite,
    "loss-not-decreasing": _loss_against_start,
    "loss-divergence": _loss_against_threshold,
    "loss-spike": _loss,
    "loss-oscillation": _epochs,
    "underfitting": _validation,
    "overfitting": _validation,
    "exploding-gradient": _exploding,
    "vanishing-gradient": Depth("gradient_mean_abs"),
    "zero-gradient": Over("gradient_zero_fraction"),
    "saturated-activation": Over("activation_saturated_fraction"),
    "constant-output": Over("feature_std", limited=False, kinds=("prediction",)),
    "update-ratio-out-of-range": Over("update_ratio"),
    "frozen-variable": Over("update_norm", limited=False, beside=True),
}
