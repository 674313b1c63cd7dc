"""The reward of an agent falls and stays low, or ends below its start.

The rule divides the run into twenty parts. It compares the mean reward of the last parts with the
best part and with the first parts. Single episodes and dips that recover do not count. If a
curriculum makes the task harder, or agents play against themselves, the reward does not measure
progress and the rule does not apply.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import numpy as np

from tb_convergence.core.diagnosis.finding import Evidence
from tb_convergence.core.diagnosis.rule import Match, Rule, Signs, Threshold
from tb_convergence.core.history import RunHistory, Series, Steps, Values
from tb_convergence.core.measures import Measure
from tb_convergence.core.text.numbers import number

PARTS: Final = 20
RECORDS: Final = 3 * PARTS
LATE: Final = 3
LOST: Final = 0.75
RELATIVE: Final = 0.5
ERRORS: Final = 8.0
CLEAR: Final = 12.0
SELF_PLAY: Final = re.compile(r"(?<![a-z])(elo|self[-_ ]?play)(?![a-z])", re.IGNORECASE)


class _Parts(NamedTuple):
    """Means of the parts `[20]`, the size of their noise, and the last step of each."""

    mean: Values
    error: float
    steps: Steps


def _evaluate(history: RunHistory, _: Signs) -> Match | None:
    series = history.scalars.get("reward")
    if series is None or _is_moved(history):
        return None
    parts = _parts(series)
    if parts is None:
        return None
    mean = parts.mean
    end = float(mean[-LATE:].mean())
    best = int(np.argmax(mean))
    peak = float(mean[best])
    drop = peak - end
    if best >= PARTS - LATE or drop <= 0 or drop < ERRORS * parts.error:
        return None
    size = max(abs(peak), abs(end))
    # How much of what it had learned is gone: since its best, the worst reward before that is 0.
    gained = peak - float(mean[: best + 1].min())
    lost = drop / max(gained, 1e-30)
    if drop < RELATIVE * size or (gained > ERRORS * parts.error and lost < LOST):
        return None
    half = peak - drop / 2
    below = mean <= half
    # A level that was held for a while was lost for as long: no lucky part, and no dip.
    if (~below).sum() < LATE or not below[-LATE:].all():
        return None
    above = np.flatnonzero(~below)
    begun = int(parts.steps[above[-1]])
    last = int(series.steps[-1])
    clear = drop > CLEAR * parts.error
    return Match(
        "warning" if clear else "info", 0.8 if clear else 0.5,
        f"The reward fell from {number(peak)} around step {int(parts.steps[best]):,} to "
        f"{number(end)} at the end, and did not recover (means over a twentieth and the last three "
        "twentieths of the run).",
        begun, last, (),
        (
            Evidence("reward_drop", drop / max(size, 1e-30), RELATIVE, last, side="at least"),
            Evidence(
                "reward_drop_over_error", drop / max(parts.error, 1e-30), ERRORS, last,
                side="at least",
            ),
        ),
    )


def _is_moved(history: RunHistory) -> bool:
    """Whether the task changed during the run, so that rewards of its parts differ anyway."""
    level = history.scalars.get("curriculum")
    if level is not None:
        values = np.asarray(level.values, np.float64)
        values = values[np.isfinite(values)]
        if len(values) and values.max() > values[0]:
            return True
    return any(SELF_PLAY.search(one.tag) for one in history.scalar_tags)


def _parts(series: Series) -> _Parts | None:
    """The parts of `series`; None if it holds too few finite rewards."""
    values = np.asarray(series.values, np.float64)
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < RECORDS:
        return None
    cuts = np.array_split(known, PARTS)
    mean = np.array([values[part].mean() for part in cuts])
    steps = np.array([int(series.steps[part[-1]]) for part in cuts])
    # Second differences leave out what rises or falls steadily. Their median is that of the noise,
    # however far the few parts lie apart between which the agent learned, or collapsed. Of rewards
    # that are nearly always 0 it is 0, but not their mean.
    bends = np.abs(np.diff(mean, 2))
    return _Parts(mean, float(max(np.median(bends), bends.mean() / 3)), steps)


RULE = Rule(
    id="reward-collapse",
    kind="symptom",
    title="The reward collapses",
    needs=("reward",),
    special=True,
    at_least=RECORDS,
    evaluate=_evaluate,
    thresholds=(
        Threshold(
            "reward_parts", high=PARTS,
            source=(
                "A twentieth of a run is long enough for a mean and short enough to date the fall."
            ),
        ),
        Threshold(
            "reward_parts", high=LATE, detail="(at the end)",
            source=(
                "The high level must last for this many parts, and so must the low level after it."
            ),
        ),
        Threshold(
            "rewards", high=RECORDS, source="A mean needs three records in each part.",
        ),
        Threshold(
            "reward_drop", high=RELATIVE,
            source=(
                "Relative to the larger of both rewards: the agent earns at most half of what it "
                "did. Smaller falls are common after a change of exploration."
            ),
        ),
        Threshold(
            "reward_drop_over_error", high=ERRORS,
            source=(
                "The noise is the median of the second differences of the 20 means. If the rewards "
                "of the parts are independent, they differ by less than twice the noise. A random "
                "walk exceeds 8 times the noise in one run of eight."
            ),
        ),
        Threshold(
            "reward_drop_over_error", high=CLEAR, detail="(clear)",
            source="For a warning. A random walk exceeds this in one run of 25.",
        ),
        Threshold(
            "reward_lost", high=LOST,
            source="Healthy runs often lose half of a gain and recover it (Chan et al. 2020).",
        ),
    ),
    measures=(
        Measure("reward", "reward"),
        Measure("reward_parts", "parts of the run"),
        Measure("rewards", "recorded rewards"),
        Measure("reward_drop", "relative fall of the reward since its best part", (), "fraction"),
        Measure("reward_drop_over_error", "fall over the noise of the part means"),
        Measure("reward_lost", "part of the largest gain that was lost", (), "fraction"),
    ),
    shows=("reward",),
    advice=(
        "Keep the checkpoint of the best reward, and evaluate that one.",
        "Make policy updates smaller: a lower learning rate, a smaller clip range or target KL, "
        "fewer epochs on each batch of data, or clipped gradients.",
        "Look at the entropy and the value loss from that step on. If the entropy is near zero, "
        "raise the entropy bonus. If the value loss grew, update the target network more slowly, "
        "enlarge the replay buffer, or normalize the rewards.",
    ),
    falsified_by=("The reward recovers when training continues, or with another seed.",),
    false_alarms=(
        "The task or the reward was changed during the run.",
        "Exploration was turned up, or an intrinsic reward faded, as planned.",
    ),
    references=(
        "Chan et al. 2020, Measuring the Reliability of RL Algorithms, arXiv:1912.05663",
        "Henderson et al. 2018, Deep RL That Matters, arXiv:1709.06560",
        "Schulman et al. 2017, PPO, arXiv:1707.06347",
    ),
)
