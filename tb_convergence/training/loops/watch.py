"""Observes one list of variables in a training loop that is not Keras' own.

It is the counterpart of `keras.observer`, with the same recorder around the update and the same
collector of records. The only difference: the user passes inputs, outputs, and activations as
arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from tb_convergence.core.schema import Row
from tb_convergence.training.host.collector import Collector
from tb_convergence.training.host.guard import UnsupportedError
from tb_convergence.training.instep import magnitudes, replicas, tables
from tb_convergence.training.instep.branches import reachable
from tb_convergence.training.instep.features import Features, is_feature
from tb_convergence.training.instep.gradients import Scaling, dense
from tb_convergence.training.instep.isolated_reads import isolated, isolated_later
from tb_convergence.training.instep.recorder import NEVER, SCOPE, Plan, Recorder, outside_of_trace
from tb_convergence.training.instep.reductions import Tensor, supported
from tb_convergence.training.instep.snapshot import Rows, Trace
from tb_convergence.training.keras import introspection, layer_rows
from tb_convergence.training.loops import host_callbacks, naming

Together = tuple[list[Any], Tensor | None, Tensor]
"""Gradients, loss and the table of all replicas: see `instep.replicas.summed`."""

TURNS_TO_LEARN: Final = 20
"""Turns after which a call of a nested function is taken to be one step if it always was."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the user passes about a step.

    Attributes:
        loss: scalar, or None.
        learning_rate: number or scalar, or None.
        features: structures of tensors `[B, ..., F]` by kind ("input", "target", "prediction").
        activations: layer outputs `[B, ..., U]` by name.
    """

    loss: Any = None
    learning_rate: Any = None
    features: Mapping[str, Any] = field(default_factory=dict)
    activations: Mapping[str, Any] = field(default_factory=dict)


class Watch:
    """Observes the updates of `variables`.

    Args:
        model: the model they belong to, or anything else.
        collect: makes the collector, given the first step and where to find the recorder.
        turn: what runs in the host's turn; given the collector and the number of steps made.
        guard: everything that runs later, at the host's turn, runs under it.

    Attributes:
        recorder: None until the first trace that records.
        replicas: how many make a step together.
        collector: reads it.
    """

    def __init__(
        self,
        model: Any,
        variables: Sequence[Any],
        first_step: int,
        collect: Callable[[int, Callable[[], Recorder | None]], Collector],
        turn: Callable[[Collector, int], None],
        guard: Callable[[Callable[[], Any]], Any],
        *,
        gradient_histograms: bool = False,
    ) -> None:
        self.recorder: Recorder | None = None
        self.replicas = 1
        self.collector = collect(first_step, lambda: self.recorder)
        self._model = model
        self._variables = list(variables)
        self._first_step = first_step
        self._turn = turn
        self._guard = guard
        self._gradient_histograms = gradient_histograms
        self._features = Features()
        self._outputs: dict[str, int] = {}
        self._called = False
        self._calls = 0
        self._single = True
        self._counted = first_step

    # ---- inside the step ------------------------------------------------------------------

    def before(
        self, optimizer: Any, gradients: Sequence[Any], shown: Shown, together: Together | None
    ) -> Plan | None:
        """In front of the update; None if this trace is not recorded.

        Args:
            together: what all replicas have, where there are several.
        """
        place = host_callbacks.here()
        keras_own = isinstance(optimizer, keras.optimizers.Optimizer) and not place.nested
        if keras_own and introspection.builds_variables(optimizer, self._variables):
            return None
        with tf.name_scope(SCOPE):
            if self.recorder is None:
                self.recorder = self._build(gradients, shown, place)
            if place.compiled and not self.recorder.compiled:
                raise UnsupportedError(
                    "one recorder in both an ordinary and a jit-compiled step; create one for each"
                )
            scaling = _scaling(optimizer, self._variables)
            trace = self._trace(shown)
            if together is None:
                gradients = [isolated(gradient) for gradient in gradients]
                loss = loss_of(shown)
                trace.loss = None if loss is None else isolated(loss)
            else:
                gradients, trace.loss, table = together
                trace.tables["replicas"] = lambda: table
            if self._gradient_histograms:
                trace.tables["magnitudes"] = lambda: magnitudes.table(gradients, scaling.factor)
            return self.recorder.before(
                trace,
                gradients,
                self._variables,
                lambda: _learning_rate(optimizer, shown.learning_rate),
                scaling,
            )

    def after(self, plan: Plan) -> None:
        """Behind the update. Also arranges that the host gets its turn."""
        recorder = self.recorder
        assert recorder is not None
        place = host_callbacks.here()
        with tf.name_scope(SCOPE):
            recorder.after(plan)
            if place.graph is None:
                self._now(1)
            elif place.nested and not place.compiled:
                coming = recorder.next.read_value()
                due = (coming == NEVER) | (coming == recorder.step.read_value())
                host_callbacks.inside(due, self._from_inside)
            else:
                self._single = self._single and not place.nested
                if not place.every_call(self._before_call):
                    raise UnsupportedError("this version of TensorFlow in a tf.function")

    def _build(
        self, gradients: Sequence[Any], shown: Shown, place: host_callbacks.Place
    ) -> Recorder:
        """Fix the rows by what the first trace shows."""
        outputs: list[Row] = []
        units: list[int | None] = []
        layers = _layers(self._model)
        for name, tensor in _activations(shown).items():
            row = layer_rows.output_row(name, layers.get(name), tensor.shape, tensor.dtype)
            counted = row.activation in tables.RELU_LIKE and len(row.shape) > 1
            self._outputs[name] = len(outputs)
            outputs.append(row)
            units.append(row.shape[-1] if counted and row.shape[-1] > 0 else None)
        features = self._features.fix(_tensors(shown))
        described = _variable_rows(self._model, self._variables)
        _, self.replicas = replicas.here()
        recorded = Rows(
            described, tuple(outputs), features, layer_rows.replica_rows(self.replicas),
            magnitudes=described if self._gradient_histograms else (),
        )
        present = [dense(gradient) is not None for gradient in gradients]
        return outside_of_trace(
            lambda: Recorder(recorded, present, units, self._first_step, place.compiled)
        )

    def _trace(self, shown: Shown) -> Trace:
        placed = self._features.placed(_tensors(shown))
        trace = Trace(features={first: isolated_later(tensor) for first, tensor in placed.items()})
        for name, tensor in _activations(shown).items():
            if name in self._outputs:
                trace.outputs[self._outputs[name]] = isolated_later(tensor)
        return trace

    # ---- the host's turn ------------------------------------------------------------------

    def _now(self, steps: int) -> None:
        self._turn(self.collector, steps)

    def _before_call(self) -> None:
        """Before a call of the compiled step: the previous one is over."""
        self._guard(self._look_back)

    def _look_back(self) -> None:
        if self._called:
            self._now(self._made())
        self._called = True

    def _made(self) -> int:
        """Steps that the previous call made: one, except where loops surround the step."""
        if self._single:
            return 1
        self._calls += 1
        steps = self._steps_since()
        self._single = self._calls >= TURNS_TO_LEARN and self._counted == (
            self._first_step + self._calls
        )
        return steps

    def _from_inside(self) -> None:
        self._guard(lambda: self._now(self._steps_since()))

    def _steps_since(self) -> int:
        assert self.recorder is not None
        now = int(self.recorder.step.numpy())
        steps, self._counted = now - self._counted, now
        return steps


def loss_of(shown: Shown) -> Tensor | None:
    """The loss as a scalar tensor; None if there is none."""
    loss: Any = None if shown.loss is None else tf.convert_to_tensor(shown.loss)
    usable = supported(loss) and reachable(loss) and loss.shape.rank == 0
    return loss if usable else None


def _layers(model: Any) -> dict[str, Any]:
    """Layers of a Keras model by the names that findings use."""
    found = layer_rows.units_of_model(model)
    labels = layer_rows.labels_of(found)
    return {labels[id(layer)]: layer for layer in found}


def _variable_rows(model: Any, variables: Sequence[Any]) -> tuple[Row, ...]:
    if isinstance(model, keras.Model):
        return layer_rows.variable_rows(model, variables)
    places = _attributes(model)
    return naming.rows_of(
        [
            (
                places.get(id(variable)) or getattr(variable, "path", None) or variable.name,
                tuple(int(extent) for extent in variable.shape),
                str(getattr(variable.dtype, "name", variable.dtype)),
            )
            for variable in variables
        ]
    )


def _attributes(module: Any) -> dict[int, str]:
    """Where a `tf.Module` keeps its variables, such as "encoder/w", by `id`.

    A person knows the attribute; the variable's own name is often just "Variable".
    """
    found: dict[int, str] = {}
    seen: set[int] = set()

    def walk(value: Any, path: tuple[str, ...]) -> None:
        if isinstance(value, tf.Variable):
            found.setdefault(id(value), "/".join(path))
        elif id(value) in seen:
            return
        elif isinstance(value, (list, tuple)):
            seen.add(id(value))
            for index, item in enumerate(value):
                walk(item, (*path, str(index)))
        elif isinstance(value, Mapping):
            seen.add(id(value))
            for key, item in value.items():
                walk(item, (*path, str(key)))
        elif isinstance(value, tf.Module) and not isinstance(value, keras.Layer):
            seen.add(id(value))
            for name, item in vars(value).items():
                if not name.startswith("_"):
                    walk(item, (*path, name))

    walk(module, ())
    return found


def _activations(shown: Shown) -> dict[str, Tensor]:
    found = {str(name): _tensor(value) for name, value in shown.activations.items()}
    return {
        name: value
        for name, value in found.items()
        if supported(value) and reachable(value) and value.shape.rank is not None
    }


def _tensors(shown: Shown) -> list[tuple[str, str, Tensor]]:
    """(name, kind, tensor) of inputs, targets and predictions."""
    return [
        (name, kind, tensor)
        for kind, structure in shown.features.items()
        if structure is not None
        for name, value in introspection.named(kind, structure, [])
        for tensor in [_tensor(value)]
        if is_feature(tensor)
    ]


def _tensor(value: Any) -> Any:
    """Arrays as tensors; everything else as it is."""
    return tf.convert_to_tensor(value) if isinstance(value, (np.ndarray, np.generic)) else value


def _learning_rate(optimizer: Any, given: Any) -> Tensor:
    rate = getattr(optimizer, "learning_rate", None) if given is None else given
    if rate is None or (callable(rate) and not tf.is_tensor(rate) and not hasattr(rate, "dtype")):
        return tf.constant(float("nan"))
    return tf.convert_to_tensor(rate)


def _scaling(optimizer: Any, variables: Sequence[Any]) -> Scaling:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        return introspection.scaling(optimizer, variables)
    return Scaling()


def iterations_of(optimizer: Any) -> int | None:
    """Number of updates that `optimizer` has made; None if it does not count them."""
    made = getattr(optimizer, "iterations", None)
    if made is None:
        return None
    return outside_of_trace(lambda: int(tf.convert_to_tensor(made).numpy()))
