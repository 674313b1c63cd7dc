"""Every rule against series drawn by hand: where it fires, just below, and on nothing at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import histories as draw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.finding import as_json
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.rules import RULES

N = 200
NAMES = ("first", "second", "third", "last")


def ids(history: RunHistory) -> list[str]:
    return [finding.id for finding in diagnose_history(history).findings]


def changed(group: str, history: RunHistory | None = None, **columns: object) -> RunHistory:
    """The healthy run with some columns of one table replaced."""
    base = history or draw.healthy()
    old = base.tables[group]
    values = np.array(old.low)
    for name, column in columns.items():
        array = np.asarray(column, float)
        values[:, :, old.columns.index(name)] = array[:, None] if array.ndim == 1 else array
    return replace(base, tables={**base.tables, group: replace(old, low=values, high=values)})


def with_loss(loss: np.ndarray, history: RunHistory | None = None) -> RunHistory:
    base = history or draw.healthy()
    run = draw.run_table(loss, learning_rate=np.full(len(loss), 1e-3))
    return replace(base, tables={**base.tables, "run": run})


def deep(ratio: float, activation: str = "sigmoid") -> RunHistory:
    """Four layers whose mean |g| shrinks so that the first has `ratio` of the last's."""
    means = 0.01 * ratio ** np.linspace(1, 0, len(NAMES))
    zeros = np.zeros((N, len(NAMES)))
    variables = draw.table(
        "variables",
        draw.kernels(*NAMES, activation=activation),
        {
            "gradient_norm": np.tile(means * 8, (N, 1)),
            "gradient_mean_abs": np.tile(means, (N, 1)),
            "gradient_zero_fraction": zeros,
            "gradient_nan_fraction": zeros,
            "update_ratio": np.full((N, len(NAMES)), 1e-3),
        },
    )
    return draw.history(variables, draw.run_table(draw.flat()))


def high_rate(ratio: float, loss: np.ndarray) -> RunHistory:
    length = len(loss)
    base = draw.healthy(length)
    return with_loss(loss, changed("variables", base, update_ratio=np.full(length, ratio)))


def diverging(factor: float = 1.05) -> np.ndarray:
    return 2.3 * factor ** np.arange(N)


def dead(fraction: float, loss: np.ndarray) -> RunHistory:
    columns = np.tile([0.1, fraction, np.nan], (N, 1))
    return with_loss(loss, changed("activations", activation_dead_fraction=columns))


def epochs(validation: list[float], training: list[float]) -> RunHistory:
    at = np.arange(1, len(validation) + 1) * 10
    return RunHistory(
        "drawn",
        scalars={
            "validation_loss": draw.series("validation_loss", validation, at, "epoch"),
            "epoch_loss": draw.series("epoch_loss", training, at, "epoch"),
        },
    )


def nan_gradient(step: int | None) -> RunHistory:
    fraction = np.zeros((N, 3))
    if step is not None:
        fraction[step:, 1] = 0.5
    return changed("variables", gradient_nan_fraction=fraction)


def nan_input(fraction: float) -> RunHistory:
    column = np.zeros((N, 2))
    column[40, 1] = fraction
    return changed("inputs", feature_nan_fraction=column)


def saturated(fraction: float) -> RunHistory:
    columns = np.tile([fraction, 0.0, 1.0], (N, 1))
    return changed("activations", activation_saturated_fraction=columns)


def zeros(fraction: float) -> RunHistory:
    return changed("variables", gradient_zero_fraction=np.tile([0.6, fraction, 0.1], (N, 1)))


def scaled(std: float) -> RunHistory:
    return changed("inputs", feature_std=np.tile([1.0, std], (N, 1)))


def growing(total: float) -> RunHistory:
    return changed("variables", gradient_norm=np.geomspace(0.5, 0.5 * total, N))


def low_rate(ratio: float, loss: np.ndarray) -> RunHistory:
    return with_loss(loss, changed("variables", update_ratio=np.full(N, ratio)))


def configured(history: RunHistory | None = None, **config: object) -> RunHistory:
    return replace(history or draw.healthy(), config=config)


def dense(name: str, source: str, activation: str = "relu", units: int = 8, **more: object):
    shape = [None, units]
    return {"name": name, "class": "Dense", "activation": activation, "inputs": [source],
            "output_shape": shape, **more}


def dropout(name: str, source: str, units: int):
    return {"name": name, "class": "Dropout", "rate": 0.5, "inputs": [source],
            "output_shape": [None, units]}


def model(*layers: dict) -> dict:
    return {"layers": list(layers)}


def targets(low: float, high: float, mean: float = 0.5, std: float = 0.3) -> RunHistory:
    """The healthy run with one target column."""
    base = draw.healthy()
    table = draw.table(
        "inputs",
        (*draw.features("a"), *draw.features("label", kind="target")),
        {
            "feature_mean": np.tile([0.0, mean], (N, 1)),
            "feature_std": np.tile([1.0, std], (N, 1)),
            "feature_min": np.tile([-2.0, low], (N, 1)),
            "feature_max": np.tile([2.0, high], (N, 1)),
            "feature_nan_fraction": np.zeros((N, 2)),
        },
    )
    return replace(base, tables={**base.tables, "inputs": table})


def output(activation: str, low: float, high: float) -> RunHistory:
    layers = model(dense("hidden", "x"), dense("out", "hidden", activation, 1))
    return configured(targets(low, high), model=layers, loss={"name": "mse"})


def labels(high: float, loss: str = "sparse_categorical_crossentropy") -> RunHistory:
    layers = model(dense("hidden", "x"), dense("out", "hidden", "softmax", 10))
    return configured(targets(0.0, high), model=layers, loss={"name": loss})


def started(std: float) -> RunHistory:
    base = with_loss(draw.flat())
    table = base.tables["variables"]
    columns = {
        name: table.low[:, :, index] for index, name in enumerate(table.columns)
    } | {"variable_std": np.tile([std, 0.35, 0.35], (N, 1)), "variable_mean": np.full((N, 3), 0.2)}
    return replace(
        base, tables={**base.tables, "variables": draw.table("variables", table.rows, columns)}
    )


def penalized(l2: float) -> RunHistory:
    regularizer = {"class": "L2", "config": {"l2": l2}}
    names = ("hidden_1", "hidden_2", "output")
    layers = [
        dense(name, source, kernel_regularizer=regularizer)
        for source, name in zip(("x", *names), names, strict=False)
    ]
    # Norms of 8 in three layers: a penalty of 192 l2, against a loss of 2.3 + penalty.
    return configured(with_loss(2.3 + 192 * l2 + 0 * draw.flat()), model=model(*layers))


def uphill(ratio: float) -> RunHistory:
    return with_loss(diverging(1.02), changed("variables", update_ratio=np.full(N, ratio)))


def clipped(limit: float) -> RunHistory:
    base = draw.healthy()
    run = draw.run_table(draw.falling(), gradient_global_norm=np.full(N, 1.0))
    history = replace(base, tables={**base.tables, "run": run})
    return configured(history, optimizer={"class": "SGD", "global_clipnorm": limit})


def batches(within: float) -> RunHistory:
    """Targets whose batches differ in their means, with the given part of the variance within."""
    history = targets(0.0, 1.0)
    table = history.tables["inputs"]
    values = np.array(table.low)
    mean, std = (table.columns.index(name) for name in ("feature_mean", "feature_std"))
    values[:, 1, std] = np.sqrt(within)
    values[:, 1, mean] = np.sqrt(1 - within) * np.where(np.arange(N) % 2, 1, -1)
    return replace(
        history,
        config={"batch_size": 32},
        tables={**history.tables, "inputs": replace(table, low=values, high=values)},
    )


def predictions(std: float) -> RunHistory:
    base = draw.healthy()
    table = draw.table(
        "inputs",
        (*draw.features("a"), *draw.features("y", kind="prediction")),
        {
            "feature_mean": np.tile([0.0, 0.1], (N, 1)),
            "feature_std": np.tile([1.0, std], (N, 1)),
            "feature_nan_fraction": np.zeros((N, 2)),
        },
    )
    return replace(base, config={"batch_size": 32}, tables={**base.tables, "inputs": table})


def unmoved(update: float) -> RunHistory:
    return changed("variables", update_norm=np.tile([0.01, update, 0.01], (N, 1)))


def plain_stack(length: int) -> RunHistory:
    names = [f"dense_{i:02d}" for i in range(length)]
    layers = [dense(n, s) for s, n in zip(("x", *names), names, strict=False)]
    zeros = np.zeros((N, length))
    means = np.tile(0.01 * 1e-5 ** np.linspace(1, 0, length), (N, 1))
    variables = draw.table(
        "variables",
        draw.kernels(*names),
        {"gradient_norm": means * 8, "gradient_mean_abs": means, "gradient_zero_fraction": zeros},
    )
    history = draw.history(variables, draw.run_table(draw.flat()))
    return configured(history, model=model(*layers))


def normalized(kind: str) -> RunHistory:
    layers = model({"name": "norm", "class": kind}, dense("out", "norm"))
    return configured(with_loss(draw.flat(), zeros(0.8)), model=layers)


SLOW = np.linspace(2.3, 2.28, N)
STUCK_HIGH = [1.0, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1]
RISING = [1.0, 0.6, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9]
CASES: dict[str, tuple[Callable[[], RunHistory], Callable[[], RunHistory]]] = {
    # id: (where it fires, just below)
    "learning-rate-too-high": (
        lambda: high_rate(0.3, diverging()),
        lambda: high_rate(0.05, diverging()),
    ),
    "learning-rate-too-low": (lambda: low_rate(2e-5, SLOW), lambda: low_rate(2e-4, SLOW)),
    "unnormalized-input": (lambda: scaled(12.0), lambda: scaled(9.0)),
    "non-finite-input": (lambda: nan_input(0.01), lambda: nan_input(0.0)),
    "wrong-hidden-activation": (lambda: deep(1e-5), lambda: deep(1e-5, "relu")),
    "dead-relu": (lambda: dead(0.8, draw.flat()), lambda: dead(0.45, draw.flat())),
    "non-finite-values": (lambda: nan_gradient(70), lambda: nan_gradient(None)),
    "loss-not-decreasing": (
        lambda: with_loss(draw.flat()),
        lambda: with_loss(draw.flat() - np.linspace(0, 0.3, N)),
    ),
    "loss-divergence": (
        lambda: with_loss(diverging()),
        lambda: with_loss(np.concatenate([draw.falling(150), np.full(50, 0.3)])),
    ),
    "overfitting": (
        lambda: epochs(RISING, STUCK_HIGH),
        lambda: epochs([1.0, 0.6, 0.5, 0.5, 0.52, 0.51, 0.53, 0.55], STUCK_HIGH),
    ),
    "exploding-gradient": (lambda: growing(500.0), lambda: growing(30.0)),
    "vanishing-gradient": (lambda: deep(1e-6, "relu"), lambda: deep(1e-2, "relu")),
    "zero-gradient": (lambda: zeros(0.8), lambda: zeros(0.6)),
    "saturated-activation": (lambda: saturated(0.7), lambda: saturated(0.45)),
    "clipping-hides-learning-rate": (lambda: clipped(0.1), lambda: clipped(0.8)),
    "unscaled-target": (
        lambda: configured(targets(0, 900, mean=400.0, std=100.0), loss={"name": "mse"}),
        lambda: configured(targets(0, 900, mean=40.0, std=10.0), loss={"name": "mse"}),
    ),
    "wrong-labels": (lambda: labels(10.0), lambda: labels(9.0)),
    "unshuffled-batches": (lambda: batches(0.1), lambda: batches(0.7)),
    "wrong-output-activation": (
        lambda: output("sigmoid", 0.0, 1.3),
        lambda: output("sigmoid", 0.0, 1.0),
    ),
    "poor-initialization": (lambda: started(5.0), lambda: started(2.0)),
    "over-regularization": (lambda: penalized(0.1), lambda: penalized(0.001)),
    "too-deep-without-skip": (lambda: plain_stack(16), lambda: plain_stack(8)),
    "too-few-steps": (
        lambda: with_loss(np.linspace(2.3, 0.5, N)),
        lambda: with_loss(draw.falling()),
    ),
    "optimizer-mismatch": (lambda: uphill(0.01), lambda: uphill(0.2)),
    "batch-norm-masks-gradients": (
        lambda: normalized("BatchNormalization"),
        lambda: normalized("LayerNormalization"),
    ),
    "constant-output": (lambda: predictions(0.0), lambda: predictions(0.01)),
    "frozen-variable": (lambda: unmoved(0.0), lambda: unmoved(1e-9)),
}


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == {rule.id for rule in RULES}


@pytest.mark.parametrize("rule", CASES)
def test_fires(rule: str) -> None:
    assert rule in ids(CASES[rule][0]())


@pytest.mark.parametrize("rule", CASES)
def test_silent_just_below(rule: str) -> None:
    assert rule not in ids(CASES[rule][1]())


def test_healthy_run_has_no_finding() -> None:
    diagnosis = diagnose_history(draw.healthy())
    assert diagnosis.findings == ()
    assert all("config" in i.needs or "variable_std" in i.needs
               for i in diagnosis.not_evaluated)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_tells_what_it_needs_without_data(rule) -> None:
    empty = RunHistory("empty")
    (item,) = [i for i in diagnose_history(empty).not_evaluated if i.id == rule.id]
    assert item.needs


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rule_is_documented(rule) -> None:
    assert rule.id == rule.id.lower()
    assert rule.references
    assert rule.disproof
    assert rule.title.strip(".") == rule.title


def cut(history: RunHistory, length: int) -> RunHistory:
    def shorter(table: Table) -> Table:
        low = table.low[:length]
        return replace(
            table, steps=table.steps[:length], wall_times=table.wall_times[:length], low=low,
            high=low,
        )

    return replace(history, tables={k: shorter(t) for k, t in history.tables.items()})


@pytest.mark.parametrize("length", [0, 1, 2, 4])
def test_short_runs_are_silent(length: int) -> None:
    assert ids(cut(draw.healthy(), length)) == []


def test_all_undefined_values_are_no_finding_about_numbers() -> None:
    base = draw.healthy()
    undefined = {
        group: replace(table, low=(v := np.full_like(table.low, np.nan)), high=v)
        for group, table in base.tables.items()
    }
    # A NaN loss is a NaN loss; every other statistic's NaN means "undefined" and accuses nobody.
    assert set(ids(replace(base, tables=undefined))) <= {"non-finite-values"}


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float32,
        (12, 3, 10),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    )
)
def test_no_rule_fails_on_any_numbers(values: np.ndarray) -> None:
    base = cut(draw.healthy(), 12)
    table = base.tables["variables"]
    low = values[:, :, : len(table.columns)].astype(float)
    loss = low[:, 0, 0]
    history = replace(
        base,
        tables={
            **base.tables,
            "variables": replace(table, low=low, high=low),
            "run": draw.run_table(loss),
        },
    )
    with np.errstate(all="ignore"):
        diagnosis = diagnose_history(history)
    failed = [item for item in diagnosis.not_evaluated if "a fix" in item.needs[0]]
    assert failed == []
    json.dumps(as_json(diagnosis), allow_nan=False)


def test_a_wobble_near_zero_is_not_overfitting() -> None:
    """Up by a third from the minimum, but that is a twentieth of what was gained before."""
    validation = [1.0, 0.2, 0.06, 0.07, 0.08, 0.08, 0.08, 0.081]
    assert ids(epochs(validation, STUCK_HIGH)) == []


def test_first_tensor_and_step_of_a_nan() -> None:
    (finding,) = [f for f in diagnose_history(nan_gradient(70)).findings
                  if f.id == "non-finite-values"]
    assert finding.first_step == 70
    assert finding.layers == ("hidden_2",)
    assert "gradient of hidden_2/kernel" in finding.summary


def test_nan_between_records_is_reported_with_its_exact_step() -> None:
    base = nan_gradient(100)
    loss = draw.falling()
    age = np.full(N, np.nan)
    age[100] = 13.0
    run = draw.run_table(loss, first_nonfinite_age_steps=age)
    history = replace(base, tables={**base.tables, "run": run})
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 87


def test_routine_infinities_of_loss_scaling_are_not_reported() -> None:
    history = replace(nan_gradient(3), config={"optimizer": {"class": "LossScaleOptimizer"}})
    assert "non-finite-values" not in ids(history)


def test_dead_units_that_do_not_hold_learning_back_are_information_only() -> None:
    (finding,) = diagnose_history(dead(0.8, draw.falling())).findings
    assert (finding.id, finding.severity) == ("dead-relu", "info")


@pytest.mark.parametrize("layer", ["Normalization", "BatchNormalization", "Embedding"])
def test_input_that_the_model_normalizes_is_fine(layer: str) -> None:
    config = {"model": {"layers": [{"name": "first", "class": layer}]}}
    assert "unnormalized-input" not in ids(replace(scaled(500.0), config=config))


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
    ],
)
def test_output_and_loss_that_fit(layers: list, loss: dict) -> None:
    assert ids(configured(model=model(*layers), loss=loss)) == []


def test_labels_scaled_with_the_images_are_named() -> None:
    history = labels(9 / 255)
    (finding,) = diagnose_history(history).findings
    assert finding.id == "wrong-labels"
    assert "not whole numbers" in finding.summary


@pytest.mark.parametrize(
    ("loss", "end", "expected"),
    [
        ("mse", 0.09, ["wrong-labels"]),  # the variance of the targets
        ("mse", 0.05, []),
        ("binary_crossentropy", 0.693, ["wrong-labels"]),  # ln 2 for a mean of one half
        ("binary_crossentropy", 0.45, []),
        ("huber", 0.09, []),
    ],
)
def test_a_loss_that_rests_where_ignorance_does(loss: str, end: float, expected: list) -> None:
    history = configured(targets(0, 1, mean=0.5, std=0.3), loss={"name": loss})
    falling = draw.falling(N, start=4.0, end=end, noise=0.0)
    falling[40:] = end
    assert ids(with_loss(falling, history)) == expected


@pytest.mark.parametrize("limits", [{"clipnorm": 0.01}, {"clipvalue": 0.001}])
def test_every_form_of_clipping_is_seen(limits: dict) -> None:
    history = configured(optimizer={"class": "SGD", **limits})
    assert ids(history) == ["clipping-hides-learning-rate"]


def test_copies_of_one_unit_are_named() -> None:
    (finding,) = [f for f in diagnose_history(started(0.0)).findings if f.kind == "cause"]
    assert "copies of each other" in finding.summary


def test_heavy_dropout_on_a_narrow_layer_is_named_and_on_a_wide_one_is_not() -> None:
    for units, expected in ((16, ["over-regularization"]), (512, [])):
        drop = dropout("drop", "a", units)
        layers = model(dense("a", "x", units=units), drop, dense("o", "drop"))
        assert ids(configured(model=layers)) == expected


@pytest.mark.parametrize(
    "config",
    [
        {"model": 3, "loss": [], "optimizer": "SGD"},
        {"model": {"layers": [1, None, {"inputs": 5, "output_shape": "x", "rate": "high"}]}},
        {"model": {"layers": [{"name": "a", "class": "Dropout", "inputs": ["a"]},
                              {"name": "b", "class": "Dense", "inputs": ["a"]}]}},
        {"optimizer": {"class": ["SGD"], "clipnorm": "1", "learning_rate": {"class": "Cosine"}}},
    ],
)
def test_a_configuration_of_any_form_is_harmless(config: dict) -> None:
    diagnosis = diagnose_history(replace(targets(0, 1), config=config))
    assert not any("a fix" in item.needs[0] for item in diagnosis.not_evaluated)


def test_intervals_fire_only_where_they_prove_it() -> None:
    """A histogram that bounds mean |g| loosely must not be read as a vanished gradient."""
    base = deep(1e-6, "relu").tables["variables"]
    wide = np.array(base.low)
    index = base.columns.index("gradient_mean_abs")
    wide[:, 0, index] = 0.01
    wide[:, 1, index] = 0.01
    history = draw.history(replace(base, high=wide), draw.run_table(draw.flat()))
    assert "vanishing-gradient" not in ids(history)
