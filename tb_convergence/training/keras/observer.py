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
from tb_convergence.training.instep import labels, magnitudes, replicas, tables
from tb_convergence.training.instep.branches import reachable
from tb_convergence.training.instep.features import Features, is_feature
from tb_convergence.training.instep.gradients import dense
from tb_convergence.training.instep.isolated_reads import isolated, isolated_later
from tb_convergence.training.instep.recorder import SCOPE, Plan, Recorder, outside_of_trace
from tb_convergence.training.instep.reductions import supported
from tb_convergence.training.instep.snapshot import Rows, Trace
from tb_convergence.training.keras import compat, introspection, layer_rows
from tb_convergence.training.keras.clipping import clipping_of
from tb_convergence.training.keras.introspection import builds_variables
from tb_convergence.training.keras.sites import (
    MAX_SITES,
    Site,
    name_of,
    optimizers_of,
    owned_by_others,
)

Guard = Callable[[Callable[[], Any]], Any]
"""Calls an action; None, and no more recording, if that raises."""

Patch = tuple[Any, str, Any]


class Seen:
    """What the current trace has shown so far, in one replica."""

    def __init__(self, data: Any) -> None:
        self.data = data
        self.loss: Any = None
        self.batch: dict[str, Any] = {}
        self.outputs: dict[int, tuple[str, Any, Any]] = {}
        """(label, layer, tensor) by id of the layer, in the order of the calls."""
        self.targets: list[tuple[Any, set[int]]] = []
        """What gradients were taken of, and the ids of what they were taken for."""
        self.regularization: list[Any] = []
        """What was added to the loss of the data: regularizers, add_loss."""
        self.calls = 0
        """Calls of optimizers."""


class Observer:
    """Builds a recorder into each optimizer call of the train step of `model`.

    Args:
        guard: everything of ours that may fail runs under it; the user's own code does not.
        first_step: number of the next step of an optimizer; called eagerly.

    Attributes:
        sites: where optimizers are called, in the order of the first trace.
    """

    def __init__(
        self,
        model: Any,
        guard: Guard,
        first_step: Callable[[Any], int],
        *,
        activations: bool,
        inputs: bool,
        gradient_histograms: bool,
    ) -> None:
        self.sites: list[Site] = []
        self._model = model
        self._guard = guard
        self._first_step = first_step
        self._activations = activations
        self._inputs = inputs
        self._gradient_histograms = gradient_histograms
        self._features = Features()
        self._optimizers = optimizers_of(model)
        self._adds_regularization = introspection.adds_regularization(model)
        self._seen: dict[int, Seen] = {}
        self._recorded: list[bool] = []

    def patches(self, data: Any) -> list[Patch]:
        """What to replace while the original train step runs on `data`.

        Replicas are traced in turns, the first one first and last: its patches serve them all.
        """
        replica, _ = replicas.here()
        self._seen[replica] = Seen(data)
        if replica:
            return []
        self._recorded = []
        for site in self.sites:
            site.calls = 0
        model = self._model
        patches = [(model, "compute_loss", self._loss_hook(model.compute_loss))]
        patches += [(item, "apply", self._apply_hook(item)) for item in self._optimizers]
        if self._adds_regularization:
            hook = self._regularization_hook(compat.additional_losses(model))
            patches.append((model, compat.ADDITIONAL_LOSSES, hook))
        if type(model).train_step is not keras.Model.train_step:
            # A step of the user's own need not call compute_loss; it takes gradients in any case.
            patches.append((tf.GradientTape, "gradient", self._tape_hook))
        if self._activations:
            layers = layer_rows.units_of_model(model)
            names = layer_rows.labels_of(layers)
            patches += [
                (layer, "call", self._call_hook(layer, names[id(layer)]))
                for layer in layers
                if layer_rows.has_output(layer)
            ]
        return patches

    def _here(self) -> Seen:
        return self._seen[replicas.here()[0]]

    # ---- hooks: the original's arguments, result and exceptions pass through unchanged ----

    def _loss_hook(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def compute_loss(*args: Any, **kwargs: Any) -> Any:
            loss = original(*args, **kwargs)
            self._guard(lambda: self._note_loss(loss, args, kwargs))
            return loss

        return compute_loss

    def _regularization_hook(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def aggregate(*args: Any, **kwargs: Any) -> Any:
            found = original(*args, **kwargs)
            self._guard(lambda: self._here().regularization.append(found))
            return found

        return aggregate

    def _note_loss(self, loss: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen = self._here()
        seen.batch.update(zip(("x", "y", "y_pred"), args, strict=False))
        seen.batch.update(kwargs)
        seen.loss = loss

    def _tape_hook(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def gradient(tape: Any, target: Any, sources: Any, *args: Any, **kwargs: Any) -> Any:
            found = original(tape, target, sources, *args, **kwargs)
            self._guard(lambda: self._note_target(target, sources))
            return found

        return gradient

    def _note_target(self, target: Any, sources: Any) -> None:
        self._here().targets.append((target, {id(item) for item in keras.tree.flatten(sources)}))

    def _call_hook(self, layer: Any, label: str) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            self._guard(lambda: self._note_output(layer, label, result))
            return result

        return call

    def _note_output(self, layer: Any, label: str, result: Any) -> None:
        seen = self._here()
        if id(layer) in seen.outputs:  # of a layer used several times, the first use
            return
        tensors = [item for item in tf.nest.flatten(result) if supported(item)]
        if tensors and reachable(tensors[0]):
            seen.outputs[id(layer)] = (label, layer, tensors[0])

    def _apply_hook(self, optimizer: Any) -> Callable[..., Any]:
        original = optimizer.apply

        def apply(grads: Any, trainable_variables: Any = None, **kwargs: Any) -> Any:
            grads = list(grads)
            if trainable_variables is not None:
                trainable_variables = list(trainable_variables)
            plan = self._guard(lambda: self._before(optimizer, grads, trainable_variables))
            result = original(grads, trainable_variables, **kwargs)
            if plan is not None:
                self._guard(lambda: self._after(*plan))
            return result

        return apply

    # ---- around the optimizer -------------------------------------------------------------

    def _before(
        self, optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any] | None
    ) -> tuple[Site, Plan, Any] | None:
        replica, count = replicas.here()
        seen = self._seen[replica]
        if not replica:
            ready = optimizer.built if count > 1 else not builds_variables(optimizer, variables)
            self._recorded.append(ready)
        seen.calls += 1
        if not self._recorded[seen.calls - 1]:
            return None
        if variables is None:
            variables = compat.own_trainable_variables(optimizer)
        scaling = introspection.scaling(optimizer, variables)
        with tf.name_scope(SCOPE):
            loss, table = self._loss(seen, variables, scaling.factor), None
            if count == 1:
                gradients = [isolated(gradient) for gradient in gradients]
            else:
                gradients, loss, table = replicas.summed(gradients, loss)
            if replica:
                return None
            site = self._site(optimizer, gradients, variables, seen, count)
            if site is None or site.recorder is None:
                return None
            site.calls += 1
            trace = self._trace(site, seen)
            trace.loss = loss
            if table is not None:
                trace.tables["replicas"] = lambda: table
            if self._gradient_histograms:
                trace.tables["magnitudes"] = lambda: magnitudes.table(gradients, scaling.factor)
            regularization = self._regularization(seen) if count == 1 else None
            if loss is not None and regularization is not None:
                trace.run.update(self._split(loss, regularization))
            plan = site.recorder.before(
                trace, gradients, variables, lambda: introspection.learning_rate(optimizer), scaling
            )
            return site, plan, None if site.clipping is None else site.clipping.before(plan)

    @staticmethod
    def _after(site: Site, plan: Plan, clips: Any) -> None:
        assert site.recorder is not None
        with tf.name_scope(SCOPE):
            site.recorder.after(plan)
            if site.clipping is not None:
                site.clipping.after(clips, plan, site.recorder)

    def _site(
        self,
        optimizer: Any,
        gradients: Sequence[Any],
        variables: Sequence[Any],
        seen: Seen,
        count: int,
    ) -> Site | None:
        for site in self.sites:
            if site.is_for(optimizer, variables):
                return site
        if len(self.sites) == MAX_SITES:
            return None
        taken = [site.name for site in self.sites]
        first_step, applied = outside_of_trace(
            lambda: (self._first_step(optimizer), introspection.applied(optimizer))
        )
        name = name_of(self._model, optimizer, variables, taken)
        site = Site(name, optimizer, variables, first_step, applied)
        self._build(site, gradients, seen, count)
        if count == 1:  # Keras clips in each replica, before the sum that is recorded
            site.clipping = clipping_of(optimizer)
        self.sites.append(site)
        return site

    def _build(self, site: Site, gradients: Sequence[Any], seen: Seen, count: int) -> None:
        """Give `site` its recorder."""
        recorded, units = self._rows(site, seen, count)
        present = [dense(gradient) is not None for gradient in gradients]
        compiled = bool(self._model.jit_compile)
        site.recorder = outside_of_trace(
            lambda: Recorder(recorded, present, units, site.first_step, compiled)
        )

    def _rows(self, site: Site, seen: Seen, count: int) -> tuple[Rows, list[int | None]]:
        """Fix the rows by what the first trace shows; and the units of each layer to count."""
        outputs: list[Row] = []
        units: list[int | None] = []
        for label, layer, tensor in seen.outputs.values():
            if owned_by_others(layer, site.variables, self._optimizers):
                continue
            row = layer_rows.output_row(label, layer, tensor.shape, tensor.dtype)
            counted = row.activation in tables.RELU_LIKE and len(row.shape) > 1
            site.layers.append(layer)
            outputs.append(row)
            units.append(row.shape[-1] if counted and row.shape[-1] > 0 else None)
        # The batch is the same at every site: the first one records it.
        features = () if self.sites else self._features.fix(self._tensors(seen))
        classes = () if self.sites else labels.rows(self._tensors(seen))
        site.classes = len(classes)
        site.data_shapes = _data_shapes(self._tensors(seen))
        described = layer_rows.variable_rows(self._model, site.variables)
        recorded = Rows(
            described, tuple(outputs), features, layer_rows.replica_rows(count), classes,
            described if self._gradient_histograms else (),
        )
        return recorded, units

    def _loss(self, seen: Seen, variables: Sequence[Any], factor: Any) -> Any:
        """The scalar whose gradients for `variables` were taken, without a loss scale, or None."""
        wanted = {id(variable) for variable in variables}
        loss = seen.loss
        taken = [target for target, sources in seen.targets if wanted <= sources]
        # One optimizer may be called for several losses: that of the model is another part's then.
        of_others = any(target is loss for target, _ in seen.targets) and not any(
            target is loss for target in taken
        )
        if taken and (len(self._optimizers) > 1 or loss is None or of_others):
            loss = taken[-1]
            if factor is not None and supported(loss):
                loss = tf.cast(loss, tf.float32) / tf.cast(factor, tf.float32)
        usable = supported(loss) and reachable(loss) and loss.shape.rank == 0
        return isolated(loss) if usable else None

    def _regularization(self, seen: Seen) -> list[Any] | None:
        """Penalties that are part of the loss; None if that cannot be told."""
        once = self._adds_regularization and len(self._optimizers) == 1 and seen.loss is not None
        usable = all(supported(p) and reachable(p) for p in seen.regularization)
        return seen.regularization if once and usable else None

    @staticmethod
    def _split(loss: Any, parts: Sequence[Any]) -> dict[str, Callable[[], Any]]:
        """Columns of the run: the loss of the data, and the regularization loss `parts`."""
        separate = [isolated(part) for part in parts]

        def regularization() -> Any:
            zero = tf.constant(0.0)
            return tf.add_n([zero, *(tf.cast(part, tf.float32) for part in separate)])

        return {
            "data_loss": lambda: tf.cast(loss, tf.float32) - regularization(),
            "regularization_loss": regularization,
        }

    def _trace(self, site: Site, seen: Seen) -> Trace:
        """What this trace showed, by the rows of the first one."""
        trace = Trace()
        for index, layer in enumerate(site.layers):
            if id(layer) in seen.outputs and reachable(seen.outputs[id(layer)][2]):
                trace.outputs[index] = isolated_later(seen.outputs[id(layer)][2])
        if site is self.sites[0]:
            placed = self._features.placed(self._tensors(seen))
            trace.features.update(
                {first: isolated_later(tensor) for first, tensor in placed.items()}
            )
            classes = site.classes
            if classes:
                batch = self._tensors(seen)
                trace.tables["labels"] = lambda: labels.table(batch, classes)
        return trace

    def _tensors(self, seen: Seen) -> list[tuple[str, str, Any]]:
        """(name, kind, tensor) of inputs, targets and predictions."""
        if not self._inputs:
            return []
        batch = seen.batch or dict(
            zip(("x", "y"), keras.utils.unpack_x_y_sample_weight(seen.data), strict=False)
        )
        outputs = introspection.output_names(self._model)
        groups = (
            ("input", "x", introspection.input_names(self._model)),
            ("target", "y", outputs),
            ("prediction", "y_pred", outputs),
        )
        return [
            (name, kind, tensor)
            for kind, key, names in groups
            if batch.get(key) is not None
            for name, tensor in introspection.named(kind, batch[key], names)
            if is_feature(tensor)
        ]


def _data_shapes(tensors: Sequence[tuple[str, str, Any]]) -> dict[str, list[int | None]]:
    """Static shapes of the only target and the only prediction, by kind; empty with several."""
    kinds = ("target", "prediction")
    found = {kind: [tensor for _, of, tensor in tensors if of == kind] for kind in kinds}
    if any(len(found[kind]) != 1 for kind in kinds):
        return {}
    return {kind: list(found[kind][0].shape) for kind in kinds}
