"""Loss functions, output activations, and the targets that they must fit."""

from __future__ import annotations

from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from histories.faults import (
    N,
    cause,
    changed,
    classes,
    configured,
    data,
    dense,
    ids,
    labeled,
    model,
    one_hot,
    outputs,
    targets,
    with_loss,
)

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory


@pytest.mark.parametrize(
    ("layers", "loss", "words"),
    [
        ([dense("out", "x", "softmax", 1)], {"name": "mse"}, "over one unit"),
        (
            [dense("out", "x", "softmax", 4)],
            {"name": "categorical_crossentropy", "from_logits": True},
            "applies it again",
        ),
        ([dense("out", "x", "linear", 4)], {"name": "categorical_crossentropy"}, "probabilities"),
        (
            [
                dense("logits", "x", "relu", 4),
                {"name": "p", "class": "Activation", "activation": "softmax", "inputs": ["logits"]},
            ],
            {"name": "categorical_crossentropy"},
            "negative evidence",
        ),
        (
            [
                dense("first", "x", "softmax", 4),
                {"name": "p", "class": "Activation", "activation": "softmax", "inputs": ["first"]},
            ],
            {"name": "categorical_crossentropy"},
            "nearly equal",
        ),
    ],
)
def test_output_and_loss_that_do_not_fit(layers: list, loss: dict, words: str) -> None:
    history = configured(model=model(*layers), loss=loss)
    (finding,) = [f for f in diagnose_history(history).findings if f.kind == "cause"]
    assert finding.id == "wrong-output-activation"
    assert words in finding.summary


@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        (
            [dense("out", "x", "linear", 4)],
            {"name": "categorical_crossentropy", "from_logits": True},
        ),
        ([dense("out", "x", "softmax", 4)], {"name": "categorical_crossentropy"}),
        ([dense("out", "x", "linear", 1)], {"name": "mse"}),
        ([dense("out", "x", "sigmoid", 1)], {"name": "binary_crossentropy"}),
        (
            [dense("hidden", "x", "sigmoid"), dense("out", "hidden", "softmax", 4)],
            {"name": "categorical_crossentropy"},
        ),
    ],
)
def test_output_and_loss_that_fit(layers: list, loss: dict) -> None:
    assert ids(configured(model=model(*layers), loss=loss)) == []


@pytest.mark.parametrize(
    ("loss", "end", "expected"),
    [
        ("mse", 0.09, ["wrong-labels", "loss-not-decreasing"]),  # the variance of the targets
        ("mse", 0.077, ["insufficient-capacity"]),
        ("mse", 0.05, []),  # noise in the targets would do
        # ln 2 for a mean of one half
        ("binary_crossentropy", 0.693, ["wrong-labels", "loss-not-decreasing"]),
        ("binary_crossentropy", 0.58, ["insufficient-capacity"]),
        ("binary_crossentropy", 0.45, []),
        ("huber", 0.09, []),
    ],
)
def test_a_loss_that_rests_where_ignorance_does(loss: str, end: float, expected: list) -> None:
    history = configured(targets(0, 1, mean=0.5, std=0.3), loss={"name": loss})
    falling = draw.falling(N, start=4.0, end=end, noise=0.0)
    falling[40:] = end
    history = with_loss(falling, history)
    without = {group: t for group, t in history.tables.items() if group != "epoch"}
    assert ids(replace(history, tables=without)) == expected


@pytest.mark.parametrize(
    ("history", "severity", "words"),
    [
        (
            lambda: data(labeled(0.5), outputs(1, 0, 1, 1), **classes("categorical_crossentropy")),
            "critical", "no other class",
        ),
        (
            lambda: data(outputs(0.0, 1.0, -1.0, 1.0), {}, **classes("binary_crossentropy")),
            "critical", "from -1 to 1",
        ),
        (
            lambda: data(one_hot(), {}, **classes("binary_crossentropy", "softmax", 4)),
            "info", "judges each of the 4 classes alone",
        ),
        (
            lambda: with_loss(
                draw.flat(), data(one_hot(), {}, **classes("mse", "linear", 4))),
            "critical", "beyond 0 and 1",
        ),
        (
            lambda: data(labeled(0.5), {}, **classes("mse")),
            "info", "a distance between numbers",
        ),
        (
            lambda: with_loss(-draw.falling() - 3.0, data(labeled(0.5), {},
                                                          **classes("binary_crossentropy"))),
            "critical", "never negative",
        ),
        (
            lambda: with_loss(-np.geomspace(1, 1e4, N), configured(loss={"name": "gain"})),
            "warning", "has no lower bound",
        ),
    ],
)
def test_losses_that_do_not_fit(history, severity: str, words: str) -> None:
    finding = cause(history(), "wrong-loss")
    assert finding.severity == severity
    assert words in finding.summary


@pytest.mark.parametrize(
    "config",
    [
        classes("binary_crossentropy", "sigmoid"),
        classes("categorical_crossentropy", "softmax", 4),
        classes("sparse_categorical_crossentropy", "softmax", 4),
        classes("mse", "linear"),
    ],
)
def test_losses_that_fit(config: dict) -> None:
    loss = config["loss"]["name"]
    target = {"categorical_crossentropy": one_hot(), "mse": outputs(3.0, 1.0, 0.5, 6.0)}
    history = data(target.get(loss, labeled(0.5)), {}, **config)
    assert ids(history) == []


def regression(spread: float, covariance: float, scale: float = 1.0) -> RunHistory:
    """Targets of spread 1 around 2, predictions around 1.5, and the loss that follows."""
    history = data(outputs(2.0, 1.0, -1.0, 5.0), outputs(1.5, spread, 0.0, 3.0),
                   **classes("my_loss", "linear"))
    loss = scale * (1 + spread**2 + 0.25 - 2 * covariance * spread)
    return with_loss(np.full(N, loss), history)


@pytest.mark.parametrize(
    ("spread", "covariance", "found"),
    [(0.5, 0.0, True), (0.5, 0.01, False), (0.5, 0.9, False), (0.001, 0.0, False)],
)
def test_every_prediction_against_every_target(spread, covariance, found: bool) -> None:
    said = [f.summary for f in diagnose_history(regression(spread, covariance)).findings
            if f.id == "wrong-loss"]
    assert bool(said) == found
    assert all("[N, N]" in text for text in said)
    if found:
        finding = cause(regression(spread, covariance), "wrong-loss")
        assert finding.layers == ("prediction[0]", "target[0]")
        assert finding.summary.startswith(f"In all {N} records the loss is exactly")
        records, spread_of = finding.evidence
        assert (records.value, spread_of.value, spread_of.limit) == (N, spread, None)


@pytest.mark.parametrize(("scale", "found"), [(32.0, True), (2.0, False), (1e6, False)])
def test_a_sum_in_place_of_a_mean(scale: float, found: bool) -> None:
    said = [f for f in diagnose_history(regression(0.5, 0.5, scale)).findings
            if f.id == "wrong-loss"]
    assert bool(said) == found
    assert all("summed over the batch of 32" in f.summary for f in said)


@pytest.mark.parametrize(
    ("optimizer", "scale", "first", "explained_by"),
    [
        ("SGD", 32.0, "wrong-loss", "wrong-loss"),
        ("SGD", 2.0, "learning-rate-too-high", None),  # not summed
        ("Adam", 32.0, "learning-rate-too-high", None),  # its steps do not grow with the loss
    ],
)
def test_a_sum_explains_a_rate_that_is_too_high_for_it(
    optimizer: str, scale: float, first: str, explained_by: str | None
) -> None:
    summed = regression(0.5, 0.5, scale)
    long = changed("variables", summed, update_ratio=np.full(N, 0.5))
    history = replace(long, config={**long.config, "optimizer": {
        "class": optimizer, "learning_rate": 0.001}})
    diagnosis = diagnose_history(history)
    assert diagnosis.first_cause is not None
    assert diagnosis.first_cause.id == first
    assert cause(history, "learning-rate-too-high").explained_by == explained_by
    if scale == 32.0:
        assert ("each step" in cause(history, "wrong-loss").summary) == (optimizer == "SGD")


def test_a_logarithm_of_zero_in_the_loss_is_told_from_the_outputs() -> None:
    history = data(labeled(0.5), outputs(0.5, 0.3, 0.0, 0.9), **classes("my_loss"))
    loss = draw.falling()
    loss[30:] = np.nan
    finding = cause(with_loss(loss, history), "wrong-loss")
    assert finding.first_step == 30
    assert (
        "between 0 and 0.9. The logarithm in this loss needs values in (0, 1], so 0 is not allowed."
        in finding.summary
    )
    kept = data(labeled(0.5), outputs(0.5, 0.3, 0.0, 0.9), **classes("binary_crossentropy"))
    assert "wrong-loss" not in ids(with_loss(loss, kept)), "Keras' own clips before it"
    assert finding.title == "The loss takes logarithms outside (0, 1]"
    assert finding.layers == ("out",)
    calm = data(labeled(0.5), outputs(0.5, 0.3, 0.1, 0.9), **classes("my_loss"))
    assert "wrong-loss" not in ids(with_loss(loss, calm))


@pytest.mark.parametrize(
    ("low", "high", "words", "sure"),
    [
        (0.31, 0.414, "its outputs end at 0.31 to 0.414", False),
        (0.0004, 0.6, "its outputs end at 4e-4", True),
        (0.2, 0.998, "its outputs end at 0.2", True),
    ],
)
def test_flat_ends_are_blamed_only_where_outputs_reach_them(
    low: float, high: float, words: str, sure: bool
) -> None:
    history = with_loss(draw.flat(), data(labeled(0.5), outputs(0.4, 0.05, low, high),
                                          **classes("mean_absolute_error")))
    said = cause(history, "wrong-loss").summary
    assert words in said
    assert ("where the model is sure" in said) == sure
    assert "at most a quarter" in said


def test_softmax_logits_that_were_cut_are_seen_in_the_probabilities() -> None:
    layers = classes("categorical_crossentropy", "<lambda>", 4)
    tied = {"mean": [0.4, 0.2, 0.2, 0.2], "std": [0.1, 0.05, 0.05, 0.05],
            "min": [0.1, 0.1, 0.1, 0.1], "max": [0.7, 0.3, 0.3, 0.3]}
    history = data(one_hot(), tied, **layers)
    assert "equal to the last digit" in cause(history, "wrong-output-activation").summary
    apart = {**tied, "std": [0.1, 0.05, 0.051, 0.052]}
    assert ids(data(one_hot(), apart, **layers)) == []


def test_a_softmax_cannot_give_several_labels() -> None:
    several = {**one_hot(3), "mean": [0.5] * 3, "std": [0.5] * 3}
    history = data(several, {}, **classes("binary_crossentropy", "softmax", 3))
    assert "add up to 1" in cause(history, "wrong-output-activation").summary


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_a_cross_entropy_wants_probabilities(activation: str) -> None:
    history = data(labeled(0.5), {}, **classes("binary_crossentropy", activation))
    finding = cause(history, "wrong-output-activation")
    assert finding.severity == "warning"  # the loss falls all the same
    assert "sigmoid" in finding.advice[0]


@pytest.mark.parametrize(("end", "found"), [(-40.0, True), (-1.5, False)])
def test_a_likelihood_that_is_minimized(end: float, found: bool) -> None:
    """An overlap of four classes may fall to -4; nothing of probabilities falls to -40."""
    history = data(one_hot(), {**one_hot(), "max": [0.9] * 4, "std": [0.1] * 4},
                   **classes("my_score", "softmax", 4))
    told = ids(with_loss(np.linspace(-1.0, end, N), history))
    assert ("optimizer-mismatch" in told) == found


@pytest.mark.parametrize(
    ("loss", "severity"), [(draw.falling(), "info"), (draw.flat(), "warning")]
)
def test_sigmoids_for_classes_that_exclude_each_other(loss, severity: str) -> None:
    config = classes("categorical_crossentropy", "sigmoid", 4)
    history = with_loss(loss, data(one_hot(), {}, **config))
    finding = cause(history, "wrong-output-activation")
    assert (finding.severity, finding.layers) == (severity, ("out",))


@pytest.mark.parametrize(
    ("targets", "outputs", "loss", "says"),
    [
        ([None, 1], [None, 24, 1], "mse", "Set return_sequences=False in memory"),
        ([None], [None, 24, 1], "binary_crossentropy", "Set return_sequences=False in memory"),
        ([32, 1], [32, 5], "mae", "Give the model one output per sample"),
        ([None, 7], [None, 1], "mse", "Give out 7 units"),
        ([None, 24, 1], [None, 24, 1], "mse", ""),
        ([None, 24], [None, 24, 1], "mse", ""),  # Keras takes off the last axis
        ([None, 1], [None, None, 1], "mse", ""),
        ([None, 1], [None, 24, 1], "sparse_categorical_crossentropy", ""),
        (None, [None, 24, 1], "mse", ""),
    ],
)
def test_outputs_and_targets_of_different_shapes(
    targets: list | None, outputs: list, loss: str, says: str
) -> None:
    memory = {"name": "memory", "class": "LSTM", "inputs": ["x"], "output_shape": [None, 24, 4]}
    out = dense("out", "memory", "linear", 1) | {"output_shape": outputs}
    shapes = {"prediction": outputs} | ({"target": targets} if targets else {})
    run = configured(with_loss(draw.flat()), model=model(memory, out), loss={"name": loss},
                     data_shapes=shapes)
    found = [f for f in diagnose_history(run).findings if f.id == "wrong-loss"]
    shaped = [f.advice[0] for f in found if f.title == "Outputs and targets differ in shape"]
    assert [advice.startswith(says) for advice in shaped] == ([True] if says else [])


def test_a_loss_that_fell_to_a_level_near_ln_c_has_learned() -> None:
    """A language model ends near ln 10, ln 8 or ln 7 by chance."""
    steps = np.arange(400)
    for end in (2.3026, 2.0794, 1.9459):
        loss = end + (10.8 - end) * np.exp(-steps / 20)
        history = draw.history(
            loss=draw.series("loss", loss),
            validation_loss=draw.series("validation_loss", loss[19::20] + 0.004, steps[19::20]),
        )
        assert "underfitting" not in ids(history), end
