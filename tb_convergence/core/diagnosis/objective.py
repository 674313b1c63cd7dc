"""What a training optimizes: whether its loss measures progress, and what does if it does not.

A falling loss is progress in supervised learning. In reinforcement learning the data changes with
the policy, so the loss may grow while the agent learns. Two adversarial networks keep each other's
losses in balance. A critic's score and the negative log-likelihood of a density have no known lower
bound. A curriculum raises the loss whenever it makes the task harder. Rules that treat the loss as
progress (`Rule.assumes_progress`) are not evaluated on such runs, and the verdict is "not decided"
unless something else shows a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from tb_convergence.core.diagnosis.configuration import configuration
from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Series, Table, Values

Kind = Literal[
    "minimized", "reinforcement", "adversarial", "several-losses", "no-floor", "curriculum",
    "cyclic-rate", "contradicted",
]

NEGATIVE: Final = 1e-6
"""Part of the largest loss by which a loss must be below zero to count; less is rounding."""
HARDER: Final = 1.01
"""Level of a curriculum over its lowest above which it has made the task harder."""
SAME_LOSS: Final = 1e-6
"""Two float32 of one loss differ by less than this part of it."""
EXPLODED: Final = 1e4
"""Above this multiple of its start, or its lowest, even a loss that need not fall has exploded."""
MEANS: Final = 10
"""Parts of a metric's series whose means are compared."""
GAINED: Final = 0.8
"""Part of its largest gain that a metric must have kept at the end to be near its best."""
CYCLE: Final = 2.0
"""Factor by which the learning rate of a cycle falls and rises again."""
SAME_PEAK: Final = 1.2
"""Peak of a cycle over those before, above which the rate was raised by hand: schedules with
restarts return to the same peak or a lower one (Loshchilov & Hutter 2017)."""


@dataclass(frozen=True, slots=True)
class Objective:
    """The objective of a run.

    Attributes:
        kind: "minimized" where the loss is one that is to fall.
        measures_progress: whether the training loss shows how far the training has come.
        why: in one sentence without a capital or a full stop, why it does not; "" if it does.
        progress: name of the series that shows it instead, such as "reward"; None without one.
    """

    kind: Kind
    measures_progress: bool
    why: str = ""
    progress: str | None = None


MINIMIZED: Final = Objective("minimized", True)


@memoized
def objective(history: RunHistory) -> Objective:
    """The objective of `history`, from the names of its scalars, its settings and its loss."""
    for look in (
        _reinforcement, _adversarial, _several_losses, _curriculum, _without_floor, _cyclic_rate,
        _contradicted,
    ):
        found = look(history)
        if found is not None:
            return found
    return MINIMIZED


def _reinforcement(history: RunHistory) -> Objective | None:
    rewarded = bool(history.points("reward"))
    losses = sum(one.role == "agent_loss" for one in history.scalar_tags)
    # A single loss with such a name may be anything. An agent has several, or a reward.
    if not rewarded and losses < 2:
        return None
    return Objective(
        "reinforcement",
        False,
        "in reinforcement learning the loss depends on the data that the policy collects, so it "
        "may grow while the agent learns",
        "reward" if rewarded else None,
    )


def _adversarial(history: RunHistory) -> Objective | None:
    roles = {one.role for one in history.scalar_tags} | set(history.scalars)
    if not {"generator_loss", "discriminator_loss"} <= roles:
        return None
    return Objective(
        "adversarial",
        False,
        "networks that are trained against each other keep their losses in balance",
    )


def _several_losses(history: RunHistory) -> Objective | None:
    """What the recorder saw of a GAN, an actor and its critic: several optimizers at work, or one
    that is called for several losses."""
    run = history.table("run")
    if run is None or len(run.rows) < 2:
        return None
    if configuration(history).optimizers > 1:
        who = "several optimizers each minimize a loss of their own"
    elif history.config.get("optimizer_calls") and _losses_differ(run):
        who = "one optimizer minimizes different losses for different parts of the model"
    else:
        return None
    return Objective("several-losses", False, f"{who}, and one may rise while another falls")


def _losses_differ(run: Table) -> bool:
    """Whether the parts of a model, one in each row, ever had different losses at one step."""
    if not run.has("loss"):
        return False
    losses = run.column("loss").astype(np.float64)
    losses = losses[np.isfinite(losses).all(axis=1)]
    return not bool(np.isclose(losses, losses[:, :1], rtol=SAME_LOSS, atol=0.0).all())


def _curriculum(history: RunHistory) -> Objective | None:
    level = history.scalars.get("curriculum")
    if level is None:
        return None
    values = np.asarray(level.values, np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2 or not values.max() > HARDER * values[0]:
        return None
    return Objective(
        "curriculum",
        False,
        f"{level.source} made the task harder during the run, so losses before and after are not "
        "comparable",
    )


def _without_floor(history: RunHistory) -> Objective | None:
    values = _losses(history)
    if not len(values) or not values.min() < -NEGATIVE * float(np.abs(values).max()):
        return None
    return Objective(
        "no-floor",
        False,
        "the loss is negative in places and has no known lower bound, so its value does not show "
        "how far the training has come",
    )


def _losses(history: RunHistory) -> Values:
    """Every finite value of the training loss."""
    series = _loss_series(history)
    values = np.zeros(0) if series is None else np.asarray(series.values, np.float64)
    return values[np.isfinite(values)]


def _loss_series(history: RunHistory) -> Series | None:
    """The training loss, by batch where that was recorded; None without one."""
    found = (history.series(name) for name in ("loss", "epoch_loss"))
    return next((series for series in found if series is not None and len(series)), None)


def _cyclic_rate(history: RunHistory) -> Objective | None:
    """A run that ends while its cyclic learning rate is high: the loss is up because of it."""
    rate = history.series("learning_rate")
    if rate is None or not rate_is_raised(rate) or not _up_since_raise(history, rate):
        return None
    return Objective(
        "cyclic-rate",
        False,
        "the learning rate was raised again and is still high, so the loss is up until the rate "
        "falls",
    )


def _up_since_raise(history: RunHistory, rate: Series) -> bool:
    """Whether the loss is higher since the rate was last raised than it was just before."""
    values = np.asarray(rate.values, np.float64)
    raised = np.flatnonzero(np.diff(values) > 0)
    if not len(raised):
        return False
    step = int(rate.steps[raised[-1] + 1])
    series = _loss_series(history)
    if series is None:
        return True
    losses = np.asarray(series.values, np.float64)
    since = losses[(series.steps >= step) & np.isfinite(losses)]
    before = losses[(series.steps < step) & np.isfinite(losses)][-max(len(since), MEANS):]
    return bool(len(since) and len(before) and np.median(since) > np.median(before))


def _contradicted(history: RunHistory) -> Objective | None:
    """A loss that rises while the task's own metric comes close to its best.

    So it goes in reinforcement learning, whose score says nothing of its kind, and where the loss
    is weighted anew during the run.
    """
    series, losses = history.scalars.get("metric"), _losses(history)
    tenth = len(losses) // 10
    if series is None or not tenth or losses[-tenth:].mean() <= losses[:tenth].mean():
        return None
    gained = _kept_gain(series)
    if gained is None or gained < GAINED:
        return None
    return Objective(
        "contradicted",
        False,
        f"it rises while {series.source} rises as well, and higher values of that are better",
        "metric",
    )


def _kept_gain(series: Series) -> float | None:
    """Part of the largest gain over the start that a series still has at its end; tenths' means.

    None if it never gained, or holds fewer than `MEANS` finite values.
    """
    values = np.asarray(series.values, np.float64)
    values = values[np.isfinite(values)]
    if len(values) < MEANS:
        return None
    means = np.array([part.mean() for part in np.array_split(values, MEANS)])
    gain = float(means.max() - means[0])
    return float(means[-1] - means[0]) / gain if gain > 0 else None


def rate_is_raised(rate: Series) -> bool:
    """Whether `rate` fell, was raised back, and is still up: a warm restart, a cyclic schedule.

    A warm-up, a decay and a constant rate never fell before they rose. A rate that ends above all
    it had been before was changed by hand, and is no cycle.

    >>> import numpy as np
    >>> def ends_up(*values):
    ...     steps = np.arange(len(values))
    ...     return rate_is_raised(Series("learning_rate", steps, np.array(values), steps * 1.0))
    >>> ends_up(1e-3, 5e-4, 1e-5, 1e-3, 9e-4), ends_up(1e-5, 1e-3, 1e-3), ends_up(1e-3, 1e-4, 1e-1)
    (True, False, False)
    """
    values = np.asarray(rate.values, np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) < 3:
        return False
    last, highest = float(values[-1]), np.maximum.accumulate(values)
    troughs = np.flatnonzero((values <= highest / CYCLE) & (last >= CYCLE * values))
    if not len(troughs):
        return False
    trough = int(troughs[-1])
    return (
        last <= SAME_PEAK * float(highest[trough]) and last >= float(values[trough:].max()) / CYCLE
    )


def improves(history: RunHistory, name: str) -> bool:
    """Whether the series `name`, of which more is better, ends above where it began.

    Compares the means of the first and the last fifth. False if there are fewer than five finite
    values.
    """
    series = history.scalars.get(name)
    if series is None:
        return False
    values = np.asarray(series.values, np.float64)
    values = values[np.isfinite(values)]
    fifth = len(values) // 5
    return bool(fifth and values[-fifth:].mean() > values[:fifth].mean())
