"""Advice names what to change to what: numbers held against the run they come from."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import histories as draw
import numpy as np
import pytest

from tb_convergence.core.diagnosis import diagnose_history
from tb_convergence.core.diagnosis.configuration import Configuration, configuration
from tb_convergence.core.diagnosis.optimizer_parts import part_of_layer
from tb_convergence.core.history import RunHistory
from tb_convergence.core.rules import learning_rate_too_high
from tb_convergence.core.schema import Row
from tb_convergence.core.text.numbers import rounded

N = 200


def advice(history: RunHistory, id_: str) -> tuple[str, ...]:
    return next(f.advice for f in diagnose_history(history).findings if f.id == id_)


def run(ratio: float, norm: float, optimizer: dict[str, Any], steps: int = N) -> RunHistory:
    """A run that hardly falls, of the given update ratios and gradient norms."""
    base = draw.healthy(steps)
    table = base.tables["variables"]
    values = np.array(table.low)
    for name, value in (("update_ratio", ratio), ("gradient_norm", norm)):
        values[:, :, table.columns.index(name)] = value
    rate = np.full(steps, optimizer["learning_rate"])
    loss = np.linspace(2.3, 2.25, steps)
    return replace(
        base, config={"optimizer": optimizer},
        tables={**base.tables, "variables": replace(table, low=values, high=values),
                "run": draw.run_table(loss, learning_rate=rate,
                                      gradient_global_norm=np.full(steps, norm))},
    )


@pytest.mark.parametrize(
    ("name", "rate", "ratio", "steps", "told"),
    [
        # 1e-3 / 2e-6 is 500; a run of 200 steps needs 1e-2 to get as far as twice a layer's size.
        ("SGD", 1e-6, 2e-6, 200, "SGD(0.003) instead of SGD(1e-6)"),
        ("SGD", 1e-6, 2e-6, 20000, "SGD(3e-4) instead of SGD(1e-6)"),
        ("Adam", 1e-6, 2e-6, 200, "Adam(0.001) instead of Adam(1e-6)"),
        # At Adam's default a step would be 0.02 of the layer: too long.
        ("Adam", 1e-6, 2e-5, 20000, "Adam(3e-5) instead of Adam(1e-6)"),
    ],
)
def test_a_rate_is_raised_to_where_a_run_gets_somewhere(
    name: str, rate: float, ratio: float, steps: int, told: str
) -> None:
    history = run(ratio, 0.5, {"class": name, "learning_rate": rate}, steps)
    assert told in advice(history, "learning-rate-too-low")[0]


@pytest.mark.parametrize(
    ("ratio", "told"),
    [
        # Unclipped, steps are a thousand times as long: 1e-6 becomes 1e-3, 1e-3 would become 1.
        (1e-6, "The learning rate can stay as it is: SGD(0.1)."),
        (1e-3, "SGD(0.001) instead of SGD(0.1)."),
    ],
)
def test_a_limit_of_clipping_is_raised_to_outliers(ratio: float, told: str) -> None:
    history = run(ratio, 0.5, {"class": "SGD", "learning_rate": 0.1, "global_clipnorm": 5e-4})
    first = advice(history, "clipping-hides-learning-rate")[0]
    assert first.startswith("Set global_clipnorm=2 instead of 5e-4")
    assert first.endswith(told)


def test_a_rate_of_adam_does_not_change_with_clipping() -> None:
    history = run(1e-3, 0.5, {"class": "Adam", "learning_rate": 0.1, "clipnorm": 5e-4})
    assert "rate" not in advice(history, "clipping-hides-learning-rate")[0]


def with_rows(kind: str, **columns: float) -> RunHistory:
    base = draw.healthy()
    table = base.tables["inputs"]
    rows = tuple(replace(row, kind=kind, layer=kind) for row in table.rows[1:])
    values = {name: np.array(table.low[:, 1:, i]) for i, name in enumerate(table.columns)}
    for name, value in columns.items():
        values[name][:] = value
    return replace(
        base, config={"loss": {"name": "mse"}},
        tables={**base.tables, "inputs": draw.table("inputs", rows, values),
                "run": draw.run_table(draw.flat())},
    )


def test_targets_are_scaled_by_numbers_of_the_run() -> None:
    first = advice(with_rows("target", feature_mean=95_000.0, feature_std=40_000.0),
                   "unscaled-target")[0]
    shift, scale = (float(text.replace(",", "")) for text in
                    re.findall(r"y - ([\d,.]+)\) / ([\d,.]+\d)", first)[0])
    assert (shift, scale) == (95_000.0, 40_000.0)


@pytest.mark.parametrize(
    ("kind", "kept", "filled"),
    [("input", "np.isfinite(x)", True), ("target", "np.isfinite(y)", False)],
)
def test_samples_with_nan_are_left_out_by_a_line_of_code(
    kind: str, kept: str, filled: bool
) -> None:
    told = advice(with_rows(kind, feature_nan_fraction=0.1), "non-finite-input")
    assert kept in told[0]
    assert any("median" in text for text in told) == filled


@pytest.mark.parametrize(
    ("name", "rate", "ratio", "told"),
    [
        # 0.01 is the upper end of the healthy range: 0.5 is fifty times that, 3.5 is 350 times.
        ("SGD", 1.0, 0.5, "SGD(0.03) instead of SGD(1)"),
        ("SGD", 1.0, 3.5, "SGD(0.003) instead of SGD(1)"),
        ("SGD", 1.0, 0.02, "SGD(0.1) instead of SGD(1)"),
        # At Adam's default a step is 0.012 of the layer.
        ("Adam", 0.3, 3.5, "Adam(0.001) instead of Adam(0.3)"),
        ("Adam", 0.003, 0.3, "Adam(1e-4) instead of Adam(0.003)"),
    ],
)
def test_a_rate_is_lowered_to_healthy_steps(
    name: str, rate: float, ratio: float, told: str
) -> None:
    model = Configuration(optimizer=name, learning_rate=rate)
    factor = learning_rate_too_high._factor(model, rate, ratio)
    assert f"{model.with_rate(rounded(rate / factor, 1))} instead of {model.with_rate(rate)}" == (
        told)


def test_the_rate_named_is_that_of_the_optimizer_whose_layer_moves() -> None:
    base = run(2.0, 0.5, {"class": "Adam", "learning_rate": 0.002})
    table = base.tables["variables"]
    parts = ("critic", "generator", "generator")
    rows = tuple(
        replace(row, layer=f"{part}: {row.layer}")
        for part, row in zip(parts, table.rows, strict=True)
    )
    ratio = np.tile([1e-3, 2.0, 1.0], (N, 1))
    columns = {name: table.low[:, :, i] for i, name in enumerate(table.columns)}
    two = draw.table(
        "run", (Row("critic: run", "", "run"), Row("generator: run", "", "run")),
        {"loss": np.stack([np.full(N, 0.7), 0.7 * 1.05 ** np.arange(N)], axis=1),
         "learning_rate": np.tile([0.002, 1.0], (N, 1)), "window_steps": np.ones((N, 2))},
    )
    history = replace(
        base, tables={
            **base.tables, "run": two,
            "variables": draw.table("variables", rows, columns | {"update_ratio": ratio}),
        },
        config={"optimizers": {"critic": {"class": "Adam", "learning_rate": 0.002},
                               "generator": {"class": "Adam", "learning_rate": 1.0}}},
    )
    part = part_of_layer(history, "generator: hidden_2")
    assert part.series("learning_rate").values[-1] == 1.0
    assert configuration(part).optimizer_text == "Adam(1)"
    assert part_of_layer(history, "elsewhere") is history
    assert part_of_layer(base, "hidden_2") is base


@pytest.mark.parametrize(
    ("optimizer", "ratio", "first", "told"),
    [
        ("SGD", 0.9, 0, True),  # scaled, the step would be 0.9 / 101 of the layer
        ("SGD", 0.9, 1, True),  # of a model that its first batch builds
        ("SGD", 0.9, 2, False),  # no first step any more
        ("SGD", 0.05, 0, False),  # it is healthy as it is
        ("SGD", 50.0, 0, False),  # it would be too long all the same
        ("Adam", 0.9, 0, False),  # its steps do not grow with the gradient
    ],
)
def test_targets_account_for_a_first_step_that_they_make_too_long(
    optimizer: str, ratio: float, first: int, told: bool
) -> None:
    steps = run(ratio, 0.5, {"class": optimizer, "learning_rate": 0.1})
    variables = steps.tables["variables"]
    base = with_rows("target", feature_mean=87.0, feature_std=51.6)
    history = replace(
        base, config={**steps.config, "loss": {"name": "mse"}},
        tables={**base.tables, "variables": replace(variables, steps=variables.steps + first)},
    )
    finding = next(f for f in diagnose_history(history).findings if f.id == "unscaled-target")
    assert (finding.confidence >= 0.8) == told
