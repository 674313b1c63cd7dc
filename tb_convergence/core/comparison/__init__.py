"""Two runs side by side: what differs in how they were set up, in health, and from which step on.

Both are `RunHistory`s; nothing is read here. Differences have a direction, "second over first":
to swap the runs is to swap the signs, and a run does not differ from itself.
"""

from tb_convergence.core.comparison.comparison import (
    COMPARISON_SCHEMA,
    Comparison,
    FindingChange,
    as_json,
    compare,
)
from tb_convergence.core.comparison.differences import Difference
from tb_convergence.core.comparison.losses import LossComparison
from tb_convergence.core.comparison.settings import Setting, main_settings

__all__ = [
    "COMPARISON_SCHEMA",
    "Comparison",
    "Difference",
    "FindingChange",
    "LossComparison",
    "Setting",
    "as_json",
    "compare",
    "main_settings",
]
