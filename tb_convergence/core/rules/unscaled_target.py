"""The targets are far larger than the outputs of an untrained network.

A squared error grows with the square of the scale of the targets, and so does its gradient. Targets
of 1,000 act like a learning rate a million times higher, until the output bias has reached the
mean.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    REGRESSION_LOSSES,
    SQUARED_ERRORS,
    configuration,
)
from tb_convergence.core.diagnosis.data import feature_scales, features_in
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.step_size import LARGE as LARGE_STEP
from tb_convergence.core.diagnosis.table_columns import largest_per_record, weights_column
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import literal, number, rounded
from tb_convergence.core.text.phrases import listed

LARGE: Final = 100.0


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table, model = history.table("inputs"), configuration(history)
    if table is None:
        return None
    every = table.rows_of("target")
    outputs = list(dict.fromkeys(table.rows[row].layer for row in every))
    rows = [
        row for row in every
        if model.loss_of(table.rows[row].layer, outputs.index(table.rows[row].layer))
        in REGRESSION_LOSSES
    ]
    if not rows:
        return None
    mean, std = feature_scales(table, rows)
    rms = np.hypot(mean, std)
    worst = int(np.argmax(rms))
    if not rms[worst] > LARGE:
        return None
    row = table.rows[rows[worst]]
    what = "the target" if len(rows) == 1 and features_in(row) == 1 else row.name
    # A sum over several outputs falls with the largest one, and the others do not count.
    drowned = [name for name in outputs if name != row.layer]
    also = (
        f" In the total loss it outweighs {listed(drowned, noun='output')}." if drowned else ""
    )
    confidence = min(0.9, 0.5 + 0.15 * float(np.log10(rms[worst] / LARGE)) + 0.15 * bool(drowned))
    if _makes_steps_too_long(history, float(rms[worst])):
        confidence = max(confidence, 0.8)
    return Match(
        "info" if learns(history) and not drowned else "warning",
        confidence,
        f"The mean of {what} is {number(mean[worst])} and its standard deviation "
        f"{number(std[worst])}, but an untrained network outputs values of about 1.{also}",
        0, max(0, history.last_step), (row.name,),
        (Evidence("target_rms", float(rms[worst]), LARGE),),
        _advice(row.layer, float(mean[worst]), float(std[worst])),
    )


def _makes_steps_too_long(history: RunHistory, size: float) -> bool:
    """Whether the first step is too long with targets of this size, and healthy with scaled ones.

    A fresh network puts out about 0, so the gradient of a squared error is as many times larger as
    the targets are, and so is a step of plain descent.
    """
    table, model = history.table("variables"), configuration(history)
    if table is None or not table.has("update_ratio") or not len(table.steps):
        return False
    # Some models are built by their first batch, and are first recorded at the second.
    if model.optimizer != "SGD" or model.loss not in SQUARED_ERRORS or int(table.steps[0]) > 1:
        return False
    first = float(largest_per_record(weights_column(table, "update_ratio", "low"))[0])
    return first > LARGE_STEP >= first / size


def _advice(name: str, mean: float, std: float) -> tuple[str, ...]:
    """What to subtract and divide by, in numbers: mean and scale of this run, to three digits."""
    shift, scale = rounded(mean), rounded(std if std > 0 else 1.0)
    what = "y" if name == "target" else f"the target of {name}"
    return (
        f"Standardize the targets: train on ({what} - {literal(shift)}) / {literal(scale)}, do the "
        f"same with the validation targets, and convert predictions back with p * {literal(scale)} "
        f"+ {literal(shift)}. Compute mean and standard deviation from the training split.",
        "If the targets cannot change, let the model scale its output: add "
        f"keras.layers.Rescaling({literal(scale)}, offset={literal(shift)}) after the last Dense "
        f"layer, and compile with loss_weights={literal(1 / scale**2, 2)} (1 / standard deviation "
        "** 2, for mse).",
    )


RULE = Rule(
    id="unscaled-target",
    kind="cause",
    title="The target is not scaled",
    needs=("feature_mean", "feature_std", "config"),
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "target_rms", high=LARGE,
            source=(
                "In practice, training fails on prices in single dollars and on calendar years, "
                "but not on an age in decades."
            ),
        ),
    ),
    measures=(
        Measure("target_rms", "RMS of the target", ("feature_rms",), reading=True, kind="target"),
    ),
    shows=("feature_rms", "feature_max"),
    explains=("learning-rate-too-high", "exploding-gradient", "loss-divergence",
              "non-finite-values", "loss-not-decreasing", "dead-relu", "zero-gradient",
              "update-ratio-out-of-range", "loss-spike", "loss-oscillation"),
    experiment="fit on standardized targets",
    falsified_by=("Training is no better with standardized targets.",),
    references=("LeCun et al. 1998, Efficient BackProp",),
)
