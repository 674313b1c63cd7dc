"""TheDeepChecker's properties (Braiek & Khomh 2022, arXiv:2204.00694), as plain thresholds.

A reading of the paper on the statistics that our callback records. Its own settings file was not at
hand: the thresholds are those that the literature gives for the same properties, and the tool may
use others. Its checks before training run on the data and on the first record; of those during
training, the ones that a record can show. Left out is what
needs runs of its own: numerical gradients and fitting one batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules.unnormalized_input import feature_scales
from zoo.baselines.tool import Report, Tool

ALMOST = 0.1
"""How far mean and deviation may be from 0 and 1: theirs is exact, ours sees samples."""
SCALES = ((0.0, 1.0), (-1.0, 1.0))
"""Ranges that count as normalized."""
CONSTANT = 1e-8
"""Variance of a kernel at the start that counts as none."""
INITIAL = 1.0
"""Deviation of the first loss from ln C, relative."""
RATIO = (-4.0, -1.0)
"""Range of log10 of the update ratio of a layer."""
DEAD, ZERO, SATURATED = 0.5, 0.7, 0.5
"""Fractions of units or entries."""
FALL = 0.001
"""Fall of the loss between windows, relative."""
DIVERGES = 2.0
"""Loss over its minimum."""
GROWS, WINDOWS = 2.0, 5
"""Gradients that double over so many windows in a row."""
WINDOW, PARTS = 10, 10
"""Records of a window: at least ten, and a tenth of the run, so that noise is averaged out."""


def run(history: RunHistory) -> list[Report]:
    """All reports."""
    found = list(_data(history)) + list(_loss(history))
    variables, activations = history.table("variables"), history.table("activations")
    if variables is not None and len(variables.steps):
        found += _start(variables)
        found += _weights(variables)
    if activations is not None:
        found += _share(activations, "activation_dead_fraction", DEAD, "dead layer")
        found += _share(activations, "activation_saturated_fraction", SATURATED,
                        "saturated layer")
    return found


def _data(history: RunHistory) -> Iterator[Report]:
    table = history.table("inputs")
    if table is None or not len(table.steps):
        return
    for kind, name in (("input", "unnormalized features"), ("target", "unnormalized targets")):
        rows = table.rows_of(kind)
        if not rows or (kind == "target" and not _regression(history)):
            continue
        mean, std = feature_scales(table, rows)
        low = np.nanmin(table.column("feature_min")[:, rows], axis=0)
        high = np.nanmax(table.column("feature_max")[:, rows], axis=0)
        standard = (np.abs(mean) < ALMOST) & (np.abs(std - 1) < ALMOST)
        ranged = np.zeros(len(rows), bool)
        for a, b in SCALES:
            ranged |= (low >= a - ALMOST) & (high <= b + ALMOST)
        if not (standard | ranged).all():
            yield Report(name, 0)


def _regression(history: RunHistory) -> bool:
    return configuration(history).loss in ("mse", "mean_squared_error", "mae")


def _start(table: Table) -> Iterator[Report]:
    rows = table.rows_of("kernel")
    std = table.column("variable_std")[0, rows]
    if (std**2 <= CONSTANT * 1e-4).any():
        yield Report("poor initialization", 0)
        return
    for row, spread in zip(rows, std, strict=True):
        shape = table.rows[row].shape
        if len(shape) < 2:
            continue
        space = math.prod(shape[:-2])
        fan_in, fan_out = space * shape[-2], space * shape[-1]
        usual = (math.sqrt(1 / fan_in), math.sqrt(2 / fan_in), math.sqrt(2 / (fan_in + fan_out)))
        # Their F-test rejects what lies outside the range of the three; twice is far outside.
        if not min(usual) / 2 < spread < max(usual) * 2:
            yield Report("poor initialization", 0)
            return


def _loss(history: RunHistory) -> Iterator[Report]:
    loss, model = history.series("loss"), configuration(history)
    if loss is None or not len(loss):
        return
    values = np.asarray(loss.values, np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        yield Report("non-finite loss", int(loss.steps[bad[0]]))
        values = values[: bad[0]]
    units = model.output.units if model.output is not None else None
    if "crossentropy" in model.loss and units and units > 1 and len(values):
        expected = math.log(units)
        if abs(values[0] - expected) >= INITIAL * expected:
            yield Report("poor initial loss", 0)
    width = _width(len(values))
    n = len(values) // width
    if n < 3:
        return
    means = values[: n * width].reshape(n, width).mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        fall = (means[:-1] - means[1:]) / np.abs(means[:-1])
    slow = np.flatnonzero(fall < FALL)
    if len(slow):
        yield Report("loss does not decrease", int(loss.steps[(int(slow[0]) + 2) * width - 1]))
    high = np.flatnonzero(means > DIVERGES * np.minimum.accumulate(np.abs(means)))
    if len(high):
        yield Report("loss diverges", int(loss.steps[(int(high[0]) + 1) * width - 1]))


def _width(records: int) -> int:
    return max(WINDOW, records // PARTS)


def _weights(table: Table) -> Iterator[Report]:
    rows = table.rows_of("kernel")
    zero = np.nan_to_num(table.column("gradient_zero_fraction")[:, rows])
    yield from _first(table, zero >= ZERO, "zero gradients")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log10(table.column("update_ratio")[:, rows])
    width = _width(len(table.steps))
    n = len(table.steps) // width
    if not n:
        return
    means = ratio[: n * width].reshape(n, width, -1).mean(axis=1)
    steps = table.steps[width - 1 :: width][:n]
    for bad, name in ((means < RATIO[0], "updates too small"), (means > RATIO[1],
                                                                "updates too large")):
        windows = np.flatnonzero(bad.any(axis=1))
        if len(windows):
            yield Report(name, int(steps[windows[0]]))
    norm = table.column("gradient_norm")[: n * width, rows].reshape(n, width, -1).mean(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        grows, shrinks = norm[1:] > GROWS * norm[:-1], norm[1:] < norm[:-1] / GROWS
    for change, name in ((grows, "exploding gradients"), (shrinks, "vanishing gradients")):
        for start in range(len(change) - WINDOWS + 1):
            if change[start : start + WINDOWS].all(axis=0).any():
                yield Report(name, int(steps[start + WINDOWS]))
                break


def _share(table: Table, column: str, limit: float, name: str) -> Iterator[Report]:
    if table.has(column):
        yield from _first(table, np.nan_to_num(table.column(column)) > limit, name)


def _first(table: Table, bad: np.ndarray, name: str) -> Iterator[Report]:
    records = np.flatnonzero(bad.any(axis=1))
    if len(records):
        yield Report(name, int(table.steps[records[0]]))


HIGH, LOW = "learning-rate-too-high", "learning-rate-too-low"
TOOL = Tool(
    "TheDeepChecker's properties",
    "the properties of its paper that a recording can show, as we read them; its own settings were "
    "not at hand, so thresholds are those the literature gives for the same properties",
    run,
    means={
        "unnormalized features": ("unnormalized-input",),
        "unnormalized targets": ("unscaled-target",),
        "poor initialization": ("poor-initialization",),
        "poor initial loss": ("poor-initialization", "wrong-loss", "wrong-output-activation"),
        "non-finite loss": (HIGH, "non-finite-input"),
        "loss does not decrease": (LOW, "optimizer-mismatch"),
        "loss diverges": (HIGH, "optimizer-mismatch"),
        "zero gradients": ("dead-relu",),
        "updates too small": (LOW,),
        "updates too large": (HIGH,),
        "exploding gradients": (HIGH,),
        "vanishing gradients": ("wrong-hidden-activation", "too-deep-without-skip"),
        "dead layer": ("dead-relu",),
        "saturated layer": ("wrong-hidden-activation",),
    },
    why={
        "unnormalized features": "the same",
        "unnormalized targets": "the same",
        "poor initialization": "the same",
        "poor initial loss": "the causes its paper names, as we read it",
        "non-finite loss": "counts for the usual causes",
        "loss does not decrease": "the causes its paper names, as we read it",
        "loss diverges": "the causes its paper names, as we read it",
        "zero gradients": "counts for the usual cause",
        "updates too small": "the same",
        "updates too large": "the same",
        "exploding gradients": "counts for the usual cause",
        "vanishing gradients": "counts for the usual causes",
        "dead layer": "the same",
        "saturated layer": "the same",
    },
)
