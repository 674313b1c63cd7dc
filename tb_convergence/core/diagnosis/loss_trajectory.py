"""The trajectory of the training loss: its level over the steps, from the finest record there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tb_convergence.core.diagnosis.memoization import memoized
from tb_convergence.core.history import RunHistory, Series, Table, Values, steps_since_record

LOOKS: Final = 8
SMOOTH: Final = 0.85
"""Share of the last records at which the loss fell; noise alone gives one half."""
UNDIMINISHED: Final = 0.3
"""Speed of the fall at the end over its mean. An exponential fall reaches that at 4% of its
height.
"""

EPOCH_MEANS: Final = 8
"""Fewer epoch means show no trajectory."""
SPARSE: Final = 10
"""Steps between two recorded batch losses above which most batches are not recorded."""
UNEVEN: Final = 0.3
"""Three standard deviations of a batch loss over its start, above which batches differ much (as in
`loss_not_decreasing`)."""
AT_REST: Final = 0.05
"""Relative fall from one eighth of the run to the last below which a loss has plateaued."""


@dataclass(frozen=True, slots=True)
class LossTrajectory:
    """How the training loss went, from the finest record there is.

    Attributes:
        steps: `[S]`, last step of each window.
        level: `[S]`, mean loss of each window (one step wide where recorded densely).
        weights: `[S]`, steps in each window.
        samples: `[S]`, batch losses that each level is the mean of: fewer than there were steps
            where not every one was observed.
        start: level before anything was learned: mean over the first three steps, or the first
            loss where that is lower (the second may already have blown up).
        end: mean over the last tenth of the steps.
        lowest: smallest mean over a tenth of the steps, or a single one of the first ten windows.
        noise: standard deviation of one batch's loss around its level, robustly estimated.
        nonfinite_step: first step whose loss was NaN or infinite; None without one.
        axis: "step", "batch" or "epoch".
        elapsed: training steps from the first record to the last; None if the records do not
            tell: the step of a scalar may count epochs, samples or tokens.
    """

    steps: NDArray[np.int64]
    level: Values
    weights: Values
    samples: Values
    start: float
    end: float
    lowest: float
    noise: float
    nonfinite_step: int | None
    axis: str
    elapsed: int | None

    @property
    def observed(self) -> int:
        """Number of steps (or epochs) the course rests on."""
        return int(self.weights.sum())

    @property
    def fall(self) -> float:
        """Part of the starting loss that was lost: 1 at zero loss, negative when it grew."""
        return (self.start - self.end) / max(abs(self.start), 1e-30)

    @property
    def fell(self) -> bool:
        """Whether the loss fell by more than its noise explains (two standard errors)."""
        return self.fall > self.standstill

    @property
    def standstill(self) -> float:
        """A fall below this is noise: two standard errors, at least a thousandth and at most a
        twentieth.
        """
        total = float(self.samples.sum())
        error = self.noise * math.sqrt(1 / min(3.0, total) + 1 / max(1.0, total / 10))
        return max(0.001, min(0.05, 2 * error / max(abs(self.start), 1e-30)))

    @property
    def chance(self) -> float:
        """Relative difference between single batches, as three standard deviations over the start.
        """
        return 3 * self.noise / max(abs(self.start), 1e-30)

    @property
    def diverging_above(self) -> float:
        """Only a diverging run ends above this level.

        Twice the lowest level (TheDeepChecker's factor), and at least half way back up to the
        start, because noise doubles a loss near zero all the time.
        """
        noise_band = 4 * self.noise
        half_way = self.lowest + abs(self.start - self.lowest) / 2
        if self.lowest <= 0:
            return max(self.start, half_way) + noise_band
        return max(2 * self.lowest, half_way, self.lowest + noise_band)

    @property
    def steady_fall(self) -> bool:
        """Whether the loss fell at nearly every late record, and no more slowly than before.

        Such a loss has not plateaued, however small the fall is.
        """
        if len(self.level) < 2 * LOOKS:
            return False
        late = self.level[-LOOKS:]
        total = float(self.level[0] - self.level[-1])
        share = float(self.weights[1 - LOOKS :].sum()) / max(float(self.weights.sum()), 1.0)
        if total <= 0 or float((np.diff(late) < 0).mean()) < SMOOTH:
            return False
        return float(late[0] - late[-1]) >= UNDIMINISHED * share * total

    @property
    def settled(self) -> bool:
        """Whether the last quarter of the steps fell by less than a twentieth of its level."""
        if self.steady_fall:
            return False
        before, after = self._late
        return before.mean - after.mean < AT_REST * abs(before.mean)

    @property
    def still_falling(self) -> bool:
        """Whether the loss has not settled and its last eighth fell by more than chance (two
        errors).
        """
        before, after = self._late
        error = math.hypot(before.error, after.error)
        return not self.settled and before.mean - after.mean > 2 * error

    @property
    def rising(self) -> bool:
        """Whether the last eighth rose by a twentieth of its level, and by more than chance."""
        before, after = self._late
        error = math.hypot(before.error, after.error)
        return after.mean - before.mean > max(AT_REST * abs(before.mean), 2 * error)

    @property
    def _late(self) -> tuple[_Stretch, _Stretch]:
        """The last eighth but one of the steps, and the last eighth."""
        third, last = self._from(0.75), self._from(0.875)
        return (
            _Stretch.of(self.level[third:last], self.weights[third:last]),
            _Stretch.of(self.level[last:], self.weights[last:]),
        )

    def parts(self, count: int) -> list[tuple[float, float]]:
        """Mean loss and its standard error for each of `count` equal parts; NaN for an empty part.
        """
        ends = [self._from(index / count) for index in range(count)] + [len(self.level)]
        return [
            _Stretch.of(self.level[first:last], self.weights[first:last])
            for first, last in pairwise(ends)
        ]

    @property
    def rest_step(self) -> int:
        """First step from which a loss that has `settled` was on its plateau.

        Every eighth of the run that begins there or later is, on average, at most a twentieth of
        itself above the last one. The plateau begins at the latest with the last quarter, which
        `settled` judges, and at the earliest at `settled_step`.
        """
        mass = np.append(np.cumsum((self.level * self.weights)[::-1])[::-1], 0.0)
        left = np.append(np.cumsum(self.weights[::-1])[::-1], 0.0)
        total, latest = float(left[0]), self._from(0.75)
        last = self._from(0.875)
        after = float(mass[last] / left[last])
        starts = np.arange(latest)
        # For each start, the last window of the eighth of the run that begins there.
        ends = np.searchsorted(total - left[1:], total - left[:latest] + total / 8) + 1
        ends = np.minimum(ends, last)
        eighths = (mass[starts] - mass[ends]) / (left[starts] - left[ends])
        falling = np.flatnonzero(~(eighths - after < AT_REST * np.abs(eighths)))
        rest = int(falling[-1]) + 1 if len(falling) else 0
        return int(self.steps[max(rest, self._from(0.1))])

    def _from(self, share: float) -> int:
        """Index of the window by which `share` of the steps are reached."""
        reached = np.cumsum(self.weights)
        return int(np.searchsorted(reached, reached[-1] * share))

    @property
    def settled_step(self) -> int:
        """First step after a tenth of the run; earlier, no trajectory can be judged."""
        return int(self.steps[self._from(0.1)])

    def first_step_above(self, threshold: float) -> int | None:
        """First step of the final stretch in which the level stays above `threshold`."""
        above = ~(self.level <= threshold)
        if not len(above) or not above[-1]:
            return None
        below = np.flatnonzero(~above)
        return int(self.steps[below[-1] + 1 if len(below) else 0])


class _Stretch(NamedTuple):
    """Mean loss of a stretch of a run and that mean's standard error; NaN without a record."""

    mean: float
    error: float

    @classmethod
    def of(cls, level: Values, weights: Values) -> _Stretch:
        """The same for means `level` `[S]` over `weights` `[S]` steps each."""
        if not len(level):
            return cls(math.nan, math.nan)
        mean = float(np.average(level, weights=weights))
        share = weights / weights.sum()
        with np.errstate(over="ignore"):
            return cls(mean, math.sqrt(float((share**2 * (level - mean) ** 2).sum())))


def _averaged_steps(run: Table) -> NDArray[np.float64]:
    """Number of losses `[S]` behind the mean of each record; 1 if the records do not say."""
    observed = np.ones(len(run.steps))
    if run.has("window_steps"):
        observed = run.column("window_steps")[:, 0].astype(np.float64)
    if run.has("window_loss_steps"):
        known = run.column("window_loss_steps")[:, 0].astype(np.float64)
        observed = np.where(known > 0, known, observed)
    return observed


@memoized
def loss_trajectory(history: RunHistory) -> LossTrajectory | None:
    """Trajectory of the training loss; None if no finite loss was recorded."""
    run = history.table("run")
    if run is not None and run.has("loss") and len(run.steps):
        loss = run.column("loss")[:, 0].astype(np.float64)
        level = run.column("window_loss_mean")[:, 0] if run.has("window_loss_mean") else loss
        seen = _averaged_steps(run)
        windows = _Windows(run.steps, level, steps_since_record(run), seen)
        windows = _with_epochs(history, run, windows)
        return _trajectory(
            windows, loss, "step", _first_bad_loss(run, loss), _elapsed(run, windows)
        )
    means_first = _means_say_more(history.series("loss"), history.series("epoch_loss"))
    for name in ("epoch_loss", "loss") if means_first else ("loss", "epoch_loss"):
        series = history.series(name)
        if series is not None and len(series):
            values = np.asarray(series.values, dtype=np.float64)
            begun = _begun(values)
            values, steps = values[begun:], series.steps[begun:]
            bad = np.flatnonzero(~np.isfinite(values))
            first_bad = int(steps[bad[0]]) if len(bad) else None
            if np.isfinite(values).any():
                ones = np.ones(len(values))
                windows = _Windows(steps, values, ones, ones)
                each = bool((np.diff(steps) == 1).all())
                elapsed = len(values) if each and series.axis != "epoch" else None
                return _trajectory(windows, values, series.axis, first_bad, elapsed)
    return None


def _means_say_more(single: Series | None, means: Series | None) -> bool:
    """Whether epoch means show more than the losses of a few single batches.

    Lightning logs the loss of every 50th batch by default. If batches differ much, a few of them
    hide a fall that the means of all batches show.
    """
    if single is None or means is None or len(means) < EPOCH_MEANS or len(single) < 3:
        return False
    values = np.asarray(single.values, np.float64)
    every = float(np.median(np.diff(single.steps)))
    if single.axis != "step" or every < SPARSE or not np.isfinite(values).all():
        return False
    if means.axis != single.axis:
        return False  # what was found in epochs could not be placed among the steps
    return 3 * _noise(values) > UNEVEN * abs(float(np.median(values[:FIRST])))


def _begun(values: Values) -> int:
    """Index of the first loss that was computed.

    Programs log exactly 0 until there is something to train on, such as a full replay buffer.
    """
    computed = np.flatnonzero(values != 0)
    return int(computed[0]) if len(computed) else 0


def _elapsed(run: Table, windows: _Windows) -> int:
    """Number of training steps of a run, from the counts in its records or from their step numbers.
    """
    if run.has("window_steps"):
        return int(np.maximum(np.nan_to_num(windows.width, posinf=1.0), 1.0).sum())
    return int(run.steps[-1] - run.steps[0]) + 1


class _Windows(NamedTuple):
    """Last step, mean loss, length and number of observed losses of stretches of a run, `[S]`."""

    steps: NDArray[np.int64]
    level: Values
    width: Values
    seen: Values

    def first(self, count: int) -> _Windows:
        """The first `count` windows."""
        return _Windows(
            self.steps[:count], self.level[:count], self.width[:count], self.seen[:count]
        )


def _with_epochs(history: RunHistory, run: Table, windows: _Windows) -> _Windows:
    """The windows, with epoch means if they are the finer record.

    A short training has few records after the first dense ones, but a mean for each of its epochs.
    Windows are kept up to the first one wider than an epoch. The rest of the epoch in which they
    end follows from its mean.
    """
    epoch = history.table("epoch")
    if epoch is None or epoch.axis != run.axis or not epoch.has("epoch_loss"):
        return windows
    ends, mean = epoch.steps, epoch.column("epoch_loss")[:, 0].astype(np.float64)
    sizes = np.diff(ends, prepend=-1).astype(np.float64)
    wide = np.flatnonzero(windows.width > np.median(sizes)) if len(sizes) else np.zeros(0, int)
    if not len(wide) or not wide[0] or not np.isfinite(mean).all():
        return windows
    kept = windows.first(int(wide[0]))
    later = ends > kept.steps[-1]
    if later.sum() <= len(run.steps) - wide[0]:
        return windows
    first = int(np.flatnonzero(later)[0])
    inside = kept.steps > ends[first] - sizes[first]
    seen = float(np.nansum(kept.seen[inside]))
    known = float(np.nansum((kept.level * kept.seen)[inside]))
    levels, sizes = mean[first:].copy(), sizes[first:].copy()
    if sizes[0] > seen:
        levels[0] = (levels[0] * sizes[0] - known) / (sizes[0] - seen)
    rest = np.append(max(1.0, sizes[0] - seen), sizes[1:])
    # The mean of an epoch covers all of its steps.
    sizes[0] = max(1.0, sizes[0] - float(np.nansum(kept.width[inside])))
    return _Windows(
        np.concatenate([kept.steps, ends[later]]),
        np.concatenate([kept.level, levels]),
        np.concatenate([kept.width, sizes]),
        np.concatenate([kept.seen, rest]),
    )


def _first_bad_loss(run: Table, loss: Values) -> int | None:
    bad = np.flatnonzero(~np.isfinite(loss))
    return int(run.steps[bad[0]]) if len(bad) else None


def _trajectory(
    windows: _Windows, loss: Values, axis: str, nonfinite_step: int | None, elapsed: int | None
) -> LossTrajectory | None:
    levels = np.asarray(windows.level, np.float64)
    if len(levels) == len(loss):
        levels = np.where(np.isfinite(levels), levels, loss)
    finite = np.isfinite(levels)
    if not finite.any():
        return None
    # A file may contain any window length; an invalid one counts as 1.
    width, seen = (
        np.maximum(np.nan_to_num(v, posinf=1.0), 1.0) for v in (windows.width, windows.seen)
    )
    kept, sizes = levels[finite], width[finite].astype(np.float64)
    reached = np.cumsum(sizes)
    tail = reached > reached[-1] * 0.9 - 1e-9
    head = reached <= max(3.0, float(sizes[0]))
    return LossTrajectory(
        steps=np.asarray(windows.steps)[finite],
        level=kept,
        weights=sizes,
        samples=seen[finite].astype(np.float64),
        start=min(float(kept[0]), float(np.average(kept[head], weights=sizes[head]))),
        end=float(np.average(kept[tail], weights=sizes[tail])),
        lowest=_lowest(kept, sizes),
        noise=_noise(loss[np.isfinite(loss)]),
        nonfinite_step=nonfinite_step,
        axis=axis,
        elapsed=elapsed,
    )


def _lowest(level: Values, sizes: Values) -> float:
    """Smallest mean over a tenth of the steps, or a single window among the first ten."""
    candidates = level[:10].tolist()
    # Lists, because element access is several times faster than in arrays.
    total, reached = float(sizes.sum()), np.cumsum(sizes).tolist()
    mass = np.cumsum(level * sizes).tolist()
    start = 0
    for end in range(len(level)):
        while reached[end] - reached[start] >= total / 10:
            start += 1
        before, weight = (mass[start - 1], reached[start - 1]) if start else (0.0, 0.0)
        if reached[end] - weight >= total / 10:
            candidates.append((mass[end] - before) / (reached[end] - weight))
    return float(min(candidates))


CALM: Final = 4.0
"""Above this multiple of the initial loss, a loss has exploded and is not noise."""
FIRST: Final = 10
"""The median of this many losses is the initial loss, if it is above the first loss."""


def _noise(loss: Values) -> float:
    """Robust standard deviation from successive differences, which a trend does not inflate.

    Losses of an explosion are left out: they would make all earlier differences look like chance.
    """
    if not len(loss):
        return 0.0
    begun = max(abs(float(loss[0])), float(np.median(np.abs(loss[:FIRST]))))
    calm = np.abs(loss) <= CALM * begun
    loss = loss[calm] if calm.sum() >= 3 else loss
    if len(loss) < 3:
        return 0.0
    half = loss[len(loss) // 2 :] if len(loss) >= 12 else loss
    # 1.4826 turns a median absolute deviation into a normal standard deviation.
    return float(1.4826 * np.median(np.abs(np.diff(half))) / math.sqrt(2))
