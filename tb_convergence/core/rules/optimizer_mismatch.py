"""The loss rises although the steps are small: updates go uphill.

A rate that is too high overshoots with large updates. Here the updates stay small against the
weights until the loss has long been rising: the direction is wrong. A sign was flipped (a gain
maximised as a loss, gradients negated in a custom step), or the loss minimised is not the one
reported. A log-likelihood that is minimised, and an epsilon that outweighs what Adam adapts to, are
told by their own signs.
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
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.progress import learns
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold, strongest
from tb_convergence.core.diagnosis.tables import largest_per_record, weights_column
from tb_convergence.core.diagnosis.wording import loss_over_start, percent
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure

EPSILON: Final = 1e-3
SHORT: Final = 1e-3
ADAPTIVE: Final = frozenset(
    {"MultiHeadAttention", "GroupedQueryAttention", "Attention", "AdditiveAttention", "Embedding",
     "EinsumDense"}
)
"""Layers on which adaptive methods beat plain descent (Zhang et al. 2020)."""
HALF: Final = 0.45
SMALL: Final = 0.1


def _evaluate(history: RunHistory, signs: Signs) -> Match | None:
    return strongest(
        _uphill(history, signs), _maximized(history), _damped(history), _crawls(history, signs)
    )


def _maximized(history: RunHistory) -> Match | None:
    """A score of probabilities that falls far below 0: a likelihood is at most 0, and its negative,
    the loss, at least 0. Overlaps and similarities stay within -1 for each output.
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
        f"The loss of probabilities falls from {trajectory.start:.3g} to {trajectory.end:.3g}, "
        "below any floor: it looks like a score that should be made large, such as a "
        "log-likelihood, with its sign left as it is.",
        int(trajectory.steps[0]), int(trajectory.steps[-1]), (),
        (Evidence("loss_end", trajectory.end, bound, int(trajectory.steps[-1])),),
        ("Return the negative of the score as the loss: -mean(log p) for a likelihood.",),
        ruins=True,
        title="A score is minimised as the loss",
    )


def _damped(history: RunHistory) -> Match | None:
    """An epsilon larger than the root of the second moment turns Adam into slow plain descent."""
    model, table = configuration(history), history.table("variables")
    epsilon = model.epsilon
    if epsilon is None or epsilon < EPSILON or table is None or learns(history):
        return None
    ratio = largest_per_record(weights_column(table, "update_ratio", "high"))
    finite = ratio[np.isfinite(ratio)]
    if len(finite) < 5 or not float(np.median(finite)) < SHORT:
        return None
    typical = float(np.median(finite))
    return Match(
        "critical" if typical < SHORT / 10 else "warning", 0.9,
        f"{model.optimizer} has epsilon={epsilon:g}: it is added to the scale that each step is "
        f"divided by, and outweighs it. The fastest layer changes by {typical:.1e} of its size a "
        "step.",
        int(table.steps[0]), int(table.steps[-1]), (),
        (Evidence("optimizer_epsilon", epsilon, EPSILON, side="at least"),
         Evidence("fastest_update_ratio", typical, SHORT, detail="layer")),
        (f"Use {model.optimizer}(epsilon=1e-7), the default.",),
        title="Epsilon of the optimizer is too large",
    )


def _crawls(history: RunHistory, signs: Signs) -> Match | None:
    """Plain descent on attention or embeddings: their gradients have heavy tails and very different
    scales, so that one rate for all is too high for some and too low for the rest.
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
        + (f" and {len(needy) - 1} layers of the kind" if len(needy) > 1 else "")
        + ", which adaptive methods fit much faster, and the run learns little.",
        0, history.last_step, tuple(needy),
        (Evidence("adaptive_layers", float(len(needy)), 0.0),),
        ("Use Adam(1e-3), or AdamW; SGD with momentum for the last epochs only.",),
        title="Plain SGD where gradients differ widely",
    )


def _uphill(history: RunHistory, signs: Signs) -> Match | None:
    table, trajectory = history.table("variables"), loss_trajectory(history)
    if table is None or trajectory is None or "loss-divergence" not in signs:
        return None
    # Uphill from the first step: the start is as low as the loss ever was. However much batches
    # differ, a loss that halved went downhill first.
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
        f"The loss rises from the first step on, from {trajectory.start:.3g} to "
        f"{trajectory.end:.3g}, with updates of at most {percent(float(np.max(ratio[rising])))} of "
        f"a layer's size: {name} goes uphill.",
        int(table.steps[0]), int(table.steps[-1]), (),
        (
            Evidence("update_ratio_until_doubled",
                     float(np.max(ratio[rising])), SMALL, until),
            loss_over_start(trajectory),
        ),
        title="The optimizer goes uphill",
    )


RULE = Rule(
    id="optimizer-mismatch",
    kind="cause",
    title="The optimizer does not fit the loss",
    needs=("update_ratio", "loss"),
    at_least=5,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "optimizer_epsilon", high=EPSILON,
            source=(
                "Default 1e-7; gradients of a healthy network are 1e-2 to 1e-5, and so is what "
                "is added to."
            ),
        ),
        Threshold(
            "fastest_update_ratio", low=SHORT, detail="layer",
            source="Update ratio below the healthy one (Karpathy, CS231n).",
        ),
        Threshold(
            "start_over_lowest_loss", low=HALF,
            source=(
                "Part of the start that chance may take off the lowest loss of a run that only "
                "ever rises."
            ),
        ),
        Threshold(
            "update_ratio_until_doubled", low=SMALL,
            source=(
                "Update ratio below which a step is too small to overshoot (see learning-rate- "
                "too-high)."
            ),
        ),
    ),
    measures=(
        Measure(
            "start_over_lowest_loss", "part of the start that chance may take off the lowest loss",
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
        "Look for a flipped sign: a score to maximise passed as a loss, gradients negated, "
        "a negative learning rate.",
        "Take one plain step by hand, w - 1e-4 * g, and see whether the loss falls.",
    ),
    experiment="one small step of plain gradient descent",
    falsified_by=(
        "A single small step of plain gradient descent on the same batch lowers the loss.",
    ),
    references=("Braiek & Khomh 2022, TheDeepChecker, TOSEM",
                "Zhang et al. 2020, Why are Adaptive Methods Good for Attention Models?, "
                "arXiv:1912.03194"),
)
