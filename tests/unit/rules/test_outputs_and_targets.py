"""What predictions, targets and the loss of each output say: series drawn by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import Finding, diagnose_history
from tb_convergence.core.diagnosis.data import largest_entropy, whole_numbers
from tb_convergence.core.diagnosis.output_heads import output_heads
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.schema import Row

N, BATCH = 60, 32
MOMENTS = ("feature_mean", "feature_std", "feature_min", "feature_max")


def moments(values: np.ndarray) -> np.ndarray:
    """Mean, standard deviation and extremes `[S, F, 4]` of batches `[S, B, F]`."""
    return np.stack([values.mean(1), values.std(1), values.min(1), values.max(1)], axis=2)


def sides(**columns: tuple[str, np.ndarray]) -> Table:
    """The table "inputs" of columns by name: "input", "target" or "prediction", and `[S, B, F]`.

    A name may end in a digit, so that a target and a prediction belong to one output.
    """
    rows, parts = [], []
    for name, (kind, values) in columns.items():
        layer = name.rstrip("0123456789")
        rows += [Row(f"{layer}[{i}]", layer, kind, (i, i + 1)) for i in range(values.shape[2])]
        parts.append(moments(values))
    found = np.concatenate(parts, axis=1)
    return draw.table(
        "inputs", rows, {name: found[:, :, index] for index, name in enumerate(MOMENTS)}
    )


def run(
    table: Table, loss: np.ndarray, document: Any, layers: list[dict[str, Any]],
    metrics: dict[str, np.ndarray] | None = None,
) -> RunHistory:
    base = draw.healthy(len(loss))
    epochs = np.arange(9, len(loss), 10)
    columns = {"epoch_loss": loss[epochs]}
    columns |= {f"metric/{name}_loss": values[epochs] for name, values in (metrics or {}).items()}
    epoch = draw.table("epoch", (Row("run", "", "run"),), columns, epochs)
    return replace(
        base, tables={**base.tables, "inputs": table, "run": draw.run_table(loss), "epoch": epoch},
        config={"model": {"layers": layers}, "loss": document, "batch_size": BATCH,
                "optimizer": {"class": "Adam", "learning_rate": 1e-3}},
    )


def layer(name: str, activation: str, units: int, source: str = "hidden_1") -> dict[str, Any]:
    return {"name": name, "class": "Dense", "activation": activation, "inputs": [source],
            "output_shape": [None, units], "units": units}


HIDDEN = layer("hidden_1", "relu", 8, "input")


def found(history: RunHistory, id_: str) -> Finding | None:
    return next((f for f in diagnose_history(history).findings if f.id == id_), None)


def draws(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((N, BATCH, *shape))


def two_outputs(activation: str, loss: str, target: np.ndarray, metric: np.ndarray) -> RunHistory:
    """A regression "box", and an output "kind" of the given activation, loss and targets."""
    box, kind = draws(2), 0.5 + 0.1 * draws(target.shape[2])
    if activation == "softmax" and target.shape[2] == 1:
        kind = np.ones_like(target)
    table = sides(box=("target", box), kind=("target", target), box1=("prediction", 0.9 * box),
                  kind1=("prediction", kind))
    return run(
        table, draw.falling(N), {"box": {"name": "mse"}, "kind": {"name": loss}},
        [HIDDEN, layer("box", "linear", 2), layer("kind", activation, target.shape[2])],
        {"box": draw.falling(N, 1.0, 0.02), "kind": metric},
    )


COIN = (draws(1) > 0).astype(float)
RARE = (draws(1) > 2.2).astype(float)


def test_each_output_is_seen_with_its_own_targets_and_loss() -> None:
    history = two_outputs("sigmoid", "binary_crossentropy", COIN, draw.flat(N, 0.69))
    box, kind = output_heads(history)
    assert {row.layer for row in box.tables["inputs"].rows} == {"box"}
    assert kind.series("loss") is None
    series = kind.series("epoch_loss")
    assert series is not None
    assert series.values[-1] == pytest.approx(0.69, abs=0.1)


def test_one_output_is_the_history_itself() -> None:
    history = draw.healthy()
    assert output_heads(history) == (history,)


def test_a_softmax_over_one_unit_is_found_beside_another_output() -> None:
    history = two_outputs("softmax", "binary_crossentropy", COIN, draw.falling(N, 0.7, 0.1))
    finding = found(history, "wrong-output-activation")
    assert finding is not None
    assert finding.layers == ("kind",)


def test_a_second_output_that_fits_draws_nothing() -> None:
    history = two_outputs("sigmoid", "binary_crossentropy", COIN, draw.falling(N, 0.7, 0.1))
    assert {f.id for f in diagnose_history(history).findings if f.severity != "info"} == set()


def test_a_cross_entropy_of_amounts_is_found_beside_another_output() -> None:
    history = two_outputs("sigmoid", "binary_crossentropy", 5 * draws(1), draw.flat(N, 0.7))
    finding = found(history, "wrong-loss")
    assert finding is not None
    assert finding.layers == ("kind",)


def distance(end: float) -> RunHistory:
    """A loss that falls while predictions go from 0 to `end` standard deviations of the targets."""
    y = draws(1)
    away = np.linspace(0, end, N)[:, None, None] + 0.1 * y
    return run(sides(y=("target", y), y1=("prediction", away)),
               draw.falling(N, 1.0, -4.0), {"name": "loss"}, [HIDDEN, layer("y", "linear", 1)])


def test_a_loss_that_falls_as_predictions_leave_the_targets_is_a_wrong_loss() -> None:
    finding = found(distance(12.0), "wrong-loss")
    assert finding is not None
    assert finding.severity == "critical"
    assert "sign" in finding.advice[0]


def test_predictions_that_stay_near_the_targets_are_no_wrong_loss() -> None:
    assert found(distance(2.5), "wrong-loss") is None


@pytest.mark.parametrize("name", ["cosine_similarity", "binary_crossentropy"])
def test_losses_that_ignore_the_scale_are_not_held_against_it(name: str) -> None:
    history = distance(12.0)
    other = replace(history, config={**history.config, "loss": {"name": name}})
    finding = found(other, "wrong-loss")
    assert finding is None or "away from the targets" not in finding.summary


def numbered(values: np.ndarray, end: float) -> RunHistory:
    """One linear output that is to give `values` `[S, B, 1]`; the loss ends at `end`."""
    table = sides(y=("target", values), y1=("prediction", values + 0.5))
    return run(table, draw.falling(N, 9.0, end), {"name": "mse"},
               [HIDDEN, layer("y", "linear", 1)])


CLASSES = np.random.default_rng(4).integers(0, 10, (N, BATCH, 1)).astype(float)


@pytest.mark.parametrize(("end", "severity"), [(7.0, "warning"), (1.0, "info")])
def test_class_numbers_as_an_amount(end: float, severity: str) -> None:
    finding = found(numbered(CLASSES, end), "wrong-loss")
    assert finding is not None
    assert (finding.severity, finding.title) == (severity, "Class numbers treated as amounts")
    assert "Dense(10, activation='softmax')" in finding.advice[0]


COUNTS = np.minimum(np.random.default_rng(5).poisson(1.5, (N, BATCH, 1)), 9).astype(float)
TENTHS = np.round(CLASSES + 0.1 * draws(1), 1)


@pytest.mark.parametrize(
    "values", [COUNTS, TENTHS, CLASSES + 0.5], ids=["counts", "tenths", "halves"]
)
def test_amounts_draw_no_warning(values: np.ndarray) -> None:
    finding = found(numbered(values, 7.0), "wrong-loss")
    assert finding is None or finding.severity == "info"


def test_whole_numbers_are_told_from_others_by_their_sums() -> None:
    assert whole_numbers(numbered(CLASSES, 1.0))
    assert not whole_numbers(numbered(TENTHS, 1.0))
    assert not whole_numbers(draw.healthy())


@pytest.mark.parametrize("mean", [0.2, 1.0, 3.3, 4.5, 8.0])
def test_no_distribution_of_a_mean_has_more_entropy(mean: float) -> None:
    bound = float(largest_entropy(np.array([mean]), np.array([10.0]))[0])
    rng = np.random.default_rng(6)
    for shares in rng.dirichlet(np.ones(10), 400):
        at = float(shares @ np.arange(10))
        other = 9.0 if at < mean else 0.0  # the same mean, by mixing in one number
        mixed = shares * (1 - (mean - at) / (other - at))
        mixed[int(other)] += (mean - at) / (other - at)
        entropy = -float(np.sum(mixed[mixed > 0] * np.log(mixed[mixed > 0])))
        assert entropy <= bound + 1e-9


def zero_loss(first: float) -> RunHistory:
    loss = np.zeros(N)
    loss[0] = first
    return run(sides(y=("target", draws(1)), y1=("prediction", draws(1))), loss,
               {"name": "contrast"}, [HIDDEN, layer("y", "linear", 1)])


def test_a_loss_of_zero_before_the_first_update_has_nothing_to_learn() -> None:
    finding = found(zero_loss(0.0), "constant-loss")
    assert finding is not None
    assert finding.title == "The loss is 0 from the first step on"


def test_a_margin_that_is_kept_at_last_is_learned() -> None:
    assert found(zero_loss(0.8), "constant-loss") is None


def padded(places: int, rests_at: float) -> RunHistory:
    """A sequence of two words out of nine and padding, in `places` places of ten classes each."""
    y = np.zeros((N, BATCH, places))
    y[:, :, :2] = np.random.default_rng(7).integers(1, 10, (N, BATCH, 2))
    ignorant = 2 * np.log(9) / places
    loss = draw.falling(N, 2.3, rests_at * ignorant, noise=0.0)
    loss[N // 3 :] = rests_at * ignorant
    history = run(
        sides(y=("target", y)), np.tile(loss, 2)[:N], {"name": "sparse_categorical_crossentropy"},
        [HIDDEN, layer("y", "softmax", 10)],
    )
    table = history.tables["run"]
    long = {name: table.low[:, :, i] for i, name in enumerate(table.columns)}
    long["window_steps"] = np.full((N, 1), 2.0)
    steps = 2 * np.arange(N) + 1
    return replace(history, tables={
        **history.tables, "run": draw.table("run", table.rows, long, steps),
    })


@pytest.mark.parametrize(
    ("places", "rests_at", "severity"),
    [(20, 1.0, "critical"), (20, 0.85, "warning"), (20, 0.7, "info"), (3, 1.0, None)],
)
def test_padding_that_drowns_the_sequence(places: int, rests_at: float, severity) -> None:
    finding = found(padded(places, rests_at), "class-imbalance")
    assert (finding and finding.severity) == severity


def test_a_frozen_base_that_puts_out_large_values_is_named() -> None:
    history = draw.healthy()
    table = history.tables["activations"]
    columns = {name: table.low[:, :, i] for i, name in enumerate(table.columns)}
    names = ("hidden_1", "hidden_2", "output")
    layers = [
        {"name": name, "class": "Dense", "inputs": [source], "parameters": 72,
         "trainable": name == "output"}
        for source, name in zip(("a", *names), names, strict=False)
    ]

    def with_output(size: float, loss: np.ndarray) -> Finding | None:
        more = {"activation_mean": np.full((200, 3), 0.0),
                "activation_std": np.full((200, 3), size),
                "activation_batch_std": np.full((200, 3), size)}
        return found(replace(
            history, config={"model": {"layers": layers}},
            tables={**history.tables, "run": draw.run_table(loss),
                    "activations": draw.table("activations", table.rows, columns | more)},
        ), "unnormalized-input")

    finding = with_output(64.0, draw.flat())
    assert finding is not None
    assert finding.title == "A frozen base outputs large values"
    assert "LayerNormalization" in finding.advice[0]
    assert with_output(8.0, draw.flat()) is None
    assert with_output(64.0, draw.falling()) is None


def attention_stack(blocks: int, custom: bool = False) -> RunHistory:
    """Blocks of attention and a dense layer in a row, as the recorder lists them."""
    layers: list[dict[str, Any]] = []
    names = []
    before = "words"
    for block in range(blocks):
        parts = [f"attend_{block}/{part}" for part in ("query", "key", "value", "attention_output")]
        layers += [{"name": part, "class": "EinsumDense", "parameters": 9} for part in parts]
        layers += [{"name": f"softmax_{block}", "class": "Softmax"}]
        layers += [{"name": f"dense_{block}", "class": "Dense", "inputs": [before],
                    "activation": "relu", "parameters": 9}]
        names += [*parts, f"dense_{block}"]
        before = f"attend_{block}"
    if custom:
        layers += [{"name": "block/dense", "class": "Dense", "parameters": 9}]
    zeros = np.zeros((N, len(names)))
    variables = draw.table("variables", draw.kernels(*names), {
        "gradient_norm": np.full((N, len(names)), 0.1), "gradient_mean_abs": zeros + 1e-3,
        "gradient_zero_fraction": zeros, "gradient_nan_fraction": zeros,
        "update_ratio": zeros + 1e-3,
    })
    return draw.history(variables, draw.run_table(draw.flat(N)),
                        config={"model": {"layers": layers}})


def test_attention_counts_as_two_layers_in_a_row() -> None:
    finding = found(attention_stack(12), "too-deep-without-skip")
    assert finding is not None
    assert finding.summary.startswith("36 layers")
    assert found(attention_stack(3), "too-deep-without-skip") is None


def test_a_layer_of_unknown_make_may_hold_a_skip() -> None:
    assert found(attention_stack(12, custom=True), "too-deep-without-skip") is None


def short_run(fall: float, ratio: float) -> RunHistory:
    """150 noisy batches whose loss falls evenly by `fall` in all."""
    loss = np.linspace(1.0, 1.0 - fall, 150)
    loss += 0.2 * np.random.default_rng(8).standard_normal(150)
    base = draw.healthy(150)
    table = base.tables["variables"]
    values = np.array(table.low)
    values[:, :, table.columns.index("update_ratio")] = ratio
    return replace(base, tables={
        **base.tables, "variables": replace(table, low=values, high=values),
        "run": draw.run_table(loss),
    })


@pytest.mark.parametrize(
    ("fall", "ratio", "told"), [(0.34, 2e-3, True), (0.1, 2e-3, False), (0.34, 2e-2, False)],
    ids=["under way", "noise", "as far as its size"],
)
def test_halves_tell_what_noise_hides_from_a_slope(fall: float, ratio: float, told: bool) -> None:
    finding = found(short_run(fall, ratio), "too-few-steps")
    assert (finding is not None) == told


def constant(output: float, end: float, name: str = "log_loss") -> RunHistory:
    """An output that comes to be `output` for every sample, of targets 0 and 1."""
    spread = np.linspace(0.3, 0.001, N)[:, None, None]
    p = output + spread * draws(1)
    return run(sides(y=("target", COIN), y1=("prediction", p)),
               draw.falling(N, 0.9, end, noise=0.001), {"name": name},
               [HIDDEN, layer("y", "sigmoid", 1)])


@pytest.mark.parametrize(
    ("output", "end", "name", "told"),
    [
        (1.0, 0.01, "log_loss", True),
        (0.5, 0.01, "log_loss", False),  # the best constant there is
        (1.0, 0.4, "log_loss", False),  # it costs something
        (1.0, 0.01, "binary_crossentropy", False),  # known to punish it
    ],
)
def test_a_constant_that_satisfies_a_loss_of_one_s_own(
    output: float, end: float, name: str, told: bool
) -> None:
    finding = found(constant(output, end, name), "wrong-loss")
    title = "A constant output satisfies the loss"
    assert (finding is not None and finding.title == title) == told


@pytest.mark.parametrize(("level", "severity"), [(0.18, "info"), (0.66, "critical")])
def test_trained_weights_may_rest_at_a_low_loss(level: float, severity: str) -> None:
    """Targets 0 and 1: ln 2 is what a model pays that ignores its input."""
    history = run(sides(y=("target", np.tile(COIN, (4, 1, 1))[: 2 * N])),
                  draw.flat(2 * N, level, 0.01),
                  {"name": "binary_crossentropy"}, [HIDDEN, layer("y", "sigmoid", 1)])
    finding = found(history, "loss-not-decreasing")
    assert finding is not None
    assert finding.severity == severity
