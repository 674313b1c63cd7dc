"""In-graph reductions against their NumPy twin in float64, over dtypes, shapes and patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from tb_convergence.core.reductions import ArrayReductions, reduce

tf = pytest.importorskip("tensorflow")

from tb_convergence.training import kernels  # noqa: E402 - needs TensorFlow
from tb_convergence.training.gradients import Gradient, dense, unscaled  # noqa: E402
from tb_convergence.training.reductions import Exact, Fast, as_float, supported  # noqa: E402

pytestmark = pytest.mark.tensorflow

NAMES = tuple(field.name for field in fields(ArrayReductions))
NORMAL = np.random.default_rng(0).normal(size=2_000)

PATTERNS: dict[str, Any] = {
    "normal": NORMAL,
    "large": 1e20 * NORMAL,
    "largest": np.full(100, 3.0e38),
    "small": 1e-30 * NORMAL,
    "offset": 1e4 + NORMAL,
    "wide": np.exp(10 * NORMAL),
    "zeros": np.zeros(300),
    "many zeros": NORMAL * (NORMAL > 1),
    "negative zero": np.array([-0.0, 1.0, -0.0]),
    "one entry": np.array([-2.5]),
    "scalar": np.array(4.0),
    "empty": np.zeros((0, 3)),
    "one NaN": np.where(np.arange(2_000) == 7, np.nan, NORMAL),
    "all NaN": np.full(5, np.nan),
    "infinities": np.array([np.inf, 1.0, -np.inf, 2.0, np.nan]),
    "NaN in zeros": np.array([0.0, np.nan, 0.0]),
    "rank 6": NORMAL[:64].reshape(2, 2, 2, 2, 2, 2),
    "above float32's 2**24": np.tile([1.0, 0.0, 0.0], 6_000_000).astype(np.float32),
}
"""Named arrays; those that a dtype cannot hold are cut to what it can."""

DTYPES = {
    "float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5, "float64": 1e-6,
    "int32": 1e-5, "uint8": 1e-5, "bool": 1e-5,
}
"""Relative tolerance against the float64 value of the entries as the dtype holds them."""


def as_dtype(values: Any, dtype: str) -> Any:
    """`values` as a TensorFlow tensor of `dtype`."""
    if dtype in ("int32", "uint8", "bool"):
        values = np.nan_to_num(np.clip(values, 0 if dtype != "int32" else -100, 100))
    with np.errstate(over="ignore"):
        return tf.cast(tf.constant(np.asarray(values, np.float64)), dtype)


def assert_equal(found: dict[str, float], expected: ArrayReductions, relative: float) -> None:
    scale = 0.0 if np.isnan(expected.max_abs) else expected.max_abs
    for name, value in found.items():
        wanted = getattr(expected, name)
        absolute = relative * (1.0 if name.endswith("fraction") else scale)
        with np.errstate(over="ignore"):
            wanted = float(np.float32(wanted))
        assert value == pytest.approx(wanted, rel=relative, abs=absolute, nan_ok=True), name


def entries(values: Any, exact: bool = False, jit: bool = False) -> dict[str, float]:
    """All reductions of a tensor through the function the recorder calls."""

    def call(tensor: Any) -> Any:
        return kernels.entries(NAMES, as_float(tensor), None, exact)

    function = tf.function(call, jit_compile=True) if jit else call
    return dict(zip(NAMES, function(values).numpy().tolist(), strict=True))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_parity_with_the_numpy_twin(pattern: str, dtype: str) -> None:
    values = as_dtype(PATTERNS[pattern], dtype)
    expected = reduce(tf.cast(values, tf.float64).numpy())
    # float16 sums of the twin are exact; ours are of float32, so the entries' rounding is shared.
    assert_equal(entries(values), expected, min(DTYPES[dtype], 1e-5))


@pytest.mark.parametrize("pattern", PATTERNS)
def test_parity_under_xla(pattern: str) -> None:
    values = as_dtype(PATTERNS[pattern], "float32")
    expected = reduce(values.numpy())
    # XLA on the CPU adds in one long row: 18 million entries cost it four digits.
    relative = 2e-3 if values.shape.num_elements() > 10**6 else 2e-5
    assert_equal(entries(values, exact=True, jit=True), expected, relative)


@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6),
        elements=st.floats(width=32, allow_subnormal=False)
        | st.sampled_from([0.0, -0.0, 2e-38, 3e38, float("nan"), float("inf")]),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_small_tensor(values: Any) -> None:
    finite = np.abs(values[np.isfinite(values)]).astype(np.float64)
    if finite.size and finite.max() < 1e-36:
        return  # TensorFlow's kernels flush what becomes subnormal to zero
    assert_equal(entries(tf.constant(values)), reduce(values), 1e-4)


@pytest.mark.parametrize("pattern", ["normal", "offset", "many zeros", "rank 6", "one entry"])
def test_fast_and_exact_agree_where_fast_is_safe(pattern: str) -> None:
    values = as_dtype(PATTERNS[pattern], "float32")
    fast, exact = Fast(values), Exact(values)
    assert bool(fast.safe)
    for name in NAMES:
        found = float(getattr(fast, name))
        assert found == pytest.approx(float(getattr(exact, name)), rel=1e-5, abs=1e-7), name


@pytest.mark.parametrize(
    "pattern", ["large", "largest", "small", "one NaN", "all NaN", "infinities", "NaN in zeros"]
)
@pytest.mark.parametrize("axes", [None, (0, 1)], ids=["all entries", "columns"])
def test_fast_says_where_it_would_be_wrong(pattern: str, axes: tuple[int, ...] | None) -> None:
    values = np.reshape(PATTERNS[pattern], (-1, 1, 1))
    assert not bool(Fast(as_dtype(values, "float32"), axes=axes).safe)


def test_columns_are_reduced_one_by_one() -> None:
    values = np.random.default_rng(1).normal(size=(50, 4, 3)).astype(np.float32)
    values[:, 1] *= 1e20
    values[3, 2, 0] = np.nan
    values[:, 3] = np.nan
    found = kernels.features(NAMES, tf.constant(values), False).numpy()
    for column in range(4):
        expected = reduce(values[:, column])
        row = dict(zip(NAMES, found[:, column].tolist(), strict=True))
        assert_equal(row, expected, 1e-5)


SLICES: dict[str, Any] = {
    "no duplicates": [3, 0, 5],
    "duplicates": [3, 0, 3, 3, 0, 9],
    "all the same": [2, 2, 2, 2],
    "one": [7],
}


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("indices", SLICES.values(), ids=SLICES)
def test_duplicate_indices_are_summed_before_anything_else(indices: list[int], jit: bool) -> None:
    values = np.random.default_rng(2).normal(size=(len(indices), 4)).astype(np.float32)
    full = np.zeros((10, 4))
    np.add.at(full, indices, values.astype(np.float64))

    def call(found: Any) -> Any:
        slices = tf.IndexedSlices(found, tf.constant(indices), tf.constant([10, 4]))
        gradient = dense(slices)
        assert isinstance(gradient, Gradient)
        return kernels.entries(names, gradient.values, gradient.size, exact=jit)

    names = tuple(set(NAMES) - {"minimum", "maximum"})  # zeros that are left out have no extremes
    function: Callable[[Any], Any] = tf.function(call, jit_compile=jit)
    found = dict(zip(names, function(tf.constant(values)).numpy().tolist(), strict=True))
    assert_equal(found, reduce(full), 1e-5)


def test_batch_std_is_averaged_over_the_units() -> None:
    values = np.random.default_rng(3).normal(size=(16, 5)).astype(np.float32)
    expected = values.std(axis=0).mean()
    assert float(kernels.batch_std(tf.constant(values), False)) == pytest.approx(expected, rel=1e-5)
    values[2, 1] = np.inf
    finite = np.where(np.isfinite(values), values, np.nan)
    expected = np.nanstd(finite, axis=0).mean()
    assert float(kernels.batch_std(tf.constant(values), False)) == pytest.approx(expected, rel=1e-5)


def test_a_suspect_is_cleared_or_convicted() -> None:
    big = np.array([1e30, -1e30], np.float32)
    norm, bad = kernels.suspect(tf.constant(big)).numpy()
    assert (norm, bad) == (pytest.approx(2**0.5 * 1e30, rel=1e-5), 0.0)
    norm, bad = kernels.suspect(tf.constant(np.append(big, np.float32(np.nan)))).numpy()
    assert (norm, bad) == (pytest.approx(2**0.5 * 1e30, rel=1e-5), 1.0)


def test_what_has_no_real_numbers_is_left_out() -> None:
    assert not supported(tf.constant(["text"]))
    assert not supported(tf.constant([1 + 2j]))
    assert not supported(tf.ragged.constant([[1.0], [2.0, 3.0]]))
    assert not supported(tf.sparse.from_dense([[1.0]]))
    assert not supported(None)
    assert supported(tf.constant([True]))
    assert dense(None) is None
    assert dense(tf.constant([1 + 2j])) is None


def test_a_loss_scale_is_divided_out_in_float32() -> None:
    scaled = tf.constant([2.0**15 * 1e-6], tf.float32)
    assert float(unscaled(scaled, tf.constant(2.0**15))[0]) == pytest.approx(1e-6, rel=1e-6)
