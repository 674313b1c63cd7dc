"""What findings say: their sentences hold the numbers of the evidence, and no two contradict."""

from __future__ import annotations

import re
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
    deep,
    dense,
    dropout,
    imbalanced,
    labeled,
    low_rate,
    model,
    outputs,
    scaled,
    with_loss,
)

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.finding import Finding
from tb_convergence.core.history import RunHistory
from tb_convergence.core.schema import Row


def dying(*shares: tuple[float, int]) -> RunHistory:
    """Hidden layers of whose units such a part is dead, from a record on."""
    columns = np.full((N, 3), np.nan)
    for layer, (share, since) in enumerate(shares):
        columns[:, layer] = np.where(np.arange(N) < since, 0.1, share)
    return with_loss(draw.flat(), changed("activations", activation_dead_fraction=columns))


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (((1.0, 0),), "100% of the units of hidden_1 are dead from the first step on."),
        (((1.0, 0), (1.0, 0)),
         "100% of the units of hidden_1 and hidden_2 are dead from the first step on."),
        (((0.97, 60), (0.7, 90)),
         "97% of the units of hidden_1 and 70% of hidden_2 have been dead, the earliest since "
         "step 60."),
        (((0.97, 60), (0.7, 60), (0.8, 60)),
         "70% to 97% of the units of hidden_1, hidden_2 and output have been dead since step 60."),
    ],
)
def test_each_layer_has_its_own_share_of_dead_units(shares, words: str) -> None:
    finding = cause(dying(*shares), "dead-relu")
    assert finding.summary == words
    assert [item.value for item in finding.evidence] == [share for share, _ in shares]


@pytest.mark.parametrize(
    ("shares", "rate", "start"),
    [
        (((1.0, 0), (1.0, 0)), None, "hidden_1 and hidden_2"),
        (((0.9, 60),), "hidden_1", None),
        (((0.9, 0), (0.8, 60)), "hidden_2", "hidden_1"),
    ],
)
def test_the_rate_is_blamed_for_units_that_once_lived_and_for_no_others(
    shares, rate: str | None, start: str | None
) -> None:
    said = " ".join(cause(dying(*shares), "dead-relu").advice)
    assert ("learning rate" in said) == (rate is not None)
    assert rate is None or f"units of {rate} were alive" in said
    assert ("bias_initializer" in said) == (start is not None)
    assert start is None or f"'he_normal' in {start}." in said


@pytest.mark.parametrize(
    ("bias", "kernel", "advised"),
    [
        ("Constant", "HeNormal", "Use bias_initializer='zeros' in hidden_1."),
        ("Zeros", "GlorotUniform", "Use kernel_initializer='he_normal' in hidden_1."),
        ("Zeros", "HeUniform", "Check the input of hidden_1: "),
    ],
)
def test_what_is_so_already_is_not_advised(bias: str, kernel: str, advised: str) -> None:
    layer = dense("hidden_1", "x", bias_initializer={"class": bias},
                  kernel_initializer={"class": kernel})
    finding = cause(configured(dying((1.0, 0)), model=model(layer)), "dead-relu")
    assert finding.advice[0].startswith(advised)


def test_dead_units_of_a_record_that_begins_late_are_put_down_to_either() -> None:
    history = dying((1.0, 0))
    tables = {group: replace(table, steps=np.asarray(table.steps) + 500)
              for group, table in history.tables.items()}
    finding = cause(replace(history, tables=tables), "dead-relu")
    assert "since step 500" in finding.summary
    assert any("if the units died before step 500" in line for line in finding.advice)


def thrown_off(before: float = 0.1, after: float = 0.9, optimizer: str = "SGD") -> Finding:
    """A first step that undid the start, so that units of the first layer died."""
    ratio, norm = np.full(N, 0.01), np.full(N, 3547.0)
    ratio[0], norm[0] = 0.6, 8.0
    dead_units = np.full((N, 3), 0.1)
    dead_units[:, 0] = np.where(np.arange(N) < 100, before, after)
    history = changed("variables", update_ratio=ratio, variable_norm=norm)
    history = changed("activations", history, activation_dead_fraction=dead_units)
    settings = {"class": optimizer, "learning_rate": 1e-3}
    return cause(configured(history, optimizer=settings), "learning-rate-too-high")


def test_units_that_died_are_told_from_units_that_are_dead() -> None:
    finding = thrown_off()
    assert "443 times as large" in finding.summary
    died = "80% of the units of hidden_1 have died since (90% including those"
    assert died in finding.summary
    shown = {item.statistic: round(item.value, 6) for item in finding.evidence}
    assert shown["died_fraction"] == 0.8
    assert shown["activation_dead_fraction"] == 0.9
    assert "including those" not in thrown_off(before=0.0).summary


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_one_rate_is_advised_and_no_range_that_leaves_it_out(optimizer: str) -> None:
    first, *others = thrown_off(optimizer=optimizer).advice
    change = rf"Lower the learning rate: {optimizer}\(\S+\) instead of {optimizer}\(0\.001\)"
    assert re.match(change, first)
    said = " ".join(others)
    assert not re.search(r"1e-4 to 1e-1|makes no mistakes", said)
    assert "highest rate at which the loss still falls" in said
    assert ("Adam(1e-3)" in said) == (optimizer == "SGD")


def test_what_is_compared_where_the_rate_is_low_are_kernels() -> None:
    finding = cause(low_rate(2e-5, np.linspace(2.3, 2.28, N)), "learning-rate-too-low")
    assert finding.summary.startswith("Even the fastest kernel, that of ")
    assert finding.summary.endswith("Biases do not count, because they start at 0.")


def of_features(mean: list[float], std: list[float]) -> Finding:
    base = draw.healthy()
    rows = tuple(replace(row, name=f"x[{place}]", layer="x", shape=(place, place + 1))
                 for place, row in enumerate(draw.features(*"abc"[: len(mean)])))
    table = draw.table("inputs", rows, {
        "feature_mean": np.tile(mean, (N, 1)), "feature_std": np.tile(std, (N, 1))})
    return cause(replace(base, tables={**base.tables, "inputs": table}), "unnormalized-input")


def test_a_single_feature_is_not_counted() -> None:
    finding = of_features([300.0], [40.0])
    assert finding.summary == (
        "The mean of x (one feature) is 300 and its standard deviation 40; its RMS, 303, should be "
        "about 1.")
    assert finding.advice[0].startswith("Standardize it to mean 0")


def test_several_features_are() -> None:
    finding = of_features([300.0, 0.0, 50.0], [40.0, 1.0, 1.0])
    assert finding.summary.endswith("Of 3 features, 2 have an RMS above 10.")
    assert "x[0] first" in finding.advice[0]
    assert of_features([300.0, 0.0], [40.0, 1.0]).summary.endswith(
        "Of 2 features, 1 has an RMS above 10.")


@pytest.mark.parametrize(
    ("finding", "limits"),
    [
        (lambda: of_features([300.0, 0.0], [40.0, 1.0]), [10.0, None]),
        # Uneven and not large: the size stands there as it is, and no feature is called large.
        (lambda: of_features([0.0, 0.0, 0.0], [5.0, 0.01, 0.01]), [None, None, 100.0]),
        (lambda: cause(scaled(12.0), "unnormalized-input"), [10.0, None]),
    ],
)
def test_only_what_passes_its_limit_is_held_against_one(finding, limits: list) -> None:
    found = finding()
    assert [item.limit for item in found.evidence] == limits
    assert ("RMS above" in found.summary) == (limits[0] is not None)


def test_a_single_target_is_called_the_target_and_located() -> None:
    history = data(outputs(400.0, 100.0, 0.0, 900.0), {}, **classes("mse", "linear"))
    finding = cause(history, "unscaled-target")
    assert finding.summary.startswith("The mean of the target is 400 and")
    assert finding.layers == ("target[0]",)


def test_a_stack_of_sigmoids_is_named_in_the_title() -> None:
    assert cause(deep(1e-5), "wrong-hidden-activation").title == "Sigmoid in 3 hidden layers"


def test_each_dropout_tells_what_it_leaves() -> None:
    drops = [{**dropout(f"drop_{place}", f"d{place}", units), "rate": rate}
             for place, (units, rate) in enumerate(((10, 0.5), (16, 0.9), (400, 0.98)))]
    layers = [layer for place, drop in enumerate(drops)
              for layer in (dense(f"d{place}", f"drop_{place - 1}", units=50), drop)]
    finding = cause(configured(model=model(*layers)), "over-regularization")
    assert finding.summary == (
        "drop_1 drops 90% of 16 units, which leaves about 1.6; drop_0 leaves about 5 of 10; "
        "drop_2 leaves about 8 of 400.")
    rates = {e.layer: e.value for e in finding.evidence if e.statistic == "dropout_rate"}
    assert rates == {"drop_0": 0.5, "drop_1": 0.9, "drop_2": 0.98}
    (wide,) = [e for e in finding.evidence if e.statistic == "dropout_units_left"]
    assert (wide.layer, round(wide.value, 6), wide.limit) == ("drop_2", 8.0, 10.0)
    assert finding.title == "Dropout leaves too few units"
    narrow = cause(configured(model=model(*layers[:4])), "over-regularization")
    assert narrow.title == "Dropout too strong for narrow layers"


@pytest.mark.parametrize(
    ("activation", "advised"),
    [("relu", "he_normal"), ("tanh", "glorot_uniform"), ("selu", "lecun_normal"),
     ("", "glorot_uniform")],
)
def test_the_initializer_advised_suits_the_activation(activation: str, advised: str) -> None:
    base = with_loss(draw.flat())
    table = base.tables["variables"]
    columns = {name: table.low[:, :, place] for place, name in enumerate(table.columns)}
    columns |= {"variable_std": np.tile([5.0, 4.0, 0.35], (N, 1)),
                "variable_mean": np.zeros((N, 3))}
    rows = tuple(replace(row, activation=activation) for row in table.rows)
    variables = draw.table("variables", rows, columns)
    finding = cause(replace(base, tables={**base.tables, "variables": variables}),
                    "poor-initialization")
    (line,) = finding.advice
    assert line.startswith(f"Initialize hidden_1 and hidden_2 with {advised}")
    shape = rows[0].shape
    glorot = np.sqrt(2 / sum(shape))
    assert f"{5 / glorot:.3g} times what Glorot's initializer gives ({glorot:.2g})" in (
        finding.summary)


def test_a_class_that_is_never_predicted_is_named() -> None:
    history = data(labeled(0.1), outputs(0.2, 0.1, 0.0, 0.45), **classes("binary_crossentropy"))
    finding = cause(with_loss(draw.flat(), history), "class-imbalance")
    assert finding.summary == (
        "Class 0 makes up 90% of the recorded samples (2 classes). In the second half of the "
        "run, 100 recorded batches contained samples of class 1, and in all of them the model "
        "predicted class 0 for every sample.")
    assert finding.layers == ("target[0]",)
    assert cause(imbalanced(0.05), "class-imbalance").layers == ("target[0]",)


ONE = outputs(1.0, 0.0, 1.0, 1.0)
KERAS = {"framework": {"keras": "3", "tensorflow": "2"}}


@pytest.mark.parametrize(
    ("loss", "history", "told", "keras"),
    [
        (draw.falling(), data(labeled(0.5), ONE, **classes("binary_crossentropy", "softmax"),
                              **KERAS), True, True),
        (draw.falling(), data(labeled(0.5), ONE, **classes("binary_crossentropy", "softmax")),
         True, False),
        (draw.flat(level=7.6), data(labeled(0.5), ONE,
                                    **classes("binary_crossentropy", "softmax"), **KERAS),
         False, False),
        (draw.falling(), data(labeled(0.5), {}, **classes("binary_crossentropy", "softmax"),
                              **KERAS), False, False),
    ],
)
def test_why_the_loss_of_a_constant_output_falls(loss, history, told: bool, keras: bool) -> None:
    finding = cause(with_loss(loss, history), "wrong-output-activation")
    assert finding.title == "Softmax over a single unit"
    assert ("is not computed from this output" in finding.summary) == told
    assert ("as Keras does, from the values before the softmax" in finding.summary) == keras


def never_alive(bias: float, *, kernel: float = 2.0, data: float = 1.0) -> RunHistory:
    """A first layer of 8 units whose weights have a norm of `kernel`, dead from the start."""
    rows = (
        Row("hidden/kernel", "hidden", "kernel", (10, 8), "float32", "relu"),
        Row("hidden/bias", "hidden", "bias", (8,), "float32", "relu"),
    )
    variables = draw.table("variables", rows, {
        "variable_norm": np.tile([kernel, abs(bias) * np.sqrt(8)], (N, 1)),
        "variable_mean": np.tile([0.0, bias], (N, 1)),
        "variable_std": np.tile([kernel / np.sqrt(80), 0.0], (N, 1)),
    })
    inputs = draw.table("inputs", draw.features("x"), {
        "feature_mean": np.zeros(N), "feature_std": np.full(N, data),
        "feature_min": np.full(N, -2 * data), "feature_max": np.full(N, 2 * data),
    })
    outputs = draw.table("activations", draw.outputs("hidden", "last"), {
        "activation_dead_fraction": np.tile([1.0, np.nan], (N, 1)),
        "activation_mean": np.zeros((N, 2)), "activation_std": np.zeros((N, 2)),
    })
    layers = [dense("hidden", "input"), dense("last", "hidden", "linear")]
    layers[0]["bias_initializer"] = {"class": "Constant"}
    layers[0]["kernel_initializer"] = {"class": "GlorotUniform"}
    return draw.history(
        variables, inputs, outputs, draw.run_table(draw.flat(N)), config={"model": model(*layers)})


def test_a_bias_that_keeps_units_from_ever_living_is_named_and_nothing_else_changed() -> None:
    """Weights of norm 2 over 8 units make 2 / sqrt(8) = 0.707 of inputs of size 1."""
    finding = cause(never_alive(-5.0), "dead-relu")
    assert "The biases of hidden start at -5," in finding.summary
    assert "an RMS of at most 0.707" in finding.summary
    values = {item.statistic: (item.value, item.limit, item.step) for item in finding.evidence}
    assert values["activation_dead_fraction"] == (1.0, 0.5, 0)
    bias, limit, step = values["bias_mean"]
    assert (bias, limit, step) == (-5.0, pytest.approx(-np.sqrt(2)), 0)
    assert finding.advice[0] == "Use bias_initializer='zeros' in hidden."
    assert not any("kernel_initializer" in text for text in finding.advice)


@pytest.mark.parametrize(
    ("history", "words", "advice"),
    [
        (lambda: never_alive(-1.0), "from the first step on.", "bias_initializer='zeros' and"),
        (lambda: never_alive(0.0), "from the first step on.", "Use kernel_initializer='he_normal'"),
        (lambda: never_alive(0.0, kernel=0.0), "The weights of hidden start at zero.", "Use ker"),
        (lambda: never_alive(0.0, data=50.0), "The input of hidden has an RMS of 50;",
         "Standardize the input of hidden"),
    ],
    ids=["within the weighted inputs", "at zero", "no weights", "large inputs"],
)
def test_what_else_keeps_units_from_living(history, words: str, advice: str) -> None:
    finding = cause(history(), "dead-relu")
    assert finding.summary.endswith(words) or words in finding.summary
    assert "biases of" not in finding.summary
    assert advice in finding.advice[0]


def test_units_that_died_are_told_as_they_were_then_and_at_the_end() -> None:
    share = np.tile([0.2, np.nan], (N, 1))
    share[50:, 0], share[120:, 0] = 0.6, 0.95
    base = never_alive(0.0)
    table = base.tables["activations"]
    low = np.array(table.low)
    low[:, :, 0] = share
    tables = {**base.tables, "activations": replace(table, low=low, high=low)}
    finding = cause(replace(base, tables=tables), "dead-relu")
    assert [(item.name, item.value, item.step) for item in finding.evidence] == [
        ("dead units", 0.6, 50), ("dead units at the end", 0.95, N - 1)]
    assert finding.title == "ReLU units are dead in hidden"


def rested(validation: float) -> RunHistory:
    """Labels that nothing is learned of: the loss stays at the entropy of two even classes."""
    base = draw.healthy(300)
    ends = {"min": [0.0], "max": [1.0]}
    both = data({"mean": [0.5], "std": [0.5], **ends}, {"mean": [0.5], "std": [0.02], **ends},
                **classes("binary_crossentropy"))
    epochs = draw.series("validation_loss", np.full(8, validation), axis="epoch")
    return replace(
        base, config=both.config,
        tables={"variables": base.tables["variables"], "inputs": both.tables["inputs"],
                "run": draw.run_table(draw.flat(300, np.log(2), 1e-3))},
        scalars={"validation_loss": epochs})


@pytest.mark.parametrize(("validation", "confidence"), [(0.70, 0.5), (0.60, 0.4)])
def test_a_validation_loss_that_falls_beside_wrong_labels_is_told_and_why(
    validation: float, confidence: float
) -> None:
    finding = cause(rested(validation), "wrong-labels")
    assert finding.confidence == confidence
    for words in ("validation loss ends lower, at 0.6.", "If only some are wrong, the correct "
                  "ones may still make the loss fall."):
        assert (words in finding.summary) == (validation < 0.69)
    assert "nothing else is wrong" not in finding.summary
    rows = rested(validation).tables["inputs"].rows
    assert finding.layers == tuple(row.name for row in rows if row.kind == "prediction")


def test_all_layers_that_are_penalized_are_named_the_one_that_shrank_most_first() -> None:
    base = draw.healthy()
    table = base.tables["variables"]
    names = [row.layer for row in table.rows]
    low = np.array(table.low)
    index = table.columns.index("variable_norm")
    low[-1, :, index] = (4.0, 0.8, 8.0)
    layers = [dense(name, source) for name, source in zip(names, ["input", *names], strict=False)]
    for layer in layers[:2]:
        layer["kernel_regularizer"] = {"class": "L2", "config": {"l2": 0.5}}
    # A loss so large that the penalty, 64 at first, is a small part of it.
    history = with_loss(draw.flat(level=1000.0), replace(
        base, config={"model": model(*layers)},
        tables={**base.tables, "variables": replace(table, low=low, high=low)}))
    finding = cause(history, "over-regularization")
    assert finding.layers == (names[1], names[0])
    assert f"{names[1]} and {names[0]} are penalized with l2=0.5;" in finding.summary
    assert f"The weights of {names[1]} shrank most, to 10%" in finding.summary


# What is said of a loss ---------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "said"), [
    (np.linspace(2.0, 1.0, 200), "fell from 2 to 1.05 (mean of the last tenth) and is still"),
    (np.r_[np.linspace(2.0, 1.0, 100), np.ones(300)], "to 1 (mean of the last tenth) and has plat"),
    (np.r_[np.linspace(2.0, 0.3, 150), np.linspace(0.3, 0.5, 50)],
     "fell from 2 to 0.459 (mean of the last tenth) and is rising again."),
    (np.r_[np.linspace(2.0, 0.3, 100), np.linspace(0.3, 0.305, 300)], "and has plateaued."),
    (np.r_[np.linspace(2.0, 0.3, 100), np.linspace(0.3, 1.5, 100)],
     "fell from 2 to 0.364 and rose to 1.38 (mean of the last tenth)."),
    (np.linspace(1.0, 3.0, 200), "rose from 1 to 2.9 (mean of the last tenth)"),
    (np.ones(200), "The loss stays at 1 (mean of the last tenth), about where it began."),
    (np.linspace(4e-6, 1e-6, 200), "The loss fell from 4e-6 to 1.15e-6"),
    (np.linspace(2e200, 1e200, 200), "The loss fell from 2e200 to 1.05e200 (mean of the last"),
    (np.array([2.0, 1.0, 0.5]), "The loss began at "),
])
def test_the_course_of_a_loss_is_said_in_a_sentence(loss: np.ndarray, said: str) -> None:
    assert said in diagnose_history(draw.history(draw.run_table(loss))).loss_summary


def test_the_course_of_a_loss_says_where_validation_ended_and_only_what_is_known() -> None:
    table = draw.run_table(np.linspace(2.0, 1.0, 200))
    validation = draw.series("validation_loss", [2.0, 1.25, 1.5], [50, 100, 199])
    told = diagnose_history(draw.history(table, validation_loss=validation)).loss_summary
    assert told.endswith(". The validation loss ended at 1.5 (lowest: 1.25).")
    best = draw.series("validation_loss", [2.0, 1.25], [100, 199])
    told = diagnose_history(draw.history(table, validation_loss=best)).loss_summary
    assert told.endswith(". The validation loss ended at 1.25, its lowest.")
    broken = draw.run_table(np.r_[np.linspace(2.0, 1.0, 200), np.nan])
    assert not diagnose_history(draw.history(broken)).loss_summary
    assert not diagnose_history(draw.history()).loss_summary


def test_batches_with_a_sample_of_a_rare_class_spike_because_of_it() -> None:
    history = imbalanced(0.02)
    loss = history.tables["run"].column("loss")[:, 0]
    largest = loss.copy()
    largest[[60, 90, 120]] = 2.0
    run = draw.run_table(loss, window_loss_max=largest)
    told = diagnose_history(replace(history, tables={**history.tables, "run": run})).findings
    assert {f.id: f.explained_by for f in told}["loss-spike"] == "class-imbalance"


def test_a_loss_that_lies_above_its_first_batch_by_less_than_batches_differ_did_not_rise() -> None:
    loss = 2.4 + 0.08 * np.random.default_rng(5).standard_normal(N)
    loss[0] = 2.28
    finding = cause(low_rate(2e-6, loss), "learning-rate-too-low")
    assert "the loss did not fall." in finding.summary
    assert any("because single batches differ" in one.name for one in finding.evidence)
    risen = cause(low_rate(2e-6, np.linspace(2.0, 2.1, N)), "learning-rate-too-low")
    assert "the loss rose by" in risen.summary

@pytest.mark.parametrize(("recorded", "told"), [
    ([{"step": 1200, "now_trained": [], "no_longer_trained": ["m/base/kernel", "m/base/bias"]}],
     ("From step 1,200 on, the run no longer trains base/kernel and base/bias.",)),
    ([{"step": 20, "now_trained": ["m/head/lora_a"], "no_longer_trained": ["m/head/kernel"]},
      {"step": 30, "now_trained": list("abcd"), "no_longer_trained": []}],
     ("From step 20 on, the run no longer trains head/kernel and also trains head/lora_a.",
      "From step 30 on, the run also trains a, b, c and d.")),
    ("nonsense", ()), ([None, {}, {"step": True}, {"step": 3, "now_trained": [7]}], ()),
    ([{"step": 3, "now_trained": ["m/" + 9000 * "x"]}] * 500,
     (f"From step 3 on, the run also trains {120 * 'x'}.",) * 20),
])
def test_variables_frozen_on_the_way_are_told(recorded: object, told: tuple[str, ...]) -> None:
    history = draw.history(config={"trainable_changes": recorded})
    assert diagnose_history(history).trainable_changes == told
