"""One step of a model that leaves no trace: outputs, loss and gradients at its present weights.

Keras' stateless scope holds whatever the step would assign (statistics of batch normalization,
seeds of dropout) apart from the model, and the gradients are taken with respect to copies. What a
custom layer draws from a global generator is put back afterward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import keras
import tensorflow as tf

from tb_convergence.training.keras import compat, layer_rows, own_step
from tb_convergence.training.keras.patching import patched


@dataclass(slots=True)
class Probe:
    """What one step showed.

    Attributes:
        loss: NaN where there is no target to compare with.
        prediction: as the model gives it; None if a train step of one's own is all there is.
        variables: that an optimizer is given.
        gradients: per variable; None if the loss does not depend on it. Empty where there is no
            loss to take them of.
        outputs: (label, layer, value) of every layer that computes, in the order of the calls.
    """

    prediction: Any
    loss: float = float("nan")
    variables: Sequence[Any] = ()
    gradients: Sequence[Any] = ()
    outputs: list[tuple[str, Any, Any]] = field(default_factory=list)


def probe(model: Any, x: Any, y: Any, sample_weight: Any) -> Probe:
    """One training step of `model` on a batch, without the update, and without a trace of it.

    A train step of the user's own is run as it is (see `own_step`).

    Raises:
        Exception: whatever the model or its loss raises on this batch.
    """
    if own_step.has_own_step(model):
        return _own(model, x, y, sample_weight)
    found = Probe(None, variables=list(model.trainable_variables))
    trained = list(model.trainable_variables)
    copies = [tf.identity(tf.convert_to_tensor(variable.value)) for variable in trained]
    others = [v for v in model.variables if not any(v is item for item in trained)]
    mapping = [*zip(trained, copies, strict=True), *((v, v.value) for v in others)]
    watching = patched(_watching(model, found.outputs))
    with compat.random_state_kept(), watching, tf.GradientTape() as tape:
        tape.watch(copies)
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            found.prediction = model(x, training=True)
            loss = None
            if y is not None:
                loss = model.compute_loss(
                    x=x, y=y, y_pred=found.prediction, sample_weight=sample_weight, training=True
                )
    if loss is not None:
        found.loss = float(loss)
        found.gradients = tape.gradient(loss, copies)
    return found


def _own(model: Any, x: Any, y: Any, sample_weight: Any) -> Probe:
    found = Probe(None)
    batch = keras.utils.pack_x_y_sample_weight(x, y, sample_weight)
    with compat.random_state_kept(), patched(_watching(model, found.outputs)):
        found.loss, found.variables, found.gradients = own_step.run(model, batch)
    with compat.random_state_kept(), suppress(Exception), keras.StatelessScope(
        state_mapping=[(v, v.value) for v in model.variables]
    ):
        found.prediction = model(x, training=False)  # a part of the model may be all it can call
    return found


def _watching(
    model: Any, outputs: list[tuple[str, Any, Any]]
) -> list[tuple[Any, str, Callable[..., Any]]]:
    """Patches that note what each layer returns, the first time it is called."""
    layers = layer_rows.units_of_model(model)
    labels: Mapping[int, str] = layer_rows.labels_of(layers)
    seen: set[int] = set()

    def watched(layer: Any) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            tensors = [item for item in tf.nest.flatten(result) if tf.is_tensor(item)]
            if tensors and id(layer) not in seen and tensors[0].dtype.is_floating:
                seen.add(id(layer))
                outputs.append((labels[id(layer)], layer, tensors[0]))
            return result

        return call

    return [(layer, "call", watched(layer)) for layer in layers if layer_rows.has_output(layer)]
