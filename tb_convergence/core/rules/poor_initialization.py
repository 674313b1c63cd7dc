"""Weights that start where they cannot learn: all equal, or far from the scale their fan asks for.

Units of a hidden layer that start equal stay equal: their gradients are the same. A scale is judged
against Glorot's sqrt(2 / (fan_in + fan_out)), which He's and LeCun's differ from by less than two.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence, Severity
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs
from tb_convergence.core.diagnosis.signals import FALLS, learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row

FACTOR: Final = 10.0
"""Times the standard deviation that the fan asks for: variance wrong by a hundred in one layer."""
EQUAL: Final = 1e-6
"""Spread over scale below which entries are one constant (float32 has 6e-8)."""


def fans(row: Row) -> tuple[int, int] | None:
    """Inputs and outputs of one unit, from a kernel `[*space, in, out]`; None for other shapes."""
    if len(row.shape) < 2 or min(row.shape) < 1:
        return None
    space = math.prod(row.shape[:-2])
    return space * row.shape[-2], space * row.shape[-1]


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    table = history.table("variables")
    if table is None or not len(table.steps) or int(table.steps[0]) != 0:
        return None
    rows = table.rows_of("kernel")
    std, mean = table.column("variable_std")[0], table.column("variable_mean")[0]
    constant, scaled = [], []
    for row in rows:
        fan = fans(table.rows[row])
        if fan is None or not np.isfinite(std[row]) or math.prod(table.rows[row].shape) < 4:
            continue
        if std[row] <= EQUAL * abs(mean[row]):
            # The last layer alone may start at zero: its inputs differ.
            if row != rows[-1] or mean[row] != 0:
                constant.append(row)
            continue
        ratio = float(std[row]) / math.sqrt(2 / sum(fan))
        if not 1 / FACTOR <= ratio <= FACTOR:
            scaled.append((row, ratio))
    harmless = learns(history)
    layers = [table.rows[row].layer for row in constant]
    if constant and len(rows) > 1:
        severity: Severity = "info" if harmless else "critical"
        return Match(
            severity, 0.95,
            f"All weights of {', '.join(layers[:3])} start at {mean[constant[0]]:.3g}: their units "
            f"are copies of each other and stay so.{FALLS if harmless else ''}",
            0, history.last_step, tuple(layers),
            tuple(Evidence("spread of the weights at step 0", float(std[row]), None, 0,
                           table.rows[row].layer) for row in constant),
        )
    if not scaled or harmless:
        return None
    row, ratio = max(scaled, key=lambda pair: abs(math.log(pair[1])))
    return Match(
        "warning", 0.6,
        f"The weights of {table.rows[row].layer} start with a standard deviation of "
        f"{std[row]:.3g}, {_times(ratio)} what its fan asks for.",
        0, history.last_step, tuple(table.rows[r].layer for r, _ in scaled),
        tuple(Evidence("standard deviation over Glorot's", value, FACTOR if value > 1 else
                       1 / FACTOR, 0, table.rows[r].layer) for r, value in scaled),
    )


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g} of"


RULE = Rule(
    id="poor-initialization",
    kind="cause",
    title="The weights start in the wrong place",
    needs=("variable_std", "variable_mean"),
    evaluate=_evaluate,
    explains=("loss-not-decreasing", "vanishing-gradient", "exploding-gradient", "zero-gradient",
              "saturated-activation", "dead-relu", "constant-output", "non-finite-values",
              "loss-divergence", "wrong-hidden-activation", "learning-rate-too-high"),
    advice=(
        "Use the default, glorot_uniform, or he_normal with ReLU; biases at zero.",
        "lecun_normal with SELU; embeddings and special models as their paper says.",
    ),
    disproof=("The run started from trained weights, or step 0 is not its first step.",),
    false_alarms=("Residual branches may start at zero on purpose, in their last layer.",),
    references=(
        "Glorot & Bengio 2010",
        "He et al. 2015, arXiv:1502.01852",
        "Klambauer et al. 2017, arXiv:1706.02515",
    ),
)
