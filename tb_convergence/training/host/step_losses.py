"""Losses of single steps, from what Keras' train function returns between two records.

That costs nothing: the function returns it anyway. As a rule it is the running mean since the
epoch began, `m_n`; with batches of one size the loss of step n is `n m_n - (n - 1) m_(n-1)`, and
otherwise the counts behind the means take the place of n (`running_counts`). The difference
cancels: in float32 it is good to about `2.4e-7 n |m_n|`, and a loss that is not known to one part
in twenty is left out. A non-finite loss shows at its own step, and hides all later ones of
its epoch.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["running mean", "single", "unknown"]

ROUNDING: Final = 2.4e-7
"""Four roundings of a float32."""

KNOWN_TO: Final = 0.05
"""A loss is used where its error is below this fraction of it."""

AGREES: Final = 1e-3
"""A value is the loss of a rehearsed step if the two differ by no more than this fraction."""

NEVER: Final = -1


@dataclass(slots=True)
class Window:
    """The known losses since the last record.

    Attributes:
        first_nonfinite: number of the first batch in it, counted over the whole training, whose
            loss is not finite; `NEVER` without one.
        nonfinite: batches known to have had such a loss, at least.
        total, known: sum and number of the finite losses that are known.
        highest, lowest: of them; NaN without any.
    """

    first_nonfinite: int = NEVER
    nonfinite: int = 0
    total: float = 0.0
    known: int = 0
    highest: float = math.nan
    lowest: float = math.nan

    def add(self, loss: float) -> None:
        """A finite loss."""
        self.total += loss
        self.known += 1
        self.highest = loss if self.known == 1 else max(self.highest, loss)
        self.lowest = loss if self.known == 1 else min(self.lowest, loss)


@dataclass(slots=True)
class _Value:
    """One of the values that the train function returns."""

    kind: Kind
    mean: float = 0.0
    count: float = 0.0
    before: tuple[float, float] = (0.0, 0.0)
    hidden: bool = False
    wrong: set[Kind] = field(default_factory=set)
    window: Window = field(default_factory=Window)

    def loss(self, kind: Kind) -> float:
        """The loss of the latest batches by this reading; NaN where it is not known."""
        mean, count = self.before
        if kind == "single" or count == 0:
            return self.mean
        added = self.count - count
        if not added > 0:  # not known, or set back by somebody
            return math.nan
        loss = (self.count * self.mean - count * mean) / added
        error = ROUNDING * self.count * max(abs(self.mean), abs(mean)) / added
        return loss if error <= KNOWN_TO * abs(loss) else math.nan


class StepLosses:
    """Follows the losses of a training call by call.

    Args:
        kind: what the values are, where that is known for certain.

    Attributes:
        batches: how many have been seen.
        nonfinite: whether a loss of the latest call was not finite.
        latest: the single loss of the latest call; NaN where it is not known.

    >>> losses = StepLosses("running mean")
    >>> for mean in (4.0, 3.0, float("nan"), float("nan")):
    ...     losses.add({"loss": mean})
    >>> window = losses.take()
    >>> window.highest, window.lowest, window.first_nonfinite
    (4.0, 2.0, 2)
    """

    def __init__(self, kind: Kind = "unknown") -> None:
        self.batches = 0
        self.nonfinite = False
        self.latest = math.nan
        self._kind = kind
        self._values: dict[str, _Value] = {}

    def begin_epoch(self) -> None:
        """Running means begin anew."""
        for value in self._values.values():
            value.count, value.mean, value.hidden = 0.0, 0.0, False

    def add(
        self, values: Mapping[str, float], batches: int = 1,
        counts: Mapping[str, float] | None = None,
    ) -> None:
        """What one call returned: its losses by name.

        Args:
            batches: of the call.
            counts: what the means have counted, by name; NaN where that is not known. Batches are
                counted where it is not given.
        """
        self.nonfinite = False
        for name, number in values.items():
            value = self._values.get(name)
            if value is None:
                value = self._values[name] = _Value(self._kind)
            value.before = (value.mean, value.count)
            value.mean, value.count = number, (counts or {}).get(name, value.count + batches)
            if math.isfinite(number):
                loss = value.loss(value.kind) if value.kind != "unknown" else math.nan
                if math.isfinite(loss):
                    value.window.add(loss)
                continue
            self.nonfinite = True
            if not value.hidden:
                value.window.nonfinite += 1
                if value.window.first_nonfinite == NEVER:
                    value.window.first_nonfinite = self.batches
            # What comes after it is seen again where the values are single losses.
            value.hidden = value.kind != "single"
        self.batches += batches
        self._follow()

    def _follow(self) -> None:
        chosen = self._chosen()
        self.latest = math.nan
        if chosen is not None and chosen.kind != "unknown":
            self.latest = chosen.loss(chosen.kind)

    def compare(self, loss: float) -> None:
        """The step of the latest call was rehearsed, and its loss is `loss`: learn what is what."""
        if self._kind != "unknown" or not math.isfinite(loss):
            return
        kinds: tuple[Kind, Kind] = ("running mean", "single")
        for value in self._values.values():
            if not math.isfinite(value.mean):
                continue
            for kind in kinds:
                if not abs(value.loss(kind) - loss) <= AGREES * max(abs(loss), 1e-12):
                    value.wrong.add(kind)
            fits = [kind for kind in kinds if kind not in value.wrong]
            value.kind = fits[0] if len(fits) == 1 else "unknown"

    def tell(self, means: Collection[float]) -> None:
        """The step of the latest call cannot be rehearsed; `means` are what its metrics hold.

        A value that no metric holds is the loss of that step. One that a metric holds is its mean,
        unless it is that of the first batches, where both are the same.
        """
        if self._kind != "unknown":
            return
        for value in self._values.values():
            if value.kind != "unknown" or not math.isfinite(value.mean):
                continue
            near = AGREES * max(abs(value.mean), 1e-12)
            if not any(abs(mean - value.mean) <= near for mean in means):
                value.kind = "single"
            elif value.before[1]:
                value.kind = "running mean"
        self._follow()

    def take(self) -> Window:
        """The window since it was last taken. Of values that are no loss that is known, it tells
        the first non-finite one alone."""
        chosen = self._chosen()
        taken = Window() if chosen is None else chosen.window
        for value in self._values.values():
            value.window = Window()
        return taken

    def _chosen(self) -> _Value | None:
        """The value that is the loss: one that is known to be, else "loss", else any."""
        known = [value for value in self._values.values() if value.kind != "unknown"]
        if "loss" in self._values and (self._values["loss"] in known or not known):
            return self._values["loss"]
        return next(iter(known or self._values.values()), None)
