"""Extreme eigenvalues of the Hessian, by Lanczos with Hessian-vector products.

The largest one is the sharpness. For gradient descent with the whole data set, a learning rate
below `2 / lambda_max` cannot be what makes the loss diverge near these weights; above it, nothing
follows: healthy trainings start at 1.2 to 60 times that value, because the eigenvalue falls while
they train (docs/landscape.md).

References:
    Lanczos 1950; Ghorbani et al. 2019, arXiv:1901.10159 (Lanczos for networks).
    Cohen et al. 2021, arXiv:2103.00065 (the edge of stability).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.text.numbers import number

Vector = NDArray[np.float64]
Product = Callable[[Vector], Vector]
"""A vector `[D]` -> the Hessian times it."""

ITERATIONS: Final = 30
"""Hessian-vector products at most."""

TOLERANCE: Final = 0.01
"""Stop when the largest eigenvalue's error bound is below this fraction of it."""

BREAKDOWN: Final = 1e-10
"""A residual below this fraction of the matrix' size: the Krylov space is exhausted."""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The ends of a symmetric matrix' spectrum.

    Attributes:
        largest, smallest: eigenvalues. The smallest is an upper bound of the true one.
        error: bound on the error of the largest.
        products: how many matrix-vector products it took.
        vectors: eigenvectors of the `count` largest in magnitude, `[count, D]`, unit length.
        values: their eigenvalues, `[count]`.
    """

    largest: float
    smallest: float
    error: float
    products: int
    values: Vector
    vectors: Vector


class SharpnessError(ValueError):
    """The Hessian cannot be had: a product is not finite, or an operation has no second derivative.
    """


def lanczos(
    product: Product,
    size: int,
    *,
    seed: int = 0,
    iterations: int = ITERATIONS,
    tolerance: float = TOLERANCE,
    count: int = 0,
) -> Spectrum:
    """Extreme eigenvalues of the matrix behind `product`.

    Keeps all Lanczos vectors and reorthogonalises against each of them twice, so no eigenvalue
    appears twice; memory is `iterations * size` float32.

    Args:
        product: the matrix times a vector.
        size: D.
        seed: of the starting vector.
        iterations: products at most.
        tolerance: relative error of the largest eigenvalue at which to stop.
        count: how many eigenvectors to return.

    Raises:
        SharpnessError: a product is not finite.

    >>> matrix = np.diag([5.0, 1.0, -2.0])
    >>> found = lanczos(lambda v: matrix @ v, 3, count=1)
    >>> round(found.largest, 6), round(found.smallest, 6)
    (5.0, -2.0)
    """
    generator = np.random.default_rng(seed)
    start = generator.standard_normal(size)
    basis = [(start / np.linalg.norm(start)).astype(np.float32)]
    diagonal: list[float] = []
    beside: list[float] = []
    for step in range(min(iterations, size)):
        current = basis[-1].astype(np.float64)
        image = np.asarray(product(current), np.float64)
        if not np.isfinite(image).all():
            raise SharpnessError("the Hessian at these weights is not finite")
        diagonal.append(float(current @ image))
        rest = _orthogonal(image, basis)
        residual = float(np.linalg.norm(rest))
        values, vectors = np.linalg.eigh(_tridiagonal(diagonal, beside))
        scale = max(abs(values[0]), abs(values[-1]), 1e-30)
        error = residual * abs(float(vectors[-1, -1]))
        exhausted = residual <= BREAKDOWN * scale
        needs = max(count + 2, 3)
        if exhausted or (step + 1 >= needs and error <= tolerance * scale):
            break
        beside.append(residual)
        basis.append((rest / residual).astype(np.float32))
    order = np.argsort(-np.abs(values))[:count]
    used = np.stack(basis[: len(diagonal)])
    return Spectrum(
        largest=float(values[-1]), smallest=float(values[0]), error=float(error),
        products=len(diagonal), values=values[order],
        vectors=np.stack([_unit(vectors[:, k] @ used) for k in order])
        if count else np.empty((0, size)),
    )


def _orthogonal(vector: Vector, basis: list[NDArray[np.float32]]) -> Vector:
    """What is left of `vector` without its parts along `basis`; twice, for the rounding."""
    rest = vector
    for _ in range(2):
        for one in basis:
            rest = rest - (one.astype(np.float64) @ rest) * one
    return rest


def _tridiagonal(diagonal: list[float], beside: list[float]) -> Vector:
    return np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


@dataclass(frozen=True, slots=True)
class RateVerdict:
    """The verdict of the sharpness on the learning rate.

    Attributes:
        verdict: "acquitted", "not decided".
        limit: 2 / lambda_max; None if the largest eigenvalue is not positive.
        text: the same in a sentence.
    """

    verdict: str
    limit: float | None
    text: str


def judge_rate(largest: float, rate: float | None, plain_gradient_descent: bool) -> RateVerdict:
    """Compare the learning rate with `2 / lambda_max`. Acquits; never convicts.

    >>> judge_rate(4.0, 0.1, True).verdict, judge_rate(40.0, 0.1, True).verdict
    ('acquitted', 'not decided')
    """
    if not largest > 0:
        return RateVerdict(
            "not decided", None,
            "The largest Hessian eigenvalue is not positive, so there is no limit 2 / lambda_max.",
        )
    limit = 2 / largest
    if rate is None:
        return RateVerdict(
            "not decided", limit,
            f"Plain gradient descent is stable here below a learning rate of {number(limit)}. "
            "The optimizer's learning rate is unknown.",
        )
    if not plain_gradient_descent:
        return RateVerdict(
            "not decided", limit,
            f"The limit 2 / lambda_max = {number(limit)} holds for gradient descent without "
            "momentum. The model uses another optimizer, so the limit does not apply to its "
            "learning rate.",
        )
    if rate < limit:
        return RateVerdict(
            "acquitted", limit,
            f"The learning rate {number(rate)} is below 2 / lambda_max = {number(limit)}, so it "
            "is not the reason why gradient descent does not converge at these weights.",
        )
    return RateVerdict(
        "not decided", limit,
        f"The learning rate {number(rate)} is {number(rate / limit, 2)} times 2 / lambda_max = "
        f"{number(limit)}. That proves nothing: healthy trainings start at 1.2 to 60 times the "
        "limit.",
    )
