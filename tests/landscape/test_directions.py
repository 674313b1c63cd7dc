"""Filter normalization, planes and principal components against independent arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_convergence.experiments.loss_landscape.directions import (
    DirectionError,
    between,
    combine,
    inner,
    norm,
    plane_of_three,
    principal_components,
    random_pair,
)


def as_the_authors_do(direction: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`normalize_direction(d, w, norm="filter")` of the authors' code, which has filters first."""
    out = direction.copy()
    for place, w in enumerate(weight):
        out[place] *= np.linalg.norm(w) / (np.linalg.norm(out[place]) + 1e-10)
    return out


@pytest.mark.parametrize(
    ("shape", "axes", "to_filters_first"),
    [
        ((3, 3, 4, 6), (3,), (3, 2, 0, 1)),  # Conv2D: height, width, input, output
        ((7, 5), (1,), (1, 0)),  # Dense: input, output
        ((9, 4), (0,), (0, 1)),  # Embedding: token, feature
        ((3, 3, 5, 2), (2,), (2, 3, 0, 1)),  # Conv2DTranspose: height, width, output, input
    ],
)
def test_each_filter_is_scaled_as_in_the_papers_code(
    shape: tuple[int, ...], axes: tuple[int, ...], to_filters_first: tuple[int, ...]
) -> None:
    weight = np.random.default_rng(1).normal(size=shape)
    pair = random_pair([weight], [axes], seed=5)
    raw = np.random.default_rng(5).standard_normal(shape)
    expected = as_the_authors_do(
        raw.transpose(to_filters_first), weight.transpose(to_filters_first)
    )
    got = pair.vectors[0][0].transpose(to_filters_first)
    np.testing.assert_allclose(got, expected, rtol=1e-6)


@given(st.integers(0, 1000), st.floats(1e-3, 1e3))
def test_a_direction_scales_with_its_filters(seed: int, factor: float) -> None:
    """What filter normalization is for: rescaling the weights leaves the picture as it is."""
    weight = np.random.default_rng(0).normal(size=(4, 3))
    scaled = weight * np.array([factor, 1.0, 1.0])
    one, other = (random_pair([w], [(1,)], seed).vectors[0][0] for w in (weight, scaled))
    np.testing.assert_allclose(other, one * np.array([factor, 1, 1]), rtol=1e-5)


def test_a_filter_of_zeros_and_what_stays_do_not_move() -> None:
    weight = np.ones((2, 3))
    weight[:, 1] = 0
    pair = random_pair([weight, np.ones(3)], [(1,), None], seed=0)
    for kernel, bias in pair.vectors:
        assert (kernel[:, 1] == 0).all()
        assert (kernel[:, [0, 2]] != 0).all()
        assert (bias == 0).all()


def test_pairs_of_different_seeds_are_nearly_at_right_angles() -> None:
    weight = np.random.default_rng(0).normal(size=(100, 100))
    first, second = random_pair([weight], [(1,)], 0), random_pair([weight], [(1,)], 1)
    vectors = [*first.vectors, *second.vectors]
    length = norm([weight])
    for place, a in enumerate(vectors):
        assert norm(a) == pytest.approx(length, rel=1e-5)
        for b in vectors[:place]:
            assert abs(inner(a, b)) / length**2 < 0.05


def test_principal_components_agree_with_a_singular_value_decomposition() -> None:
    generator = np.random.default_rng(3)
    path = generator.normal(size=(6, 40)) * np.linspace(3, 0.5, 6)[:, None]
    found = principal_components(path @ path.T, 2)
    _, singular, right = np.linalg.svd(path, full_matrices=False)
    np.testing.assert_allclose(found.explained, (singular**2 / (singular**2).sum())[:2])
    for row, vector in zip(found.coefficients, right[:2], strict=True):
        mine = combine(row, [(one.astype(np.float32),) for one in path])[0]
        assert np.linalg.norm(mine) == pytest.approx(1, rel=1e-5)
        assert abs(mine @ vector) == pytest.approx(1, rel=1e-5)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(path @ right[:2].T), rtol=1e-6)
    assert (found.coordinates[0] >= 0).all()


def test_a_straight_path_has_no_second_component() -> None:
    path = np.outer([3.0, 2.0, 1.0], [1.0, 1.0, 0.0])
    with pytest.raises(DirectionError, match="fewer than 2 directions"):
        principal_components(path @ path.T, 2)


def test_a_plane_of_three_meets_all_three() -> None:
    generator = np.random.default_rng(0)
    a, b, c = ([generator.normal(size=(3, 2)).astype("f4")] for _ in range(3))
    first, second, (x, y) = plane_of_three(a, b, c)
    assert inner(first, second) == pytest.approx(0, abs=1e-5)
    assert norm(first) == pytest.approx(norm(second), rel=1e-5)
    np.testing.assert_allclose(a[0] + first[0], b[0], rtol=1e-5)
    np.testing.assert_allclose(a[0] + x * first[0] + y * second[0], c[0], rtol=1e-4)


def test_weights_that_do_not_fit_are_refused_with_their_shapes() -> None:
    with pytest.raises(DirectionError, match=r"variable 0 has shape \(2,\) .* \(3,\)"):
        between([np.zeros(2, "f4")], [np.zeros(3, "f4")])
    with pytest.raises(DirectionError, match="no line between"):
        between([np.zeros(2, "f4")], [np.zeros(2, "f4")])
    with pytest.raises(DirectionError, match="one line"):
        plane_of_three([np.zeros(2, "f4")], [np.ones(2, "f4")], [np.full(2, 3.0, "f4")])
