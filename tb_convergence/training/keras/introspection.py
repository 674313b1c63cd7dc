"""Questions to Keras objects that its public interface answers only in part.

The private names behind some of the answers are in `compat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import tensorflow as tf

from tb_convergence.training.instep.gradients import Scaling
from tb_convergence.training.instep.reductions import Tensor
from tb_convergence.training.keras import compat


def iterations(optimizer: Any) -> int:
    """Updates an optimizer has made; 0 where there is none, or it does not count them."""
    found = getattr(optimizer, "iterations", None)
    return 0 if found is None else int(tf.convert_to_tensor(found).numpy())


def innermost(optimizer: Any) -> Any:
    """The optimizer that computes the updates, inside a loss-scaling one."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def returns_running_mean(model: Any) -> bool:
    """Whether the loss that the train function of `model` returns is Keras' mean since the epoch
    began; a step or a function of the model's own may return anything."""
    kind = type(model)
    own = (kind.train_step, kind.make_train_function)
    return own == (keras.Model.train_step, keras.Model.make_train_function)


def means(model: Any) -> list[float]:
    """What the metrics of `model` hold that are means since the epoch began."""
    return [
        float(metric.result()) for metric in model.metrics
        if isinstance(metric, keras.metrics.Mean)
    ]


def loss_means(model: Any) -> list[Any]:
    """The metrics of `model` that are means of a loss since the epoch began."""
    return [
        metric for metric in model.metrics
        if isinstance(metric, keras.metrics.Mean) and "loss" in str(metric.name).lower()
    ]


def counts(metrics: Sequence[Any]) -> dict[str, float]:
    """What means have counted, by name; without those that do not tell."""
    found: dict[str, float] = {}
    for metric in metrics:
        with suppress(Exception):
            found[str(metric.name)] = float(tf.convert_to_tensor(metric.count))
    return found


def batches_per_update(optimizer: Any) -> int:
    """How many batches' gradients are averaged for one update."""
    return int(getattr(innermost(optimizer), "gradient_accumulation_steps", None) or 1)


def applied(optimizer: Any) -> int | None:
    """How often the innermost optimizer was applied, to part of an update too; None if it does
    not count."""
    found = compat.applications(innermost(optimizer))
    return None if found is None else int(tf.convert_to_tensor(found).numpy())


def first_value(optimizer: Any, variable: Any) -> Tensor | None:
    """What a variable that an optimizer makes at its first step starts with; None if that is
    not known.

    Keras' optimizers start with zeros, except for sums of squares that start with
    `initial_accumulator_value`, and for a dynamic loss scale.
    """
    if type(optimizer).__module__.partition(".")[0] != "keras":
        return None
    name = str(variable.name)
    if name == "dynamic_scale":
        return tf.constant(optimizer.initial_scale, tf.float32)
    start = getattr(innermost(optimizer), "initial_accumulator_value", None)
    if start is not None:
        return None
    value = tf.convert_to_tensor(variable.value)
    return tf.zeros_like(value)


def skips_steps(optimizer: Any) -> bool:
    """Whether it leaves out steps with non-finite gradients, and does not count them."""
    return isinstance(optimizer, keras.optimizers.LossScaleOptimizer)


def learning_rate(optimizer: Any) -> Tensor:
    """The rate of the step that is being computed, as a tensor."""
    return tf.convert_to_tensor(optimizer.learning_rate)


def scaling(optimizer: Any, variables: Sequence[Any]) -> Scaling:
    """What `optimizer` does with gradients. To be asked before it is applied."""
    factor, skips = _factor(optimizer)
    inner = innermost(optimizer)
    batches = batches_per_update(optimizer)
    if batches == 1:
        return Scaling(factor, skips)
    count = tf.convert_to_tensor(compat.applications(inner))
    applies = tf.equal((count + 1) % batches, 0)
    if not inner.built:  # built by its first call, with sums of zero
        zeros = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
        return Scaling(factor, skips, batches, applies, zeros)
    sums = compat.accumulated_gradients(inner, variables)
    return Scaling(factor, skips, batches, applies, [tf.convert_to_tensor(s) for s in sums])


def _factor(optimizer: Any) -> tuple[Tensor | None, bool]:
    """(what gradients were multiplied by, whether steps with non-finite ones are skipped)."""
    if skips_steps(optimizer):
        if optimizer.built:
            return tf.convert_to_tensor(optimizer.dynamic_scale), True
        return tf.constant(optimizer.initial_scale, tf.float32), True
    factor = getattr(optimizer, "loss_scale_factor", None)
    return (None if factor is None else tf.constant(float(factor)), False)


def unscaled(optimizer: Any, gradient: Any) -> Any:
    """A gradient as it was before the loss was scaled for `optimizer`; None stays None."""
    factor, _ = _factor(optimizer)
    if gradient is None or factor is None:
        return gradient
    return tf.convert_to_tensor(gradient) / tf.cast(factor, gradient.dtype)


def names_of(tensors: Sequence[Any] | None) -> list[str]:
    """Names a user gave to a functional model's inputs; nothing where they are Keras' own."""
    names = [str(getattr(tensor, "name", "")) for tensor in tensors or ()]
    automatic = ("", "keras_tensor", "input_layer")
    return [] if any(name.rstrip("_0123456789") in automatic for name in names) else names


def input_names(model: Any) -> list[str]:
    """Names of the inputs of a functional model, where a user chose them."""
    return names_of(compat.named_inputs(model))


def output_names(model: Any) -> list[str]:
    """Names of the outputs of a functional model with several of them."""
    names = [str(name) for name in getattr(model, "output_names", None) or ()]
    return names if len(names) > 1 else []


def named(kind: str, tensors: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """Tensors of a structure with names: keys of a dict, else `names`, else numbers.

    >>> named("input", {"a": 1, "b": 2}, [])
    [('a', 1), ('b', 2)]
    >>> named("input", [1, 2], []), named("input", 1, [])
    ([('input_0', 1), ('input_1', 2)], [('input', 1)])
    """
    if isinstance(tensors, dict):
        return [(str(key), tensors[key]) for key in sorted(tensors, key=str)]
    flat = [item for item in tf.nest.flatten(tensors) if item is not None]
    if names and len(flat) == len(names):
        return list(zip(names, flat, strict=True))
    if len(flat) == 1:
        return [(kind, flat[0])]
    return [(f"{kind}_{index}", value) for index, value in enumerate(flat)]


def build_optimizer(model: Any) -> None:
    """Make the optimizer's variables now, if Keras' own train step is about to make the same.

    It would make them in its first trace, which TensorFlow then throws away to trace once more:
    half of the tracing is saved. A train step of the user's own may train other variables.
    """
    optimizer = model.optimizer
    if type(model).train_step is not keras.Model.train_step or not model.built:
        return
    if optimizer is None or model.distribute_strategy.num_replicas_in_sync > 1:
        return  # Keras itself builds it there
    if not optimizer.built:
        with keras.name_scope(optimizer.name, caller=optimizer):
            optimizer.build(model.trainable_variables)


def builds_variables(optimizer: Any, variables: Sequence[Any] | None) -> bool:
    """Build an optimizer that is not, as its first call would; whether that made variables.

    TensorFlow throws a trace that makes variables away and traces again: there is no use in
    building a recorder into it. An optimizer without a state makes none, and its first trace stays.
    """
    if variables is None or getattr(optimizer, "built", True) or tf.executing_eagerly():
        return False
    before = len(optimizer.variables)
    with keras.name_scope(optimizer.name, caller=optimizer):
        optimizer.build(variables)
    return len(optimizer.variables) > before


def adds_regularization(model: Any) -> bool:
    """Whether Keras' own code makes the model's loss, and tells what it adds to that of the data.

    A train step that calls `compute_loss` twice, or one of the user's own, does not tell.
    """
    own = type(model).compute_loss is keras.Model.compute_loss
    usual = type(model).train_step is keras.Model.train_step
    return own and usual and compat.additional_losses(model) is not None
