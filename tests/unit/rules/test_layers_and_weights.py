"""Hidden layers: activations, dead units, initialization, dropout, and their gradients."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import (
    NAMES,
    N,
    cause,
    changed,
    classes,
    configured,
    data,
    dead,
    deep,
    dense,
    dropout,
    ids,
    labeled,
    model,
    one_hot,
    outputs,
    started,
    with_loss,
)

from tb_convergence.core.diagnosis import diagnose_history


def test_dead_units_that_do_not_hold_learning_back_are_information_only() -> None:
    (finding,) = diagnose_history(dead(0.8, draw.falling())).findings
    assert (finding.id, finding.severity) == ("dead-relu", "info")


def test_a_stack_without_nonlinearity_is_named() -> None:
    layers = [
        {"name": "a", "class": "Dense", "activation": "linear", "inputs": ["x"]},
        {"name": "drop", "class": "Dropout", "inputs": ["a"]},
        {"name": "b", "class": "Dense", "activation": "linear", "inputs": ["drop"]},
        {"name": "out", "class": "Dense", "activation": "softmax", "inputs": ["b"]},
    ]
    history = replace(draw.healthy(), config={"model": {"layers": layers}})
    (finding,) = diagnose_history(history).findings
    assert finding.id == "wrong-hidden-activation"
    assert finding.layers == ("a", "b")


def test_copies_of_one_unit_are_named() -> None:
    (finding,) = [f for f in diagnose_history(started(0.0)).findings if f.kind == "cause"]
    assert "copies of each other" in finding.summary


def test_heavy_dropout_on_a_narrow_layer_is_named_and_on_a_wide_one_is_not() -> None:
    for units, expected in ((16, ["over-regularization"]), (512, [])):
        drop = dropout("drop", "a", units)
        layers = model(dense("a", "x", units=units), drop, dense("o", "drop"))
        assert ids(configured(model=layers)) == expected


@pytest.mark.parametrize(
    ("layers", "words", "remedy"),
    [
        (
            [dense("a", "x", "softmax"), dense("b", "a"), dense("o", "b", "softmax", 4)],
            "softmax inside the network", "relu",
        ),
        ([{"name": "cell", "class": "LSTM", "activation": "relu", "inputs": ["x"]},
          dense("o", "cell", "softmax", 4)], "unbounded", "tanh"),
        ([{"name": "cell", "class": "GRU", "activation": "sigmoid", "inputs": ["x"]},
          dense("o", "cell", "softmax", 4)], "a quarter of the gradient", "tanh"),
        ([dense("a", "x", "sigmoid"), dense("o", "a", "softmax", 4)], "a quarter of the gradient",
         "relu"),
        ([dense("a", "x", "linear"), dense("b", "a"), dense("c", "b"), dense("o", "c")],
         "one linear map", "relu"),
    ],
)
def test_hidden_activations_that_hold_a_run_back(layers: list, words: str, remedy: str) -> None:
    """What to try and what would decide it name one and the same activation, and no other."""
    stuck = configured(with_loss(draw.flat()), model=model(*layers))
    finding = cause(stuck, "wrong-hidden-activation")
    assert words in finding.summary
    for said in (" ".join(finding.advice), finding.experiment):
        assert [name for name in ("relu", "tanh") if name in said.lower()] == [remedy]


def test_attention_may_use_softmax_within_the_network() -> None:
    layers = [dense("score", "x", "softmax"),
              {"name": "mix", "class": "Multiply", "inputs": ["score", "x"]},
              dense("o", "mix", "softmax", 4)]
    assert ids(configured(model=model(*layers))) == []


def test_a_first_loss_far_above_that_of_knowing_nothing() -> None:
    history = data(one_hot(), outputs(0.5, 0.4, 0.0, 1.0), **classes("categorical_crossentropy",
                                                                   "softmax", 4))
    loss = draw.flat()
    base = started(0.35)
    tables = {**base.tables, "inputs": history.tables["inputs"]}
    for first, expected in ((3.0, True), (1.2, False)):
        loss[:3] = first
        run = {**tables, "run": draw.run_table(loss)}
        found = ids(replace(base, config=history.config, tables=run))
        assert ("poor-initialization" in found) == expected


def test_gradients_that_vanish_because_all_is_learned_are_information() -> None:
    learned = with_loss(draw.falling(end=0.001, noise=1e-4), deep(1e-6, "relu"))
    assert {f.severity for f in diagnose_history(learned).findings} <= {"info"}


def test_a_skip_connection_passes_the_gradient_around_squashing_layers() -> None:
    skips = configured(deep(1e-5), model=model({"name": "add", "class": "Add"}))
    assert "wrong-hidden-activation" not in ids(skips)


@pytest.mark.parametrize(
    ("initializer", "found"), [("GlorotUniform", True), ("LecunNormal", False)]
)
def test_selu_wants_its_own_initializer(initializer: str, found: bool) -> None:
    layers = model(dense("a", "x", "selu", kernel_initializer={"class": initializer}),
                   dense("o", "a"))
    history = configured(started(0.35), model=layers)
    assert ("poor-initialization" in ids(history)) == found


def conv(name: str, source: str, activation: str = "linear", kind: str = "Conv2D") -> dict:
    return {"name": name, "class": kind, "activation": activation, "inputs": [source]}


@pytest.mark.parametrize(
    ("between", "found"), [("AveragePooling2D", True), ("MaxPooling2D", False)]
)
def test_convolutions_without_a_nonlinearity_are_one_linear_map(between: str, found: bool) -> None:
    layers = model(conv("a", "x"), conv("pool", "a", "", between), conv("b", "pool"),
                   conv("flat", "b", "", "Flatten"), dense("o", "flat", "softmax", 4))
    stuck = configured(with_loss(draw.flat()), model=layers)
    said = [f for f in diagnose_history(stuck).findings if f.id == "wrong-hidden-activation"]
    assert any("No hidden layer has" in f.summary for f in said) == found


def test_a_sigmoid_as_the_state_of_a_recurrent_cell() -> None:
    layers = model({"name": "rnn", "class": "SimpleRNN", "activation": "sigmoid", "inputs": ["x"]},
                   dense("o", "rnn", "sigmoid", 1))
    history = data(labeled(0.5), {}, model=layers, loss={"name": "binary_crossentropy"})
    standing = with_loss(draw.flat(level=0.693, noise=0.002), history)
    stuck = cause(standing, "wrong-hidden-activation")
    assert (stuck.severity, stuck.layers) == ("warning", ("rnn",))
    assert "wrong-hidden-activation" not in ids(with_loss(draw.falling(end=0.05), history))


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_ratio_of_the_layers_is_the_quotient_of_what_stands_beside_it(activation: str) -> None:
    history = deep(1e-5, activation)
    findings = {f.id: f for f in diagnose_history(history).findings}
    ratio, first, last = findings["vanishing-gradient"].evidence
    assert first.value / last.value == pytest.approx(ratio.value)
    assert first.step == last.step
    assert ratio.value == pytest.approx(1e-5, rel=1e-3)
    # Four layers: three factors of 10^(5/3) lie between the first and the last.
    assert "a factor of 46 per layer" in findings["vanishing-gradient"].summary
    if activation == "sigmoid":
        _, factor, near, far, *_ = findings["wrong-hidden-activation"].evidence
        assert (near.layer, far.layer) == ("first", "third")
        assert (near.value / far.value) ** (1 / 2) == pytest.approx(factor.value)
        assert "each layer passes on" in factor.name


def test_infinite_gradients_of_the_late_layers_are_no_vanishing_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    means = np.full((N, len(NAMES)), 0.01)
    means[:, -1] = np.inf
    history = changed("variables", deep(1e-2, "relu"), gradient_mean_abs=means)
    assert "vanishing-gradient" not in ids(history)
    assert not caplog.records  # such as of a rule that failed


def test_weights_that_all_start_at_zero_are_said_to() -> None:
    base = started(0.0)
    table = base.tables["variables"]
    low = np.array(table.low)
    for name in ("variable_std", "variable_mean"):
        low[:, :, table.columns.index(name)] = 0.0
    tables = {**base.tables, "variables": replace(table, low=low, high=low)}
    finding = cause(replace(base, tables=tables), "poor-initialization")
    first, second, last = (row.layer for row in table.rows)
    assert finding.summary.startswith(f"All weights in {first}, {second} start at zero, so ")
    assert f"{last} starts at zero too" in finding.summary
    assert finding.layers == (first, second)
    assert {item.value for item in finding.evidence} == {0.0}
    limits = {(item.statistic, item.limit) for item in finding.evidence}
    assert limits == {("variable_std", 0.0), ("variable_mean", None)}
    # Of what its own gradient shows, not of what a last layer could do by itself.
    assert finding.summary.endswith(
        f"{last} starts at zero too, which is harmless in a last layer.")
    low[:, 2, table.columns.index("gradient_zero_fraction")] = 1.0
    tables = {**base.tables, "variables": replace(table, low=low, high=low)}
    cut_off = cause(replace(base, tables=tables), "poor-initialization").summary
    assert "the layer gets no gradient while the layers before it output zeros." in cut_off


@pytest.mark.parametrize(
    ("first", "update", "told"),
    [(0, 0.01, True), (1, 0.01, True), (1, 0.9, False), (2, 0.01, False)],
)
def test_weights_recorded_after_one_small_update_still_show_how_they_began(
    first: int, update: float, told: bool
) -> None:
    """A model without an input shape is built by its first batch and recorded from the second."""
    base = changed("variables", started(9.0), update_ratio=np.full(N, update))
    table = base.tables["variables"]
    later = replace(table, steps=table.steps + first)
    history = replace(base, tables={**base.tables, "variables": later})
    assert ("poor-initialization" in ids(history)) == told
    if told:
        steps = {item.step for item in cause(history, "poor-initialization").evidence}
        assert steps == {first}
