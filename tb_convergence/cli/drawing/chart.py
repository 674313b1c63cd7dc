"""What a picture shows, apart from how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tb_convergence.core.history import Values

Scale = Literal["log10", "linear"]


@dataclass(frozen=True, slots=True)
class Line:
    """One statistic over steps.

    Attributes:
        label: what the legend says; foreign text.
        steps: `[S]`, increasing.
        low, high: `[S]` bounds of the value, one and the same array where it is exact.
        broken_is_bad: whether NaN and infinities are events to be marked (a loss) rather than gaps
            (NaN of a statistic means "undefined").
    """

    label: str
    steps: NDArray[np.int64]
    low: Values
    high: Values
    broken_is_bad: bool = False

    @property
    def exact(self) -> bool:
        """Whether values are known exactly."""
        return self.low is self.high


@dataclass(frozen=True, slots=True)
class Limit:
    """The limit in a chart: a horizontal line."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over steps.

    Attributes:
        title: heading, and the accessible name together with `story`.
        lines: at most four are drawn.
        scale: of the value axis.
        limit: the threshold.
        onset: step that is marked, where the finding begins.
        story: what the picture shows, for those who cannot see it.
    """

    title: str
    lines: tuple[Line, ...]
    scale: Scale = "linear"
    limit: Limit | None = None
    onset: int | None = None
    story: str = ""
    axis: str = "step"


@dataclass(frozen=True, slots=True)
class Profile:
    """One number per layer or feature, in order of depth.

    Attributes:
        title, scale, limit, story: as in `Chart`.
        names: `[R]`, foreign text.
        values: `[R]`; NaN where undefined.
        marked: `[R]`, whether the finding names it.
    """

    title: str
    names: tuple[str, ...]
    values: tuple[float, ...]
    marked: tuple[bool, ...]
    scale: Scale = "linear"
    limit: Limit | None = None
    story: str = ""


Picture = Chart | Profile


def line(
    label: str, steps: ArrayLike, values: ArrayLike, *, broken_is_bad: bool = False
) -> Line:
    """A line of exact values."""
    array = np.asarray(values, np.float64)
    return Line(label, np.asarray(steps, np.int64), array, array, broken_is_bad)


def finite_range(arrays: Sequence[Values]) -> tuple[float, float] | None:
    """Smallest and largest finite value in `arrays`; None if there is none."""
    joined = np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.zeros(0)
    finite = joined[np.isfinite(joined)]
    return (float(finite.min()), float(finite.max())) if len(finite) else None
