"""The catalogue of diagnoses: one file per rule, one line per rule here.

Within each kind the order is that of the catalogue, not of importance: the engine ranks.
"""

from __future__ import annotations

from typing import Final

from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.rules import (
    dead_relu,
    exploding_gradient,
    learning_rate_too_high,
    learning_rate_too_low,
    loss_divergence,
    loss_not_decreasing,
    non_finite_input,
    non_finite_values,
    overfitting,
    saturated_activation,
    unnormalized_input,
    vanishing_gradient,
    wrong_hidden_activation,
    zero_gradient,
)

RULES: Final[tuple[Rule, ...]] = (
    learning_rate_too_high.RULE,
    learning_rate_too_low.RULE,
    unnormalized_input.RULE,
    non_finite_input.RULE,
    wrong_hidden_activation.RULE,
    dead_relu.RULE,
    non_finite_values.RULE,
    loss_not_decreasing.RULE,
    loss_divergence.RULE,
    overfitting.RULE,
    exploding_gradient.RULE,
    vanishing_gradient.RULE,
    zero_gradient.RULE,
    saturated_activation.RULE,
)
