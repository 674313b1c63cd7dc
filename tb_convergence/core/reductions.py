"""The NumPy twin of the recorder's in-graph reductions: one tensor in, its `Reductions` out.

Used for existing arrays (frameworks without our recorder) and as the reference the recorder is
tested against. Norms neither overflow nor underflow: entries are scaled by the largest before they
are squared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class ArrayReductions:
    """`core.statistics.Reductions` of a NumPy array. Fields as documented there."""

    norm: float
    max_abs: float
    mean_abs: float
    mean: float
    std: float
    minimum: float
    maximum: float
    zero_fraction: float
    nan_fraction: float
    inf_fraction: float
    outlier_fraction: float = 0.0
    kurtosis: float = float("nan")


EMPTY = ArrayReductions(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

OUTLIER = 4.0
"""Standard deviations from the mean, beyond which an entry is called an outlier; of normal numbers
one in 16,000 is."""


def reduce(values: ArrayLike) -> ArrayReductions:
    """Reductions over all entries of `values`, any shape, any real dtype, accumulated in float64.

    >>> reduce([3.0, -4.0, 0.0, float("nan")]).norm
    5.0
    >>> reduce([3.0, -4.0, 0.0, float("nan")]).zero_fraction
    0.25
    >>> reduce([1.0, -1.0, 1.0]).kurtosis, reduce([0.0, 0.0, 0.0, 1e-300]).kurtosis
    (1.0, 4.0)
    >>> reduce([1e300, 1e300]).norm == 1e300 * 2**0.5
    True
    """
    array: NDArray[np.float64] = np.asarray(values, dtype=np.float64).ravel()
    if array.size == 0:
        return EMPTY
    nan = np.isnan(array)
    inf = np.isinf(array)
    fractions = (
        float(np.count_nonzero(array == 0.0)) / array.size,
        float(np.count_nonzero(nan)) / array.size,
        float(np.count_nonzero(inf)) / array.size,
    )
    finite = array[~(nan | inf)]
    if finite.size == 0:
        undefined = float("nan")
        return ArrayReductions(*(undefined,) * 7, *fractions)
    magnitude = np.abs(finite)
    largest = float(magnitude.max())
    if largest == 0.0:
        return ArrayReductions(*(0.0,) * 7, *fractions)
    # A power of two, so that scaling itself rounds nothing.
    scale = float(np.exp2(np.clip(np.floor(np.log2(largest)), -1022, 1023)))
    scaled = finite / scale
    squares = scaled * scaled
    away = np.abs(scaled - np.mean(scaled)) > OUTLIER * np.std(scaled)
    return ArrayReductions(
        float(np.sqrt(np.sum(squares))) * scale,
        largest,
        float(np.mean(np.abs(scaled))) * scale,
        float(np.mean(scaled)) * scale,
        float(np.std(scaled)) * scale,
        float(finite.min()),
        float(finite.max()),
        *fractions,
        float(np.count_nonzero(away)) / array.size,
        float(np.mean(squares * squares) / np.mean(squares) ** 2),
    )
