"""From outcomes to the figures the project is held to, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from zoo.outcome import GRAVE, Outcome

Z = 1.959964
"""Of a two-sided interval of 95%."""


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `total`."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """The share; NaN of nothing."""
        return self.hits / self.total if self.total else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of 95 % (1927), which also holds near 0 and 1.

        >>> Share(9, 10).interval
        (0.596, 0.982)
        """
        if not self.total:
            return (0.0, 1.0)
        n, p = self.total, self.hits / self.total
        middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
        half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
        return (round(max(0.0, middle - half), 3), round(min(1.0, middle + half), 3))

    def __str__(self) -> str:
        if not self.total:
            return "none"
        low, high = self.interval
        return f"{self.hits} of {self.total} = {self.value:.0%} [{low:.0%}, {high:.0%}]"


def share(outcomes: Iterable[Outcome], holds: Callable[[Outcome], bool]) -> Share:
    """How many of `outcomes` hold."""
    listed = list(outcomes)
    return Share(sum(map(holds, listed)), len(listed))


def grave(outcome: Outcome) -> bool:
    """Whether an expected id is reported as warning or worse."""
    return any(f.id in outcome.expected and f.severity in GRAVE for f in outcome.findings)


def quiet(outcome: Outcome) -> bool:
    """Whether nothing of warning or worse is reported."""
    return not any(f.severity in GRAVE for f in outcome.findings)


@dataclass(frozen=True, slots=True)
class Figures:
    """The totals of a set of outcomes."""

    any: Share
    grave: Share
    first: Share
    quiet: Share
    precise: Share
    early: float

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Figures:
        """Over sick outcomes with an expected cause, and healthy ones."""
        sick = [o for o in outcomes if o.task.sick and o.expected]
        causal = [o for o in sick if set(o.expected) != {"batch-norm-masks-gradients"}]
        healthy = [o for o in outcomes if not o.task.sick]
        told = [o.first_report / max(1, o.facts["steps"]) for o in sick
                if o.first_report is not None]
        return cls(
            any=share(sick, lambda o: o.found),
            grave=share(sick, grave),
            first=share(causal, lambda o: o.found_first),
            quiet=share(healthy, quiet),
            precise=share((o for o in sick), lambda o: not o.alarms),
            early=median(told) if told else math.nan,
        )

    def lines(self) -> list[tuple[str, str]]:
        """What each figure is, and its value."""
        lines = [
            ("expected cause reported", str(self.any)),
            ("expected cause reported as warning or critical", str(self.grave)),
            ("expected cause named first", str(self.first)),
            ("healthy runs without a warning or critical finding", str(self.quiet)),
            ("faulty runs without a wrong cause", str(self.precise)),
        ]
        if not math.isnan(self.early):
            lines.append(("first report, as a fraction of the run (median)",
                          f"{self.early:.0%}"))
        return lines
