"""Every rule against series drawn by hand: where it fires, just below, and on nothing at all."""

from __future__ import annotations

import json
import math
import operator
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import histories as draw
import numpy as np
import pytest
from histories.rules import cases
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tb_convergence.core.diagnosis import Evidence, diagnose_history
from tb_convergence.core.diagnosis.finding import as_json
from tb_convergence.core.diagnosis.loss_trajectory import loss_trajectory
from tb_convergence.core.diagnosis.step_size import path_length
from tb_convergence.core.diagnosis.tables import median_over_time
from tb_convergence.core.diagnosis.timeline import cut_points
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.rules import RULES
from tb_convergence.core.schema import Row

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from worked_examples import EXAMPLES

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


def data(
    target: dict[str, list[float]], prediction: dict[str, list[float]], **config: object
) -> RunHistory:
    """The healthy run with columns of targets and predictions given by their moments."""
    base = draw.healthy()
    rows, columns = list(draw.features("a")), {"mean": [0.0], "std": [1.0], "min": [-2.0],
                                               "max": [2.0]}
    for kind, moments in (("target", target), ("prediction", prediction)):
        for index in range(len(moments.get("mean", ()))):
            rows.append(Row(f"{kind}[{index}]", kind, kind, (index, index + 1)))
        for name, values in moments.items():
            columns[name] = columns[name] + values
    table = draw.table(
        "inputs", tuple(rows),
        {f"feature_{name}": np.tile(values, (N, 1)) for name, values in columns.items()}
        | {"feature_nan_fraction": np.zeros((N, len(rows)))},
    )
    return replace(base, config=config, tables={**base.tables, "inputs": table})


def labelled(share: float) -> dict[str, list[float]]:
    """One column of 0 and 1, with the given share of ones."""
    return {"mean": [share], "std": [np.sqrt(share * (1 - share))], "min": [0.0], "max": [1.0]}


def one_hot(classes: int = 4) -> dict[str, list[float]]:
    share = 1 / classes
    return {"mean": [share] * classes, "std": [np.sqrt(share * (1 - share))] * classes,
            "min": [0.0] * classes, "max": [1.0] * classes}


def outputs(mean: float, std: float, low: float, high: float) -> dict[str, list[float]]:
    return {"mean": [mean], "std": [std], "min": [low], "max": [high]}


def classes(loss: str, activation: str = "sigmoid", units: int = 1, **more: object) -> dict:
    layers = model(dense("hidden", "x"), dense("out", "hidden", activation, units))
    return {"model": layers, "loss": {"name": loss}, "batch_size": 32, **more}


def imbalanced(share: float, spread: float = 0.001) -> RunHistory:
    """A classifier that repeats the share of its rare class."""
    history = data(labelled(share), outputs(share, spread, 0.0, 1.0),
                   **classes("binary_crossentropy"))
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    return with_loss(draw.flat(level=entropy, noise=0.001), history)


def plateau(level: float, steps: int = 500) -> RunHistory:
    """A regression that comes to rest at a level, with targets of variance 0.09."""
    loss = np.concatenate([draw.falling(50, 0.2, level, 0.0), np.full(steps - 50, level)])
    base = draw.healthy(steps)
    targets = data({"mean": [0.5], "std": [0.3], "min": [0.0], "max": [0.97]}, {})
    table = targets.tables["inputs"]
    long = replace(table, steps=np.arange(steps), wall_times=np.arange(float(steps)),
                   low=(low := np.repeat(table.low[:1], steps, axis=0)), high=low)
    tables = {**base.tables, "inputs": long, "run": draw.run_table(loss)}
    return replace(base, config=classes("mse", "linear"), tables=without_epochs(tables))


def without_epochs(tables: dict) -> dict:
    return {group: table for group, table in tables.items() if group != "epoch"}


def spiking(height: float) -> RunHistory:
    loss = draw.falling(noise=0.01) + 1.0
    largest = loss.copy()
    largest[120] = height
    run = draw.run_table(loss, window_loss_max=largest)
    base = draw.healthy()
    return replace(base, tables={**base.tables, "run": run})


def swinging(by: float) -> RunHistory:
    values = [2.3, *(1.5 + by * (-1) ** epoch for epoch in range(15))]
    return epochs(values, values)


def resting(level: float) -> RunHistory:
    return configured(
        epochs([*np.linspace(0.4, level, 6), *[level] * 14], [0.4, *[level] * 19])
    )


def frozen(trainable: int) -> RunHistory:
    """A loss, and a model with so many trainable weights; no variables, as none is updated."""
    layer = dense("out", "x", parameters=9, trainable=bool(trainable),
                  trainable_parameters=trainable)
    return draw.history(
        draw.run_table(draw.flat()),
        config={"model": {**model(layer), "trainable_parameters": trainable}},
    )


def forgotten(name: str) -> RunHistory:
    """The healthy run, whose model has another trainable layer of that name."""
    names = dict.fromkeys((name, "hidden_1", "hidden_2", "output"))
    return configured(model=model(*(
        dense(layer, "x", trainable=True, parameters=9 + i, trainable_parameters=9 + i)
        for i, layer in enumerate(names)
    )))


def unvarying(noise: float) -> RunHistory:
    return with_loss(1 + noise * np.random.default_rng(5).standard_normal(N))


def embedded(entries: float) -> RunHistory:
    """Indices up to 99 into an embedding of so many rows."""
    base = data({}, {}, model=model(
        {"name": "words", "class": "Embedding", "input_dim": int(entries), "inputs": ["input"]}))
    table = base.tables["inputs"]
    values = np.array(table.low)
    for name, value in (("feature_min", 0.0), ("feature_max", 99.0)):
        values[:, :, table.columns.index(name)] = value
    return replace(base, tables={**base.tables, "inputs": replace(table, low=values, high=values)})


SLOW = np.linspace(2.3, 2.28, N)
STUCK_HIGH = [1.0, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1]
RISING = [1.0, 0.6, 0.5, 0.55, 0.6, 0.7, 0.8, 0.9]
CASES: dict[str, tuple[Callable[[], RunHistory], Callable[[], RunHistory]]] = {
    # id: (where it fires, just below)
    "learning-rate-too-high": (
        lambda: high_rate(0.3, diverging()),
        lambda: high_rate(0.05, diverging()),
    ),
    "learning-rate-too-low": (
        lambda: low_rate(2e-5, SLOW),
        lambda: low_rate(2e-3, SLOW + 0.001 * (-1.0) ** np.arange(N)),
    ),
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
    "nothing-trainable": (lambda: frozen(0), lambda: frozen(1)),
    "never-updated": (lambda: forgotten("hidden_0"), lambda: forgotten("hidden_1")),
    "constant-loss": (lambda: unvarying(1e-7), lambda: unvarying(1e-3)),
    "index-out-of-range": (lambda: embedded(99.0), lambda: embedded(100.0)),
    "wrong-loss": (
        lambda: data(outputs(0.4, 0.5, 0.0, 3.0), {}, **classes("binary_crossentropy")),
        lambda: data(outputs(0.4, 0.3, 0.0, 1.0), {}, **classes("binary_crossentropy")),
    ),
    "class-imbalance": (lambda: imbalanced(0.05), lambda: imbalanced(0.15)),
    "insufficient-capacity": (lambda: plateau(0.077), lambda: plateau(0.068)),
    "loss-spike": (lambda: spiking(8.0), lambda: spiking(4.0)),
    "loss-oscillation": (lambda: swinging(0.4), lambda: swinging(0.05)),
    "underfitting": (lambda: resting(0.24), lambda: resting(0.22)),
    "update-ratio-out-of-range": (
        lambda: low_rate(0.15, draw.flat()),
        lambda: low_rate(0.09, draw.flat()),
    ),
}
CASES.update({id_: (case.fires, case.silent) for id_, case in cases().items()})


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == {rule.id for rule in RULES}


@pytest.mark.parametrize("rule", CASES)
def test_fires(rule: str) -> None:
    assert rule in ids(CASES[rule][0]())


SPEAKS_FOR_IT = {
    "more than": operator.gt, "less than": operator.lt, "at least": operator.ge,
    "at most": operator.le, "exactly": operator.eq, "other than": operator.ne,
}


def speaks_for_its_finding(item: Evidence) -> bool:
    """Whether a number lies on the side of its threshold that it is said to lie on."""
    if item.limit is None:
        return item.side is None
    if math.isnan(item.value):
        return item.side is None
    return item.side is not None and SPEAKS_FOR_IT[item.side](item.value, item.limit)


@pytest.mark.parametrize("rule", CASES)
def test_evidence_lies_on_the_suspect_side_of_its_threshold(rule: str) -> None:
    for case in CASES[rule]:
        for finding in diagnose_history(case()).findings:
            assert [e for e in finding.evidence if not speaks_for_its_finding(e)] == []


def as_they_grew() -> Iterator[RunHistory]:
    """The runs of all cases and of the documentation's examples, cut short at many places."""
    makers = [case for pair in CASES.values() for case in pair]
    makers += [example.history for example in EXAMPLES.values()]
    for make in makers:
        history = make()
        for cut in cut_points(history, 12):
            yield history.until(cut)


def test_evidence_holds_wherever_a_run_is_cut() -> None:
    """Nothing is called suspect that is not, however early a person looks."""
    looks, wrong = 0, set()
    for history in as_they_grew():
        for finding in diagnose_history(history).findings:
            looks += 1
            wrong |= {
                (finding.id, item.name) for item in finding.evidence
                if not speaks_for_its_finding(item)
            }
    assert looks > 1000
    assert wrong == set()


LONGEST_TITLE = 44
"""Characters that the line of a run at the top of the tab has room for."""


def test_titles_fit_their_place() -> None:
    titles = {rule.title for rule in RULES}
    for history in as_they_grew():
        titles |= {finding.title for finding in diagnose_history(history).findings}
    assert [title for title in titles if len(title) > LONGEST_TITLE] == []


def test_fractions_are_told_as_such() -> None:
    """What is said in per cent lies where a person expects it: a part of a whole, or a change."""
    for history in as_they_grew():
        for finding in diagnose_history(history).findings:
            for item in finding.evidence:
                assert item.unit is None or not abs(item.value) > 10, (finding.id, item)


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
    assert rule.falsified_by
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


def test_validation_that_stays_below_training_is_not_overfitting() -> None:
    """Dropout makes the training loss larger than it is."""
    assert ids(epochs([0.1 * value for value in RISING], STUCK_HIGH)) == []


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


def test_labels_scaled_with_the_images_are_named() -> None:
    history = labels(9 / 255)
    (finding,) = diagnose_history(history).findings
    assert finding.id == "wrong-labels"
    assert "not whole numbers" in finding.summary


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


def cause(history: RunHistory, name: str):
    (finding,) = [f for f in diagnose_history(history).findings if f.id == name]
    return finding


@pytest.mark.parametrize(
    ("history", "severity", "words"),
    [
        (
            lambda: data(labelled(0.5), outputs(1, 0, 1, 1), **classes("categorical_crossentropy")),
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
            lambda: data(labelled(0.5), {}, **classes("mse")),
            "info", "a distance between numbers",
        ),
        (
            lambda: with_loss(-draw.falling() - 3.0, data(labelled(0.5), {},
                                                          **classes("binary_crossentropy"))),
            "critical", "never negative",
        ),
        (
            lambda: with_loss(-np.geomspace(1, 1e4, N), configured(loss={"name": "gain"})),
            "warning", "has no floor",
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
    history = data(target.get(loss, labelled(0.5)), {}, **config)
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
    history = data(labelled(0.5), outputs(0.5, 0.3, 0.0, 0.9), **classes("my_loss"))
    loss = draw.falling()
    loss[30:] = np.nan
    finding = cause(with_loss(loss, history), "wrong-loss")
    assert finding.first_step == 30
    assert (
        "between 0 and 0.9; the logarithm of this loss needs values in (0, 1], 0 left out"
        in finding.summary
    )
    kept = data(labelled(0.5), outputs(0.5, 0.3, 0.0, 0.9), **classes("binary_crossentropy"))
    assert "wrong-loss" not in ids(with_loss(loss, kept)), "Keras' own clips before it"
    assert finding.title == "The loss takes logarithms outside (0, 1]"
    assert finding.layers == ("out",)
    calm = data(labelled(0.5), outputs(0.5, 0.3, 0.1, 0.9), **classes("my_loss"))
    assert "wrong-loss" not in ids(with_loss(loss, calm))


@pytest.mark.parametrize(
    ("low", "high", "words", "sure"),
    [
        (0.31, 0.414, "its outputs end at 0.31 to 0.414", False),
        (0.0004, 0.6, "its outputs end at 0.0004", True),
        (0.2, 0.998, "its outputs end at 0.2", True),
    ],
)
def test_flat_ends_are_blamed_only_where_outputs_reach_them(
    low: float, high: float, words: str, sure: bool
) -> None:
    history = with_loss(draw.flat(), data(labelled(0.5), outputs(0.4, 0.05, low, high),
                                          **classes("mean_absolute_error")))
    said = cause(history, "wrong-loss").summary
    assert words in said
    assert ("where it is sure" in said) == sure
    assert "a quarter at most" in said


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
    assert "small-sample fit" in finding.advice[0]


def test_gradients_and_updates_are_said_to_be_in_order_only_where_they_are() -> None:
    """One kernel of three that crawls: the plateau has another reason, or is not said to be so."""
    calm = plateau(0.077)
    crawls = changed("variables", calm, update_ratio=np.tile([1e-3, 5e-7, 1e-3], (500, 1)))
    assert "in order" in cause(calm, "insufficient-capacity").summary
    assert "insufficient-capacity" not in ids(crawls)
    narrow = replace(crawls, config={"model": NECK, "loss": {"name": "mse"}})
    assert "in order" not in cause(narrow, "insufficient-capacity").summary


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


@pytest.mark.parametrize(
    ("layers", "words", "remedy"),
    [
        (
            [dense("a", "x", "softmax"), dense("b", "a"), dense("o", "b", "softmax", 4)],
            "softmax within the network", "relu",
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
    history = data(labelled(0.5), {}, **classes("binary_crossentropy", activation))
    finding = cause(history, "wrong-output-activation")
    assert finding.severity == "warning"  # the loss falls all the same
    assert "sigmoid" in finding.advice[0]


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


def test_a_smooth_slow_fall_hints_at_the_rate() -> None:
    """Undiminished and without noise: not at rest, however little it fell."""
    finding = cause(low_rate(2e-3, SLOW), "learning-rate-too-low")
    assert (finding.severity, finding.experiment) == ("info", "LR range test")
    far = low_rate(8e-3, SLOW)  # 1.6 times a layer's own size in all: not held back by the rate
    assert "learning-rate-too-low" not in ids(far)


def test_plain_descent_on_attention_is_a_hint_where_little_is_learned() -> None:
    layers = model({"name": "mha", "class": "MultiHeadAttention"}, dense("o", "mha"))
    slow = with_loss(draw.falling(end=1.5))
    for optimizer, found in (({"class": "SGD", "momentum": 0.0}, True),
                             ({"class": "SGD", "momentum": 0.9}, False),
                             ({"class": "Adam"}, False)):
        history = configured(slow, model=layers, optimizer=optimizer)
        assert ("optimizer-mismatch" in ids(history)) == found


@pytest.mark.parametrize(
    ("loss", "epsilon", "found"),
    [(draw.flat(), 1.0, True), (draw.flat(), 1e-7, False), (draw.falling(), 1.0, False)],
)
def test_an_epsilon_that_outweighs_the_gradients(loss, epsilon: float, found: bool) -> None:
    history = low_rate(1e-5, loss)
    config = {"optimizer": {"class": "Adam", "epsilon": epsilon}}
    said = [f for f in diagnose_history(replace(history, config=config)).findings
            if f.id == "optimizer-mismatch"]
    assert bool(said) == found
    assert all("epsilon=1" in f.summary for f in said)


@pytest.mark.parametrize(("end", "found"), [(-40.0, True), (-1.5, False)])
def test_a_likelihood_that_is_minimised(end: float, found: bool) -> None:
    """An overlap of four classes may fall to -4; nothing of probabilities falls to -40."""
    history = data(one_hot(), {**one_hot(), "max": [0.9] * 4, "std": [0.1] * 4},
                   **classes("my_score", "softmax", 4))
    told = ids(with_loss(np.linspace(-1.0, end, N), history))
    assert ("optimizer-mismatch" in told) == found


@pytest.mark.parametrize(("kind", "found"), [("BatchNormalization", False), ("Dense", True)])
def test_validation_with_lagging_averages_accuses_nobody(kind: str, found: bool) -> None:
    history = configured(epochs(RISING, STUCK_HIGH), model=model({"name": "n", "class": kind}))
    assert ("overfitting" in ids(history)) == found


@pytest.mark.parametrize(
    ("first", "died", "found"), [(0.6, 0.9, True), (0.2, 0.9, False), (0.6, 0.3, False)]
)
def test_a_start_that_was_lost_is_told_though_the_loss_falls(first, died, found: bool) -> None:
    ratio = np.full(N, 0.01)
    ratio[0] = first
    norm = np.full(N, 27.0)
    norm[0] = 8.0
    dead_units = np.full((N, 3), 0.1)
    dead_units[100:, 0] = died
    dead_units[:, 2] = np.nan
    history = changed("variables", update_ratio=ratio, variable_norm=norm)
    history = changed("activations", history, activation_dead_fraction=dead_units)
    said = [f for f in diagnose_history(history).findings if f.id == "learning-rate-too-high"]
    assert [f.severity for f in said] == ["info"] * found


@pytest.mark.parametrize(
    ("steps", "ratio", "expected"),
    [
        (1800, 5e-5, ("learning-rate-too-low", "critical")),  # 9 % in all
        (1800, 1e-3, ("insufficient-capacity", "critical")),  # it moved, and rests: a guess
        (40, 1.5e-3, ("too-few-steps", "warning")),  # 6 % in all
        (150, 2e-3, None),
    ],
)
def test_training_that_has_hardly_begun(steps: int, ratio: float, expected) -> None:
    """The loss stands still, and no layer can have moved far: that says nothing of the labels."""
    base = draw.healthy(steps)
    history = changed("variables", base, update_ratio=np.full(steps, ratio))
    first = diagnose_history(with_loss(draw.flat(steps), history)).first_cause
    assert (first and (first.id, first.severity)) == expected
    if first and first.id == "insufficient-capacity":
        assert "% of its start" in first.summary  # what ignorance gets is not known here


@pytest.mark.parametrize(
    ("zero", "ratio", "cut", "told"),
    [
        pytest.param(0.1, 1.5e-3, 0, True, id="few steps"),
        pytest.param(1.0, 0.0, 0, False, id="no gradient"),
        pytest.param(1.0, 0.0, 3, False, id="no gradient any more"),
        pytest.param([1.0, 0.1, 0.1], 1.5e-3, 0, True, id="others move"),
        pytest.param(0.1, 0.0, 0, False, id="steps of length 0"),
    ],
)
def test_what_cannot_move_has_not_had_too_few_steps(zero, ratio, cut: int, told: bool) -> None:
    steps = 40
    zeros, ratios = np.full((steps, 3), 0.1), np.full((steps, 3), 1.5e-3)
    zeros[cut:], ratios[cut:] = zero, ratio
    history = changed("variables", draw.healthy(steps), gradient_zero_fraction=zeros,
                      update_ratio=ratios)
    found = ids(with_loss(draw.flat(steps), history))
    assert ("zero-gradient" in found) == (np.max(zero) == 1)
    assert ("too-few-steps" in found) == told


def test_a_loss_that_falls_without_any_gradient_is_not_told_to_go_on() -> None:
    falls = with_loss(np.linspace(2.3, 0.5, N))
    assert "too-few-steps" in ids(falls)
    assert "too-few-steps" not in ids(
        changed("variables", falls, gradient_zero_fraction=np.ones((N, 3))))


def test_gradients_that_vanish_because_all_is_learned_are_information() -> None:
    learned = with_loss(draw.falling(end=0.001, noise=1e-4), deep(1e-6, "relu"))
    assert {f.severity for f in diagnose_history(learned).findings} <= {"info"}


def test_a_skip_connection_passes_the_gradient_around_squashing_layers() -> None:
    skips = configured(deep(1e-5), model=model({"name": "add", "class": "Add"}))
    assert "wrong-hidden-activation" not in ids(skips)


def test_a_rare_class_that_is_never_named_is_a_fault() -> None:
    """The outputs vary, so are not the prior, but no rare sample ever gets even odds."""
    for highest, severity in ((0.4, "warning"), (0.8, "info")):
        history = data(labelled(0.05), outputs(0.05, 0.1, 0.0, highest),
                       **classes("binary_crossentropy"))
        assert cause(history, "class-imbalance").severity == severity


def test_a_validation_loss_that_rises_beside_it_is_the_imbalance_s() -> None:
    """Ever surer of the class it always names, the model is ever more wrong about the other."""
    rising = epochs(RISING, STUCK_HIGH)
    for highest, explained_by in ((0.4, "class-imbalance"), (0.8, None)):
        named = data(labelled(0.05), outputs(0.05, 0.1, 0.0, highest),
                     **classes("binary_crossentropy"))
        tables = {"inputs": named.tables["inputs"]}  # epochs alone count what was learned
        history = replace(named, tables=tables, scalars=rising.scalars)
        assert cause(history, "overfitting").explained_by == explained_by


def test_what_is_derived_is_remembered_with_one_history_only() -> None:
    history = draw.healthy()
    assert loss_trajectory(history) is loss_trajectory(history)
    shorter = history.until(50)
    assert len(loss_trajectory(shorter).steps) == 51
    assert loss_trajectory(replace(history, run="other")) is not loss_trajectory(history)


@pytest.mark.parametrize(
    ("loss", "severity"), [(draw.falling(), "info"), (draw.flat(), "warning")]
)
def test_sigmoids_for_classes_that_exclude_each_other(loss, severity: str) -> None:
    config = classes("categorical_crossentropy", "sigmoid", 4)
    history = with_loss(loss, data(one_hot(), {}, **config))
    finding = cause(history, "wrong-output-activation")
    assert (finding.severity, finding.layers) == (severity, ("out",))


def test_medians_leave_out_what_is_undefined() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [9.0, np.inf, np.nan]])
    np.testing.assert_array_equal(median_over_time(values), [3.0, 2.0, np.nan])
    assert np.isnan(median_over_time(np.zeros((0, 2)))).all()


@pytest.mark.parametrize(
    ("steps", "part", "first"), [(200, "quarter", 150), (56, "half", 28)]
)
def test_where_a_loss_that_still_falls_was_judged_is_said(
    steps: int, part: str, first: int
) -> None:
    """The step is none where something sets in: the loss fell as fast before. The end is amiss."""
    finding = cause(with_loss(np.linspace(2.3, 0.5, steps), draw.healthy(steps)), "too-few-steps")
    assert (finding.first_step, finding.last_step) == (steps - 1, steps - 1)
    assert f"In the last {part} of the run, from step {first} on, the loss" in finding.summary


def test_a_run_that_turned_nan_is_not_told_to_go_on() -> None:
    loss = np.linspace(2.3, 0.5, N)
    assert "too-few-steps" in ids(with_loss(loss))
    loss[-3:] = np.nan
    assert "too-few-steps" not in ids(with_loss(loss))


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
    history = data(labelled(0.5), {}, model=layers, loss={"name": "binary_crossentropy"})
    standing = with_loss(draw.flat(level=0.693, noise=0.002), history)
    stuck = cause(standing, "wrong-hidden-activation")
    assert (stuck.severity, stuck.layers) == ("warning", ("rnn",))
    assert "wrong-hidden-activation" not in ids(with_loss(draw.falling(end=0.05), history))


def test_a_loss_that_went_bad_within_an_epoch_comes_before_what_its_end_shows() -> None:
    """Keras counts batches in one place and epochs in another: numbers tell no order."""
    batches = np.arange(200)
    values = np.where(batches < 55, 1.0, np.nan)
    loss = Series("loss", batches, values, batches.astype(float), "batch_loss", "batch")
    column = np.zeros((4, 1, 1), np.float32)
    column[1:] = 1e-38
    weights = Table(
        "variables", (Row("dense/kernel", "dense", "kernel"),), ("variable_nonfinite_fraction",),
        np.arange(4), 49.5 + 50 * np.arange(4), column, np.ones_like(column), "histograms",
        axis="epoch",
    )
    history = RunHistory("r", {"variables": weights}, {"loss": loss})
    (finding,) = (f for f in diagnose_history(history).findings if f.id == "non-finite-values")
    assert finding.summary == "NaN appeared first in the loss, at step 55."
    assert [(item.step, item.value) for item in finding.evidence] == [(55, 1.0), (99, 1.0)]
    assert "at least" in finding.evidence[1].name


def test_a_rise_is_not_called_a_fall_of_nothing() -> None:
    finding = cause(low_rate(2e-6, np.linspace(2.0, 2.1, N)), "learning-rate-too-low")
    (evidence,) = [item for item in finding.evidence if item.statistic == "loss_fall"]
    assert evidence.value == pytest.approx(-0.047, abs=0.002)  # mean of the last tenth, 2.095
    assert f"rose by {-100 * evidence.value:.1f}%" in finding.summary
    assert "it rose" in evidence.name


def test_the_onset_and_the_peak_of_too_large_updates_are_both_shown() -> None:
    ratio = np.full((N, 3), 0.02)
    ratio[9:, 2], ratio[12, :2] = 0.12, (1.0, 7.0)
    base = with_loss(diverging(), changed("variables", draw.healthy(N), update_ratio=ratio))
    finding = cause(base, "learning-rate-too-high")
    names = [row.layer for row in base.tables["variables"].rows]
    shown = [(e.step, e.layer, round(e.value, 3), e.limit) for e in finding.evidence[:2]]
    assert shown == [(12, names[1], 7.0, 0.1), (9, names[2], 0.12, 0.1)]
    assert finding.first_step == 9
    assert "(step 12; more than 0.1 times first at step 9, in output)" in finding.summary
    assert finding.layers == (names[1], names[2], names[0]), "fastest, begun first, the others"
    (loss,) = [e for e in finding.evidence if e.statistic == "loss_end_over_start"]
    # The last tenth, and the step that begins it.
    assert loss.value == pytest.approx(np.mean(diverging()[-21:]) / 2.3, rel=1e-4)


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_the_ratio_of_the_layers_is_the_quotient_of_what_stands_beside_it(activation: str) -> None:
    history = deep(1e-5, activation)
    findings = {f.id: f for f in diagnose_history(history).findings}
    ratio, first, last = findings["vanishing-gradient"].evidence
    assert first.value / last.value == pytest.approx(ratio.value)
    assert first.step == last.step
    assert ratio.value == pytest.approx(1e-5, rel=1e-3)
    # Four layers: three factors of 10^(5/3) lie between the first and the last.
    assert "a factor of 46 a layer" in findings["vanishing-gradient"].summary
    if activation == "sigmoid":
        _, factor, near, far, *_ = findings["wrong-hidden-activation"].evidence
        assert (near.layer, far.layer) == ("first", "third")
        assert (near.value / far.value) ** (1 / 2) == pytest.approx(factor.value)
        assert "each layer leaves" in factor.name


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
    assert finding.summary.startswith(f"All weights start at zero in {first}, {second}: ")
    assert f"{last} starts at zero too" in finding.summary
    assert finding.layers == (first, second)
    assert {item.value for item in finding.evidence} == {0.0}
    limits = {(item.statistic, item.limit) for item in finding.evidence}
    assert limits == {("variable_std", 0.0), ("variable_mean", None)}
    # Of what its own gradient shows, not of what a last layer could do by itself.
    assert finding.summary.endswith(
        f"{last} starts at zero too, which does no harm in a last layer.")
    low[:, 2, table.columns.index("gradient_zero_fraction")] = 1.0
    tables = {**base.tables, "variables": replace(table, low=low, high=low)}
    cut_off = cause(replace(base, tables=tables), "poor-initialization").summary
    assert "it gets no gradient either while the layers before it put out zeros." in cut_off


def unwatched_run(loss: np.ndarray, steps: np.ndarray, **more: np.ndarray) -> RunHistory:
    """Records at `steps`, each of its own step alone; what lies between was not observed."""
    gaps = np.diff(steps, prepend=-1) - 1.0
    run = draw.run_table(loss, window_unwatched_steps=gaps, **more)
    return RunHistory("r", {"run": replace(run, steps=steps)})


SPARSE = np.r_[np.arange(10), np.arange(19, 400, 20)]


def test_nan_between_unwatched_records_is_told_as_an_interval() -> None:
    loss = np.where(SPARSE < 200, 1.0, np.nan)
    age = np.where(SPARSE < 200, np.nan, 0.0)
    history = unwatched_run(loss, SPARSE, first_nonfinite_age_steps=age)
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 219
    assert finding.summary == (
        "NaN arose after step 199, at step 219 at the latest: the 19 steps between were not "
        "observed. At step 219 it appears first in the loss."
    )


def test_nan_between_records_is_dated_by_the_losses() -> None:
    """Beside the training every loss is known; gradients are those of the records alone."""
    loss = np.where(SPARSE < 200, 1.0, np.nan)
    age = np.where(SPARSE < 200, np.nan, 0.0)
    age[SPARSE == 219] = 12.0
    known = np.diff(SPARSE, prepend=-1).astype(np.float64)
    history = unwatched_run(
        loss, SPARSE, first_nonfinite_age_steps=age, window_loss_steps=known
    )
    (finding,) = [f for f in diagnose_history(history).findings if f.id == "non-finite-values"]
    assert finding.first_step == 207
    assert finding.summary == (
        "The loss became NaN at step 207; every loss before it was finite. No gradients "
        "and no outputs of that step were recorded."
    )


def test_the_loss_of_a_run_that_is_not_watched_has_the_length_of_the_run() -> None:
    """Its records stand for all its steps, but its noise is that of single batches."""
    trajectory = loss_trajectory(unwatched_run(draw.falling(len(SPARSE)), SPARSE))
    assert trajectory is not None
    assert trajectory.observed == 400
    assert trajectory.samples.sum() == len(SPARSE)
    assert trajectory.weights[-1] == 20
    noisy = 1.0 + 0.2 * np.random.default_rng(3).standard_normal(len(SPARSE))
    noisy[-2:] -= 0.1
    trajectory = loss_trajectory(unwatched_run(noisy, SPARSE))
    assert trajectory is not None
    assert not trajectory.fell, "two batches that were lucky"


def test_an_epochs_mean_is_of_all_its_steps_also_of_those_nobody_watched() -> None:
    """Records of single batches at 0 to 9 and then at the ends of epochs of 50 steps."""
    steps = np.r_[np.arange(10), np.arange(99, 400, 100)]
    history = unwatched_run(np.full(len(steps), 3.0), steps)
    means = np.full((8, 1, 1), 1.0)
    ends = np.arange(49, 400, 50)
    epoch = Table("epoch", (Row("run", "", "run"),), ("epoch_loss",), ends, ends.astype(float),
                  means, means)
    trajectory = loss_trajectory(replace(history, tables={**history.tables, "epoch": epoch}))
    assert trajectory is not None
    assert trajectory.observed == 400
    assert trajectory.level[10] == pytest.approx((50 * 1.0 - 10 * 3.0) / 40)
    assert trajectory.samples[10:].tolist() == [40.0] + [50.0] * 7


def killed(rate: float) -> RunHistory:
    """Three steps of `rate` times the weights, and then nothing: no gradient is left, though Adam
    moves the first two layers for 60 steps more, and the last one a little to the end.
    """
    ratio = np.full((N, 3), rate)
    ratio[3:] = 0.0
    ratio[3:63, :2], ratio[3:, 2] = 1e-5, 2e-5
    zero = np.full((N, 3), 1.0)
    zero[:3], zero[:, 2] = 0.1, 0.9
    zero[:3, 2] = 0.1
    loss = np.r_[0.69, 480.0, 20.0, draw.flat(N - 3, 0.7, 0.01)]
    history = with_loss(loss, changed("variables", update_ratio=ratio, gradient_zero_fraction=zero))
    return configured(history, optimizer={"class": "Adam", "learning_rate": 1.0})


def test_a_network_that_too_large_steps_killed_does_not_lack_rate() -> None:
    history = killed(5.0)
    finding = cause(history, "learning-rate-too-high")
    assert "learning-rate-too-low" not in ids(history)
    first, second, last = (row.layer for row in history.tables["variables"].rows)
    gone = f"most of the gradient of {first}, {second} and {last} is exactly zero, since step 3."
    assert gone in finding.summary
    assert f"Momentum went on moving {first} and {second} until step 62." in finding.summary


@pytest.mark.parametrize(("rate", "found"), [(2e-3, False), (2e-5, True)])
def test_the_rate_of_a_network_that_died_is_judged_by_its_steps_before(
    rate: float, found: bool
) -> None:
    """Of whatever it died: steps of a healthy size were not too small."""
    history = killed(rate)
    history = replace(history, tables={
        **history.tables, "run": draw.run_table(draw.flat(N, 0.7, 0.001))})
    assert ("learning-rate-too-low" in ids(history)) == found


def test_a_path_is_as_long_as_the_steps_that_were_recorded() -> None:
    """One step of five times its size does not show in the median of many small ones."""
    ratio = np.full((N, 3), 1e-4)
    small = changed("variables", update_ratio=ratio)
    assert path_length(small) == pytest.approx(0.02)
    ratio[0, 1] = 5.0
    assert path_length(changed("variables", update_ratio=ratio)) == pytest.approx(5.0199)


def test_the_fastest_layer_is_named_first_and_the_step_before_the_harm() -> None:
    ratio = np.full((N, 3), 0.02)
    ratio[:70], ratio[69] = (0.2, 0.5, 0.3), (0.4, 7.0, 0.9)
    ratio[70:] = 1e17
    history = nan_gradient(70)
    finding = cause(changed("variables", history, update_ratio=ratio), "learning-rate-too-high")
    first, second, last = (row.layer for row in history.tables["variables"].rows)
    assert finding.layers == (second, last, first)
    assert finding.evidence[0].layer == second
    began = f"more than 0.1 times first at step 0, in {second}"
    assert f"7 times its own size (step 69; {began})" in finding.summary
    assert "followed at step 70" in finding.summary


def test_a_loss_that_is_finite_again_does_not_hide_weights_that_are_not() -> None:
    bad = np.zeros((N, 3))
    bad[6:, 0] = 1.0
    loss = draw.flat(N, 2.0, 0.0)
    loss[6] = np.inf
    history = with_loss(loss, changed("variables", variable_nonfinite_fraction=bad))
    layer = history.tables["variables"].rows[0].layer
    summary = cause(history, "non-finite-values").summary
    assert "The loss is finite again from step 7 on, 2 at the end" in summary
    assert f"but {layer} still has NaN or Inf" in summary
    skipped = with_loss(loss)
    assert "finite again" not in cause(skipped, "non-finite-values").summary


def test_no_run_is_told_that_its_rate_is_too_high_and_too_low() -> None:
    """Large steps at the start and the end, and hardly any in between: the large ones did harm."""
    ratio = np.full((N, 3), 2e-5)
    history = with_loss(draw.flat(), changed("variables", update_ratio=ratio))
    assert "learning-rate-too-low" in ids(history)
    ratio[[0, -3, -2, -1]] = 0.5
    history = with_loss(draw.flat(), changed("variables", update_ratio=ratio))
    assert "learning-rate-too-high" in ids(history)
    assert "learning-rate-too-low" not in ids(history)


@pytest.mark.parametrize(("start", "told"), [(0.5, [20.0]), (0.0, [])])
def test_a_loss_that_was_thrown_up_is_held_against_its_start_where_that_is_positive(
    start: float, told: list[float]
) -> None:
    loss = np.r_[np.full(3, start), np.full(20, 10.0), np.full(N - 23, 1.0)]
    history = high_rate(0.5, loss)
    finding = cause(history, "learning-rate-too-high")
    shown = [item.value for item in finding.evidence if item.statistic == "highest_loss_over_start"]
    assert shown == pytest.approx(told)
