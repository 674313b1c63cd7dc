"""Every private name of Keras and TensorFlow that the package relies on, and nothing else.

A private name may vanish with any release. So all of them are here, each in a small function that
says what it is for, and `tests/training/test_compat.py` holds a canary for each: it fails with the
consequence when the name is gone. The module imports nothing else of the package, so that every
folder of `training` may use it, and `experiments`.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random.seed_generator import GLOBAL_SEED_GENERATOR
from keras.src.utils.tracking import DotNotTrackScope
from tensorflow.python.data.ops import iterator_ops
from tensorflow.python.data.util import structure
from tensorflow.python.eager import context, lift_to_graph
from tensorflow.python.framework import op_def_registry
from tensorflow.python.ops import gen_dataset_ops, script_ops, stateful_random_ops

Tensor = Any

NAME_COUNTERS: Final = "object_name_uids"
"""Keras' global attribute with the number of the next layer of each kind."""


# ---- iterators of tf.data ------------------------------------------------------------------------


def flat_specs(iterator: Any) -> tuple[list[Any], list[Any]]:
    """(dtypes, shapes) of the tensors that make up one element of `iterator`."""
    return list(iterator._flat_output_types), list(iterator._flat_output_shapes)


def pull(iterator: Any, dtypes: Sequence[Any], shapes: Sequence[Any]) -> list[Tensor]:
    """The next element of `iterator` as flat tensors.

    Raises:
        tf.errors.OutOfRangeError: there is none.
        tf.errors.OpError: what the data pipeline raises.
    """
    found = gen_dataset_ops.iterator_get_next(
        iterator._iterator_resource, output_types=dtypes, output_shapes=shapes
    )
    return list(found)


def iterator_over(batches: Sequence[Sequence[Tensor]], iterator: Any) -> Any:
    """An iterator over `batches` (flat tensors each) that a function takes for `iterator`: the
    same type, so it is not traced again."""
    dtypes, shapes = flat_specs(iterator)
    datasets = [gen_dataset_ops.tensor_dataset(list(b), output_shapes=shapes) for b in batches]
    joined = datasets[0]
    for dataset in datasets[1:]:
        joined = gen_dataset_ops.concatenate_dataset(
            joined, dataset, output_types=dtypes, output_shapes=shapes
        )
    resource = gen_dataset_ops.anonymous_iterator_v3(output_types=dtypes, output_shapes=shapes)
    gen_dataset_ops.make_iterator(joined, resource)
    return iterator_ops.OwnedIterator(components=[resource], element_spec=iterator.element_spec)


def failing_iterator(iterator: Any) -> Any:
    """An iterator that raises in place of its first element, and that a function takes for
    `iterator`."""

    def fail() -> Iterator[Any]:
        raise RuntimeError("the data raised an error")
        yield

    return iter(tf.data.Dataset.from_generator(fail, output_signature=iterator.element_spec))


def same_type(first: Any, second: Any) -> bool:
    """Whether a function traced for one of two iterators takes the other."""
    return bool(first._type_spec == second._type_spec)


def element_of(spec: Any, flat: Sequence[Tensor]) -> Any:
    """The element with specification `spec` that is made up of the tensors `flat`."""
    return structure.from_compatible_tensor_list(spec, list(flat))


# ---- graphs and resources ------------------------------------------------------------------------


def variable_type(handle: Tensor) -> tuple[Any, Any] | None:
    """(dtype, shape) of the variable behind a resource; None for another kind of resource."""
    data = getattr(handle, "_handle_data", None)
    if data is None or not data.is_set or len(data.shape_and_type) != 1:
        return None
    kind = data.shape_and_type[0]
    return tf.dtypes.as_dtype(kind.dtype), tf.TensorShape(kind.shape)


def is_stateful(operation: str) -> bool:
    """Whether an operation of this type has effects that its outputs do not show."""
    definition = op_def_registry.get(operation)
    return definition is None or bool(definition.is_stateful)


def values_of(tensors: Sequence[Tensor]) -> list[Tensor | None]:
    """Values of tensors of a graph that is being traced, which the graph itself will never give
    away: the operations that make them run once more, as they do where TensorFlow initializes the
    variables of a traced function.

    None if that could be noticed, because an operation has a state, such as a random generator,
    or where a value depends on what the graph is given.
    """
    found: list[Tensor | None] = [None] * len(tensors)
    places = [place for place, tensor in enumerate(tensors) if _without_state(tensor)]

    def lifted() -> list[Tensor]:
        chosen = [tensors[place] for place in places]
        copies = lift_to_graph.lift_to_graph(chosen, tf.compat.v1.get_default_graph())
        return [copies[tensor] for tensor in chosen]

    if places:
        with tf.init_scope():
            values = tf.function(lifted, autograph=False).get_concrete_function()()
        for place, value in zip(places, values, strict=True):
            found[place] = value
    return found


def _without_state(tensor: Tensor) -> bool:
    waiting, seen = [tensor.op], set()
    while waiting:
        operation = waiting.pop()
        if operation in seen:
            continue
        seen.add(operation)
        kind = operation.type
        if kind == "Placeholder" or (is_stateful(kind) and kind != "StatelessRandomGetAlg"):
            return False
        waiting += [item.op for item in operation.inputs]
        waiting += operation.control_inputs
    return True


def keep_branch_whole(output: Tensor) -> None:
    """Have the `If` that made `output` run as it is, instead of spread over its graph.

    Should the switch disappear, only speed is lost.
    """
    with suppress(Exception):
        operation = output.op
        if operation.type == "Identity":  # `tf.cond` returns copies
            operation = operation.inputs[0].op
        if operation.type in ("If", "StatelessIf"):
            operation._set_attr("_lower_using_switch_merge", tf.compat.v1.AttrValue(b=False))


def in_xla_context(graph: Any) -> bool:
    """Whether XLA compiles what is traced into `graph`. Yes where that cannot be told: what is
    built for XLA works everywhere."""
    try:
        while graph is not None:
            control = graph._get_control_flow_context()
            while control is not None:
                if control.IsXLAContext():
                    return True
                control = control.outer_context
            graph = getattr(graph, "outer_graph", None)
    except AttributeError:
        return True
    return False


@contextmanager
def without_op_callbacks() -> Iterator[None]:
    """No callback of this thread, such as that of `enable_check_numerics`, sees operations made
    in the block."""
    callbacks = context.context().op_callbacks
    saved = list(callbacks)
    callbacks[:] = []
    try:
        yield
    finally:
        callbacks[:] = saved


# ---- random generators and names -----------------------------------------------------------------


OWN_THREADS: Final = "tb_convergence"
"""Names of our threads begin with it."""


def python_is_alone() -> bool:
    """Whether nothing but this thread may run Python code of the user's: no other thread, and no
    function of Python in a graph or a data pipeline, such as a generator."""
    here = threading.current_thread()
    return script_ops._py_funcs.size() == 0 and all(
        one is here or one.name.startswith(OWN_THREADS) for one in threading.enumerate()
    )


@contextmanager
def random_state_kept(*, seeds: bool = False) -> Iterator[None]:
    """Put back every global random generator and Keras' counters of names at the end.

    The generators of Python and NumPy only while no other Python code may run: a data pipeline that
    draws from them in the meantime would draw the same again.

    One thing is out of reach: a random operation that the body runs eagerly, outside any
    `tf.function`, moves the state of its kernel, which TensorFlow does not show.

    Args:
        seeds: put back everything, also what the body seeds, such as with
            `keras.utils.set_random_seed`, and take away generators that it makes.
    """
    undisturbed = seeds or python_is_alone()
    own, numpy_state = random.getstate(), np.random.get_state()
    current = context.context()
    seed = current._seed
    operations = getattr(current, "_rng", None)  # seeds of tf.random.normal and the like
    drawn = None if operations is None else operations.getstate()
    generator = stateful_random_ops.global_generator  # None until somebody asks for it
    state = None if generator is None else tf.identity(generator.state)
    keras_generator = global_state.get_global_attribute(GLOBAL_SEED_GENERATOR) if seeds else None
    keras_state = None if keras_generator is None else np.array(keras_generator.state)
    counters = global_state.get_global_attribute(NAME_COUNTERS)
    counted = None if counters is None else dict(counters)
    try:
        yield
    finally:
        if seeds:
            current._seed, current._rng = seed, operations
            stateful_random_ops.global_generator = generator
            global_state.set_global_attribute(GLOBAL_SEED_GENERATOR, keras_generator)
            global_state.set_global_attribute(NAME_COUNTERS, counters)
        if undisturbed and (seeds or python_is_alone()):
            random.setstate(own)
            np.random.set_state(numpy_state)
        if operations is not None:
            operations.setstate(drawn)
        if generator is not None:
            generator.state.assign(state)
        if keras_generator is not None:
            keras_generator.state.assign(keras_state)
        if counters is not None:
            counters.clear()
            counters.update(counted)


# ---- Keras ---------------------------------------------------------------------------------------


def child_layers(layer: Any) -> Sequence[Any]:
    """Layers directly below `layer`, in the order in which they were set."""
    return list(getattr(layer, "_layers", ()))


def every_layer(model: Any) -> list[Any]:
    """`model` and all layers in it."""
    return list(model._flatten_layers())


def layers_below(model: Any) -> list[Any]:
    """All layers in `model`, at any depth, without itself."""
    return list(model._flatten_layers(include_self=False))


def nested_layers(value: Any) -> list[Any]:
    """A layer and all layers in it; empty for anything else."""
    return every_layer(value) if hasattr(value, "_flatten_layers") else []


def own_trainable_variables(item: Any) -> Sequence[Any]:
    """Trainable variables that a layer made itself, or that an optimizer was built for."""
    return list(getattr(item, "_trainable_variables", ()))


def own_variables(layer: Any) -> list[Any]:
    """All variables that a layer made itself, the trainable ones first."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def inner_variable(variable: Any) -> Any:
    """The backend's variable behind one of Keras; another variable is its own."""
    return getattr(variable, "_value", variable)


def attributes_of(layer: Any) -> list[tuple[str, Any]]:
    """What is stored in a layer, but for the wrappers in which Keras tracks the same once more."""
    return [
        (name, value) for name, value in list(vars(layer).items())
        if not name.startswith(("_self_", "_obj_"))
    ]


def consumers(layer: Any) -> Sequence[Any]:
    """Nodes of a functional model that take the output of `layer`."""
    return list(getattr(layer, "_outbound_nodes", ()))


def calls_of(layer: Any) -> list[Any]:
    """Calls of `layer` within functional models, as nodes with the nodes before them."""
    return list(layer._inbound_nodes)


def made_by(tensor: Any) -> Any:
    """The layer or operation that makes a tensor of a functional model."""
    return tensor._keras_history.operation


def layer_graph(layer: Any) -> Any:
    """The graph of layers of a functional or sequential model; None of anything else."""
    if not isinstance(layer, keras.Model):
        return None
    found = getattr(layer, "_functional", None) or layer
    return found if getattr(found, "_nodes", None) and hasattr(found, "operations") else None


def applications(optimizer: Any) -> Any:
    """Variable that counts how often an optimizer was applied, to part of an update too."""
    return getattr(optimizer, "_iterations", None)


def accumulated_gradients(optimizer: Any, variables: Sequence[Any]) -> list[Any]:
    """Sums of gradients that an accumulating optimizer keeps for `variables`."""
    sums = optimizer._accumulated_gradients
    return [sums[optimizer._get_variable_index(variable)] for variable in variables]


def rate_setting(optimizer: Any) -> Any:
    """The learning rate as it was set: a variable or a schedule; None of another optimizer."""
    return getattr(optimizer, "_learning_rate", None)


def additional_losses(model: Any) -> Any:
    """Method by which Keras adds regularization losses to that of the data; None without one."""
    return getattr(model, "_aggregate_additional_loss", None)


def made_by_keras(function: Any) -> bool:
    """Whether a model's train function is the one that Keras makes of its `train_step`."""
    return str(getattr(function, "__module__", "")).startswith("keras.")


ADDITIONAL_LOSSES = "_aggregate_additional_loss"
"""Its name, to wrap it while a step is traced."""


def named_inputs(model: Any) -> Any:
    """Inputs of a functional model, with their names."""
    return getattr(model, "_inputs", None) or getattr(model, "inputs", None)


COMPILED: Final = (
    "optimizer", "loss", "compiled", "_compile_config", "_compile_loss", "_compile_metrics",
    "_loss_tracker", "run_eagerly", "jit_compile", "steps_per_execution", "stop_training",
    "history", "_compiled_trainable_state",
)
"""Attributes that `compile` and `fit` set."""
COMPILED_LOSS: Final = (
    "loss", "_compile_loss", "_loss_tracker", "_compile_config", "_compile_metrics",
    "_compiled_trainable_state", "jit_compile",
)
"""Those that compiling with another loss changes."""
METRICS: Final = "_compile_metrics"
"""The attribute with the metrics that the user compiled the model with."""
BUILT_LATE: Final = ("_compile_loss", METRICS)
"""Attributes whose objects are built at their first use."""


def set_untracked(owner: Any, name: str, value: Any) -> None:
    """Set an attribute as `compile` does: Keras would list a metric or layer as a part of `owner`.
    """
    with DotNotTrackScope():
        setattr(owner, name, value)


def loss_settings(loss: Any) -> dict[str, Any]:
    """Arguments that a loss hands on to its function."""
    return dict(getattr(loss, "_fn_kwargs", {}))


@contextmanager
def batch_moments_replaced(layer: Any, make: Any) -> Iterator[None]:
    """In the block a batch normalization layer computes mean and variance with
    `make(own function, axes)`, a function of inputs and mask."""
    object.__setattr__(layer, "_moments", make(layer._moments, lambda: layer._reduction_axes))
    try:
        yield
    finally:
        vars(layer).pop("_moments", None)


FUNCTION_AS_ONE_NODE: Final = {"_noinline": True}
"""Attributes of a `tf.function` whose body the graph optimizer does not inline."""
FUNCTION_UNTOUCHED: Final = {
    **FUNCTION_AS_ONE_NODE,
    # Keeps the graph optimizer out: it takes longer over a record than all records of a run do.
    "_tf_data_function": True,
}
"""Attributes of a `tf.function` that the graph optimizer neither inlines nor opens."""


def callback_protocol(name: str) -> Any:
    """What a callback without hooks of its own answers where `tf_keras` asks it for `name`; None
    for a name that is not of that protocol."""
    if name.startswith("_implements_") and name.endswith("_hooks"):
        return lambda: False
    return {"_supports_tf_logs": True, "_chief_worker_only": False}.get(name)
