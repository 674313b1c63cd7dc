"""The catalogue of diagnoses: one file per rule, one line per rule here.

Importing it checks every id that a rule names; a wrong one raises `CatalogueError`.

Within each kind the order is that of the catalogue, not of importance: the engine ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tb_convergence.core.diagnosis.catalogue import catalogue
from tb_convergence.core.diagnosis.rule import Rule
from tb_convergence.core.rules import (
    batch_norm_masks_gradients,
    batch_norm_statistics,
    class_imbalance,
    clipping_hides_learning_rate,
    constant_loss,
    constant_output,
    dead_relu,
    discriminator_wins,
    exploding_gradient,
    frozen_variable,
    index_out_of_range,
    insufficient_capacity,
    learning_rate_too_high,
    learning_rate_too_low,
    loss_divergence,
    loss_not_decreasing,
    loss_oscillation,
    loss_spike,
    never_updated,
    non_finite_input,
    non_finite_values,
    nothing_trainable,
    optimizer_mismatch,
    over_regularization,
    overfitting,
    poor_initialization,
    reward_collapse,
    saturated_activation,
    too_deep_without_skip,
    too_few_steps,
    underfitting,
    unnormalized_input,
    unscaled_target,
    unshuffled_batches,
    update_ratio_out_of_range,
    vanishing_gradient,
    wrong_hidden_activation,
    wrong_labels,
    wrong_loss,
    wrong_output_activation,
    zero_gradient,
)

RULES: Final[tuple[Rule, ...]] = catalogue((
    learning_rate_too_high.RULE,
    learning_rate_too_low.RULE,
    clipping_hides_learning_rate.RULE,
    unnormalized_input.RULE,
    non_finite_input.RULE,
    index_out_of_range.RULE,
    nothing_trainable.RULE,
    never_updated.RULE,
    constant_loss.RULE,
    unscaled_target.RULE,
    class_imbalance.RULE,
    unshuffled_batches.RULE,
    wrong_output_activation.RULE,
    wrong_loss.RULE,
    wrong_hidden_activation.RULE,
    dead_relu.RULE,
    poor_initialization.RULE,
    over_regularization.RULE,
    too_deep_without_skip.RULE,
    insufficient_capacity.RULE,
    too_few_steps.RULE,
    optimizer_mismatch.RULE,
    wrong_labels.RULE,  # after the others: it fires only if nothing else is wrong
    batch_norm_statistics.RULE,
    batch_norm_masks_gradients.RULE,
    non_finite_values.RULE,
    loss_not_decreasing.RULE,
    loss_divergence.RULE,
    loss_spike.RULE,
    loss_oscillation.RULE,
    underfitting.RULE,
    overfitting.RULE,
    exploding_gradient.RULE,
    vanishing_gradient.RULE,
    zero_gradient.RULE,
    saturated_activation.RULE,
    constant_output.RULE,
    frozen_variable.RULE,
    update_ratio_out_of_range.RULE,
    reward_collapse.RULE,
    discriminator_wins.RULE,
))
"""Our own rules."""

_ADDED: Final[list[Rule]] = []


def in_force() -> tuple[Rule, ...]:
    """Our rules, then those that were added to this process."""
    return (*RULES, *_ADDED)


def add(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """Add rules from outside to this process: all of them, or none.

    Raises:
        CatalogueError: as `catalogue`.
    """
    checked = catalogue(rules, beside=in_force())
    _ADDED.extend(checked)
    return checked
