"""Which names mean a gradient and which a variable: the tables against names seen in the wild."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.reading.patterns import TagPattern
from tb_convergence.reading.tags import (
    kind_of,
    layer_of,
    match_histograms,
    natural_order,
)


@pytest.mark.parametrize(("gradient", "variable", "name"), [
    # The classic graph-mode recipe; TensorFlow 1 writes ":" as "_".
    ("gradients/dense/kernel_0", "variables/dense/kernel_0", "dense/kernel"),
    ("gradients/dense/kernel:0", "variables/dense/kernel:0", "dense/kernel"),
    ("Gradients/dense/kernel", "Variables/dense/kernel", "dense/kernel"),
    ("dense/kernel_0/gradients", "dense/kernel_0", "dense/kernel"),
    ("dense/kernel_0/gradient", "dense/kernel_0/values", "dense/kernel"),
    ("summaries/gradients/dense/kernel_0", "summaries/variables/dense/kernel_0",
     "summaries/dense/kernel"),
    ("train/grad/conv1/weights", "train/var/conv1/weights", "train/conv1/weights"),
    # PyTorch.
    ("layers.0.weight.grad", "layers.0.weight", "layers.0.weight"),
    ("layers.0.weight/grad", "layers.0.weight/value", "layers.0.weight"),
    ("layers.0.weight_grad", "layers.0.weight", "layers.0.weight"),
    ("grads/fc1.weight", "weights/fc1.weight", "fc1.weight"),
    ("grad/fc1/weight", "param/fc1/weight", "fc1/weight"),
    ("gradients/fc1.weight", "parameters/fc1.weight", "fc1.weight"),
    ("fc1.weight.grad.data", "fc1.weight.data", "fc1.weight"),
    ("fc1-grad", "fc1", "fc1"),
    ("fc1.bias_gradient", "fc1.bias", "fc1.bias"),
    # Keras writes weights; people add gradients.
    ("sequential/dense/kernel/gradient", "sequential/dense/kernel/histogram",
     "sequential/dense/kernel"),
    ("gradients/dense/kernel", "dense/kernel_0/histogram", "dense/kernel"),
    ("dense/kernel/grad/histogram", "dense/kernel/histogram", "dense/kernel"),
])
def test_a_pair_is_found(gradient: str, variable: str, name: str) -> None:
    found = match_histograms([gradient, variable])
    assert [row.name for row in found.rows] == [name]
    assert found.gradients == {0: gradient}
    assert found.variables == {0: variable}
    assert found.unclear == {}
    assert found.families == ()


@pytest.mark.parametrize(("tag", "role", "name"), [
    ("gradients/w_0", "gradient", "w"),
    ("variables/w_0", "variable", "w"),
    ("weights/conv1", "variable", "conv1"),
    ("dense/bias/histogram", "variable", "dense/bias"),
    ("dense_1/kernel_0/histogram", "variable", "dense_1/kernel"),
    ("conv2d/kernel.grad", "gradient", "conv2d/kernel"),
])
def test_one_alone_is_enough(tag: str, role: str, name: str) -> None:
    found = match_histograms([tag])
    assert [row.name for row in found.rows] == [name]
    assert found.gradients == ({0: tag} if role == "gradient" else {})
    assert found.variables == ({0: tag} if role == "variable" else {})


@pytest.mark.parametrize("tag", [
    "dense/kernel_0", "fc1.weight", "layer1/bias", "w", "embedding_1/embeddings",
])
def test_a_bare_variable_alone_is_ambiguous(tag: str) -> None:
    found = match_histograms([tag])
    assert found.rows == ()
    assert {tag: reason.why for tag, reason in found.unclear.items()} == {tag: "either"}


@pytest.mark.parametrize("tag", [
    "gradients/dense/MatMul_grad/tuple/control_dependency_1_0",
    "gradients/variables/x",
    "variables/w/grad",
])
def test_two_marks_are_ambiguous(tag: str) -> None:
    found = match_histograms([tag])
    assert found.rows == ()
    why = "operation" if "MatMul" in tag else "both"
    assert {tag: reason.why for tag, reason in found.unclear.items()} == {tag: why}


@pytest.mark.parametrize("tag", [
    "activations/relu_1", "layer1/output", "loss", "predictions", "grad", "gradients", "weight",
    "dense_1", "", "/", "///", ".grad", "histogram",
])
def test_anything_else_is_neither(tag: str) -> None:
    found = match_histograms([tag])
    assert found.rows == () or tag == ".grad"


@pytest.mark.parametrize("tag", [
    "Environment/Cumulative Reward_hist", "activations/relu_1", "layer1/output", "predictions",
    "logits", "action_probs",
])
def test_histograms_of_data_are_not_asked_about(tag: str) -> None:
    """Unity's ML-Agents and TensorFlow 1 tutorials write them; they are no weights."""
    assert match_histograms([tag]).unclear == {}
    told = match_histograms([tag], [TagPattern.parse("{*}", "variable")])
    assert len(told.rows) == 1, "a person may say otherwise"


def test_patterns_of_ones_own_come_first() -> None:
    patterns = [TagPattern.parse("{v}", "gradient"), TagPattern.parse("w:{v}!", "variable")]
    found = match_histograms(["fc1.weight", "w:fc1.weight!"], patterns[::-1])
    assert found.gradients == {0: "fc1.weight"}
    assert found.variables == {0: "w:fc1.weight!"}
    assert match_histograms(["gradients/a"], patterns[1:]).gradients == {0: "gradients/a"}


def test_two_tags_of_one_meaning_are_told() -> None:
    found = match_histograms(["gradients/w", "w/grad", "w"])
    assert found.gradients == {0: "gradients/w"}
    assert found.variables == {0: "w"}
    assert found.repeated == {"w/grad": "gradients/w"}


def test_a_number_is_only_cut_where_names_stay_apart() -> None:
    found = match_histograms(["gradients/block", "gradients/block_0", "gradients/block_1"])
    assert [row.name for row in found.rows] == ["block", "block_0", "block_1"]


def test_rows_are_in_natural_order_with_layer_and_kind() -> None:
    tags = [f"gradients/layer{index}/{part}_0" for index in (10, 2, 1) for part in ("kernel", "b")]
    rows = match_histograms(tags).rows
    assert [(row.layer, row.kind) for row in rows] == [
        (f"layer{index}", kind) for index in (1, 2, 10) for kind in ("bias", "kernel")
    ]


@pytest.mark.parametrize(("name", "kind"), [
    ("dense/kernel", "kernel"), ("dense/Kernel", "kernel"), ("conv1/weights", "kernel"),
    ("w", "kernel"), ("W1", "kernel"), ("dense/kernel_1", "kernel"),
    ("separable/depthwise_kernel", "kernel"), ("lstm/recurrent_kernel", "recurrent_kernel"),
    ("rnn.weight_hh_l0", "recurrent_kernel"), ("rnn.weight_ih_l1_reverse", "kernel"),
    ("rnn.bias_hh_l0", "bias"), ("dense/bias", "bias"), ("fc/biases", "bias"), ("b", "bias"),
    ("bn/gamma", "gamma"), ("bn/beta", "beta"), ("emb/embeddings", "embedding"),
    ("bn/moving_mean", "other"), ("x", "other"), ("", "other"),
])
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


@pytest.mark.parametrize(("name", "layer"), [
    ("dense/kernel", "dense"), ("a/b/c", "a/b"), ("encoder.layers.0.weight", "encoder.layers.0"),
    ("model/fc.1/bias", "model/fc.1"), ("w", "w"), ("", ""),
])
def test_layers(name: str, layer: str) -> None:
    assert layer_of(name) == layer


@given(st.lists(st.text(alphabet="a/._-:0grdGvlwtsh", max_size=20), max_size=10))
def test_any_names_give_each_tag_one_place(tags: list[str]) -> None:
    found = match_histograms(tags)
    used = [*found.gradients.values(), *found.variables.values(), *found.repeated,
            *found.unclear]
    assert len(used) == len(set(used))
    assert set(used) <= set(tags)
    assert {*found.gradients, *found.variables} == set(range(len(found.rows)))


@given(st.lists(st.text(max_size=12)))
def test_natural_order_is_an_order_of_any_text(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=natural_order) == sorted(backwards, key=natural_order)
