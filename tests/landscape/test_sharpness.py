"""Lanczos against matrices of known spectrum, and what the sharpness may say of a rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.experiments.loss_landscape.sharpness import SharpnessError, judge_rate, lanczos


def matrix_of(spectrum: np.ndarray, seed: int = 0) -> np.ndarray:
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(spectrum),) * 2))
    return (basis * spectrum) @ basis.T


@given(st.integers(0, 100), st.floats(1.0, 1e4))
def test_the_extremes_of_a_known_spectrum(seed: int, top: float) -> None:
    spectrum = np.concatenate([np.linspace(-0.3, 1.0, 80) * top * 0.2, [top, -0.5 * top]])
    matrix = matrix_of(spectrum, seed)
    found = lanczos(lambda v: matrix @ v, len(spectrum), seed=seed, tolerance=1e-3, count=1)
    assert found.largest == pytest.approx(top, rel=2e-3)
    assert found.smallest >= -0.5 * top * (1 + 1e-6)
    assert found.error <= 1e-3 * top
    np.testing.assert_allclose(matrix @ found.vectors[0], top * found.vectors[0], atol=0.05 * top)


def test_it_is_exact_when_the_space_is_exhausted() -> None:
    matrix = matrix_of(np.array([4.0, 2.0, -1.0, -7.0]))
    found = lanczos(lambda v: matrix @ v, 4, tolerance=0.0, count=4)
    np.testing.assert_allclose(found.values, [-7, 4, 2, -1], atol=1e-4)
    np.testing.assert_allclose(np.abs(found.vectors @ found.vectors.T), np.eye(4), atol=1e-4)


@pytest.mark.parametrize("matrix", [np.zeros((5, 5)), np.eye(5), np.full((1, 1), 3.0)])
def test_degenerate_matrices_end_at_once(matrix: np.ndarray) -> None:
    found = lanczos(lambda v: matrix @ v, len(matrix))
    assert found.products <= 2
    assert found.largest == pytest.approx(np.linalg.eigvalsh(matrix)[-1], abs=1e-6)


def test_it_stops_early_when_the_largest_is_certain() -> None:
    matrix = matrix_of(np.concatenate([np.zeros(400), [1.0], [100.0]]))
    found = lanczos(lambda v: matrix @ v, 402, iterations=100)
    assert found.products <= 6
    assert found.largest == pytest.approx(100.0, rel=0.01)


def test_a_product_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(SharpnessError, match="not finite"):
        lanczos(lambda v: v * np.nan, 5)


@pytest.mark.parametrize(
    ("largest", "rate", "plain", "verdict", "words"),
    [
        (10.0, 0.1, True, "acquitted", "not the reason"),
        (10.0, 0.2, True, "not decided", "proves nothing"),
        (10.0, 20.0, True, "not decided", "proves nothing"),
        (10.0, 0.1, False, "not decided", "without momentum"),
        (10.0, None, True, "not decided", "is unknown"),
        (-1.0, 0.1, True, "not decided", "not positive"),
    ],
)
def test_it_acquits_and_never_convicts(
    largest: float, rate: float | None, plain: bool, verdict: str, words: str
) -> None:
    found = judge_rate(largest, rate, plain)
    assert found.verdict == verdict
    assert words in found.text
    if largest > 0:
        assert found.limit == pytest.approx(2 / largest)


@pytest.mark.parametrize("factor", [0.5, 0.99, 1.01, 1.2])
def test_the_limit_is_that_of_gradient_descent_on_a_quadratic(factor: float) -> None:
    """The claim behind the verdict: below 2 / lambda_max it converges, above it does not."""
    matrix = matrix_of(np.array([9.0, 3.0, 0.5]))
    rate = factor * judge_rate(9.0, 0.1, True).limit  # type: ignore[operator]
    weights = np.ones(3)
    for _ in range(600):
        weights = weights - rate * (matrix @ weights)
    converged = np.linalg.norm(weights) < 1e-2
    assert converged == (judge_rate(9.0, rate, True).verdict == "acquitted")
