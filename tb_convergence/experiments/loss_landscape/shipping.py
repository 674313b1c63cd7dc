"""Packs the computation of one plane for another process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tb_convergence.experiments.budget import Budget
from tb_convergence.experiments.loss_landscape.checkpoints import model_from_file
from tb_convergence.experiments.loss_landscape.evaluation import BatchNorm, Loss, Surface
from tb_convergence.experiments.loss_landscape.grid import Axis
from tb_convergence.experiments.loss_landscape.plane import plane_of
from tb_convergence.experiments.loss_landscape.planes import Plan
from tb_convergence.experiments.loss_landscape.result import Plane
from tb_convergence.experiments.loss_landscape.samples import Batches

CALL_POINTS = 8
"""Points per compiled call; between calls the budget is looked at."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A plane to evaluate. `archive` is the model as a `.keras` file."""

    archive: bytes
    loss: Loss
    metrics: Mapping[str, Loss]
    training: Batches
    validation: Batches | None
    batch_norm: BatchNorm
    plan: Plan
    points: int
    level: float | None
    tolerance: float | None
    seconds: float

    @staticmethod
    def pack(model: Any) -> bytes:
        """The model as the bytes of a `.keras` file.

        Raises:
            ValueError: Keras cannot save it; evaluate without an executor then.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "model.keras")
            try:
                model.save(file)
            except (ValueError, TypeError, NotImplementedError) as error:
                raise ValueError(
                    f"the model cannot be sent to another process ({error}): leave executor out"
                ) from error
            with open(file, "rb") as handle:
                return handle.read()


def run_parcel(parcel: Parcel) -> Plane:
    """Evaluate one plane in this process."""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.keras")
        with open(file, "wb") as handle:
            handle.write(parcel.archive)
        model = model_from_file(file)
    surface = Surface(
        model, parcel.loss, parcel.metrics, parcel.training, parcel.validation, parcel.batch_norm
    )
    clock = Budget(None if parcel.seconds == float("inf") else parcel.seconds)

    def evaluate(axes: tuple[Axis, ...], index: NDArray[np.intp]) -> NDArray[np.float64]:
        found: list[NDArray[np.float64]] = []
        for begin in range(0, len(index), CALL_POINTS):
            if clock.spent:
                break
            now = index[begin : begin + CALL_POINTS]
            places = np.stack([axis.values[now[:, k]] for k, axis in enumerate(axes)], axis=-1)
            found.append(surface.at(places, parcel.plan.directions.vectors))
        return np.concatenate(found) if found else np.empty((0, len(surface.names)))

    return plane_of(
        parcel.plan, parcel.points, evaluate, surface.names, parcel.level, parcel.tolerance
    )
