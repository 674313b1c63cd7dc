"""A canary for each private name of Keras and TensorFlow that the recorder relies on.

Each test says what stops working when the name is gone: only that, never the training.
"""

from __future__ import annotations

import inspect
import re
import threading
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")
tf = pytest.importorskip("tensorflow")

from tb_convergence.training.host import event_file  # noqa: E402 - needs TensorFlow
from tb_convergence.training.keras import compat  # noqa: E402


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


def test_random_states_and_names_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it: what is drawn or named after a record differs."""
    monkeypatch.setattr(compat, "python_is_alone", lambda: True)

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


def test_what_a_data_pipeline_draws_meanwhile_stays_drawn() -> None:
    """Without it: it draws the same again, and trains on other batches than without us."""

    def generator() -> Any:
        while True:
            yield np.random.rand()

    data = iter(tf.data.Dataset.from_generator(generator, output_signature=tf.TensorSpec([])))
    np.random.seed(1)
    expected = [np.random.rand() for _ in range(3)]
    np.random.seed(1)
    found = [float(next(data))]
    with compat.random_state_kept():
        assert not compat.python_is_alone()
        found.append(float(next(data)))
    np.testing.assert_allclose([*found, float(next(data))], expected, rtol=1e-6)


def test_other_threads_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it: what another thread does while a step is traced is undone."""
    monkeypatch.setattr(compat.script_ops._py_funcs, "size", lambda: 0)
    other, ours = threading.Thread(name="x"), threading.Thread(name=event_file.THREAD_NAME)
    for threads, alone in (([], True), ([ours], True), ([ours, other], False)):
        present = [threading.current_thread(), *threads]
        monkeypatch.setattr(threading, "enumerate", lambda present=present: present)
        assert compat.python_is_alone() is alone


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


def test_every_variable_of_a_model_is_found(model: Any) -> None:
    """Without it: an experiment does not put back every weight."""
    assert compat.layers_below(model) == [each for each in compat.every_layer(model)
                                          if each is not model]
    normalization = keras.layers.BatchNormalization()
    normalization.build((None, 2))
    names = [variable.name for variable in compat.own_variables(normalization)]
    assert names == ["gamma", "beta", "moving_mean", "moving_variance"]
    variable = normalization.gamma
    assert isinstance(compat.inner_variable(variable), tf.Variable)
    assert compat.inner_variable(variable) is compat.inner_variable(variable.value)
    stored = [value for _, value in compat.attributes_of(normalization)]
    assert sum(value is variable for value in stored) == 1


def test_what_compile_and_fit_set_is_known(model: Any) -> None:
    """Without it: an experiment leaves its loss or metrics in the user's model."""
    compiled = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    before = set(vars(compiled))
    compiled.compile("sgd", "mse", metrics=["mae"])
    compiled.fit(np.zeros((2, 2)), np.zeros((2, 1)), verbose=0)
    for name in (*compat.COMPILED, *compat.COMPILED_LOSS, compat.METRICS, *compat.BUILT_LATE):
        assert hasattr(compiled, name), name
    traced = {"train_function", "test_function", "predict_function", "_train_counter"}
    added = {
        name for name in set(vars(compiled)) - before - traced
        if not name.startswith(("_self_", "_obj_"))
    }
    assert {name for name in added if "compil" in name or "loss" in name} <= set(compat.COMPILED)


def test_an_attribute_can_be_set_without_becoming_a_part(model: Any) -> None:
    """Without it: an experiment's optimizer or metric is saved with the user's model."""
    holder, other = keras.layers.Dense(1), keras.layers.Dense(1)
    compat.set_untracked(holder, "other", other)
    assert holder.other is other
    assert compat.layers_below(holder) == []


def test_what_a_loss_hands_on_is_known() -> None:
    """Without it: the task of a model whose loss takes logits is taken for another."""

    def mine(y: Any, outputs: Any, from_logits: bool = False) -> Any:
        return y + outputs

    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    assert compat.loss_settings(loss)["from_logits"] is True
    assert compat.loss_settings(mine) == {}


def test_batch_normalization_asks_for_its_moments() -> None:
    """Without it: a landscape of a network with batch normalization is refused or wrong."""
    layer = keras.layers.BatchNormalization()
    layer.build((None, 3))
    asked = []

    def make(own: Any, axes: Any) -> Any:
        def moments(inputs: Any, mask: Any) -> Any:
            asked.append(axes())
            return own(inputs, mask)

        return moments

    data = np.arange(6, dtype="float32").reshape(2, 3)
    expected = layer(data, training=True)
    with compat.batch_moments_replaced(layer, make):
        np.testing.assert_array_equal(layer(data, training=True), expected)
    layer(data, training=True)
    assert [list(axes) for axes in asked] == [[0]]


def test_seeds_are_put_back() -> None:
    """Without it: an experiment changes what the user's program draws afterward."""
    keras.utils.set_random_seed(5)
    with compat.random_state_kept(seeds=True):
        keras.utils.set_random_seed(99)
        keras.random.normal((1,))
        tf.random.set_global_generator(tf.random.Generator.from_seed(1))
    found = [tf.random.normal([]).numpy(), np.random.rand(), float(keras.random.normal((1,))[0])]
    keras.utils.set_random_seed(5)
    again = [tf.random.normal([]).numpy(), np.random.rand(), float(keras.random.normal((1,))[0])]
    assert found == again


@pytest.mark.parametrize("attributes", [compat.FUNCTION_AS_ONE_NODE, compat.FUNCTION_UNTOUCHED])
def test_a_function_stays_one_node(attributes: dict[str, bool]) -> None:
    """Without it: recording is slower, and last bits of reductions may differ."""
    inner = tf.function(lambda x: x * 2, experimental_attributes=attributes)
    definition = inner.get_concrete_function(tf.TensorSpec([])).function_def
    assert all(definition.attr[name].b for name in attributes)


def test_values_of_a_graph_that_is_traced_are_computed_once_more() -> None:
    """Without it: models that their first batch builds are first recorded at the second step."""
    calls, seen = [], {}
    counting = keras.random.SeedGenerator(1)

    class Own(keras.initializers.Initializer):
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            calls.append(shape)
            return 2 * keras.random.uniform(shape, seed=4)

    @tf.function
    def step(x: Any) -> Any:
        for layer in layers:
            if not layer.built:
                with tf.variable_creator_scope(noting):
                    layer.build(x.shape)
        given = tf.random.stateless_normal([2], [1, 2]) + x[0, :2]
        if len(others) < 2:
            others[:] = [given, tf.random.normal([2])]
        return sum(tf.reduce_sum(layer(x)) for layer in layers)

    def noting(create: Any, **settings: Any) -> Any:
        make = settings["initial_value"]

        def made() -> Any:
            seen[len(seen)] = make()
            return seen[len(seen) - 1]

        return create(**{**settings, "initial_value": made})

    drawn = keras.initializers.RandomNormal(seed=counting)
    initializers = ["he_normal", "orthogonal", Own(), drawn]
    layers = [keras.layers.Dense(3, kernel_initializer=item) for item in initializers]
    others: list[Any] = []
    step(tf.ones((2, 4)))
    state, made = counting.state.numpy(), len(calls)
    values = compat.values_of([*seen.values(), *others])
    assert [value is None for value in values] == [False] * 6 + [True, False] + [True, True]
    variables = [variable for layer in layers for variable in layer.variables]
    for value, variable in zip(values[:8], variables, strict=True):
        if value is not None:
            np.testing.assert_array_equal(value, variable.numpy())
    np.testing.assert_array_equal(counting.state.numpy(), state)
    assert len(calls) == made


def test_other_frameworks_callbacks_are_answered() -> None:
    """Without it: tf_keras ends in an error where one line should say what to do."""
    assert compat.callback_protocol("_implements_train_batch_hooks")() is False
    assert compat.callback_protocol("_supports_tf_logs") is True
    assert compat.callback_protocol("_chief_worker_only") is False
    assert compat.callback_protocol("_anything_else") is None
