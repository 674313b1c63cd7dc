"""Watches the train step while it is traced: what it computes, and where the recorder goes in.

The first trace fixes the rows. A later one (another batch shape) records into the same rows; what
it does not show is NaN there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tb_convergence.core.schema import Row
from tb_convergence.training import keras_model, rows, tables
from tb_convergence.training.aside import aside
from tb_convergence.training.features import Features, is_feature
from tb_convergence.training.gradients import dense
from tb_convergence.training.recorder import SCOPE, Plan, Recorder, outside_of_trace
from tb_convergence.training.reductions import supported
from tb_convergence.training.snapshot import Rows, Trace

Guard = Callable[[Callable[[], Any]], Any]
"""Calls an action; None, and no more recording, if that raises."""

Patch = tuple[Any, str, Any]


class _Seen:
    """What the trace in progress has shown so far."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.loss: Any = None
        self.batch: dict[str, Any] = {}
        self.outputs: dict[int, tuple[str, Any, Any]] = {}
        """(label, layer, tensor) by id of the layer, in the order of the calls."""


class Observer:
    """Builds the recorder into the train step of `model`.

    Args:
        first_step: number of the first step.
        guard: everything of ours that may fail runs under it; the user's own code does not.

    Attributes:
        recorder: None until the first trace has reached the optimizer.
    """

    def __init__(
        self, model: Any, first_step: int, guard: Guard, *, activations: bool, inputs: bool
    ) -> None:
        self.recorder: Recorder | None = None
        self._model = model
        self._first_step = first_step
        self._guard = guard
        self._activations = activations
        self._inputs = inputs
        self._variables: list[Any] = []
        self._layers: list[Any] = []
        self._features = Features()

    def patches(self, data: Any) -> list[Patch]:
        """What to replace while the original train step runs on `data`."""
        model, seen = self._model, _Seen(data)
        patches = [
            (model, "compute_loss", self._loss_hook(model.compute_loss, seen)),
            (model.optimizer, "apply", self._apply_hook(model.optimizer, seen)),
        ]
        if self._activations:
            layers = rows.units_of_model(model)
            labels = rows.labels_of(layers)
            patches += [
                (layer, "call", self._call_hook(layer, labels[id(layer)], seen))
                for layer in layers
                if rows.has_output(layer)
            ]
        return patches

    # ---- hooks: the original's arguments, result and exceptions pass through unchanged ----

    def _loss_hook(self, original: Callable[..., Any], seen: _Seen) -> Callable[..., Any]:
        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            seen.batch.update(zip(("x", "y", "y_pred"), args, strict=False))
            seen.batch.update(kwargs)
            seen.loss = loss
            return loss

        return compute_loss

    def _call_hook(self, layer: Any, label: str, seen: _Seen) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if id(layer) not in seen.outputs:  # of a layer used several times, the first use
                self._guard(lambda: _note_output(seen, layer, label, result))
            return result

        return call

    def _apply_hook(self, optimizer: Any, seen: _Seen) -> Callable[..., Any]:
        original = optimizer.apply

        def apply(grads: Any, trainable_variables: Any = None, **kwargs: Any) -> Any:
            grads = list(grads)
            if trainable_variables is not None:
                trainable_variables = list(trainable_variables)
            plan = self._guard(lambda: self._before(optimizer, seen, grads, trainable_variables))
            result = original(grads, trainable_variables, **kwargs)
            if plan is not None:
                self._guard(lambda: self._after(plan))
            return result

        return apply

    # ---- around the optimizer -------------------------------------------------------------

    def _before(
        self,
        optimizer: Any,
        seen: _Seen,
        gradients: Sequence[Any],
        variables: Sequence[Any] | None,
    ) -> Plan | None:
        if keras_model.builds_variables(optimizer, variables):
            return None
        if variables is None:
            variables = optimizer._trainable_variables
        with tf.name_scope(SCOPE):
            if self.recorder is None:
                self.recorder = self._build(gradients, variables, seen)
            if [id(variable) for variable in variables] != [id(v) for v in self._variables]:
                return None  # another optimizer step of the same train step
            return self.recorder.before(
                self._trace(seen),
                [aside(gradient) for gradient in gradients],
                variables,
                lambda: keras_model.learning_rate(optimizer),
                keras_model.scaling(optimizer, variables),
            )

    def _after(self, plan: Plan) -> None:
        assert self.recorder is not None
        with tf.name_scope(SCOPE):
            self.recorder.after(plan)

    def _build(self, gradients: Sequence[Any], variables: Sequence[Any], seen: _Seen) -> Recorder:
        """Fix the rows by what the first trace shows."""
        outputs: list[Row] = []
        units: list[int | None] = []
        for label, layer, tensor in seen.outputs.values():
            row = rows.output_row(label, layer, tensor.shape, tensor.dtype)
            counted = row.activation in tables.RELU_LIKE and len(row.shape) > 1
            self._layers.append(layer)
            outputs.append(row)
            units.append(row.shape[-1] if counted and row.shape[-1] > 0 else None)
        features = self._features.fix(self._tensors(seen))
        self._variables = list(variables)
        described = rows.variable_rows(self._model, variables)
        recorded = Rows(described, tuple(outputs), features)
        present = [dense(gradient) is not None for gradient in gradients]
        compiled = bool(self._model.jit_compile)
        return outside_of_trace(
            lambda: Recorder(recorded, present, units, self._first_step, compiled)
        )

    def _trace(self, seen: _Seen) -> Trace:
        """What this trace showed, by the rows of the first one."""
        trace = Trace()
        loss = seen.loss
        if supported(loss) and keras_model.reachable(loss) and loss.shape.rank == 0:
            trace.loss = aside(loss)
        for index, layer in enumerate(self._layers):
            if id(layer) in seen.outputs and keras_model.reachable(seen.outputs[id(layer)][2]):
                trace.outputs[index] = aside(seen.outputs[id(layer)][2])
        placed = self._features.placed(self._tensors(seen))
        trace.features.update({first: aside(tensor) for first, tensor in placed.items()})
        return trace

    def _tensors(self, seen: _Seen) -> list[tuple[str, str, Any]]:
        """(name, kind, tensor) of inputs, targets and predictions."""
        if not self._inputs:
            return []
        batch = seen.batch or dict(
            zip(("x", "y"), keras.utils.unpack_x_y_sample_weight(seen.data), strict=False)
        )
        outputs = keras_model.output_names(self._model)
        groups = (
            ("input", "x", keras_model.input_names(self._model)),
            ("target", "y", outputs),
            ("prediction", "y_pred", outputs),
        )
        return [
            (name, kind, tensor)
            for kind, key, names in groups
            if batch.get(key) is not None
            for name, tensor in keras_model.named(kind, batch[key], names)
            if is_feature(tensor)
        ]


def _note_output(seen: _Seen, layer: Any, label: str, result: Any) -> None:
    tensors = [item for item in tf.nest.flatten(result) if supported(item)]
    if tensors and keras_model.reachable(tensors[0]):
        seen.outputs[id(layer)] = (label, layer, tensors[0])
