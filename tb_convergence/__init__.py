"""Why won't my loss converge? A TensorBoard plugin that names the cause.

Public names are loaded when they are first used: importing this package loads neither TensorFlow
nor TensorBoard.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tb_convergence.core.diagnosis import Finding, RunDiagnosis
    from tb_convergence.experiments.loss_landscape import landscape
    from tb_convergence.reading import diagnose
    from tb_convergence.reading.load import load
    from tb_convergence.training.keras.check import check
    from tb_convergence.training.loops.health_log import close_health, log_health
    from tb_convergence.training.loops.recorder import ConvergenceRecorder

__version__ = "0.1.0"

_PUBLIC = {
    "ConvergenceRecorder": "tb_convergence.training.loops.recorder",
    "close_health": "tb_convergence.training.loops.health_log",
    "log_health": "tb_convergence.training.loops.health_log",
    "check": "tb_convergence.training.keras.check",
    "diagnose": "tb_convergence.reading",
    "load": "tb_convergence.reading.load",
    "landscape": "tb_convergence.experiments.loss_landscape",
    "Finding": "tb_convergence.core.diagnosis",
    "RunDiagnosis": "tb_convergence.core.diagnosis",
}

__all__ = [
    "ConvergenceRecorder",
    "Finding",
    "RunDiagnosis",
    "__version__",
    "check",
    "close_health",
    "diagnose",
    "landscape",
    "load",
    "log_health",
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
