"""The loss ends where it began: the model learned nothing.

Batches differ, so two single losses prove little. The rule fires only if the losses exclude a fall
of more than a few percent between the first and the last third of the run. It compares means of
epochs directly.
"""

from __future__ import annotations

from typing import Final

from tb_convergence.core.diagnosis.data import baseline_loss
from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.loss_evidence import fall_of_loss, length_of
from tb_convergence.core.diagnosis.loss_trajectory import LossTrajectory, loss_trajectory
from tb_convergence.core.diagnosis.metric_evidence import ABOVE as GUESS_ABOVE
from tb_convergence.core.diagnosis.metric_evidence import BELOW, Guessing, guessing
from tb_convergence.core.diagnosis.noisy_fall import NoisyFall, noisy_fall
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.diagnosis.training_progress import NEAR, learns, unfinished, uniform_loss
from tb_convergence.core.history import RunHistory
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number, percent

CHANCE: Final = 0.97
ABOVE: Final = 1.1
CHANCE_STEPS: Final = 60
GUESS_RECORDS: Final = 15
EPOCHS: Final = 4
_ALIKE: Final = 0.1
_BETWEEN: Final = 0.8
MINIMUM_STEPS = 30
DETECTABLE: Final = 0.07


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    trajectory = loss_trajectory(history)
    if trajectory is None:
        return None
    if trajectory.axis == "epoch" and trajectory.observed == EPOCHS:
        return _at_chance(history, trajectory)  # too few for anything but a level that is known
    if trajectory.observed < (MINIMUM_STEPS if trajectory.axis != "epoch" else EPOCHS):
        return _by_accuracy(history, trajectory)  # epochs that a program counts as steps
    by_step = trajectory.axis != "epoch"
    noisy = noisy_fall(history) if by_step else None
    if not by_step and (trajectory.fell or _unknown_start(trajectory.fall)):
        return _at_chance(history, trajectory)
    if by_step and _went_back(trajectory):
        noisy = None  # thirds that hold both levels compare nothing
    elif by_step and (noisy is None or noisy.shown or noisy.high > DETECTABLE):
        return _at_chance(history, trajectory)
    if trajectory.end > trajectory.diverging_above or trajectory.end > 2 * abs(trajectory.start):
        return None  # that is more than standing still: see loss-divergence
    # Trained weights may well stay where they are when training continues.
    low = learns(history)
    return Match(
        severity="info" if low else "warning",
        confidence=0.8 if trajectory.fall < 0.02 else 0.6,
        summary=(
            _stays(trajectory, noisy)
            + (" That is already low, so the weights were probably trained before." if low else "")
        ),
        # The loss was constant from the first step on, but only a tenth of the run shows it.
        first_step=int(trajectory.steps[0]),
        judged_step=trajectory.settled_step,
        last_step=int(trajectory.steps[-1]),
        evidence=(
            *(
                [fall_of_loss(trajectory, trajectory.standstill)] if not trajectory.fell else []
            ),
            *(
                [Evidence("loss_fall_between_thirds", noisy.fall, DETECTABLE, side="less than")]
                if noisy is not None else []
            ),
            Evidence("loss_start", trajectory.start, None, int(trajectory.steps[0])),
            Evidence("loss_end", trajectory.end, None, int(trajectory.steps[-1])),
            Evidence("loss_noise", trajectory.noise),
        ),
    )


def _went_back(trajectory: LossTrajectory) -> bool:
    """Whether the loss had fallen clearly, and ends no lower than it began.

    Where single batches differ by as much as that fall, a few losses at the start say neither.
    """
    fell = 0 < trajectory.lowest < _BETWEEN * trajectory.start <= _BETWEEN * trajectory.end
    clear = 3 * trajectory.noise <= (1 - _BETWEEN) * abs(trajectory.start)
    return fell and clear and trajectory.observed >= MINIMUM_STEPS


def _stays(trajectory: LossTrajectory, noisy: NoisyFall | None) -> str:
    """Where the loss began and ended; of a noisy loss the means of its first and last third."""
    if trajectory.fell and noisy is not None:
        return (
            f"Over {length_of(trajectory)} the loss stays near {number(noisy.last, 4)}: the first "
            f"third averages {number(noisy.first, 4)}. Single batches differ by more."
        )
    return (
        f"After {length_of(trajectory)} the loss is {number(trajectory.end, 4)}; "
        f"{_beginning(trajectory)}."
    )


def _beginning(trajectory: LossTrajectory) -> str:
    """Where the loss began, and how low it came in between if that is well below."""
    start, first = number(trajectory.start, 4), float(trajectory.level[0])
    alike = abs(first - trajectory.start) <= _ALIKE * abs(first)
    began = f"it began at {start}" if alike else f"the first three records average {start}"
    if 0 < trajectory.lowest < _BETWEEN * trajectory.start:
        return f"{began}, and it had fallen to {number(trajectory.lowest, 4)} in between"
    return began


def _at_chance(history: RunHistory, trajectory: LossTrajectory) -> Match | None:
    """A loss that fell only to that of a model that ignores its input, and stays there.

    The baseline follows from the recorded targets, or from a logged accuracy. If only epoch means
    exist, a loss that stays within a few thousandths of ln C is that of a classifier that knows
    nothing.
    """
    found = _by_accuracy(history, trajectory)
    if found is not None or unfinished(history) or not trajectory.settled:
        return found
    baseline, confidence = baseline_loss(history), 0.75
    if baseline is None and trajectory.axis == "epoch":
        baseline, confidence = uniform_loss(trajectory.level), 0.6
    if baseline is None or baseline <= 0 or trajectory.observed < EPOCHS:
        return None
    if trajectory.axis == "step" and trajectory.observed < CHANCE_STEPS:
        return None
    over = trajectory.end / baseline
    if not CHANCE <= over <= ABOVE:
        return None
    return Match(
        "warning", confidence,
        f"After {length_of(trajectory)} the loss stays at {number(trajectory.end, 4)}, "
        f"{percent(over)} of the loss of a model that ignores its input ({number(baseline, 4)}).",
        int(trajectory.steps[0]), int(trajectory.steps[-1]), (),
        (
            Evidence("loss_over_baseline", over, CHANCE,
                     int(trajectory.steps[-1]), side="at least"),
        ),
        title="The loss stays at chance level",
        judged_step=trajectory.settled_step,
    )


def _by_accuracy(history: RunHistory, trajectory: LossTrajectory) -> Match | None:
    """A loss that rests where guesses have it, as the accuracy shows."""
    if trajectory.observed < GUESS_RECORDS or unfinished(history) or not trajectory.settled:
        return None
    guess = guessing(history) if baseline_loss(history) is None else None
    return None if guess is None else _guesses(trajectory, guess)


def _guesses(trajectory: LossTrajectory, guess: Guessing) -> Match:
    """A loss that fits its accuracy only if the model guesses, however high it began."""
    answer = (
        f"{guess.source} stays at {number(guess.accuracy, 3)}, or swaps with its complement, as if "
        "the model gave every input the same answer"
        if guess.constant else
        f"{guess.source} stays near {number(guess.accuracy, 3)}"
    )
    last = int(trajectory.steps[-1])
    return Match(
        "warning", 0.75,
        f"After {length_of(trajectory)} the loss is {number(trajectory.end, 4)}, and {answer}. "
        f"A model that guesses has a loss of {number(guess.loss, 4)} at that accuracy.",
        int(trajectory.steps[0]), last, (),
        (
            Evidence("loss_over_baseline", trajectory.end / guess.loss, BELOW, last,
                     side="at least"),
            Evidence("guessed_accuracy", guess.accuracy),
        ),
        title="The loss stays at chance level",
        judged_step=trajectory.settled_step,
    )


def _unknown_start(fall: float) -> bool:
    """Whether the loss may have fallen before the first epoch mean: yes, unless it rose since."""
    return fall > -0.02


RULE = Rule(
    id="loss-not-decreasing",
    kind="symptom",
    title="The loss does not decrease",
    needs=("loss|epoch_loss",),
    at_least=4,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "loss_fall_between_thirds", low=DETECTABLE,
            source=(
                "The means of the first and the last third of the run must exclude a larger fall "
                "with a probability of 99%. Simulated losses that fall by a fifth or more then "
                "count as flat in less than 1% of cases, whatever their noise."
            ),
        ),
        Threshold(
            "loss_over_baseline", high=CHANCE,
            source=(
                "The model has then learned nothing; the losses of single batches vary by a few "
                "percent."
            ),
        ),
        Threshold(
            "loss_over_baseline", low=ABOVE, detail="(upper bound)",
            source="A higher loss is not at chance level.",
        ),
        Threshold(
            "steps", high=CHANCE_STEPS, detail="at chance level",
            source="A shorter plateau at chance level may be a slow start.",
        ),
        Threshold(
            "loss_over_baseline", high=BELOW, detail="(by the accuracy)",
            source=(
                "A model that guesses among C classes is right in 1/C of the cases, and its "
                "cross-entropy is ln C."
            ),
        ),
        Threshold(
            "loss_over_baseline", low=GUESS_ABOVE, detail="(by the accuracy, upper bound)",
            source=(
                "Where accuracy is low although the model learned, the loss is well above minus "
                "the logarithm of the accuracy."
            ),
        ),
        Threshold(
            "records", high=GUESS_RECORDS, detail="(by the accuracy)",
            source="Fewer losses show no plateau.",
        ),
        Threshold("epochs", high=EPOCHS, source="Fewer epochs do not show the level of the loss."),
        Threshold(
            "distance_from_uniform", low=NEAR,
            source="Every epoch mean must lie within this distance.",
        ),
        Threshold(
            "steps", high=MINIMUM_STEPS,
            source="After fewer steps, a constant loss proves nothing.",
        ),
    ),
    assumes_progress=True,
    measures=(
        Measure(
            "loss_fall_between_thirds", "relative fall from the first third to the last",
            ("loss",), "fraction",
        ),
        Measure(
            "distance_from_uniform", "relative distance of the loss from ln C",
            ("epoch_loss",), "fraction",
        ),
        Measure("guessed_accuracy", "accuracy at the end", (), "fraction"),
        Measure("loss_noise", "std of the loss of one batch", ("loss",)),
    ),
    shows=("loss",),
    of_sound=True,
    advice=(
        "Fit ten samples until the loss is nearly zero. If that fails, the model, the loss or the "
        "labels are wrong. If it works, look at the learning rate, the data and the "
        "regularization.",
    ),
    falsified_by=("The loss falls clearly when training continues with the same settings.",),
    false_alarms=("A model that starts from trained weights may have little left to learn.",),
    references=("Rauschmayr et al. 2021, SageMaker Debugger: LossNotDecreasing",),
)
