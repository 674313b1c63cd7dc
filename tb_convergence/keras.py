"""For training scripts: `model.fit(..., callbacks=[ConvergenceCallback("logs/run")])`."""

from tb_convergence.training.keras.callback import ConvergenceCallback

__all__ = ["ConvergenceCallback"]
