"""How a variable started: what NumPy draws is what the theory says it draws."""

from __future__ import annotations

import doctest
import math
from typing import Any

import numpy as np
import pytest

import tb_convergence.core.initialization
from tb_convergence.core.history import RunHistory, Table
from tb_convergence.core.initialization import Initialization, expectation, initialization
from tb_convergence.core.schema import Row

SHAPE = (3, 3, 32, 64)
FAN_IN, FAN_OUT = 9 * 32, 9 * 64
RNG = np.random.default_rng(0)


def started(
    values: Any, initializer: str, settings: dict[str, Any] | None = None, shape: Any = SHAPE,
    first: int = 0, kind: str = "kernel",
) -> Initialization:
    """A variable of these values, as it was recorded first."""
    row = Row("conv/kernel", "conv", kind, shape, "float32", "relu", initializer)
    array = np.array([[[np.mean(values), np.std(values)]]], dtype=np.float32)
    table = Table("variables", (row,), ("variable_mean", "variable_std"),
                  np.array([first]), np.zeros(1), array, array)
    layer = {"name": "conv", f"{kind}_initializer": {"class": initializer, "config": settings}}
    config = {"model": {"layers": ["damaged", layer]}}
    found = initialization(RunHistory("r", {"variables": table}, config=config), table, 0)
    assert found is not None
    return found


def truncated(spread: float) -> Any:
    drawn = RNG.normal(0, spread, 40_000)
    return drawn[np.abs(drawn) < 2 * spread]


ORTHOGONAL = np.linalg.qr(RNG.normal(size=(128, 64)))[0]

DRAWN: dict[str, tuple[Any, str, dict[str, Any], Any]] = {
    "Glorot": (RNG.normal(0, math.sqrt(2 / (FAN_IN + FAN_OUT)), SHAPE), "GlorotNormal", {}, SHAPE),
    "Glorot, uniform": (
        RNG.uniform(-1, 1, SHAPE) * math.sqrt(6 / (FAN_IN + FAN_OUT)), "GlorotUniform", {}, SHAPE),
    "He": (RNG.normal(0, math.sqrt(2 / FAN_IN), SHAPE), "HeNormal", {}, SHAPE),
    "LeCun": (RNG.normal(0, math.sqrt(1 / FAN_IN), SHAPE), "LecunNormal", {}, SHAPE),
    "normal": (RNG.normal(0, 0.05, SHAPE), "RandomNormal", {"stddev": 0.05}, SHAPE),
    "cut normal": (truncated(0.05), "TruncatedNormal", {"stddev": 0.05}, SHAPE),
    "uniform": (
        RNG.uniform(-0.1, 0.3, SHAPE), "RandomUniform", {"minval": -0.1, "maxval": 0.3}, SHAPE),
    "scaled": (
        RNG.normal(0, math.sqrt(3 / FAN_OUT), SHAPE), "VarianceScaling",
        {"scale": 3.0, "mode": "fan_out"}, SHAPE),
    "orthogonal": (1.5 * ORTHOGONAL, "Orthogonal", {"gain": 1.5}, (128, 64)),
    "zeros": (np.zeros(4), "Zeros", {}, (4,)),
}


@pytest.mark.parametrize(("values", "name", "settings", "shape"), DRAWN.values(), ids=DRAWN)
def test_theory_and_chance(values: Any, name: str, settings: dict[str, Any], shape: Any) -> None:
    found = started(values, name, settings, shape)
    assert found.expected is not None
    assert found.expected.std == pytest.approx(np.std(values), rel=0.02)
    assert found.verdict == "as expected"
    if found.expected.std:
        assert started(values * 1.3, name, settings, shape).verdict == "wider"
        assert started(values * 0.7, name, settings, shape).verdict == "narrower"


def test_few_entries_vary_more() -> None:
    values = RNG.normal(0, math.sqrt(2 / 6), (4, 2)) * 1.3
    assert started(values, "GlorotNormal", {}, (4, 2)).verdict == "as expected"


@pytest.mark.parametrize(("name", "settings"), [
    ("Mine", {}), ("", {}), ("RandomNormal", {}), ("RandomNormal", {"stddev": "0.05"}),
    ("RandomNormal", {"stddev": -1.0}), ("TruncatedNormal", {"stddev": True}),
    ("RandomUniform", {"minval": 1.0, "maxval": 0.0}), ("Orthogonal", {"gain": None}),
    ("VarianceScaling", {"scale": 1.0, "mode": ["fan_in"]}), ("VarianceScaling", {}),
])
def test_nothing_is_expected_of_what_is_not_known(name: str, settings: dict[str, Any]) -> None:
    found = started(np.ones(4), name, settings)
    assert found.expected is None
    assert found.verdict == ""
    assert started(np.ones(4), name, None).expected is None


@pytest.mark.parametrize(
    ("low", "high", "formula"), [(-0.1, 0.3, "(0.3 + 0.1) / √12"), (0.1, 0.3, "(0.3 - 0.1) / √12")])
def test_the_width_of_a_uniform_draw_is_written_as_one_would(low, high, formula: str) -> None:
    row = Row("k", "k", "kernel", (4, 4), initializer="RandomUniform")
    found = expectation(row, {"minval": low, "maxval": high})
    assert found is not None
    assert (found.formula, found.std) == (formula, pytest.approx((high - low) / math.sqrt(12)))


@pytest.mark.parametrize("shape", [(), (5,), (0, 4)])
def test_shapes_without_a_fan(shape: tuple[int, ...]) -> None:
    assert expectation(Row("b", "b", "bias", shape, initializer="HeNormal"), {}) is None


def test_the_rule_s_own_ends() -> None:
    found = started(np.ones(4), "GlorotUniform")
    usual = math.sqrt(2 / (FAN_IN + FAN_OUT))
    assert found.sound is not None
    assert found.sound[:2] == pytest.approx((usual / 10, usual * 10))
    assert found.sound[2] == "poor-initialization"
    assert started(np.ones(4), "Zeros", kind="bias", shape=(4,)).sound is None


def test_a_later_first_record_says_so() -> None:
    assert started(np.ones(4), "Zeros", first=40).step == 40


def test_intervals_are_judged_by_what_they_prove() -> None:
    row = Row("k", "k", "kernel", (100, 100), "float32", "", "GlorotUniform")
    for low, high, verdict in ((0.05, 0.2, "as expected"), (0.2, 0.3, "wider"),
                               (0.01, 0.05, "narrower")):
        bounds = [np.full((1, 1, 1), end, np.float32) for end in (low, high)]
        table = Table("variables", (row,), ("variable_std",), np.zeros(1, np.int64), np.zeros(1),
                      *bounds, source="histograms")
        found = initialization(RunHistory("r", {"variables": table}), table, 0)
        assert found is not None
        assert (found.verdict, found.mean) == (verdict, None)


def test_examples() -> None:
    assert doctest.testmod(tb_convergence.core.initialization).failed == 0
