"""Decides the verdict on a run: sick, nothing found, not decided, or too early.

A green verdict needs evidence, not silence. "Nothing found" means that the loss was recorded and
fell, that validation loss or gradients were judged too, and that no check found anything that needs
action. Anything less is "not decided", or "too early" if more records of the same kind would decide
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Finding
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.metric_evidence import NOTHING, finite_validations, no_gain
from tb_convergence.core.diagnosis.objective import objective
from tb_convergence.core.diagnosis.training_progress import LEARNS, LITTLE, USELESS, learns
from tb_convergence.core.diagnosis.verdict import UNKNOWN, State, Verdict
from tb_convergence.core.history import RunHistory
from tb_convergence.core.text.numbers import number, percent
from tb_convergence.core.text.phrases import counted

RECORDS: Final = 5
"""Fewer values of the loss have no trend: the least that any rule on trends needs."""
STEPS: Final = 20
"""In fewer optimizer steps, a recorded loss shows only the start of a training."""
FLAT_STEPS: Final = 100
"""For this many steps, a loss that has not fallen may be a slow start (see `severity.FEW`)."""
VALIDATIONS: Final = 5
"""With fewer validation losses, a bad epoch looks like a turn (see `overfitting`)."""
RISEN: Final = 1.2
"""Validation loss at the end over its lowest level, above which the two clearly differ (as the
clear rise of `overfitting`). Both are medians of three values, because single epochs are noise."""
SWING: Final = 0.1
TURNS: Final = 0.4
"""As in `loss_oscillation`: typical relative change between two validations, and the share of
validations that turn. All validations use the same data, so the model causes such swings."""
SOLVED: Final = 0.05
"""Below this part of the first validation loss, swings are the noise of a solved problem."""
EXPLODED: Final = 1e4
"""First loss over the last, above which the first one is no start but an explosion. A fit that
explains 99.99% of the variance does not rest from the first tenth of the run on."""
USUAL: Final = 100.0
"""First losses below this are no explosion: a cross-entropy starts near ln C (12 for the largest
vocabularies). They fall ten thousandfold where the task is solved, to the smallest loss there is.
"""
GRADIENT_RECORDS: Final = 5
"""The median of fewer gradient records is close to that of a single step."""

_NO_LOSS: Final = "No loss was recorded, so nothing shows whether the training converges."


def verdict_of(
    history: RunHistory, findings: Sequence[Finding], decided: int, applicable: int
) -> Verdict:
    """The verdict on `history` with its `findings`.

    Args:
        history: the run.
        findings: in the order of reading.
        decided, applicable: number of checks, as in `Verdict`.
    """
    state, why = _state_and_reason(history, findings, decided, applicable)
    return Verdict(state, decided, applicable, why)


def _state_and_reason(
    history: RunHistory, findings: Sequence[Finding], decided: int, applicable: int
) -> tuple[State, str]:
    action = [finding for finding in findings if finding.severity != "info"]
    if action:
        more = f", and {counted(len(action) - 1, 'more finding')}" if len(action) > 1 else ""
        return "sick", f"{action[0].title}{more}."
    if history.last_step < 0:
        return UNKNOWN.state, _NO_LOSS if history.scalar_tags else UNKNOWN.why
    trajectory = loss_trajectory(history)
    if trajectory is None:
        return "not-decided", _NO_LOSS
    short = _too_short(history, trajectory)
    if short:
        return "too-early", short
    doubt = _doubt(history, trajectory) or _validation_doubt(history)
    if doubt:
        return "not-decided", doubt
    validated, traced = _validated(history), _gradients_recorded(history)
    if not (validated or traced):
        return "not-decided", _missing(history)
    looked = " and ".join(
        name for name, seen in (("the validation loss", validated), ("the gradients", traced))
        if seen
    )
    return "nothing-found", (
        f"{decided} of {applicable} checks could run, including {looked}, and none found anything "
        "that needs action."
    )


def _too_short(history: RunHistory, trajectory: LossTrajectory) -> str:
    """Why it is too early to judge the loss; "" if it is not."""
    values = len(trajectory.level)
    if values < RECORDS:
        return (
            f"The log has {counted(values, 'value')} of the loss so far; a trend needs {RECORDS}."
        )
    if trajectory.axis == "epoch":
        return ""
    densely = trajectory.observed > values or history.table("run") is not None
    steps = trajectory.observed if trajectory.elapsed is None else trajectory.elapsed
    if densely and steps < STEPS:
        return f"The run has {counted(steps, 'training step')} so far; a trend needs {STEPS}."
    if densely and steps < FLAT_STEPS and not trajectory.fell:
        return (
            f"The loss has not fallen in the first {steps} steps. That may be a slow start; "
            f"{FLAT_STEPS} steps will tell."
        )
    return ""


def _doubt(history: RunHistory, trajectory: LossTrajectory) -> str:
    """What forbids a green verdict on the loss although no rule fired; "" if nothing does."""
    unread = next((one.reason for one in history.skipped if not one.tag), "")
    if unread:
        return f"Part of the run could not be read: {unread}."
    goal = objective(history)
    if not goal.measures_progress:
        return f"This loss does not measure progress: {goal.why}."
    bad = trajectory.nonfinite_step
    if bad is not None and bad >= int(trajectory.steps[-1]):
        return "The loss is not finite at the end, and no check found the reason."
    if not trajectory.fell:
        return (
            f"The loss did not fall ({number(float(trajectory.level[0]))} at the start, "
            f"{number(trajectory.end)} at the end), and no check found the reason."
        )
    if trajectory.end > trajectory.diverging_above:
        return (
            f"The loss rose from {number(trajectory.lowest)} to {number(trajectory.end)} at the "
            "end, and no check found the reason."
        )
    baseline = baseline_loss(history)
    if baseline is not None and trajectory.end > USELESS * baseline and not learns(history):
        return (
            f"The loss ends at {number(trajectory.end)}, no better than that of a model that "
            f"ignores its input ({number(baseline)}), and no check found the reason."
        )
    if baseline is not None:
        return ""
    fall = max(trajectory.fall, _missed_fall(history, trajectory))
    if fall < 1 - LITTLE:
        # A rate that is far too low, labels without meaning, a model that starts from trained
        # weights: such losses look alike.
        return (
            f"The loss fell by only {percent(trajectory.fall)}, to {number(trajectory.end)}. The "
            "log does not show whether the data allows more."
        )
    if trajectory.still_falling and fall < LEARNS:
        return f"The loss is still falling, and has lost only {percent(trajectory.fall)} so far."
    return _learned_nothing(history, trajectory)


def _learned_nothing(history: RunHistory, trajectory: LossTrajectory) -> str:
    """Why a loss that fell may still be that of a model that learned nothing; "" if it cannot."""
    gain = no_gain(history)
    if gain is not None and (_validation_fall(history) < 1 - LITTLE or gain[2] < NOTHING):
        return (
            f"The loss fell, but {gain[0]} did not rise: it began at {number(gain[1], 3)} and ends "
            f"at {number(gain[2], 3)}."
        )
    first = float(trajectory.level[0])
    rests = trajectory.settled and trajectory.rest_step == trajectory.settled_step
    if rests and first > USUAL and first > EXPLODED * abs(trajectory.end) > 0:
        return (
            f"The loss fell from {number(first)} within the first tenth of the run and has stayed "
            f"at {number(trajectory.end)} since. Its first values may be an explosion that the "
            "model did not recover from."
        )
    return ""


def _missed_fall(history: RunHistory, trajectory: LossTrajectory) -> float:
    """The fall of the validation loss, if the first training loss is already below its first value.

    Programs that log rarely miss the first fall of the training loss. If it was recorded, a
    validation loss that falls much further is one of other data: labels of training data that are
    mostly wrong, for example.
    """
    values = finite_validations(history)
    missed = len(values) and float(trajectory.level[0]) < values[0]
    return _validation_fall(history) if missed else 0.0


def _validation_fall(history: RunHistory) -> float:
    """Relative fall of the validation loss from its first value; 0 if there are too few."""
    values = finite_validations(history)
    if len(values) < VALIDATIONS or values[0] <= 0:
        return 0.0
    return 1 - float(np.median(values[-3:])) / float(values[0])


def _validation_doubt(history: RunHistory) -> str:
    """What forbids a green verdict on the validation loss; "" if nothing does."""
    series, values = history.series("validation_loss"), finite_validations(history)
    if series is None or len(values) < VALIDATIONS:
        return ""
    finite = np.flatnonzero(np.isfinite(series.values))
    # In the recorder's table of epochs, one without validation is NaN too.
    logged = "validation_loss" in history.scalars
    if logged and finite[-1] < len(series.values) - 1:
        since = int(series.steps[finite[-1] + 1])
        return f"The validation loss is not finite since step {since:,}."
    late = values[len(values) // 2 :]
    level, changes = float(np.median(late)), np.diff(late)
    swing = float(np.median(np.abs(changes))) / level if level > SOLVED * values[0] else 0.0
    if swing >= SWING and float(np.mean(changes[1:] * changes[:-1] < 0)) >= TURNS:
        return (
            f"The validation loss changes by {percent(swing)} up and down from one validation to "
            "the next, so its last value says little."
        )
    levels = np.median(np.lib.stride_tricks.sliding_window_view(values, 3), axis=1)
    lowest, end = float(levels.min()), float(levels[-1])
    if lowest <= 0 or end < RISEN * lowest:
        return ""
    return (
        f"The validation loss ends near {number(end)}, {number(end / lowest, 2)} times its lowest "
        f"level ({number(lowest)}), and no check found the reason."
    )


def _validations(history: RunHistory) -> int:
    return len(finite_validations(history))


def _validated(history: RunHistory) -> bool:
    return _validations(history) >= VALIDATIONS


def _gradients_recorded(history: RunHistory) -> bool:
    """Whether enough gradient records exist to judge them."""
    return history.points("gradient_norm") >= GRADIENT_RECORDS


def _missing(history: RunHistory) -> str:
    """Which records a green verdict needs."""
    validations = _validations(history)
    if validations:
        return (
            f"The loss falls, but {counted(validations, 'value')} of the validation loss and no "
            f"gradients cannot rule out overfitting. {VALIDATIONS} values would."
        )
    return (
        "The loss falls, but neither validation loss nor gradients were recorded, so overfitting "
        "and faults inside the network would not show."
    )
