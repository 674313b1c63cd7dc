"""Faults of recorded programs, each beside a healthy run: momentum, clipping by hand, tiny inputs,
class numbers of which one dominates, scores used as losses, and starts on flat ends.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories as draw
import numpy as np
import pytest
from histories.faults import (
    NAMES,
    N,
    batches,
    cause,
    changed,
    classes,
    configured,
    cut,
    data,
    deep,
    dense,
    diverging,
    high_rate,
    ids,
    imbalanced,
    labeled,
    model,
    outputs,
    with_loss,
)

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.paired_losses import paired_losses
from tb_convergence.core.diagnosis.training_progress import unfinished
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row

SPARSE = "sparse_categorical_crossentropy"


def loud(history: RunHistory) -> list[str]:
    return [f.id for f in diagnose_history(history).findings if f.severity != "info"]


# A momentum that adds up a thousand steps


def descending(momentum: float, loss: np.ndarray) -> RunHistory:
    optimizer = {"class": "SGD", "learning_rate": 0.05, "momentum": momentum}
    return configured(high_rate(1e-3, loss), optimizer=optimizer)


@pytest.mark.parametrize(
    ("momentum", "loss", "named"),
    [
        (0.999, diverging(), True),
        (0.9, diverging(), False),
        (0.99, diverging(), False),
        (0.999, draw.falling(), False),
    ],
)
def test_a_momentum_near_one_is_blamed_where_the_loss_suffers(
    momentum: float, loss: np.ndarray, named: bool
) -> None:
    findings = diagnose_history(descending(momentum, loss)).findings
    titles = [f.title for f in findings if f.id == "learning-rate-too-high"]
    assert ("The momentum is too high" in titles) == named


def test_the_advice_lowers_the_momentum_and_keeps_the_rate() -> None:
    finding = cause(descending(0.999, diverging()), "learning-rate-too-high")
    assert "SGD(0.05, momentum=0.9) instead of SGD(0.05, momentum=0.999)" in finding.advice[0]
    assert "acts like a learning rate of 50" in finding.summary


# Clipping in the train step


def clipped_by_hand(
    wobble: float, ratio: float = 1e-6, loss: np.ndarray | None = None
) -> RunHistory:
    noise = np.random.default_rng(5).uniform(-wobble, wobble, N)
    level = draw.flat() if loss is None else loss
    history = changed("variables", update_ratio=np.full(N, ratio))
    run = draw.run_table(level, learning_rate=np.full(N, 0.1),
                         gradient_global_norm=1e-4 * (1 + noise))
    history = replace(history, tables={**history.tables, "run": run})
    return configured(history, optimizer={"class": "SGD", "learning_rate": 0.1})


@pytest.mark.parametrize(
    ("history", "found"),
    [
        (clipped_by_hand(1e-7), True),
        (clipped_by_hand(0.05), False),  # gradients of different batches
        (clipped_by_hand(1e-7, ratio=1e-3), False),  # the steps are long enough
        (clipped_by_hand(1e-7, loss=draw.falling()), False),
        (clipped_by_hand(1e-7, loss=draw.flat(noise=0.0)), False),  # the same batch, and no change
    ],
)
def test_a_norm_that_is_the_same_at_every_step_was_clipped(
    history: RunHistory, found: bool
) -> None:
    assert ("clipping-hides-learning-rate" in ids(history)) == found


def test_clipping_by_hand_explains_a_rate_that_looks_too_low() -> None:
    findings = {f.id: f for f in diagnose_history(clipped_by_hand(1e-7)).findings}
    assert findings["learning-rate-too-low"].explained_by == "clipping-hides-learning-rate"
    assert "1 instead of 1e-4" in findings["clipping-hides-learning-rate"].advice[0]


# Inputs that are nearly zero


def small_inputs(rms: float, loss: np.ndarray) -> RunHistory:
    history = changed("inputs", feature_mean=np.zeros((N, 2)), feature_std=np.full((N, 2), rms))
    return with_loss(loss, history)


@pytest.mark.parametrize(
    ("rms", "loss", "found"),
    [
        (0.003, draw.flat(), True),  # pixels divided by 255 twice
        (0.003, draw.falling(), False),
        (0.1, draw.flat(), False),  # sparse pixels in [0, 1]
    ],
)
def test_inputs_that_are_nearly_zero(rms: float, loss: np.ndarray, found: bool) -> None:
    assert ("unnormalized-input" in loud(small_inputs(rms, loss))) == found


def rescaled(output_std: float) -> RunHistory:
    """A Rescaling before the first layer, whose outputs have the given standard deviation."""
    base = with_loss(draw.flat())
    kernel = Row("first/kernel", "first", "kernel", (4, 16), "float32", "linear")
    last = Row("last/kernel", "last", "kernel", (16, 3), "float32", "softmax")
    variables = draw.table("variables", (kernel, last), {
        "variable_norm": np.full((N, 2), 4.0), "gradient_norm": np.full((N, 2), 0.1),
        "update_ratio": np.full((N, 2), 1e-3),
    })
    activations = draw.table("activations", draw.outputs("first", activation="linear"), {
        "activation_mean": np.zeros((N, 1)), "activation_std": np.full((N, 1), output_std),
    })
    layers = model(
        {"name": "scale", "class": "Rescaling", "inputs": ["input"]},
        dense("first", "scale", "linear", 16, bias_initializer={"class": "Zeros"}),
        dense("last", "first", "softmax", 3),
    )
    tables = {**base.tables, "variables": variables, "activations": activations}
    return replace(base, tables=tables, config={"model": layers, "loss": {"name": SPARSE}})


@pytest.mark.parametrize(("output_std", "found"), [(0.003, True), (0.8, False)])
def test_a_scaling_inside_the_model_shows_in_the_first_layer(
    output_std: float, found: bool
) -> None:
    """Weights of norm 4 / sqrt(16) = 1 per unit: outputs are as large as the inputs."""
    history = rescaled(output_std)
    assert ("unnormalized-input" in ids(history)) == found
    if found:
        assert "scale passes to first has an RMS of about 0.003" in cause(
            history, "unnormalized-input").summary


# Class numbers of which one dominates


def numbered(
    shares: list[float], rare: float, loss: np.ndarray, logits: bool = False
) -> RunHistory:
    """A classifier of class numbers; `rare` is the largest output of each class but the first."""
    count = len(shares)
    high = [0.99] + [rare] * (count - 1)
    history = data(
        {"mean": [0.5], "std": [0.5], "min": [0.0], "max": [count - 1.0]},
        {"mean": shares, "std": [0.1] * count, "min": [0.4] + [0.0] * (count - 1), "max": high},
        **classes(SPARSE, "linear" if logits else "softmax", count),
    )
    config = {**history.config, "loss": {"name": SPARSE, "from_logits": logits}}
    rows = [Row(f"y={i}", "y", "label", (i, i + 1)) for i in range(count)]
    labels = draw.table("labels", rows, {"label_fraction": np.tile(shares, (N, 1))})
    return with_loss(loss, replace(history, config=config,
                                   tables={**history.tables, "labels": labels}))


UNEVEN = [0.94, 0.02, 0.02, 0.02]
ENTROPY = float(-np.sum(np.asarray(UNEVEN) * np.log(UNEVEN)))


@pytest.mark.parametrize(
    ("history", "severity"),
    [
        (numbered(UNEVEN, 0.3, draw.flat(level=0.8 * ENTROPY, noise=1e-3)), "warning"),
        (numbered(UNEVEN, 0.9, draw.falling(start=1.4, end=0.02, noise=1e-3)), "info"),
        (numbered(UNEVEN, 0.3, draw.flat(level=0.8 * ENTROPY, noise=1e-3), True), "warning"),
        (numbered([0.4, 0.2, 0.2, 0.2], 0.3, draw.flat(level=1.3)), None),
    ],
)
def test_class_numbers_of_which_one_dominates(history: RunHistory, severity: str | None) -> None:
    found = [f.severity for f in diagnose_history(history).findings if f.id == "class-imbalance"]
    assert found == ([] if severity is None else [severity])


def test_labels_are_not_doubted_where_one_class_dominates() -> None:
    """Its validation data may have other shares, so that no loss below the baseline is no sign."""
    history = numbered(UNEVEN, 0.9, draw.falling(start=1.4, end=0.7 * ENTROPY, noise=1e-3))
    last = history.tables["run"].steps[-1]
    steps = np.linspace(20, last, 10).astype(int)
    validation = draw.table("epoch", (Row("epoch", "epoch", "epoch"),), {
        "epoch_loss": np.full(10, 0.7 * ENTROPY), "validation_loss": np.full(10, 1.1 * ENTROPY),
    }, steps)
    history = replace(history, tables={**history.tables, "epoch": validation})
    assert "wrong-labels" not in ids(history)


# A score that is minimized


def scored(end: float, name: str = "dice", activation: str = "sigmoid") -> RunHistory:
    """Probabilities that average 0.5 at first and `end` at last; a tenth of the targets is 1."""
    history = data(labeled(0.1), outputs(0.5, 0.1, 0.0, 1.0), **classes(name, activation))
    table = history.tables["inputs"]
    row = next(i for i, row in enumerate(table.rows) if row.kind == "prediction")
    values = np.array(table.low)
    values[:, row, table.columns.index("feature_mean")] = np.linspace(0.5, end, N)
    tables = {**history.tables, "inputs": replace(table, low=values, high=values)}
    history = replace(history, tables=tables)
    return with_loss(draw.falling(start=0.2, end=0.005, noise=1e-3), history)


@pytest.mark.parametrize(
    ("history", "found"),
    [
        (scored(0.8), True),
        (scored(0.12), False),  # a Dice loss that works
        (scored(0.45), False),  # weighted toward the rare class
        (scored(0.8, activation="linear"), False),  # a distance, small for what belongs together
    ],
)
def test_a_score_that_is_minimized_is_the_wrong_loss(history: RunHistory, found: bool) -> None:
    assert ("wrong-loss" in ids(history)) == found


def test_a_false_green_is_none() -> None:
    assert diagnose_history(scored(0.8)).verdict.state == "sick"


def test_a_softmax_of_one_unit_is_not_blamed_on_the_squared_error() -> None:
    history = data(labeled(0.5), outputs(1.0, 0.0, 1.0, 1.0), **classes("mse", "softmax", 1))
    found = ids(with_loss(draw.flat(level=0.5, noise=0.0), history))
    assert "wrong-output-activation" in found
    assert "wrong-loss" not in found


# Weights that start on the flat ends


def saturating(std: float, first: float, last: float, loss: np.ndarray) -> RunHistory:
    names = ("hidden_1", "hidden_2", "output")
    rows = [Row(f"{n}/kernel", n, "kernel", (100, 100), "float32", "tanh") for n in names]
    base = with_loss(loss)
    table = base.tables["variables"]
    columns = {name: table.low[:, :, i] for i, name in enumerate(table.columns)}
    columns |= {"variable_std": np.full((N, 3), std), "variable_mean": np.zeros((N, 3))}
    part = np.linspace(first, last, N)[:, None] * np.ones(3)
    history = replace(base, tables={
        **base.tables, "variables": draw.table("variables", rows, columns),
    })
    return changed("activations", history, activation_saturated_fraction=part)


@pytest.mark.parametrize(
    ("std", "first", "last", "loss", "severity"),
    [
        (0.6, 0.8, 0.8, draw.flat(), "critical"),  # six times Glorot's 0.1
        (0.6, 0.8, 0.8, draw.falling(end=0.9), "info"),
        (0.6, 0.1, 0.1, draw.falling(end=0.9), None),  # the inputs are small: no harm
        (0.1, 0.8, 0.8, draw.falling(end=0.9), None),  # large inputs saturate any weights
    ],
)
def test_weights_that_start_on_the_flat_ends(
    std: float, first: float, last: float, loss: np.ndarray, severity: str | None
) -> None:
    findings = diagnose_history(saturating(std, first, last, loss)).findings
    found = [f.severity for f in findings if f.id == "poor-initialization"]
    assert found == ([] if severity is None else [severity])


# Constraints and penalties


def constrained(kept: float, limit: float, loss: np.ndarray) -> RunHistory:
    norm = np.full((N, 3), 8.0 * kept)
    norm[0] = 8.0
    history = changed("variables", with_loss(loss), variable_norm=norm)
    names = ("hidden_1", "hidden_2", "output")
    bound: dict[str, Any] = {"class": "MaxNorm", "config": {"max_value": limit, "axis": 0}}
    layers = [dense(name, source, kernel_constraint=bound)
              for source, name in zip(("x", *names), names, strict=False)]
    return configured(history, model=model(*layers))


@pytest.mark.parametrize(
    ("kept", "loss", "found"),
    [(0.05, draw.flat(), True), (0.99, draw.flat(), False), (0.05, draw.falling(), False)],
)
def test_a_constraint_that_cuts_the_weights_off(
    kept: float, loss: np.ndarray, found: bool
) -> None:
    history = constrained(kept, 0.05, loss)
    assert ("over-regularization" in ids(history)) == found
    if found:
        assert "MaxNorm(3) instead of MaxNorm(0.05)" in cause(
            history, "over-regularization").advice[0]


def test_a_penalty_that_shrank_the_weights_is_no_high_rate() -> None:
    """The same step is a larger part of smaller weights."""
    history = changed(
        "variables", with_loss(draw.flat()), update_ratio=np.linspace(1e-3, 0.4, N),
        variable_norm=np.geomspace(8.0, 0.02, N),
    )
    penalty = {"class": "L2", "config": {"l2": 1.0}}
    names = ("hidden_1", "hidden_2", "output")
    layers = [dense(name, source, kernel_regularizer=penalty)
              for source, name in zip(("x", *names), names, strict=False)]
    found = ids(configured(history, model=model(*layers)))
    assert "over-regularization" in found
    assert "learning-rate-too-high" not in found


# Losses by epoch


def paired(training: np.ndarray, validation: np.ndarray) -> RunHistory:
    base = draw.healthy()
    steps = np.arange(19, N, 20)
    epoch = draw.table("epoch", (Row("epoch", "epoch", "epoch"),), {
        "epoch_loss": training, "validation_loss": validation,
    }, steps)
    return replace(base, tables={**base.tables, "epoch": epoch})


def test_epoch_means_that_never_change_are_no_means_of_losses_that_do() -> None:
    """A train step of one's own that updates no loss tracker reports 0 for every epoch."""
    pairs = paired_losses(paired(np.zeros(10), np.full(10, 2.3)))
    assert pairs is not None
    assert pairs.training[0] > 0.5
    assert "overfitting" not in ids(with_loss(draw.flat(), paired(np.zeros(10), np.full(10, 2.3))))


def test_a_validation_loss_far_above_a_training_loss_near_zero_is_mentioned() -> None:
    falls = np.geomspace(2.0, 0.02, 10)
    apart = diagnose_history(paired(falls, np.linspace(2.2, 0.5, 10))).findings
    assert [(f.id, f.severity) for f in apart if f.id == "overfitting"] == [("overfitting", "info")]
    close = diagnose_history(paired(falls, falls * 1.5)).findings
    assert [f.id for f in close if f.id == "overfitting"] == []


# Large inputs that do no harm


def large_inputs(loss: np.ndarray, normalized: bool, validation: float = 1.1) -> RunHistory:
    """Pixels from 0 to 255 for a classifier of ten classes."""
    base = data(
        {"mean": [0.1] * 10, "std": [0.3] * 10, "min": [0.0] * 10, "max": [1.0] * 10},
        {"mean": [0.1] * 10, "std": [0.2] * 10, "min": [0.0] * 10, "max": [0.9] * 10},
    )
    behind = {"name": "norm", "class": "BatchNormalization", "inputs": ["first"]}
    layers = [dense("first", "a", "linear"), behind, dense("last", "norm", "softmax", 10)]
    if not normalized:
        layers = [dense("first", "a"), dense("last", "first", "softmax", 10)]
    table = base.tables["inputs"]
    values = np.array(table.low)
    values[:, 0, table.columns.index("feature_mean")] = 80.0
    values[:, 0, table.columns.index("feature_std")] = 90.0
    steps = np.arange(19, N, 20)
    epoch = draw.table("epoch", (Row("epoch", "epoch", "epoch"),), {
        "epoch_loss": loss[steps], "validation_loss": loss[steps] * validation,
    }, steps)
    history = replace(
        base, config={"model": model(*layers), "loss": {"name": "categorical_crossentropy"}},
        tables={**base.tables, "inputs": replace(table, low=values, high=values), "epoch": epoch},
    )
    return with_loss(loss, history)


@pytest.mark.parametrize(
    ("history", "severity"),
    [
        (large_inputs(draw.falling(end=1.0), False), "critical"),
        (large_inputs(draw.falling(end=0.01, noise=1e-3), False), "info"),
        (large_inputs(draw.falling(end=0.1, noise=1e-3), False, validation=9.0), "critical"),
        (large_inputs(draw.falling(end=1.0), True), "info"),
    ],
)
def test_large_inputs_need_action_where_the_run_suffers(
    history: RunHistory, severity: str
) -> None:
    finding = cause(history, "unnormalized-input")
    assert (finding.severity == "info") == (severity == "info")


# Normalization that validates with the statistics of a new layer


def lagging(momentum: float, validation: float) -> RunHistory:
    history = large_inputs(draw.falling(end=0.2, noise=1e-3), True, validation)
    layers = history.config["model"]["layers"]
    norm = {**layers[1], "momentum": momentum, "trainable": True, "moving_statistics": "moved"}
    return replace(history, config={
        **history.config, "model": {"layers": [layers[0], norm, layers[2]]},
    })


@pytest.mark.parametrize(
    ("momentum", "validation", "found"),
    [
        (0.9999, 20.0, True), (0.9999, 4.0, True), (0.9999, 1.1, False),
        (0.98, 20.0, True), (0.98, 4.0, False),  # 2% are left
        (0.9, 20.0, False),  # none is left
    ],
)
def test_moving_statistics_that_lag_behind(
    momentum: float, validation: float, found: bool
) -> None:
    history = lagging(momentum, validation)
    assert ("batch-norm-statistics" in ids(history)) == found
    if found:
        sure = cause(history, "batch-norm-statistics").confidence > 0.8
        assert sure == (momentum == 0.9999)


def test_moving_statistics_have_caught_up_after_many_steps() -> None:
    """Then another fault keeps validation at chance."""
    long = lagging(0.9, 20.0)
    tables = {
        group: replace(table, steps=table.steps * 10) for group, table in long.tables.items()
    }
    assert "batch-norm-statistics" not in ids(replace(long, tables=tables))


# What looks like a fault of the rate, and is none


def vanishing_weights(kept: float, loss: np.ndarray) -> RunHistory:
    """Weights that shrink to `kept` of their start; steps are 0.3 times what is left."""
    early = np.arange(N) < 3
    history = changed("variables", with_loss(loss), variable_norm=np.where(early, 8.0, 8.0 * kept),
                      update_ratio=np.where(early, 1e-3, 0.3))
    return configured(history, optimizer={"class": "Adam", "learning_rate": 0.02})


@pytest.mark.parametrize(
    ("kept", "loss", "found"),
    [
        (0.01, draw.flat(), False),  # a linear model of a problem that no line solves
        (0.9, draw.flat(), True),
        (0.01, diverging(), True),  # the loss does suffer
    ],
)
def test_steps_that_are_long_only_beside_vanishing_weights(
    kept: float, loss: np.ndarray, found: bool
) -> None:
    history = vanishing_weights(kept, loss)
    assert ("learning-rate-too-high" in loud(history)) == found


@pytest.mark.parametrize(("level", "found"), [(0.1, False), (2.0, True)])
def test_small_steps_of_a_trained_model_are_no_low_rate(level: float, found: bool) -> None:
    """A classifier of ten classes that begins, and stays, at a loss of `level`."""
    history = large_inputs(draw.flat(level=level, noise=1e-3), True)
    history = changed("variables", history, update_ratio=np.full(N, 1e-5))
    assert ("learning-rate-too-low" in loud(history)) == found


@pytest.mark.parametrize(
    ("records", "within", "found"),
    [(6, 0.05, True), (6, 0.4, False), (40, 0.4, True), (40, 0.97, False), (4, 0.05, False)],
)
def test_few_batches_tell_if_hardly_any_variance_is_within(
    records: int, within: float, found: bool
) -> None:
    assert ("unshuffled-batches" in ids(cut(batches(within), records))) == found


def saturated_stack(units: int) -> RunHistory:
    """Four tanh layers, of which the second has `units` units that are saturated."""
    history = deep(1.0, "tanh")
    part = np.tile([0.1, 0.7, 0.1, 0.1], (N, 1))
    activations = draw.table("activations", draw.outputs(*NAMES, activation="tanh"), {
        "activation_std": np.full((N, 4), 0.8), "activation_saturated_fraction": part,
    })
    layers = [dense(name, source, "tanh", units if name == NAMES[1] else 32)
              for source, name in zip(("x", *NAMES), NAMES, strict=False)]
    return replace(history, tables={**history.tables, "activations": activations},
                   config={"model": model(*layers)})


@pytest.mark.parametrize(("units", "found"), [(1, False), (32, True)])
def test_the_units_of_a_bottleneck_may_saturate(units: int, found: bool) -> None:
    assert ("wrong-hidden-activation" in loud(saturated_stack(units))) == found


def test_units_that_die_while_one_class_is_repeated_are_explained_by_it() -> None:
    history = imbalanced(0.02)
    fraction = np.where(np.arange(N)[:, None] < 50, 0.1, 0.6) * np.ones(3)
    history = changed("activations", history, activation_dead_fraction=fraction)
    findings = {f.id: f for f in diagnose_history(history).findings}
    assert findings["dead-relu"].explained_by == "class-imbalance"
    always = changed("activations", history, activation_dead_fraction=np.full((N, 3), 0.95))
    findings = {f.id: f for f in diagnose_history(always).findings}
    assert findings["dead-relu"].explained_by is None


# Small weights of large inputs


def small_weights(input_rms: float) -> RunHistory:
    """A first layer with a hundredth of Glorot's scale, and inputs of the given RMS."""
    base = with_loss(draw.flat())
    rows = [Row("first/kernel", "first", "kernel", (4, 16), "float32", "relu"),
            Row("last/kernel", "last", "kernel", (16, 3), "float32", "softmax")]
    glorot = np.sqrt([2 / 20, 2 / 19])
    std = glorot * [0.01, 1.0]
    variables = draw.table("variables", rows, {
        "variable_std": np.tile(std, (N, 1)), "variable_mean": np.zeros((N, 2)),
        "variable_norm": np.tile(std * np.sqrt([64, 48]), (N, 1)),
        "gradient_norm": np.full((N, 2), 0.1), "update_ratio": np.full((N, 2), 1e-3),
    })
    inputs = draw.table("inputs", draw.features("a"), {
        "feature_mean": np.zeros((N, 1)), "feature_std": np.full((N, 1), input_rms),
    })
    layers = model({"name": "a", "class": "InputLayer", "inputs": []}, dense("first", "a"),
                   dense("last", "first", "softmax", 3))
    tables = {**base.tables, "variables": variables, "inputs": inputs}
    return replace(base, tables=tables, config={"model": layers, "loss": {"name": SPARSE}})


@pytest.mark.parametrize(("input_rms", "found"), [(1.0, True), (60.0, False)])
def test_small_weights_of_large_inputs_are_no_fault(input_rms: float, found: bool) -> None:
    """A column of 200 pounds, and weights from RandomNormal(0.05): the layer puts out enough."""
    assert ("poor-initialization" in ids(small_weights(input_rms))) == found


def test_accumulated_gradients_make_fewer_steps() -> None:
    """Nine epochs of 45 batches, of which each 15 make one update: 27 steps are all."""
    plan = {"epochs": 9, "steps_per_epoch": 45}
    optimizer = {"class": "Adam", "gradient_accumulation_steps": 15}
    history = configured(draw.healthy(27), optimizer=optimizer, **plan)
    assert not unfinished(history)
    assert unfinished(configured(draw.healthy(27), optimizer={"class": "Adam"}, **plan))


def test_a_network_without_a_gradient_is_no_imbalance() -> None:
    """It puts out a constant, and the best one is the share of the classes."""
    still = changed("variables", imbalanced(0.05), gradient_norm=np.zeros((N, 3)),
                    gradient_zero_fraction=np.ones((N, 3)), update_ratio=np.zeros((N, 3)))
    assert "class-imbalance" not in loud(still)
    assert "class-imbalance" in loud(imbalanced(0.05))


@pytest.mark.parametrize(
    ("epochs", "ratio", "found"), [(12, 5e-4, True), (12, 0.3, False), (40, 5e-4, False)]
)
def test_a_dozen_steps_that_were_all_are_few(epochs: int, ratio: float, found: bool) -> None:
    """One batch holds the whole data set; at 40 epochs, the run is still in progress."""
    base = draw.healthy(12)
    history = with_loss(draw.falling(12, 2.3, 2.1, 0.0),
                        changed("variables", base, update_ratio=np.full(12, ratio)))
    tables = {group: table for group, table in history.tables.items() if group != "epoch"}
    config = {"epochs": epochs, "steps_per_epoch": 1}
    assert ("too-few-steps" in ids(replace(history, tables=tables, config=config))) == found
