"""Bounded experiments that find causes which logs cannot settle.

Each experiment takes a compiled Keras model (or a function that builds one) and the data that you
pass to `fit`. Afterward the model, its optimizer, and all random states are as they were. Importing
this package does not load TensorFlow; using one of its names does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_convergence.experiments.ablation import Ablation, ablate
    from tb_convergence.experiments.confident_learning import LabelErrors, label_errors
    from tb_convergence.experiments.data_check import DataCheck, check_data
    from tb_convergence.experiments.doctoring import doctor
    from tb_convergence.experiments.gradients import GradientCheck, gradient_check
    from tb_convergence.experiments.learning_rate import RangeTest, lr_range_test
    from tb_convergence.experiments.loss_landscape import Landscape, TrajectoryCallback, landscape
    from tb_convergence.experiments.memorizing import Ladder, overfit_small_sample
    from tb_convergence.experiments.prescription import Prescription
    from tb_convergence.experiments.session import Settings
    from tb_convergence.experiments.state import untouched

_PUBLIC = {
    "Ablation": "tb_convergence.experiments.ablation",
    "DataCheck": "tb_convergence.experiments.data_check",
    "GradientCheck": "tb_convergence.experiments.gradients",
    "LabelErrors": "tb_convergence.experiments.confident_learning",
    "Ladder": "tb_convergence.experiments.memorizing",
    "Landscape": "tb_convergence.experiments.loss_landscape",
    "Prescription": "tb_convergence.experiments.prescription",
    "RangeTest": "tb_convergence.experiments.learning_rate",
    "Settings": "tb_convergence.experiments.session",
    "TrajectoryCallback": "tb_convergence.experiments.loss_landscape",
    "ablate": "tb_convergence.experiments.ablation",
    "check_data": "tb_convergence.experiments.data_check",
    "doctor": "tb_convergence.experiments.doctoring",
    "gradient_check": "tb_convergence.experiments.gradients",
    "label_errors": "tb_convergence.experiments.confident_learning",
    "landscape": "tb_convergence.experiments.loss_landscape",
    "lr_range_test": "tb_convergence.experiments.learning_rate",
    "overfit_small_sample": "tb_convergence.experiments.memorizing",
    "untouched": "tb_convergence.experiments.state",
}

__all__ = [
    "Ablation",
    "DataCheck",
    "GradientCheck",
    "LabelErrors",
    "Ladder",
    "Landscape",
    "Prescription",
    "RangeTest",
    "Settings",
    "TrajectoryCallback",
    "ablate",
    "check_data",
    "doctor",
    "gradient_check",
    "label_errors",
    "landscape",
    "lr_range_test",
    "overfit_small_sample",
    "untouched",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
