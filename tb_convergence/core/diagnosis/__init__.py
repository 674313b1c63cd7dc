"""From a `RunHistory` to ranked findings: what a rule is, what a finding is, how causes are ranked.

The rules themselves live in `tb_convergence.core.rules`, one file each.
"""

from tb_convergence.core.diagnosis.engine import diagnose_history
from tb_convergence.core.diagnosis.finding import (
    Evidence,
    Finding,
    NotEvaluated,
    RunDiagnosis,
)
from tb_convergence.core.diagnosis.rule import Match, Rule

__all__ = [
    "Evidence",
    "Finding",
    "Match",
    "NotEvaluated",
    "Rule",
    "RunDiagnosis",
    "diagnose_history",
]
