"""Inputs, labels, imbalance, capacity, and overfitting."""

from __future__ import annotations

import math
from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import (
    RISING,
    STUCK_HIGH,
    N,
    cause,
    changed,
    classes,
    configured,
    data,
    dense,
    epochs,
    ids,
    imbalanced,
    labeled,
    labels,
    model,
    outputs,
    plateau,
    scaled,
    with_loss,
)

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.schema import Row


def test_a_wobble_near_zero_is_not_overfitting() -> None:
    """Up by a third from the minimum, but that is a twentieth of what was gained before."""
    validation = [1.0, 0.2, 0.06, 0.07, 0.08, 0.08, 0.08, 0.081]
    assert ids(epochs(validation, STUCK_HIGH)) == []


def test_validation_that_stays_below_training_is_not_overfitting() -> None:
    """Dropout makes the training loss larger than it is."""
    assert ids(epochs([0.1 * value for value in RISING], STUCK_HIGH)) == []


@pytest.mark.parametrize("layer", ["Normalization", "BatchNormalization", "Embedding"])
def test_input_that_the_model_normalizes_is_fine(layer: str) -> None:
    config = {"model": {"layers": [{"name": "first", "class": layer}]}}
    assert "unnormalized-input" not in ids(replace(scaled(500.0), config=config))


@pytest.mark.parametrize(
    ("mean", "std", "part", "constant"),
    [(0.0, 5e2, "std", False), (3e9, 7.0, "mean", False), (3e9, 0.0, "mean", True)],
)
def test_what_is_large_of_an_input_is_said(
    mean: float, std: float, part: str, constant: bool
) -> None:
    history = changed(
        "inputs", feature_mean=np.tile([0.0, mean], (N, 1)), feature_std=np.tile([1.0, std], (N, 1))
    )
    found = next(f for f in diagnose_history(history).findings if f.id == "unnormalized-input")
    whole, largest = found.evidence[:2]
    assert whole.value == pytest.approx(np.hypot(mean, std))
    assert (largest.statistic, largest.layer) == (f"largest_feature_{part}", whole.layer)
    assert largest.value == pytest.approx(max(mean, std))
    left_out = [line for line in found.advice if line.startswith(f"Leave out {whole.layer}")]
    assert len(left_out) == constant


def test_labels_scaled_with_the_images_are_named() -> None:
    history = labels(9 / 255)
    (finding,) = diagnose_history(history).findings
    assert finding.id == "wrong-labels"
    assert "not whole numbers" in finding.summary


def test_imbalance_alone_is_information_and_names_the_weights() -> None:
    learned = with_loss(draw.falling(end=0.01, noise=0.001), imbalanced(0.05))
    assert cause(learned, "class-imbalance").severity == "info"
    stuck = cause(imbalanced(0.05), "class-imbalance")
    assert stuck.severity == "warning"  # validation still falls here
    assert "class_weight={0: 0.53, 1: 10}" in stuck.advice[0]


NECK = model(
    dense("wide", "x", units=32, parameters=9), dense("neck", "wide", units=2, parameters=9),
    dense("out", "neck", "softmax", 4, parameters=9),
)


def test_a_layer_narrower_than_the_classes_is_named() -> None:
    history = replace(plateau(0.06), config={"model": NECK, "loss": {"name": "mse"}})
    finding = cause(history, "insufficient-capacity")
    assert (finding.severity, finding.layers) == ("info", ("neck",))
    assert finding.advice[0] == "Give neck more units: 16 instead of 2."
    assert "small-sample fit" in finding.advice[1]


def test_the_scores_of_an_attention_are_no_bottleneck() -> None:
    """One score a step, on purpose: what it weighs reaches the output another way."""
    weighed = dense("dot", "wide", units=32) | {"class": "Dot", "inputs": ["wide", "score"]}
    attention = model(
        dense("wide", "x", units=32, parameters=9), dense("score", "wide", units=1, parameters=9),
        weighed, dense("out", "dot", "softmax", 5, parameters=9),
    )
    config = {"model": attention, "loss": {"name": "categorical_crossentropy"}}
    found = [
        one for one in diagnose_history(replace(plateau(0.06), config=config)).findings
        if one.id == "insufficient-capacity"
    ]
    assert not any("score" in one.layers for one in found)


def test_gradients_and_updates_are_said_to_be_in_order_only_where_they_are() -> None:
    """One kernel of three that crawls: the plateau has another reason, or is not said to be so."""
    calm = plateau(0.077)
    crawls = changed("variables", calm, update_ratio=np.tile([1e-3, 5e-7, 1e-3], (500, 1)))
    assert "are healthy" in cause(calm, "insufficient-capacity").summary
    assert "insufficient-capacity" not in ids(crawls)
    narrow = replace(crawls, config={"model": NECK, "loss": {"name": "mse"}})
    assert "are healthy" not in cause(narrow, "insufficient-capacity").summary


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("bend", [100, 250, 400])
def test_a_plateau_begins_where_the_loss_came_to_rest(bend: int, noise: float) -> None:
    """Straight down until a step, level from there on: the start is that, but for its last piece.

    Of an eighth of 600 steps the fall may still take the part that lifts its mean by a twentieth.
    """
    scatter = 1 + noise * np.random.default_rng(3).standard_normal(600)
    loss = np.interp(np.arange(600), [0, bend], [0.2, 0.077]) * scatter
    at = replace(plateau(0.077), tables={
        **plateau(0.077, 600).tables, "run": draw.run_table(loss)})
    first = cause(at, "insufficient-capacity").first_step
    slope, allowed = (0.2 - 0.077) / bend, 0.077 / 19
    assert first == pytest.approx(bend - math.sqrt(2 * 75 * allowed / slope), abs=3)


def test_labels_that_validation_never_confirms() -> None:
    """Learned by heart: the training loss is below ignorance, the validation loss never is."""
    base = plateau(0.06)
    at = np.arange(1, 11) * 49
    def run(validation: float) -> list[str]:
        epoch = draw.table("epoch", (Row("epoch", "", "run"),), {
            "epoch_loss": np.linspace(0.2, 0.06, 10),
            "validation_loss": np.linspace(0.2, validation, 10)}, at)
        return ids(replace(base, tables={**base.tables, "epoch": epoch}))
    assert "wrong-labels" in run(0.092)
    assert "wrong-labels" not in run(0.07)


@pytest.mark.parametrize(("kind", "found"), [("BatchNormalization", False), ("Dense", True)])
def test_validation_with_lagging_averages_accuses_nobody(kind: str, found: bool) -> None:
    history = configured(epochs(RISING, STUCK_HIGH), model=model({"name": "n", "class": kind}))
    assert ("overfitting" in ids(history)) == found


def test_a_rare_class_that_is_never_named_is_a_fault() -> None:
    """The outputs vary, so are not the prior, but no rare sample ever gets even odds."""
    for highest, severity in ((0.4, "warning"), (0.8, "info")):
        history = data(labeled(0.05), outputs(0.05, 0.1, 0.0, highest),
                       **classes("binary_crossentropy"))
        assert cause(history, "class-imbalance").severity == severity


def test_a_validation_loss_that_rises_beside_it_is_the_imbalance_s() -> None:
    """Ever surer of the class it always names, the model is ever more wrong about the other."""
    rising = epochs(RISING, STUCK_HIGH)
    for highest, explained_by in ((0.4, "class-imbalance"), (0.8, None)):
        named = data(labeled(0.05), outputs(0.05, 0.1, 0.0, highest),
                     **classes("binary_crossentropy"))
        tables = {"inputs": named.tables["inputs"]}  # epochs alone count what was learned
        history = replace(named, tables=tables, scalars=rising.scalars)
        assert cause(history, "overfitting").explained_by == explained_by


def second_feature(stds: np.ndarray | float, loss: np.ndarray) -> list[str]:
    """What is found where the second of two features has these deviations in each batch."""
    of_both = np.stack([np.ones(N), np.broadcast_to(stds, N)], axis=1)
    return ids(with_loss(loss, changed("inputs", feature_std=of_both)))


@pytest.mark.parametrize(
    ("stds", "found"),
    [
        (1e-5, True),
        (1e-2, False),
        (1e-9, False),  # rounding of a constant
        (np.where(np.arange(N) % 40 == 7, 3e-4, 0.0), False),  # a border pixel: mostly constant
    ],
)
def test_a_feature_that_an_outlier_has_squeezed(stds: np.ndarray | float, found: bool) -> None:
    assert ("unnormalized-input" in second_feature(stds, draw.flat())) == found
    assert "unnormalized-input" not in second_feature(stds, draw.falling())


def test_an_outlier_that_a_batch_held_is_named_with_its_size() -> None:
    largest = np.tile([2.0, 2.0], (N, 1))
    largest[60, 1] = 34.0
    table = draw.table("inputs", draw.features("a", "b"), {
        "feature_mean": np.zeros((N, 2)), "feature_std": np.tile([1.0, 2e-6], (N, 1)),
        "feature_max": largest,
    })
    run = with_loss(draw.flat())
    finding = cause(replace(run, tables={**run.tables, "inputs": table}), "unnormalized-input")
    assert "The largest value is 34, so an outlier has probably set the scale" in finding.summary
    assert "clip the outliers" in finding.advice[0]


@pytest.mark.parametrize(("units", "severity"), [(1, "warning"), (2, "info")])
def test_a_layer_of_one_unit_before_many_classes(units: int, severity: str) -> None:
    """One number cannot tell ten classes apart; two may, and what rests is only a guess."""
    layers = model(dense("a", "x", units=64), dense("neck", "a", "tanh", units),
                   dense("b", "neck", units=64), dense("out", "b", "softmax", 10))
    run = configured(plateau(0.06), model=layers,
                     loss={"name": "sparse_categorical_crossentropy"})
    tables = {group: run.tables[group] for group in run.tables if group != "inputs"}
    finding = cause(replace(run, tables=tables), "insufficient-capacity")
    assert (finding.severity, finding.layers) == (severity, ("neck",))
    assert finding.advice[0] == f"Give neck more units: 16 instead of {units}."


@pytest.mark.parametrize(("factor", "titles"), [
    (5.0, ["Validation data is prepared differently"]),
    (1.5, ["Inputs and labels may not belong together"]),
    (0.8, []),
])
def test_validation_data_prepared_in_another_way(factor: float, titles: list[str]) -> None:
    """Sure and wrong from the first epoch on is no memorizing: that takes time."""
    base = plateau(0.03)  # the variance of the targets is 0.09
    validation = draw.series(
        "validation_loss", 0.09 * factor * (1 + 0.02 * np.arange(6)), np.arange(1, 7) * 80
    )
    history = replace(base, scalars={**base.scalars, "validation_loss": validation})
    found = [f for f in diagnose_history(history).findings if f.id == "wrong-labels"]
    assert [f.title for f in found] == titles
