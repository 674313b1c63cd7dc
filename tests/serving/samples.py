"""Synthetic runs, as `reading` would give them: the page is drawn and the routes tested with them.

Each function builds one `RunHistory` whose story is known. Seeded: the same on every call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.gaps import Skipped
from tb_convergence.core.history import RunHistory, Series, Table
from tb_convergence.core.schema import Row
from tb_convergence.core.statistics import columns
from tb_convergence.reading.landscapes import RecordedLandscape, RecordedLandscapes
from tb_convergence.reading.recorded_histograms import RecordedHistograms
from tb_convergence.serving.source import NoSuchRunError, Scope, Version
from tests.experiment_records import every_kind
from tests.landscape_records import line_record, plane_record

START = 1_763_700_000.0
Floats = NDArray[np.float32]


def steps_of(records: int, every: int = 10) -> NDArray[np.int64]:
    """Dense at the beginning, as the recorder writes them."""
    dense = np.arange(min(10, records), dtype=np.int64)
    return np.concatenate([dense, np.arange(1, records - len(dense) + 1, dtype=np.int64) * every])


def variable_rows(layers: int, activation: str = "relu", prefix: str = "dense") -> tuple[Row, ...]:
    """Kernel and bias of `layers` dense layers, from input to output."""
    rows = []
    for index in range(layers):
        layer = f"{prefix}_{index}"
        width = 64 if index < layers - 1 else 10
        rows.append(Row(f"mlp/{layer}/kernel", layer, "kernel", (64, width), "float32",
                        activation, "GlorotUniform"))
        rows.append(Row(f"mlp/{layer}/bias", layer, "bias", (width,), "float32",
                        activation, "Zeros"))
    return tuple(rows)


def layer_rows(layers: int, activation: str = "relu", prefix: str = "dense") -> tuple[Row, ...]:
    """Output of `layers` dense layers."""
    return tuple(
        Row(f"{prefix}_{index}", f"{prefix}_{index}", "output", (64,), "float32",
            activation if index < layers - 1 else "softmax")
        for index in range(layers)
    )


def input_rows(features: int = 4) -> tuple[Row, ...]:
    """Some features, the target and the prediction."""
    some = tuple(
        Row(f"x[{i}]", "x", "input", (i, i + 1), "float32") for i in range(features)
    )
    return (*some, Row("target", "target", "target", (0, 1)),
            Row("prediction", "prediction", "prediction", (0, 10)))


def table(group: str, rows: tuple[Row, ...], steps: NDArray[np.int64],
          values: Mapping[str, Any], total: int | None = None) -> Table:
    """A recorder's table from columns that broadcast to `[S, R]`; those not given are undefined."""
    names = columns(group)  # type: ignore[arg-type]
    data = np.full((len(steps), len(rows), len(names)), np.nan, dtype=np.float32)
    for name, column in values.items():
        data[:, :, names.index(name)] = column
    times = START + steps * 0.25
    return Table(group, rows, names, steps, times.astype(np.float64), data, data, total=total)


def trained(
    run: str,
    layers: int = 6,
    records: int = 400,
    gradient: Callable[[Floats, Floats], Any] = lambda t, depth: 0.3 * np.exp(-t) + 0.02,
    loss: Callable[[Floats], Any] = lambda t: 0.15 + 2.1 * np.exp(-14 * t),
    activation: str = "relu",
    seed: int = 0,
    total: int | None = None,
) -> RunHistory:
    """A run with all groups. `t` `[S, 1]` goes from 0 to 1 over training, `depth` `[1, R]` too."""
    rng = np.random.default_rng(seed)
    steps = steps_of(records)
    rows = variable_rows(layers, activation)
    t = (np.arange(records, dtype=np.float32) / max(1, records - 1))[:, None]
    depth = np.linspace(0, 1, len(rows), dtype=np.float32)[None, :]

    def noise(spread: float, count: int) -> Floats:
        return rng.lognormal(0.0, spread, (records, count)).astype(np.float32)

    norm = np.broadcast_to(gradient(t, depth), (records, len(rows))) * noise(0.15, len(rows))
    weight = (4.0 + 1.5 * t) * np.where(np.arange(len(rows)) % 2, 0.2, 1.0)[None, :]
    update = 0.01 * norm
    variables = table("variables", rows, steps, {
        "gradient_norm": norm, "gradient_max": norm * 0.2, "gradient_mean_abs": norm * 0.01,
        "gradient_zero_fraction": np.clip(0.05 * noise(0.3, len(rows)), 0, 1),
        "gradient_nan_fraction": 0.0, "gradient_inf_fraction": 0.0, "gradient_missing": 0.0,
        "variable_norm": weight, "variable_mean": 0.001 * t, "variable_std": weight / 60,
        "variable_nonfinite_fraction": 0.0, "update_norm": update, "update_ratio": update / weight,
        "window_gradient_norm_max": norm * 1.2, "window_nonfinite_steps": 0.0,
    }, total)
    outputs = layer_rows(layers, activation)
    std = noise(0.05, layers)
    activations = table("activations", outputs, steps, {
        "activation_mean": 0.3, "activation_std": std, "activation_batch_std": std * 0.7,
        "activation_max_abs": std * 4,
        "activation_zero_fraction": np.clip(0.45 * noise(0.05, layers), 0, 1),
        "activation_nan_fraction": 0.0, "activation_inf_fraction": 0.0,
        "activation_dead_fraction": 0.02,
    }, total)
    inputs = table("inputs", input_rows(), steps, {
        "feature_mean": 0.02, "feature_std": 1.0, "feature_min": -3.0, "feature_max": 3.1,
        "feature_nan_fraction": 0.0, "feature_inf_fraction": 0.0,
    }, total)
    line = np.broadcast_to(loss(t), (records, 1)) * noise(0.05, 1)
    whole = np.sqrt((norm.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    run_table = table("run", (Row("run", "run", "run"),), steps, {
        "loss": line, "learning_rate": 0.01, "gradient_global_norm": whole,
        "variable_global_norm": 11.0 + t, "update_global_norm": whole * 0.01,
        "window_steps": np.diff(steps, prepend=-1)[:, None], "window_loss_mean": line,
        "window_loss_max": line * 1.1, "window_loss_min": line * 0.9, "window_nonfinite_steps": 0.0,
    }, total)
    epochs = steps[len(steps) // 8 - 1 :: max(1, len(steps) // 8)]
    u = np.linspace(0, 1, len(epochs), dtype=np.float32)[:, None]
    epoch = table("epoch", (Row("epoch", "epoch", "epoch"),), epochs, {
        "epoch_loss": loss(u), "validation_loss": loss(u) * 1.1 + 0.02,
    })
    config = {
        "optimizer": {"class": "SGD", "learning_rate": 0.01}, "loss": "categorical_crossentropy",
        "batch_size": 32, "layers": [{"name": row.name, "activation": row.activation}
                                     for row in outputs],
    }
    tables = {t.group: t for t in (variables, activations, inputs, run_table, epoch)}
    return RunHistory(run, tables, config=config, source_runs=(f"{run}/train", f"{run}/validation"))


def edited(history: RunHistory, group: str, start: int, values: Mapping[str, Any],
           rows: slice | list[int] = slice(None)) -> RunHistory:
    """`history` with columns of `group` replaced from record `start` on."""
    old = history.tables[group]
    data = old.low.copy()
    for name, value in values.items():
        index = old.columns.index(name)
        data[start:, rows, index] = value
    new = replace(old, low=data, high=data)
    return replace(history, tables={**history.tables, group: new})


def healthy() -> RunHistory:
    """Loss falls, gradients are of one scale."""
    return replace(trained("mlp/healthy"), experiments=every_kind())


def explodes() -> RunHistory:
    """The gradient grows until, from step 300 on, everything is NaN."""
    start = int(np.searchsorted(steps_of(100), 300))
    grows = trained(
        "mlp/explodes", records=100, seed=1,
        gradient=lambda t, depth: 0.3 * 10 ** (np.minimum(t * 100 / start, 1) * 7 * (1.2 - depth)),
        loss=lambda t: 2.3 * np.where(t * 99 < start * 0.7, 1 - 0.5 * t, 0.4 * np.exp(11 * t)),
    )
    nan = np.nan
    broken = edited(grows, "variables", start, {
        "gradient_norm": nan, "gradient_max": nan, "gradient_mean_abs": nan, "update_norm": nan,
        "update_ratio": nan, "gradient_nan_fraction": 1.0, "gradient_zero_fraction": 0.0,
        "window_gradient_norm_max": nan, "window_nonfinite_steps": 10.0,
    })
    later = start + 1
    broken = edited(broken, "variables", later, {
        "variable_norm": nan, "variable_std": nan, "variable_mean": nan,
        "variable_nonfinite_fraction": 1.0,
    })
    broken = edited(broken, "activations", later, {
        "activation_mean": nan, "activation_std": nan, "activation_batch_std": nan,
        "activation_max_abs": nan, "activation_nan_fraction": 1.0, "activation_zero_fraction": 0.0,
    })
    broken = edited(broken, "run", start, {
        "loss": nan, "gradient_global_norm": nan, "update_global_norm": nan,
        "window_loss_mean": nan, "window_loss_max": nan, "window_loss_min": nan,
        "window_nonfinite_steps": 10.0, "first_nonfinite_age_steps": 0.0,
    })
    return edited(broken, "epoch", 6, {"epoch_loss": nan, "validation_loss": nan})


def vanishes() -> RunHistory:
    """A deep sigmoid network: gradients shrink by a factor of four a layer toward the input."""
    return edited(
        trained("deep/vanishes", layers=16, records=600, seed=2, activation="sigmoid",
                gradient=lambda t, depth: 0.5 * 10 ** (-9 * (1 - depth)),
                loss=lambda t: 2.302 - 0.001 * t),
        "activations", 0,
        {"activation_saturated_fraction": np.linspace(0.7, 0.2, 16), "activation_dead_fraction":
         np.nan, "activation_zero_fraction": 0.0},
    )


def dies() -> RunHistory:
    """After a third of the training one ReLU layer is dead; what lies before it learns no more."""
    base = trained("mlp/dies", records=300, seed=3, loss=lambda t: 1.4 + 0.9 * np.exp(-9 * t))
    base = edited(base, "activations", 100,
                  {"activation_dead_fraction": 0.97, "activation_zero_fraction": 0.98}, [2])
    return edited(base, "variables", 100,
                  {"gradient_norm": 0.0, "gradient_zero_fraction": 1.0, "gradient_max": 0.0,
                   "gradient_mean_abs": 0.0, "update_norm": 0.0, "update_ratio": 0.0},
                  list(range(6)))


def restarted() -> RunHistory:
    """Training was resumed twice, TensorBoard kept a part of the records, a record was damaged."""
    history = trained("restarted", records=250, seed=4, total=1_000)
    skipped = (
        Skipped("convergence/variables/0badc0de", 870,
                "checksum of row 3 does not hold: damaged record"),
        Skipped("weird/histogram", None, "not a histogram"),
    )
    return replace(history, restarts=(500, 1_200), skipped=skipped)


def from_histograms() -> RunHistory:
    """What ordinary gradient histograms tell: intervals, some open, and plain scalars."""
    base = trained("keras/histograms", records=120, seed=5)
    names = ("gradient_norm", "gradient_max", "gradient_zero_fraction", "variable_norm")
    source = base.tables["variables"]
    picked = source.low[:, :, [source.columns.index(name) for name in names]]
    low, high = picked * 0.95, picked * 1.06
    low[:, :, 2], high[:, :, 2] = 0.0, 0.3
    high[60:64, 3, 0] = np.inf
    low[70:72, 2, :] = high[70:72, 2, :] = np.nan
    table_ = Table("variables", source.rows, names, source.steps, source.wall_times, low, high,
                   source="histograms")
    epochs = np.arange(30, dtype=np.int64)
    falling = 2.0 * np.exp(-epochs / 8.0)
    times = START + epochs * 60.0
    scalars = {
        "epoch_loss": Series("epoch_loss", epochs, falling, times, "epoch_loss", "epoch"),
        "validation_loss": Series("validation_loss", epochs,
                                  np.where(epochs < 12, falling, 0.2 + 0.02 * epochs),
                                  times, "epoch_loss", "epoch"),
        "learning_rate": Series("learning_rate", epochs, np.full(30, 1e-3), times,
                                "epoch_learning_rate", "epoch"),
    }
    return RunHistory("keras/histograms", {"variables": table_}, scalars)


def histograms_of(history: RunHistory, variable: str) -> tuple[RecordedHistograms, ...]:
    """Gradient and weights of one variable of `from_histograms`: normal, ever narrower, one NaN."""
    table_ = history.tables.get("variables")
    names = [row.name for row in table_.rows] if table_ is not None else []
    if table_ is None or table_.source != "histograms" or variable not in names:
        return ()
    rng = np.random.default_rng(names.index(variable))
    found: dict[str, list[NDArray[np.float64]]] = {"gradient": [], "variable": []}
    for record in range(len(table_.steps)):
        for role, scale in (("gradient", 0.1 * np.exp(-record / 60)), ("variable", 0.3)):
            entries = rng.normal(0, scale, 500)
            counts, edges = np.histogram(entries, 30, (entries.min(), entries.max()))
            found[role].append(np.stack([edges[:-1], edges[1:], counts], axis=1))
    found["gradient"][70] = np.array([[np.nan, np.nan, 0.0]] * 30)
    return tuple(
        RecordedHistograms(role, "step", table_.steps, tuple(arrays))  # type: ignore[arg-type]
        for role, arrays in found.items()
    )


def hostile() -> RunHistory:
    """Names that try to break a page: markup, prototypes, control characters, great length."""
    names = (
        "<img src=x onerror=alert(1)>", "__proto__", "constructor", "=cmd|' /C calc'!A0",
        "../../etc/passwd", "line\nbreak\tand\x00nul", "\u202egnp.exe", "layer " + "long " * 1_500,
        "emoji 🦜 and combining ä̷", "\ud800 lone surrogate", "</script><script>alert(2)</script>",
        "",
    )
    base = trained("hostile/<script>alert('run')</script>&\"'", layers=6, records=60, seed=6)
    rows = tuple(
        replace(row, name=f"{name}/{row.kind}", layer=name)
        for row, name in zip(base.tables["variables"].rows, names, strict=True)
    )
    variables = replace(base.tables["variables"], rows=rows)
    outputs = tuple(
        replace(row, name=name, layer=name)
        for row, name in zip(base.tables["activations"].rows, names, strict=False)
    )
    activations = replace(base.tables["activations"], rows=outputs)
    config = {"<b>bold</b>": {"nan": float("nan"), "big": 2**70, "__proto__": [None, True]}}
    skipped = tuple(Skipped(name, 2**62, f"{name} is damaged") for name in names)
    return replace(base, tables={**base.tables, "variables": variables, "activations": activations},
                   config=config, skipped=skipped)


def empty() -> RunHistory:
    """A run without anything we know."""
    return RunHistory("empty")


def scalars_only() -> RunHistory:
    """A loss curve and nothing else, with NaN, infinities and a step beyond 2^53."""
    steps = np.array([*range(400), 2**53 + 1], dtype=np.int64)
    values = 1.0 + np.exp(-np.arange(401) / 50.0)
    values[100:110] = np.nan
    values[200], values[201] = np.inf, -np.inf
    times = START + np.arange(401.0)
    times[3] = np.nan
    return RunHistory("scalars/only", {}, {"loss": Series("loss", steps, values, times, "loss")})


def large(rows: int = 400, records: int = 2_000) -> RunHistory:
    """As many rows and records as the limits are made for; one row is NaN, one spikes once."""
    history = trained("large/transformer", layers=rows // 2, records=records, seed=7)
    history = edited(history, "variables", 0,
                     {"gradient_nan_fraction": 1.0, "gradient_norm": np.nan}, [rows // 3])
    old = history.tables["variables"]
    old.low[records // 2, rows // 2, old.columns.index("gradient_norm")] = 1e6
    return history


SAMPLES: tuple[Callable[[], RunHistory], ...] = (
    healthy, explodes, vanishes, dies, restarted, from_histograms, hostile, empty, scalars_only,
    large,
)


def sample_landscapes() -> tuple[RecordedLandscape, ...]:
    """A plane with a path, and a line; see tests/landscape_records.py."""
    return tuple(
        RecordedLandscape(700, START, document)
        for document in (plane_record("landscape"), line_record("to the start"))
    )


class SampleSource:
    """A `Source` over histories in memory; counts what is read, and can be told to fail."""

    def __init__(self, *histories: RunHistory) -> None:
        self.histories = {history.run: history for history in histories}
        self.failing: dict[str, Exception] = {}
        self.reads: list[str] = []
        self.scopes: list[Scope] = []
        self.generation = 0

    def versions(self, scope: Scope, run: str | None = None) -> Mapping[str, Version]:
        self.scopes.append(scope)
        return {
            name: Version(f"{self.generation}", float(index))
            for index, name in enumerate([*self.histories, *self.failing])
            if run in {None, name}
        }

    def history(self, scope: Scope, run: str) -> RunHistory:
        self.scopes.append(scope)
        self.reads.append(run)
        if run in self.failing:
            raise self.failing[run]
        if run not in self.histories:
            raise NoSuchRunError(run)
        return self.histories[run]

    def histograms(
        self, scope: Scope, run: str, variable: str
    ) -> tuple[RecordedHistograms, ...]:
        self.scopes.append(scope)
        if run in self.failing:
            raise self.failing[run]
        return histograms_of(self.histories[run], variable)

    def landscapes(
        self, scope: Scope, run: str, name: str | None = None
    ) -> RecordedLandscapes:
        self.scopes.append(scope)
        if run in self.failing:
            raise self.failing[run]
        found = sample_landscapes() if run == "mlp/healthy" else ()
        return RecordedLandscapes(
            tuple(one for one in found if name is None or one.document["name"] == name)
        )


def all_samples() -> SampleSource:
    """Every sample, and one run that cannot be read."""
    source = SampleSource(*(build() for build in SAMPLES))
    source.failing["broken"] = ValueError("a bug, with a path in it: /home/someone/logs")
    return source
