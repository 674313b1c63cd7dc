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
from tb_convergence.core.diagnosis.monitor import Change, Episode, Monitor
from tb_convergence.core.diagnosis.rule import Match, Rule
from tb_convergence.core.diagnosis.timeline import Timeline, replay, timeline
from tb_convergence.core.diagnosis.verdict import Verdict

__all__ = [
    "Change",
    "Episode",
    "Evidence",
    "Finding",
    "Match",
    "Monitor",
    "NotEvaluated",
    "Rule",
    "RunDiagnosis",
    "Timeline",
    "Verdict",
    "diagnose_history",
    "replay",
    "timeline",
]
