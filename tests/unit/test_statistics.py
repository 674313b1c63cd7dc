"""The catalogue is whole: every statistic is explained, and its formula works on NumPy numbers."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

from tb_convergence.core.reductions import ArrayReductions, reduce
from tb_convergence.core.statistics import CATALOGUE, Statistic, columns, find

EVERY = [(group, item) for group, items in CATALOGUE.items() for item in items]
PARTS = ("gradient", "variable", "update", "output", "feature")


@pytest.mark.parametrize(("group", "item"), EVERY, ids=lambda value: getattr(value, "name", value))
def test_a_statistic_is_explained(group: str, item: Statistic) -> None:
    assert item.group == group
    assert find(group, item.name) is item
    assert item.summary.endswith(".")
    assert item.title
    assert item.symbol
    low, high = item.range
    assert low < high


@pytest.mark.parametrize("group", CATALOGUE)
def test_names_are_used_once(group: str) -> None:
    assert len(set(columns(group))) == len(CATALOGUE[group])


def test_formulas_are_those_of_any_arrays() -> None:
    """The same record that the recorder evaluates on tensors gives a number from NumPy's twin."""
    rng = np.random.default_rng(0)
    arrays = {part: rng.normal(size=(4, 5)) for part in PARTS}
    row = SimpleNamespace(
        **{part: reduce(array) for part, array in arrays.items()},
        ratio=lambda numerator, denominator: numerator / denominator,
    )
    known = {field.name for field in fields(ArrayReductions)}
    assert known >= {"norm", "max_abs", "zero_fraction"}
    for _, item in EVERY:
        if item.formula is not None:
            value = item.formula(row)
            assert item.range[0] <= value <= item.range[1], item.name
    update = np.linalg.norm(arrays["update"]) / np.linalg.norm(arrays["variable"])
    ratio = find("variables", "update_ratio")
    assert ratio is not None
    assert ratio.formula is not None
    assert ratio.formula(row) == pytest.approx(update)
