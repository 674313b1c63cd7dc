"""A copy of the train step that measures, run beside the training and rolled back.

The copy is traced once for each data type and kept with the train function that Keras made, so it
lasts as long as that function does, over many calls of `fit`. It takes gradients but makes no
update where the step calls one optimizer once; the update that is recorded is that of the training
itself. Every variable that the copy touches is put back afterward, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import keras
import tensorflow as tf

from tb_convergence.training.host.guard import UnsupportedError
from tb_convergence.training.instep import magnitudes
from tb_convergence.training.instep.gradients import dense
from tb_convergence.training.instep.measurement import Measurement
from tb_convergence.training.instep.recorder import SCOPE, outside_of_trace
from tb_convergence.training.keras import compat, introspection
from tb_convergence.training.keras.clipping import clipping_of
from tb_convergence.training.keras.handback import Batch, HandBack
from tb_convergence.training.keras.observer import Observer, Seen
from tb_convergence.training.keras.patching import patched
from tb_convergence.training.keras.python_state import attributes_kept, prints_dropped
from tb_convergence.training.keras.rolled_back import Variables, handle_of
from tb_convergence.training.keras.sites import Site, optimizers_of

REPEATABLE: Final = frozenset(
    {
        "Assert", "CheckNumerics", "CheckNumericsV2", "DebugIdentityV2", "DebugNumericSummaryV2",
        "LookupTableFind", "LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2",
        "Multinomial", "NoOp", "ParameterizedTruncatedNormal", "PartitionedCall", "Placeholder",
        "StatefulPartitionedCall", "StatelessRandomGetAlg", "TruncatedNormal", "VarHandleOp",
        "VarIsInitializedOp", "VariableShape", "While", "If", "Case", "XlaLaunch",
        "_Arg", "_Retval",
    }
)
"""Stateful operations that may run a second time: what they change is rolled back, or is their
own."""

REPEATABLE_KINDS: Final = (
    "Assign", "Random", "Read", "Resource", "Rng", "Stateful", "TensorArray", "TensorList",
)
"""Beginnings of the names of further ones: operations on variables, random numbers."""


class NotRehearsedError(Exception):
    """A train step that cannot run a second time without harm; the message says why."""


class _SeveralCallsError(Exception):
    """The step calls its optimizer more than once: a later call sees what an earlier one did."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user wants to record."""

    activations: bool
    inputs: bool
    gradient_histograms: bool


class RehearsedObserver(Observer):
    """Measures at each optimizer call of the copy.

    Args:
        updates: whether the copy calls the optimizers, or only measures where it would.
    """

    def __init__(
        self, model: Any, first_step: Callable[[Any], int], asked: Asked, *, updates: bool
    ) -> None:
        super().__init__(
            model,
            lambda action: action(),  # what fails ends the trace
            first_step,
            activations=asked.activations,
            inputs=asked.inputs,
            gradient_histograms=asked.gradient_histograms,
        )
        self.graph: Any = None
        self._updates = updates
        self._made = 0

    def _apply_hook(self, optimizer: Any) -> Callable[..., Any]:
        original = optimizer.apply

        def apply(grads: Any, trainable_variables: Any = None, **kwargs: Any) -> Any:
            grads = list(grads)
            if trainable_variables is not None:
                trainable_variables = list(trainable_variables)
            self._measure(optimizer, grads, trainable_variables)
            if self._updates:
                return original(grads, trainable_variables, **kwargs)
            return optimizer.iterations

        return apply

    def _measure(
        self, optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any] | None
    ) -> None:
        if tf.compat.v1.get_default_graph() is not self.graph:
            raise NotRehearsedError(
                "it calls its optimizer inside a tf.function, a loop, or a branch"
            )
        self._made += 1
        if self._made > 1 and not self._updates:
            raise _SeveralCallsError
        if variables is None:
            variables = compat.own_trainable_variables(optimizer)
        seen = self._here()
        scaling = introspection.scaling(optimizer, variables)
        with tf.name_scope(SCOPE):
            site = self._site(optimizer, gradients, variables, seen, count=1)
            if site is None or site.measurement is None:
                return
            site.calls += 1
            if site.calls > 1:
                return
            trace = self._trace(site, seen)
            trace.loss = self._loss(seen, variables, scaling.factor)
            if self._gradient_histograms:
                trace.tables["magnitudes"] = lambda: magnitudes.table(gradients, scaling.factor)
            parts = self._regularization(seen)
            if trace.loss is not None and parts is not None:
                trace.run.update(self._split(trace.loss, parts))
            if site.clipping is not None:
                present = [g for g in map(dense, gradients) if g is not None]
                if present:
                    trace.run.update(site.clipping.of_this_step(present, scaling.factor))
            site.measurement.during(
                trace, gradients, lambda: introspection.learning_rate(optimizer), scaling
            )

    def _build(self, site: Site, gradients: Sequence[Any], seen: Seen, count: int) -> None:
        recorded, units = self._rows(site, seen, count)
        present = [dense(gradient) is not None for gradient in gradients]
        site.measurement = outside_of_trace(lambda: Measurement(recorded, present, units))
        site.clipping = clipping_of(site.optimizer)


class Rehearsal:
    """The measuring copy of one train step, for data of one type. To be made after Keras' own
    function has been traced: what the step builds exists by then.

    Args:
        first_step: number of the next step of an optimizer.

    Attributes:
        sites: the step's optimizer calls.
        touched: the variables that the copy reads or writes, and all that the sites train.

    Raises:
        NotRehearsedError: the step cannot be repeated without harm.
        Exception: whatever the user's step raises while it is traced.
    """

    def __init__(
        self, model: Any, data: HandBack, first_step: Callable[[Any], int], asked: Asked
    ) -> None:
        several = len(optimizers_of(model)) > 1
        try:
            found = self._traced(model, data, first_step, asked, updates=several)
        except _SeveralCallsError:
            found = self._traced(model, data, first_step, asked, updates=True)
        self._copy, self.sites = found
        if not self.sites:
            raise UnsupportedError(
                "a train step that calls none of the model's optimizers; nothing was recorded"
            )
        self._copy_is_repeatable()
        own = {id(v.handle) for site in self.sites for v in _kept_by(site)}
        handles = [
            outer
            for outer, _ in self._copy.graph.captures
            if outer.dtype == tf.resource and id(outer) not in own
        ]
        touched = {id(h): h for h in handles if compat.variable_type(h) is not None}
        # One that gets no gradient may not be touched at all; its update is recorded like any.
        for site in self.sites:
            touched.update((id(h), h) for h in map(handle_of, site.variables) if h is not None)
        self.touched = Variables(list(touched.values()))

    @staticmethod
    def _traced(
        model: Any, data: HandBack, first_step: Callable[[Any], int], asked: Asked, *, updates: bool
    ) -> tuple[Any, list[Site]]:
        observer = RehearsedObserver(model, first_step, asked, updates=updates)
        step = getattr(model.train_step, "python_function", model.train_step)
        strategy = model.distribute_strategy

        def copy(*flat: Any) -> None:
            observer.graph = tf.compat.v1.get_default_graph()
            batch = keras.tree.map_structure(
                lambda item: None if isinstance(item, tf.experimental.Optional) else item,
                data.element(list(flat)),
            )
            with tf.variable_creator_scope(_refuse), patched(observer.patches(batch)):
                strategy.run(step, args=(batch,))

        pairs = zip(data.dtypes, data.shapes, strict=True)
        specs = [tf.TensorSpec(shape, dtype) for dtype, shape in pairs]
        objects = [
            *compat.every_layer(model), *optimizers_of(model), *model.metrics,
            *keras.tree.flatten(getattr(model, "loss", None)),
        ]
        with (
            compat.without_op_callbacks(),
            compat.random_state_kept(),
            attributes_kept(objects),
            prints_dropped(),
        ):
            traced = tf.function(copy, autograph=False, input_signature=specs)
            return traced.get_concrete_function(), observer.sites

    def _copy_is_repeatable(self) -> None:
        definition = self._copy.graph.as_graph_def()
        types = {node.op for node in definition.node}
        for function in definition.library.function:
            types |= {node.op for node in function.node_def}
        harmful = sorted(
            kind for kind in types
            if kind not in REPEATABLE
            and not kind.startswith(REPEATABLE_KINDS)
            and compat.is_stateful(kind)
        )
        if harmful:
            raise NotRehearsedError(
                f"it contains {', '.join(harmful[:3])}, whose effects would happen twice"
            )

    def run(self, batch: Batch, before: Sequence[Any]) -> None:
        """Measure the step that starts with `before`, the values of `touched`, on `batch`.

        The variables have their present values again when this returns or raises.
        """
        now = self.touched.read()
        try:
            self.touched.write(before)
            self._copy(*batch)
        finally:
            self.touched.write(now)


def _kept_by(site: Site) -> list[Any]:
    found = [] if site.measurement is None else list(site.measurement.variables)
    return found if site.clipping is None else [*found, *site.clipping.variables]


def _refuse(*args: Any, **kwargs: Any) -> Any:
    raise NotRehearsedError("it creates variables when it is traced again")
