"""A finished landscape: surfaces, path, statistics, and what they were computed from.

`document` is the record that is written into a run's folder and shown in the tab; its meaning is
described in docs/landscape.md.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.landscape import SCHEMA, check_document
from tb_convergence.experiments.loss_landscape.statistics import Spread, over_pairs

DIGITS: Final = 6
"""Significant digits of a written loss: what float32 carries, less one."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where the training went, in the plane.

    Attributes:
        steps, x, y: the sampled steps and their coordinates; the last is the end.
        loss: the loss at the samples' own weights (not at their projection); None if the
            weights were not kept.
        exact: whether coordinates are exact, not estimated from sketches.
    """

    steps: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    loss: tuple[float | None, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class Plane:
    """One line or plane of a landscape.

    Attributes:
        seed: of its directions.
        labels: the directions' names.
        explained: fraction of the path's variance along each; empty without a path.
        x, y: coordinates `[N]`, `[M]` along the directions; `y` is None for a line.
        values: quantity -> `[N, M]` (or `[N]`); `values["loss"][i, j]` is at `x[i], y[j]`.
        known: `[N, M]`, which points were evaluated; the others are interpolated.
        statistics: name -> number, or None if not defined.
        path: the training's path in this plane, or None.
        complete: False if the budget ended it early.
    """

    seed: int
    labels: tuple[str, ...]
    explained: tuple[float, ...]
    x: NDArray[np.float64]
    y: NDArray[np.float64] | None
    values: Mapping[str, NDArray[np.float64]]
    known: NDArray[np.bool_]
    statistics: Mapping[str, float | None]
    path: Route | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Sharpness:
    """Extreme eigenvalues of the Hessian at the model's weights.

    Attributes:
        largest, smallest: over several subsets of the samples and starting vectors.
        limit: 2 / lambda_max; None without a positive eigenvalue.
        rate: the optimizer's learning rate; None if not known.
        verdict: "acquitted" or "not decided"; see `sharpness.judge_rate`.
        text: the verdict in words.
        samples: samples per subset.
    """

    largest: Spread
    smallest: Spread
    limit: float | None
    rate: float | None
    verdict: str
    text: str
    samples: int


@dataclass(frozen=True, slots=True)
class Landscape:
    """The loss around a model's weights.

    Attributes:
        planes: one for each pair of directions.
        statistics: each statistic with its values over the planes.
        sharpness: eigenvalues of the Hessian; None if they were not asked for or cannot be had.
        settings: what was computed and how: model, loss, samples, batch normalization, directions,
            level, seconds, evaluations.
        notes: sentences that a reader needs beside the picture.
    """

    planes: tuple[Plane, ...]
    settings: Mapping[str, Any]
    sharpness: Sharpness | None = None
    notes: tuple[str, ...] = ()
    statistics: Mapping[str, Spread] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "statistics", over_pairs([p.statistics for p in self.planes]))

    @property
    def complete(self) -> bool:
        """False where the budget ended it before every point was evaluated."""
        return all(plane.complete for plane in self.planes)

    def document(self, name: str = "landscape") -> dict[str, Any]:
        """The record as strict JSON: None stands for what is not finite or not defined."""
        document = {
            "schema": SCHEMA,
            "name": name,
            **_plain(dict(self.settings)),
            "complete": self.complete,
            "notes": list(self.notes),
            "planes": [_plane_document(plane) for plane in self.planes],
            "statistics": {n: _spread_document(s) for n, s in self.statistics.items()},
            "sharpness": None if self.sharpness is None else _sharpness_document(self.sharpness),
        }
        return check_document(document)

    def save(self, path: str | os.PathLike[str], name: str = "landscape") -> None:
        """Write the record as a JSON file."""
        text = json.dumps(self.document(name), allow_nan=False, ensure_ascii=False)
        Path(path).write_text(text + "\n", encoding="utf-8")

    def write(
        self, log_dir: str | os.PathLike[str], name: str = "landscape", step: int = 0
    ) -> None:
        """Write the record into a run's folder, where the tab finds it.

        Args:
            log_dir: the run's folder, as given to `ConvergenceCallback`.
            name: distinguishes several landscapes of one run; the same name replaces the earlier.
            step: the training step of the weights.
        """
        from tb_convergence.experiments.loss_landscape.record import write_record  # noqa: PLC0415

        write_record(os.fspath(log_dir), self.document(name), step)

    def plot(self, pair: int = 0, ax: Any = None) -> Any:
        """Draw the contours of one pair of directions, with the path; returns the axes.

        Raises:
            ImportError: matplotlib is not installed.
        """
        from tb_convergence.experiments.loss_landscape.charts import draw_plane  # noqa: PLC0415

        return draw_plane(_plane_document(self.planes[pair]), ax)

    def summary(self) -> str:
        """The statistics as text, one line each."""
        from tb_convergence.core.landscape import describe  # noqa: PLC0415

        return describe(self.document())


def _plane_document(plane: Plane) -> dict[str, Any]:
    path = plane.path
    return {
        "seed": plane.seed,
        "labels": list(plane.labels),
        "explained": _numbers(plane.explained),
        "x": _numbers(plane.x),
        "y": None if plane.y is None else _numbers(plane.y),
        "values": {name: _numbers(values.ravel()) for name, values in plane.values.items()},
        "evaluated": int(plane.known.sum()),
        "complete": plane.complete,
        "statistics": {name: _number(value) for name, value in plane.statistics.items()},
        "path": None if path is None else {
            "steps": list(path.steps), "x": _numbers(path.x), "y": _numbers(path.y),
            "loss": _numbers(path.loss), "exact": path.exact,
        },
    }


def _spread_document(spread: Spread) -> dict[str, Any]:
    return {
        "mean": _number(spread.mean),
        "deviation": _number(spread.deviation),
        "values": _numbers(spread.values),
    }


def _sharpness_document(sharpness: Sharpness) -> dict[str, Any]:
    return {
        "largest": _spread_document(sharpness.largest),
        "smallest": _spread_document(sharpness.smallest),
        "limit": _number(sharpness.limit),
        "rate": _number(sharpness.rate),
        "verdict": sharpness.verdict,
        "text": sharpness.text,
        "samples": sharpness.samples,
    }


def _numbers(values: Sequence[float | None] | NDArray[np.float64]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{float(value):.{DIGITS}g}")


def _plain(value: Any) -> Any:
    """The same without tuples and NumPy's numbers; None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    return _number(float(value))
