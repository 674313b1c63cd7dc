"""Evaluates every rule on a run's history and ranks what fired."""

from __future__ import annotations

from tb_convergence.core.diagnosis.finding import RunDiagnosis
from tb_convergence.core.history import RunHistory


def diagnose_history(history: RunHistory) -> RunDiagnosis:
    """All that can be said of `history`. Never raises on data."""
    return RunDiagnosis(history.run, history.last_step, (), (), history.skipped)
