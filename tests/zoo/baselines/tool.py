"""What a tool is to the comparison: reports with a step, and the causes each speaks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tb_convergence.core.history import RunHistory


@dataclass(frozen=True, slots=True)
class Report:
    """One thing a tool said: its own name for it, and the step from which it says so."""

    name: str
    step: int


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool and how its words are read.

    Attributes:
        name: as the table has it.
        about: what it is and what was fed to it, in a sentence.
        run: reports for a history.
        means: for each of its names, our ids of the causes that its message or documentation
            speaks for; empty where it speaks for none. Generous: several ids count as all of them.
        why: for each of its names, the reason.
    """

    name: str
    about: str
    run: Callable[[RunHistory], list[Report]]
    means: Mapping[str, tuple[str, ...]]
    why: Mapping[str, str]


def first_reports(reports: Iterable[Report]) -> list[Report]:
    """Each name once, in the order of its first step: what a person would read first."""
    first: dict[str, Report] = {}
    for report in sorted(reports, key=lambda report: report.step):
        first.setdefault(report.name, report)
    return list(first.values())


def scalars(history: RunHistory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What a person who logs scalars has: steps and values of losses, rate and gradient norm."""
    names = {
        "loss": "loss", "validation_loss": "val_loss", "learning_rate": "learning_rate",
        "gradient_global_norm": "gradient_norm",
    }
    found = {}
    for ours, theirs in names.items():
        series = history.series(ours)
        if series is not None and len(series):
            found[theirs] = (series.steps, np.asarray(series.values, np.float64))
    return found
