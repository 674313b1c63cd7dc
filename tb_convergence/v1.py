"""For graph mode: `summary = v1.health_summary(optimizer.compute_gradients(loss), loss=loss)`."""

from tb_convergence.training.loops.graph_mode import health_summary

__all__ = ["health_summary"]
