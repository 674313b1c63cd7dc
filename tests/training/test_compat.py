"""A canary for each private name of Keras and TensorFlow that the recorder relies on.

Each test says what stops working when the name is gone: only that, never the training.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from tb_convergence.training.keras import compat  # noqa: E402 - needs TensorFlow

TRAINING = Path(compat.__file__).parents[1]


def numbers() -> Any:
    data = (np.arange(12, dtype="float32").reshape(6, 2), np.arange(6))
    return iter(tf.data.Dataset.from_tensor_slices(data).batch(2))


@pytest.fixture(scope="module")
def model() -> Any:
    found = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3, kernel_regularizer="l2"), keras.layers.Dense(1)]
    )
    found.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), "mse")
    found.optimizer.build(found.trainable_variables)
    return found


def test_batches_are_pulled_and_handed_back() -> None:
    """Without it: variables and updates are recorded, gradients and outputs are not."""
    iterator = numbers()
    traces = []

    @tf.function(reduce_retracing=True)
    def first(batches: Any) -> Any:
        traces.append(batches)
        return batches.get_next()[0]

    first(iterator)
    batch = compat.pull(iterator, *compat.flat_specs(iterator))
    assert batch[1].numpy().tolist() == [2, 3]
    pair = compat.element_of(iterator.element_spec, batch)
    assert pair[0] is batch[0]
    handed = compat.iterator_over([batch, batch], iterator)
    assert compat.same_type(handed, iterator)
    for _ in range(2):
        np.testing.assert_array_equal(first(handed), batch[0])
    with pytest.raises(tf.errors.OutOfRangeError):
        first(handed)
    assert len(traces) == 1


def test_what_a_function_touches_is_known() -> None:
    """Without it: no step is rehearsed, as its variables could not be put back."""
    variable = tf.Variable(tf.zeros([2, 3], tf.float64))

    @tf.function
    def touches() -> Any:
        return variable.assign_add(tf.ones([2, 3], tf.float64))

    ((handle, _),) = touches.get_concrete_function().graph.captures
    assert handle is variable.handle
    assert compat.variable_type(handle) == (tf.float64, tf.TensorShape([2, 3]))
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [2]), 0)
    assert compat.variable_type(table.resource_handle) is None


def test_effects_are_known() -> None:
    """Without it: steps that print or write would do so twice; none is rehearsed."""
    assert compat.is_stateful("EagerPyFunc")
    assert compat.is_stateful("PrintV2")
    assert compat.is_stateful("an operation nobody knows")
    assert not compat.is_stateful("MatMul")


def test_numerics_of_ours_are_not_checked() -> None:
    """Without it: enable_check_numerics ends the recording."""
    tf.debugging.enable_check_numerics()
    try:
        with compat.without_op_callbacks():
            assert np.isnan(tf.math.log(tf.constant(-1.0)).numpy())
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.math.log(tf.constant(-1.0))
    finally:
        tf.debugging.disable_check_numerics()


def test_random_states_and_names_are_kept() -> None:
    """Without it: what is drawn or named after a record differs."""

    def drawn() -> list[Any]:
        values = [np.random.rand(), tf.random.normal([]).numpy()]
        return [*values, tf.random.get_global_generator().normal([]).numpy()]

    keras.utils.set_random_seed(1)
    tf.random.set_global_generator(tf.random.Generator.from_seed(3))
    expected = [*drawn(), keras.layers.Dense(1).name]
    keras.utils.set_random_seed(1)
    tf.random.set_global_generator(tf.random.Generator.from_seed(3))
    start = int(re.sub(r"\D", "", f"0{expected[-1]}"))
    with compat.random_state_kept():
        np.random.rand()
        tf.random.uniform([])  # another operation: one of the same kind has a state of its own
        tf.random.get_global_generator().normal([])
        keras.layers.Dense(1)
    found = [*drawn(), keras.layers.Dense(1).name]
    assert found[:-1] == expected[:-1]
    assert int(re.sub(r"\D", "", f"0{found[-1]}")) == start + 1


def test_branches_stay_whole() -> None:
    """Without it: a watched step is slower, and nothing else."""

    @tf.function
    def branch(x: Any) -> Any:
        found = tf.cond(x > 0, lambda: x * 2, lambda: x)
        compat.keep_branch_whole(found)
        return found

    graph = branch.get_concrete_function(tf.TensorSpec([])).graph.as_graph_def()
    (node,) = [node for node in graph.node if node.op in ("If", "StatelessIf")]
    assert not node.attr["_lower_using_switch_merge"].b


def test_xla_is_noticed() -> None:
    """Without it: everything is built as for XLA, which is slower."""
    seen = []

    def look() -> Any:
        seen.append(compat.in_xla_context(tf.compat.v1.get_default_graph()))
        return tf.constant(0.0)

    tf.function(look).get_concrete_function()
    tf.function(look, jit_compile=True).get_concrete_function()
    assert not seen[0]


def test_layers_and_their_connections(model: Any) -> None:
    """Without it: findings name no layers."""
    assert list(compat.child_layers(model))[-2:] == model.layers
    assert compat.every_layer(model)[0] is model
    dense, last = model.layers
    assert [v.name for v in compat.own_trainable_variables(dense)] == ["kernel", "bias"]
    assert [node.operation for node in compat.consumers(dense)] == [last]
    assert compat.calls_of(last)[0].parent_nodes[0].operation is dense
    assert compat.made_by(model.outputs[0]) is last
    assert compat.layer_graph(model) is not None
    assert compat.layer_graph(dense) is None
    assert compat.named_inputs(model)


def test_optimizers_are_counted(model: Any) -> None:
    """Without it: steps cannot be numbered, accumulated gradients not averaged."""
    assert int(compat.applications(model.optimizer).numpy()) == 0
    sums = compat.accumulated_gradients(model.optimizer, model.trainable_variables)
    assert [s.shape for s in sums] == [v.shape for v in model.trainable_variables]
    assert float(compat.rate_setting(model.optimizer).numpy()) == pytest.approx(0.1)
    assert len(compat.own_trainable_variables(model.optimizer)) == 4


def test_regularization_is_told_from_the_loss_of_the_data(model: Any) -> None:
    """Without it: data_loss and regularization_loss are not recorded."""
    assert compat.additional_losses(model) == getattr(model, compat.ADDITIONAL_LOSSES)


def test_a_train_function_may_carry_our_copies(model: Any) -> None:
    """Without it: every call of fit is traced anew."""
    model.make_train_function()
    assert inspect.isfunction(model.train_function)
    assert vars(model)["train_function"] is model.train_function


def test_keras_own_train_function_is_known(model: Any) -> None:
    """Without it: variables and updates are recorded, gradients and outputs are not."""
    model.make_train_function()
    assert compat.made_by_keras(model.train_function)
    assert not compat.made_by_keras(lambda iterator: None)


PRIVATE = re.compile(r"[\w)\]]\._[a-z]")


def test_private_names_are_nowhere_else() -> None:
    found = []
    for path in sorted(TRAINING.rglob("*.py")):
        if path.name in ("compat.py", "event_file.py"):  # the latter: TensorBoard's, tested there
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and re.match(r"_[a-z]", node.attr):
                owner = ast.unparse(node.value)
                own = owner.split(".")[0] in ("self", "cls", "patch", "event_file_writer")
                if not own and not owner.endswith("__self__"):
                    found.append(f"{path.name}:{node.lineno}: {owner}.{node.attr}")
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                ("tensorflow.python", "keras.src")
            ):
                found.append(f"{path.name}:{node.lineno}: {node.module}")
    assert found == []
