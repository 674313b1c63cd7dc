"""The loss rises although the steps are small: the updates go uphill.

A learning rate that is too high overshoots with large updates. Here the updates stay small relative
to the weights until the loss has risen for a long time, so their direction is wrong. A sign was
flipped (a score to maximize used as a loss, gradients negated in a custom step), or the optimizer
minimizes another loss than the reported one. Two cases have their own signs: a log-likelihood that
is minimized, and an epsilon that outweighs Adam's second moment.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import (
    CROSS_ENTROPIES,
    REGRESSION_LOSSES,
    configuration,
)
from tb_convergence.core.diagnosis.data import columns_of
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_evidence import loss_over_start
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.step_size import TYPICAL
from tb_convergence.core.diagnosis.table_columns import largest_per_record, weights_column
from tb_convergence.core.diagnosis.training_progress import learns
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import counted

EPSILON: Final = 1e-3
ADAPTIVE: Final = frozenset(
    {"MultiHeadAttention", "GroupedQueryAttention", "Attention", "AdditiveAttention", "Embedding",
     "EinsumDense"}
)
"""Layers on which adaptive methods beat plain gradient descent (Zhang et al. 2020)."""
HALF: Final = 0.45
SMALL: Final = 0.1


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return strongest(
        _uphill(history, signs), _maximized(history), _large_epsilon(history),
        _plain_descent(history, signs),
    )


def _maximized(history: RunHistory) -> Match | None:
    """A score of probabilities that falls far below 0.

    A likelihood is at most 1, so the loss, its negative logarithm, is at least 0. Overlaps and
    similarities are at least -1 for each output.
    """
    trajectory, outputs = loss_trajectory(history), columns_of(history, "prediction")
    model = configuration(history)
    if trajectory is None or outputs is None or model.loss in CROSS_ENTROPIES | REGRESSION_LOSSES:
        return None
    if not (outputs.lowest >= 0 and outputs.highest <= 1 + 1e-6):
        return None
    bound = -2.0 * outputs.count if outputs.count < 5 else -10.0
    if trajectory.end > min(bound, -1.5) or trajectory.fall < 1 or trajectory.observed < 5:
        return None
    return Match(
        "critical", 0.8,
        f"The loss falls from {number(trajectory.start)} to {number(trajectory.end)}, below any "
        "possible minimum. It looks like a score that should be maximized, such as a "
        "log-likelihood, without the sign changed.",
        int(trajectory.steps[0]), int(trajectory.steps[-1]), (),
        (Evidence("loss_end", trajectory.end, bound, int(trajectory.steps[-1])),),
        ("Use the negative score as the loss: -mean(log p) for a likelihood.",),
        ruins=True,
        title="A score is minimized instead of maximized",
    )


def _large_epsilon(history: RunHistory) -> Match | None:
    """An epsilon above the root of the second moment turns Adam into slow plain gradient descent.
    """
    model, table = configuration(history), history.table("variables")
    epsilon = model.epsilon
    if epsilon is None or epsilon < EPSILON or table is None or learns(history):
        return None
    ratio = largest_per_record(weights_column(table, "update_ratio", "high"))
    finite = ratio[np.isfinite(ratio)]
    if len(finite) < 5 or not float(np.median(finite)) < TYPICAL:
        return None
    typical = float(np.median(finite))
    return Match(
        "critical" if typical < TYPICAL / 10 else "warning", 0.9,
        f"{model.optimizer} has epsilon={number(epsilon, 6)}. Epsilon is added to the denominator "
        "of each step and outweighs it here, so the fastest layer changes by only "
        f"{number(typical, 2)} of its "
        "size per step.",
        int(table.steps[0]), int(table.steps[-1]), (),
        (Evidence("optimizer_epsilon", epsilon, EPSILON, side="at least"),
         Evidence("fastest_update_ratio", typical, TYPICAL, detail="layer")),
        (f"Use {model.optimizer}(epsilon=1e-7), the default.",),
        title="The optimizer's epsilon is too large",
    )


def _plain_descent(history: RunHistory, signs: Signs) -> Match | None:
    """Plain gradient descent on attention or embeddings.

    Their gradients have heavy tails and very different scales, so one learning rate is too high for
    some and too low for the rest.
    """
    model, trajectory = configuration(history), loss_trajectory(history)
    if model.optimizer != "SGD" or model.momentum:
        return None
    if trajectory is None or trajectory.observed < 100:
        return None
    needy = [layer.name for layer in model.layers if layer.kind in ADAPTIVE]
    troubled = any(match.severity == "critical" for match in signs.values())
    if not needy or troubled or learns(history):
        return None
    return Match(
        "info", 0.4,
        f"Plain {model.optimizer_text} trains {needy[0]}"
        + (f" and {counted(len(needy) - 1, 'similar layer')}" if len(needy) > 1 else "")
        + ", which adaptive optimizers train much faster. The run learns little.",
        0, history.last_step, tuple(needy),
        (Evidence("adaptive_layers", float(len(needy)), 0.0),),
        ("Use Adam(1e-3) or AdamW, and SGD with momentum only for the last epochs.",),
        title="Plain SGD on gradients of different scales",
    )


def _uphill(history: RunHistory, signs: Signs) -> Match | None:
    table, trajectory = history.table("variables"), loss_trajectory(history)
    if table is None or trajectory is None or "loss-divergence" not in signs:
        return None
    # If the updates go uphill from the first step, the start is the lowest loss. However noisy
    # the batches are, a loss that halved went downhill first.
    start = abs(trajectory.start)
    below = min(3 * trajectory.noise, HALF * start) + 0.05 * start
    if trajectory.lowest < trajectory.start - below:
        return None
    doubled = trajectory.first_step_above(2 * abs(trajectory.start))
    until = doubled if doubled is not None else int(trajectory.steps[-1])
    ratio = largest_per_record(weights_column(table, "update_ratio", "high"))
    rising = (table.steps <= until) & np.isfinite(ratio)
    if rising.sum() < 5 or not float(np.max(ratio[rising])) < SMALL:
        return None
    name = configuration(history).optimizer or "the optimizer"
    return Match(
        "critical", 0.85,
        f"The loss rises from the first step on, from {number(trajectory.start)} to "
        f"{number(trajectory.end)}, although no update exceeds "
        f"{percent(float(np.max(ratio[rising])))} "
        f"of a layer's size: {name} moves uphill.",
        int(table.steps[0]), int(table.steps[-1]), (),
        (
            Evidence("update_ratio_until_doubled",
                     float(np.max(ratio[rising])), SMALL, until),
            loss_over_start(trajectory),
        ),
        title="The optimizer moves uphill",
    )


RULE = Rule(
    id="optimizer-mismatch",
    kind="cause",
    title="The optimizer does not suit the loss",
    needs=("update_ratio", "loss"),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "optimizer_epsilon", high=EPSILON,
            source=(
                "The default is 1e-7. Healthy gradients are 1e-2 to 1e-5, and epsilon is added to "
                "their size."
            ),
        ),
        Threshold(
            "fastest_update_ratio", low=TYPICAL, detail="layer",
            source="A healthy update ratio is larger (Karpathy, CS231n).",
        ),
        Threshold(
            "start_over_lowest_loss", low=HALF,
            source="In a run that only rises, a smaller fall is chance.",
        ),
        Threshold(
            "update_ratio_until_doubled", low=SMALL,
            source="A smaller step cannot overshoot (see learning-rate-too-high).",
        ),
    ),
    measures=(
        Measure(
            "start_over_lowest_loss", "fall of the lowest loss below the start",
            ("loss",), "fraction",
        ),
        Measure("optimizer_epsilon", "epsilon"),
        Measure("adaptive_layers", "layers with gradients of very different scales"),
        Measure(
            "update_ratio_until_doubled", "largest update ratio until the loss had doubled",
            ("update_ratio",), reading=True,
        ),
    ),
    shows=("update_ratio", "gradient_norm"),
    explains=("loss-divergence", "exploding-gradient", "non-finite-values", "overfitting",
              "learning-rate-too-high", "dead-relu", "zero-gradient", "saturated-activation",
              "update-ratio-out-of-range", "constant-output", "wrong-loss",
              "learning-rate-too-low", "underfitting", "too-few-steps"),
    excluded_by=("non-finite-input",),
    advice=(
        "Look for a flipped sign: a score to maximize used as a loss, negated gradients, or a "
        "negative learning rate.",
        "Take one plain step by hand, w - 1e-4 * g, and check whether the loss falls.",
    ),
    experiment="one small step of plain gradient descent",
    falsified_by=(
        "A single small step of plain gradient descent on the same batch lowers the loss.",
    ),
    references=("Braiek & Khomh 2022, TheDeepChecker, TOSEM",
                "Zhang et al. 2020, Why are Adaptive Methods Good for Attention Models?, "
                "arXiv:1912.03194"),
)
