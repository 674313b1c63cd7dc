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

from tb_convergence.training.instep import kernels, packed, packed_outputs  # noqa: E402 - needs TensorFlow
from tb_convergence.training.instep.gradients import Gradient, dense, unscaled  # noqa: E402
from tb_convergence.training.instep.reductions import Exact, Fast, as_float, supported  # noqa: E402

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
        absolute = relative * (1.0 if name.endswith(("fraction", "kurtosis")) else scale)
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


SMALL = {name: values for name, values in PATTERNS.items() if np.size(values) < 4_000}


@pytest.mark.parametrize("jit", [False, True], ids=["graph", "xla"])
def test_small_tensors_are_reduced_together_as_if_alone(jit: bool) -> None:
    """Tensors of all sizes, dtypes and degrees of damage, with None and a large one between."""
    tensors: list[Any] = [as_dtype(values, "float32") for values in SMALL.values()]
    tensors += [as_dtype(NORMAL[:n], dtype) for dtype in ("float64", "float16") for n in (9, 300)]
    tensors.insert(3, None)
    tensors.insert(5, tf.random.stateless_normal([packed.MAX_ENTRIES + 1], (1, 2)))
    function = tf.function(lambda: packed.reduced(NAMES, tensors, exact=jit), jit_compile=jit)
    found = function().numpy()
    assert found.shape == (len(NAMES), len(tensors))
    for column, tensor in enumerate(tensors):
        row = dict(zip(NAMES, found[:, column].tolist(), strict=True))
        if tensor is None:
            assert np.isnan(found[:, column]).all()
        else:
            assert_equal(row, reduce(tf.cast(tensor, tf.float64).numpy()), 2e-5)


def test_tensors_that_are_packed_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = [as_dtype(NORMAL[:900] * n, "float32") for n in (1, 2, 3)]
    monkeypatch.setattr(packed, "MAX_PACKED", 1_900)
    monkeypatch.setattr(packed, "Packed", _Counted)
    _Counted.packed = []
    found = packed.reduced(NAMES, tensors, exact=False).numpy()
    assert _Counted.packed == [2]
    for column, tensor in enumerate(tensors):
        row = dict(zip(NAMES, found[:, column].tolist(), strict=True))
        assert_equal(row, reduce(tensor.numpy()), 2e-5)


class _Counted(packed.Packed):
    packed: list[int]

    def __init__(self, tensors: Any) -> None:
        self.packed.append(len(tensors))
        super().__init__(tensors)


def outputs_of_layers() -> list[Any]:
    """Outputs `[B, P, C]` of layers with different batches, one of them damaged."""
    rng = np.random.default_rng(3)
    damaged = rng.normal(size=(16, 2, 5))
    damaged[2, 0, 1], damaged[5, 1, 3], damaged[:, 1, 4] = np.inf, np.nan, np.nan
    arrays_ = [
        rng.normal(size=(16, 1, 7)), damaged, 1e25 * rng.normal(size=(4, 3, 40)),
        np.zeros((16, 1, 3)), rng.normal(size=(1, 1, 6)),
    ]
    return [array.astype(np.float32) for array in arrays_]


@pytest.mark.parametrize("way", ["one by one", "packed", "packed by XLA"])
def test_outputs_of_layers(way: str) -> None:
    """Reductions, spread over the batch, saturated and active fractions, against NumPy."""
    limits = [None, (-1.0, 0.5), None, (-1.0, 1.0), None]
    held = [tf.constant(array) for array in outputs_of_layers()]
    if way == "one by one":
        found = [kernels.output(NAMES, o, s, False) for o, s in zip(held, limits, strict=True)]
    else:
        outputs = [
            packed_outputs.Output(o, s, counted=True) for o, s in zip(held, limits, strict=True)
        ]
        together = tf.function(
            lambda: packed_outputs.outputs(NAMES, outputs), jit_compile=way.endswith("XLA")
        )
        found = together()
    for values, limit, (numbers, activity) in zip(outputs_of_layers(), limits, found, strict=True):
        row = dict(zip(NAMES, numbers.numpy()[: len(NAMES)].tolist(), strict=True))
        assert_equal(row, reduce(values), 2e-5)
        spread, saturated = numbers.numpy()[len(NAMES) :]
        finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
        deviations = np.nanstd(finite[:, np.isfinite(finite).any(axis=0)], axis=0)
        expected = deviations.mean() if len(values) > 1 else np.nan
        assert spread == pytest.approx(expected, rel=2e-5, nan_ok=True)
        if limit is None:
            assert np.isnan(saturated)
        else:
            outside = (values < limit[0]) | (values > limit[1])
            assert saturated == pytest.approx(outside.mean(), rel=1e-5)
        np.testing.assert_allclose(activity, (values > 0).mean(axis=(0, 1)), rtol=1e-5)


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
