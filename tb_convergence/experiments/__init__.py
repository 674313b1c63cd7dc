"""Bounded experiments that decide what watching a training cannot.

Each takes a compiled Keras model (or a function that builds one) and data as `fit` takes them, and
leaves the model, its optimizer, and all random states as they were. Importing this package loads
TensorFlow only when something of it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_convergence.experiments.learning_rate import RangeTest, lr_range_test
    from tb_convergence.experiments.loss_landscape import Landscape, TrajectoryCallback, landscape
    from tb_convergence.experiments.memorising import Ladder, overfit_small_sample
    from tb_convergence.experiments.session import Settings
    from tb_convergence.experiments.state import untouched

_PUBLIC = {
    "Landscape": "tb_convergence.experiments.loss_landscape",
    "TrajectoryCallback": "tb_convergence.experiments.loss_landscape",
    "landscape": "tb_convergence.experiments.loss_landscape",
    "Ladder": "tb_convergence.experiments.memorising",
    "RangeTest": "tb_convergence.experiments.learning_rate",
    "Settings": "tb_convergence.experiments.session",
    "lr_range_test": "tb_convergence.experiments.learning_rate",
    "overfit_small_sample": "tb_convergence.experiments.memorising",
    "untouched": "tb_convergence.experiments.state",
}

__all__ = [
    "Ladder",
    "Landscape",
    "RangeTest",
    "Settings",
    "TrajectoryCallback",
    "landscape",
    "lr_range_test",
    "overfit_small_sample",
    "untouched",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
