"""One training under observation: hooks, recorder, cadence and event file, put together.

What happens inside the compiled step is in `recorder`; here is what happens around it, in Python.
Between records that is two comparisons and a clock reading: the host knows when a record is due
because it scheduled it, and reads the device only then, and once a second for the one record it
cannot foresee, that of the first non-finite step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.core import statistics
from tb_convergence.core.schema import Row
from tb_convergence.training import recorder as device
from tb_convergence.training import rows as describe_rows
from tb_convergence.training import tables
from tb_convergence.training.cadence import Cadence
from tb_convergence.training.hooks import TrainFunction, patched
from tb_convergence.training.reductions import supported
from tb_convergence.training.writer import Channel, RunWriter, channel

LOOK_SECONDS: Final = 1.0
"""How often the device is asked for a record nobody scheduled."""

MAX_FEATURE_ROWS: Final = 1024
"""Rows of the group "inputs"; tensors that do not fit are left out."""


class Session:
    """Observes one `fit`. Every method may raise; the callback turns that into "disabled"."""

    def __init__(
        self,
        model: Any,
        writer: RunWriter,
        cadence: Cadence,
        *,
        activations: bool,
        inputs: bool,
        guard: Callable[[Callable[[], Any]], Any],
    ) -> None:
        self._model = model
        self._writer = writer
        self._cadence = cadence
        self._activations = activations
        self._inputs = inputs
        self._guard = guard
        self._recorder: device.Recorder | None = None
        self._variables: tuple[int, ...] = ()
        self._rows: device.Rows | None = None
        self._layers: list[tuple[str, Any]] = []
        self._features: dict[tuple[str, str], tuple[int, int]] = {}
        self._channels: dict[str, Channel] = {}
        self._first_step = _iterations(model)
        self._host_step = self._first_step
        self._due = self._first_step
        self._last_end: float | None = None
        self._last_look = 0.0
        self._trace: device.Trace | None = None
        self._train = TrainFunction(model, self._step, self._around)

    # ---- inside the trace -----------------------------------------------------------------

    def _step(self, original: Callable[[Any], Any], data: Any) -> Any:
        """The observed `train_step`: the original one between patches."""
        patches = self._guard(lambda: self._patches(data))
        if patches is None:
            return original(data)
        with patched(patches):
            return original(data)

    def _patches(self, data: Any) -> list[tuple[Any, str, Any]]:
        model = self._model
        trace = self._trace = device.Trace()
        seen: dict[str, Any] = {"outputs": {}, "data": data, "loss": None}
        patches = [
            (model, "compute_loss", self._loss_hook(model.compute_loss, seen)),
            (model.optimizer, "apply", self._apply_hook(model.optimizer, trace, seen)),
        ]
        if self._activations:
            layers = describe_rows.units_of_model(model)
            labels = describe_rows.labels_of(layers)
            patches += [
                (layer, "call", self._call_hook(layer, labels[id(layer)], seen))
                for layer in layers
                if _has_output(layer)
            ]
        return patches

    @staticmethod
    def _loss_hook(original: Callable[..., Any], seen: dict[str, Any]) -> Callable[..., Any]:
        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            names = ("x", "y", "y_pred")
            seen.update(zip(names, args, strict=False))
            seen.update({name: kwargs[name] for name in names if name in kwargs})
            seen["loss"] = loss
            return loss

        return compute_loss

    @staticmethod
    def _call_hook(layer: Any, label: str, seen: dict[str, Any]) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if id(layer) not in seen["outputs"]:  # of a shared layer, the first use
                tensors = [item for item in tf.nest.flatten(result) if supported(item)]
                if tensors and _reachable(tensors[0]):
                    seen["outputs"][id(layer)] = (label, layer, tensors[0])
            return result

        return call

    def _apply_hook(
        self, optimizer: Any, trace: device.Trace, seen: dict[str, Any]
    ) -> Callable[..., Any]:
        original = optimizer.apply

        def apply(grads: Any, trainable_variables: Any = None, *args: Any, **kwargs: Any) -> Any:
            grads = list(grads)
            variables = (
                None if trainable_variables is None else list(trainable_variables)
            )
            plan = self._guard(lambda: self._before(optimizer, trace, seen, grads, variables))
            result = original(grads, variables, *args, **kwargs)
            if plan is not None:
                self._guard(lambda: self._after(plan))
            return result

        return apply

    def _before(
        self,
        optimizer: Any,
        trace: device.Trace,
        seen: dict[str, Any],
        gradients: Sequence[Any],
        variables: Sequence[Any] | None,
    ) -> device.Plan | None:
        if variables is None:
            variables = optimizer._trainable_variables
        with tf.name_scope("tb_convergence"):
            if self._recorder is None:
                self._recorder = self._build(gradients, variables, seen)
            if tuple(id(variable) for variable in variables) != self._variables:
                return None
            self._collect(trace, seen)
            scale, dynamic = _scale(optimizer)
            return self._recorder.before(
                trace, gradients, variables, lambda: _rate(optimizer), scale, dynamic
            )

    def _after(self, plan: device.Plan) -> None:
        with tf.name_scope("tb_convergence"):
            if self._recorder is not None:
                self._recorder.after(plan)

    def _build(
        self, gradients: Sequence[Any], variables: Sequence[Any], seen: dict[str, Any]
    ) -> device.Recorder:
        """Fix the rows from what the first trace shows."""
        outputs, units = [], []
        for label, layer, tensor in seen["outputs"].values():
            row = describe_rows.output_row(label, layer, tensor.shape, tensor.dtype)
            self._layers.append((label, layer))
            outputs.append(row)
            countable = row.activation in tables.RELU_LIKE and len(row.shape) > 1
            units.append(row.shape[-1] if countable and row.shape[-1] > 0 else None)
        features: list[Row] = []
        for name, kind, tensor in self._tensors(seen):
            found = describe_rows.feature_rows(
                name, kind, tensor.shape, tensor.dtype, tables.FEATURE_GROUPS
            )
            if len(features) + len(found) <= MAX_FEATURE_ROWS:
                self._features[name, kind] = (len(features), len(found))
                features += found
        self._variables = tuple(id(variable) for variable in variables)
        self._rows = device.Rows(
            describe_rows.variable_rows(self._model, variables), tuple(outputs), tuple(features)
        )
        present = [tables.gradient_tensor(gradient)[0] is not None for gradient in gradients]
        self._channels = {
            group: channel(group, self._rows.of(group), statistics.columns(group))  # type: ignore[arg-type]
            for group in device.GROUPS
            if self._rows.of(group)
        }
        return device.Recorder(
            self._rows, present, units, self._first_step, bool(self._model.jit_compile)
        )

    def _collect(self, trace: device.Trace, seen: dict[str, Any]) -> None:
        """Sort what this trace showed into the rows of the first one."""
        loss = seen["loss"]
        if loss is not None and _reachable(loss) and loss.shape.rank == 0:
            trace.loss = loss
        places = {(label, id(layer)): index for index, (label, layer) in enumerate(self._layers)}
        for label, layer, tensor in seen["outputs"].values():
            index = places.get((label, id(layer)))
            if index is not None:
                trace.outputs[index] = tensor
        for name, kind, tensor in self._tensors(seen):
            first, count = self._features.get((name, kind), (0, 0))
            found = describe_rows.feature_rows(
                name, kind, tensor.shape, tensor.dtype, tables.FEATURE_GROUPS
            )
            if len(found) == count:
                trace.features[first] = tensor

    def _tensors(self, seen: dict[str, Any]) -> list[tuple[str, str, Any]]:
        """(name, kind, tensor) of inputs, targets and predictions."""
        if not self._inputs:
            return []
        x, y = seen.get("x"), seen.get("y")
        if x is None:
            x, y, _ = keras.utils.unpack_x_y_sample_weight(seen["data"])
        groups = (
            ("input", x, _names(self._model, "inputs")),
            ("target", y, _names(self._model, "outputs")),
            ("prediction", seen.get("y_pred"), _names(self._model, "outputs")),
        )
        found = []
        for kind, tensors, names in groups:
            for name, tensor in _named(kind, tensors, names):
                if supported(tensor) and _reachable(tensor) and tensor.shape.rank is not None:
                    if tensor.shape.rank < 2 or tensor.shape[-1]:
                        found.append((name, kind, tensor))
        return found

    # ---- around the compiled step ---------------------------------------------------------

    def _around(self, inner: Callable[[Any], Any], iterator: Any) -> Any:
        result = inner(iterator)
        self._guard(self._look)
        return result

    def _look(self) -> None:
        """After a call of the train function: read a record if there may be one."""
        now = time.perf_counter()
        self._host_step += int(self._model.steps_per_execution)
        period = None if self._last_end is None else now - self._last_end
        if self._host_step > self._due:
            self._last_look = now
            recorded = self._read()
            now = time.perf_counter()
            if recorded and self._last_end is not None:
                usual = self._cadence.step_seconds or 0.0
                self._cadence.saw_record(now - self._last_end - usual)
        else:
            if period is not None:
                self._cadence.saw_step(period)
            if now - self._last_look > LOOK_SECONDS:
                self._last_look = now
                self._read()
                now = time.perf_counter()
        self._last_end = now

    def _read(self) -> bool:
        """Fetch and write the records that wait on the device; whether a scheduled one did."""
        recorder = self._recorder
        if recorder is None:
            return False
        marks = recorder.marks.numpy()
        waiting = [(int(marks[slot]), slot) for slot in (0, 1) if marks[slot] >= 0]
        if not waiting:
            self._host_step = int(recorder.step.numpy())
            return False
        slots = recorder.mailbox.numpy()
        wall_time = time.time()
        for step, slot in sorted(waiting):
            self._write(slots[slot], step, wall_time)
        recorder.marks.assign([-1, -1, int(marks[2]), int(marks[3])])
        last = max(step for step, _ in waiting)
        self._host_step = max(last + 1, int(recorder.step.numpy()))
        if int(recorder.next.numpy()) == device.NEVER:
            self._due = max(self._cadence.next_step(last), self._host_step)
            recorder.next.assign(self._due)
            return True
        return False

    def _write(self, vector: Any, step: int, wall_time: float) -> None:
        assert self._recorder is not None
        position = 0
        for group in device.GROUPS:
            height, width = self._recorder.shapes[group]
            values = np.asarray(vector[position : position + height * width], np.float32)
            position += height * width
            if group in self._channels:
                table = values.reshape(height, width)
                self._writer.table(self._channels[group], table, step, wall_time)

    def finish(self) -> None:
        """Write what still waits, and leave the model as it was."""
        try:
            self._read()
        finally:
            self._train.restore()

    def restore(self) -> None:
        """Leave the model as it was."""
        self._train.restore()

    @property
    def last_step(self) -> int:
        """The last step that was run; one less than the first before any was."""
        if self._recorder is None:
            return self._first_step - 1
        return int(self._recorder.step.numpy()) - 1


def _iterations(model: Any) -> int:
    try:
        return int(model.optimizer.iterations.numpy())
    except Exception:  # an optimizer of another make counts nothing we know
        return 0


def _has_output(layer: Any) -> bool:
    """Whether a layer's output tells something: it computes with variables or an activation."""
    kind = type(layer).__name__
    return kind != "InputLayer" and bool(
        getattr(layer, "weights", ()) or describe_rows.activation_of(layer)
    )


def _reachable(tensor: Any) -> bool:
    """Whether `tensor` may be used where we are: not one of a loop's or a branch's own."""
    graph = getattr(tensor, "graph", None) if not isinstance(tensor, _eager_type()) else None
    if graph is None:
        return True
    current = tf.compat.v1.get_default_graph()
    while current is not None:
        if current is graph:
            return True
        current = getattr(current, "outer_graph", None)
    return False


def _eager_type() -> Any:
    return type(tf.constant(0)) if tf.executing_eagerly() else ()


def _rate(optimizer: Any) -> Any:
    return tf.convert_to_tensor(optimizer.learning_rate)


def _scale(optimizer: Any) -> tuple[Any, bool]:
    """(factor that gradients were multiplied by or None, whether bad steps are skipped)."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        if optimizer.built:
            return tf.convert_to_tensor(optimizer.dynamic_scale), True
        return tf.constant(optimizer.initial_scale, tf.float32), True
    factor = getattr(optimizer, "loss_scale_factor", None)
    return (None, False) if factor is None else (tf.constant(float(factor)), False)


def _names(model: Any, which: str) -> list[str]:
    """Names of a functional model's inputs or outputs; nothing for others."""
    try:
        if which == "outputs":
            return [str(name) for name in model.output_names]
        return [str(tensor.name) for tensor in model.inputs]
    except Exception:
        return []


def _named(kind: str, tensors: Any, names: Sequence[str]) -> list[tuple[str, Any]]:
    """Tensors of a structure with names: keys of a dict, else the model's, else numbered."""
    if tensors is None:
        return []
    if isinstance(tensors, dict):
        return [(str(key), value) for key, value in tensors.items()]
    flat = [item for item in tf.nest.flatten(tensors) if item is not None]
    if len(flat) == len(names):
        return list(zip(names, flat, strict=True))
    if len(flat) == 1:
        return [(kind, flat[0])]
    return [(f"{kind}_{index}", value) for index, value in enumerate(flat)]
