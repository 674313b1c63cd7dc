"""The points along a direction: evenly spaced, and the final weights of the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments.loss_landscape.refinement import lattice_stride


@dataclass(frozen=True, slots=True)
class Axis:
    """Evenly spaced coordinates along one direction.

    Attributes:
        values: `[N]`, ascending; one of them is exactly 0.
        origin: its index, a point of the complete lattice.
        spacing: distance between neighbors.
    """

    values: NDArray[np.float64]
    origin: int
    spacing: float


def axis_over(low: float, high: float, points: int, stride: int | None = None) -> Axis:
    """N points that cover `[low, high]` and meet 0, which is the end of the training.

    To meet 0 with a point of the complete lattice (every `stride`-th), the points may be
    shifted by up to half a lattice spacing; the distance between them grows to cover all the same.

    >>> axis_over(-1.0, 1.0, 5).values.tolist()
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    stride = stride or lattice_stride(points)
    cells = (points - 1) // stride
    origin = round(cells * -low / (high - low))
    origin = min(max(origin, 0 if low >= 0 else 1), cells - (1 if high > 0 else 0))
    needed = [-low / origin if origin else 0.0, high / (cells - origin) if cells > origin else 0.0]
    spacing = max(needed) / stride
    index = origin * stride
    values = (np.arange(points, dtype=np.float64) - index) * spacing
    return Axis(values, index, spacing)
