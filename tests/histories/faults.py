"""Runs with one fault, and the parts that they are made of.

A healthy run (`histories.healthy`) with some columns, the loss, or the configuration replaced.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import histories as draw
from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row

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


def labeled(share: float) -> dict[str, list[float]]:
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
    history = data(labeled(share), outputs(share, spread, 0.0, 1.0),
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


def cause(history: RunHistory, name: str):
    (finding,) = [f for f in diagnose_history(history).findings if f.id == name]
    return finding


def cut(history: RunHistory, length: int) -> RunHistory:
    def shorter(table: Table) -> Table:
        low = table.low[:length]
        return replace(
            table, steps=table.steps[:length], wall_times=table.wall_times[:length], low=low,
            high=low,
        )

    return replace(history, tables={k: shorter(t) for k, t in history.tables.items()})
