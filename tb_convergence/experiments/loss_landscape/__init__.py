"""The loss landscape: the loss around a model's weights, as surfaces and in numbers.

`compute.landscape` is the entry. See docs/landscape.md for what the pictures show and what not.
"""

from __future__ import annotations

from tb_convergence.experiments.loss_landscape.compute import landscape
from tb_convergence.experiments.loss_landscape.result import Landscape
from tb_convergence.training.host.trajectory import Trajectory
from tb_convergence.training.keras.trajectory_callback import TrajectoryCallback

__all__ = ["Landscape", "Trajectory", "TrajectoryCallback", "landscape"]
