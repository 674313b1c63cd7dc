"""Severity of a finding: its effect on the run, not how unusual a value looks.

Each rule has a severity of its own, which ranks the finding. Users see the effect on the run. The
same excessive learning rate is critical if the loss never came back, and a warning if the run still
learns. During a run, only a fault that will not fix itself is critical, so stopping on it never
stops a run that would recover.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import GUESS, SEVERITIES, Severity
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.objective import objective
from tb_convergence.core.diagnosis.rule import Match
from tb_convergence.core.diagnosis.training_progress import USELESS, unfinished
from tb_convergence.core.history import RunHistory

MEANING: Final[Mapping[Severity, str]] = {
    "critical": (
        "The result of the run is worthless. Either values are not finite at the end; or the loss "
        "rose above its start and stayed there; or no kernel gets a gradient any more; or the run "
        "ended without learning anything (the loss is that of a model that ignores its input, or "
        "the initial loss); or the loss that is minimized cannot be the intended one."
    ),
    "warning": (
        "Something is wrong, but the run still learns, or it is in progress and may recover."
    ),
    "info": (
        "No action is needed: the run learns well, it has recovered, or the finding is a guess "
        "without a visible effect on the run."
    ),
}
"""Meaning of each severity."""

PRINCIPLE: Final = (
    "Severity is the effect of a finding on the run, not how unusual a value looks. Confidence is "
    "how certain the finding is. A cause is as severe as the worst finding that it explains. A "
    "finding with a confidence of 0.5 or less is a guess, and a guess alone is at most a "
    "warning. During a run, a fault is critical only if it is not expected to fix itself. So "
    "stopping on `critical` does not stop a run that would have recovered. A loss that does not "
    "fall stays a warning until the run ends."
)

FEW: Final = 100
"""In fewer steps, a constant loss is no verdict yet."""
FEW_EPOCHS: Final = 5
"""The same if only epochs are known."""
SEEN: Final = 5
"""Fewer steps (or epochs) show no trajectory to judge."""
LASTS: Final = 20
"""If the loss of a run in progress is above its start for this many steps, it is no short rise.

As many as the first steps that decide whether the initialization survives.
"""
BLOWN: Final = 1e4
"""Above this multiple of its start a loss does not come back, however recent that is."""
RECORDS: Final = 5
"""The median penalty of this many records is subtracted from the loss at the end."""


def effect_on(history: RunHistory, fired: Mapping[str, Match]) -> Severity | None:
    """Severity of findings that need action in this run: "critical" or "warning"; None if unknown.

    It is unknown for a run without a loss, or with only a few losses.
    """
    if any(match.ruins for match in fired.values()):
        return "critical"
    trajectory = loss_trajectory(history)
    if trajectory is None or trajectory.observed < SEEN:
        return None
    diverged = _diverged(history, trajectory, fired)
    worthless = diverged or _learned_nothing(history, trajectory, fired)
    return "critical" if worthless else "warning"


def reported_severity(match: Match, found: Severity | None) -> Severity:
    """Severity of one finding in a run with the effect `found` (see `effect_on`)."""
    own = match.severity if match.severity == "info" or found is None else found
    return at_most(own, match.confidence)


def at_most(severity: Severity, confidence: float) -> Severity:
    """`severity`, but at most a warning for a guess: an uncertain finding must not condemn a run.

    Certain findings, and those that a guess explains, keep their severity.

    >>> at_most("critical", 0.25), at_most("critical", 0.51), at_most("info", 0.25)
    ('warning', 'critical', 'info')
    """
    return "warning" if severity == "critical" and confidence <= GUESS else severity


def worst(severities: list[Severity]) -> Severity:
    """The worst of one or more severities.

    >>> worst(["info", "critical", "warning"])
    'critical'
    """
    return min(severities, key=SEVERITIES.index)


def _diverged(history: RunHistory, trajectory: LossTrajectory, fired: Mapping[str, Match]) -> bool:
    """Whether the loss left its best level, ended above its start, and will not come back.

    Either the run has ended, or the loss has been high for too long or is too high to recover.
    """
    if "loss-divergence" not in fired or trajectory.end <= trajectory.start:
        return False
    onset = trajectory.first_step_above(trajectory.diverging_above)
    if not unfinished(history) or trajectory.axis != "step" or onset is None:
        return True
    lasted = int(trajectory.steps[-1]) - onset + 1
    blown = trajectory.start > 0 and float(trajectory.level[-1]) > BLOWN * trajectory.start
    return lasted >= LASTS or blown


def _learned_nothing(
    history: RunHistory, trajectory: LossTrajectory, fired: Mapping[str, Match]
) -> bool:
    few = FEW_EPOCHS if trajectory.axis == "epoch" else FEW
    if not objective(history).measures_progress:
        return False
    if unfinished(history) or trajectory.observed < few:
        return False
    baseline = baseline_loss(history)
    if baseline is None or baseline <= 0:
        return "loss-not-decreasing" in fired
    # A high loss that still falls started far away and has not arrived yet.
    rests = not trajectory.fell or trajectory.settled
    useless = trajectory.end - _regularization_at_end(history) > USELESS * baseline
    return rests and useless and not _validates(history, USELESS * baseline)


def _validates(history: RunHistory, limit: float) -> bool:
    """Whether the validation loss ended below `limit`: noise in training alone may hide progress.
    """
    series = history.series("validation_loss")
    return series is not None and len(series) > 0 and bool(series.values[-1] < limit)


def _regularization_at_end(history: RunHistory) -> float:
    """Amount that weight penalties add to the loss at the end; 0 if unknown."""
    # The regularization module imports this package, so import it only when needed.
    from tb_convergence.core.regularization import regularization_loss  # noqa: PLC0415

    table, model = history.table("variables"), configuration(history)
    if table is None or not table.has("variable_norm"):
        return 0.0
    if not any(layer.penalty > 0 for layer in model.layers):
        return 0.0
    last = regularization_loss(table, model)[-RECORDS:]
    return float(np.median(last)) if len(last) and np.isfinite(last).all() else 0.0
