"""Replies parse with a strict JSON parser, whatever is put into them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tb_convergence.serving.limits import LIMITS
from tb_convergence.serving.lines import layer
from tb_convergence.serving.strict_json import (
    bounded,
    encode,
    integer,
    nonfinite,
    numbers,
    together,
)
from tests.serving.contract import strict
from tests.serving.samples import from_histograms

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.text(alphabet=st.characters(categories=["Cs", "Cc"]), max_size=5), st.binary(max_size=5),
    st.sampled_from([
        np.float32("nan"), np.float64("inf"), np.float16(0.1), np.int64(2**62), np.uint8(3),
        np.bool_(True), -0.0, 5e-324, 2**53 + 1, np.datetime64("2020-01-01"),
    ]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.tuples(inner, inner),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers(), st.none()), inner,
                        max_size=5),
    ),
    max_leaves=30,
)


@settings(max_examples=500, deadline=None)
@given(value=ANYTHING, characters=st.integers(1, 50), items=st.integers(0, 5))
def test_anything_can_be_sent(value: Any, characters: int, items: int) -> None:
    found = strict(encode(bounded(value, characters, items)))

    def check(part: Any) -> None:
        if isinstance(part, str):
            assert len(part) <= max(characters, 9)  # "-Infinity"
        elif isinstance(part, (list, dict)):
            assert len(part) <= items
            for inner in part.values() if isinstance(part, dict) else part:
                check(inner)

    check(found)


@settings(max_examples=300, deadline=None)
@given(low=arrays(np.float32, 5, elements=st.floats(0, 1, width=32)), steps=st.integers(0, 3))
def test_an_interval_never_ends_below_where_it_begins(low: Any, steps: int) -> None:
    begin = low.astype(np.float64)
    end = begin + steps * np.spacing(begin)
    for one, other in zip(*together(begin, end), strict=True):
        assert one <= other
        assert (one == other) == (steps == 0)


def test_the_lines_of_a_layer_never_end_below_where_they_begin() -> None:
    history = from_histograms()
    table = history.tables["variables"]
    low = np.broadcast_to(0.2616121470928192, table.low.shape)  # as a float32: 0.26161215
    narrow = replace(table, low=low, high=np.nextafter(low, 1.0))
    found = strict(layer(history, narrow, 0, 50, LIMITS))
    assert found["columns"]
    for column in found["columns"]:
        assert all(one < other for one, other in zip(column["low"], column["high"], strict=True))


@settings(max_examples=300, deadline=None)
@given(values=arrays(np.float32, st.integers(0, 30), elements=st.floats(width=32)))
def test_float32_survives_exactly(values: Any) -> None:
    sent = strict(encode([numbers(values), nonfinite(values)]))
    names = dict(sent[1])
    for index, (value, found) in enumerate(zip(values, sent[0], strict=True)):
        if math.isfinite(value):
            assert np.float32(found) == value
            assert math.copysign(1, found) == math.copysign(1, value)
            assert index not in names
        else:
            assert found is None
            assert float(names[index]) == value or math.isnan(value)


@settings(max_examples=300, deadline=None)
@given(values=arrays(np.float64, st.integers(0, 30), elements=st.floats()))
def test_float64_survives_exactly_unless_float32_says_it_all(values: Any) -> None:
    sent = strict(encode(numbers(values)))
    with np.errstate(over="ignore"):
        single = all(np.float32(value) == value for value in values if math.isfinite(value))
    for value, found in zip(values, sent, strict=True):
        if not math.isfinite(value):
            assert found is None
        elif (single and not value.is_integer()) or (single and abs(value) >= 2**53):
            assert np.float32(found) == np.float32(value)
        else:
            assert found == value


def test_float32_is_written_short() -> None:
    assert encode(numbers(np.array([0.1, 1e-7], dtype=np.float32))) == b"[0.1,1e-07]"
    assert encode(numbers(np.array([2.0**27, 3e38], dtype=np.float32))) == b"[134217728.0,3e+38]"


def test_a_nan_that_nobody_handled_is_an_error_and_not_a_bare_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode([float("nan")])


@pytest.mark.parametrize("value", [2**53, -(2**53), 0, 2**53 + 1, -(2**63), 2**63 - 1])
def test_integers_a_browser_would_round_are_text(value: int) -> None:
    sent = integer(value)
    assert int(sent) == value
    assert isinstance(sent, str) == (abs(value) > 2**53)
